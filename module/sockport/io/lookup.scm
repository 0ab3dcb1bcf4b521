;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The error of a look-up that failed: getaddrinfo-error and the code alone, for
;;; handlers of two parameters as with Guile's own, and who looked up what in the
;;; exception's other parts and where it is printed.

(define-module (sockport io lookup)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:export (lookup-failed
            lookup-failure
            lookup-origin
            lookup-subject
            lookup-name))

;; From the arguments of an exception, the list itself, to who looked up what: the
;; printer is given nothing else of the exception.
(define lookups (make-weak-key-hash-table))

;;; The system's words are about the type of a socket, which is not what was wrong.
(define (reason code)
  (if (eqv? code EAI_SERVICE)
      "there is no such service"
      (gai-strerror code)))

(define (print-failure port key args default-printer)
  (match (hashq-ref lookups args)
    ((who . what)
     (format port "In procedure ~a: ~a: ~a" who what (reason (car args))))
    (#f
     (format port "In procedure getaddrinfo: ~a" (reason (car args))))))

(define (lookup-of exception)
  (hashq-ref lookups (exception-args exception) '(getaddrinfo . "a name")))

(define (lookup-origin exception)
  "Return who raised EXCEPTION, the failure of a look-up, as text."
  (symbol->string (car (lookup-of exception))))

(define (lookup-subject exception)
  "Return the text of what could not be looked up."
  (cdr (lookup-of exception)))

(set-exception-printer! 'getaddrinfo-error print-failure)

(define (lookup-name host service)
  "HOST and SERVICE, each a string or #f, as text."
  (match (filter identity (list host service))
    (() "neither a host nor a service")
    (names (string-join names ", "))))

(define (lookup-failure code who what)
  "Return the exception that WHO could not look up WHAT, for the reason CODE."
  (let ((failure (make-exception-from-throw 'getaddrinfo-error (list code))))
    (hashq-set! lookups (exception-args failure) (cons who what))
    (make-exception (make-external-error)
                    (make-exception-with-origin who)
                    (make-exception-with-message "~A: ~A")
                    (make-exception-with-irritants (list what (reason code)))
                    failure)))

(define (lookup-failed code who what)
  "Raise that WHO could not look up WHAT, for the reason CODE."
  (raise-exception (lookup-failure code who what)))
