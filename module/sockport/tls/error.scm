;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The errors of TLS: throws to the key tls-error, whose last argument holds what is
;;; known.  Failures of the socket below are system-errors.

(define-module (sockport tls error)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (sockport io argument)
  #:export (raise-tls-error
            tls-error?
            tls-error-reason
            tls-error-reasons
            tls-error-alert
            tls-error-certificates))

(define* (raise-tls-error who reason meaning reasons alert certificates
                          #:optional detail)
  (let ((more (or alert detail)))
    (throw 'tls-error who
           (if more "~A: ~A" "~A")
           (if more (list meaning more) (list meaning))
           (list reason reasons alert certificates))))

(define (parts object)
  "Return the list of what is known, from an exception or from the arguments that a
handler of `catch' gets; #f if it is something else."
  (match (if (and (exception? object) (eq? 'tls-error (exception-kind object)))
             (exception-args object)
             object)
    ((_ _ _ ((? symbol? reason) reasons alert certificates))
     (list reason reasons alert certificates))
    (('tls-error . args) (parts args))
    (_ #f)))

(define (tls-error? object)
  "Is OBJECT the exception of a failure of TLS?"
  (and (parts object) #t))

(define-syntax-rule (define-part (name index) documentation)
  (define (name error)
    documentation
    (match (parts error)
      (#f (refuse-type (symbol->string 'name) 1 "error of TLS" error))
      (found (list-ref found index)))))

(define-part (tls-error-reason 0)
  "Return the symbol that says why TLS has failed: ERROR is an exception, or the
arguments of a handler.")

(define-part (tls-error-reasons 1)
  "Return the list of all reasons why the peer's certificate was refused.")

(define-part (tls-error-alert 2)
  "Return the symbol of the alert that the peer has sent, or #f.")

(define-part (tls-error-certificates 3)
  "Return the list of the certificates that the peer has shown, as bytevectors.")

(define (print-tls-error port key args default)
  (match args
    ((who message irritants _)
     (when who (format port "In procedure ~a: " who))
     (display (apply simple-format #f message irritants) port))
    (_ (default))))

(set-exception-printer! 'tls-error print-tls-error)
