;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The errors of a procedure that is made of others, raised as its own: from its
;;; own frame, so that Guile shows the name that the program called, and with that
;;; name in place of the inner one.

(define-module (sockport io called)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (sockport io lookup)
  #:export (raising-as
            %failure-of
            %renamed))

(define kinds
  '(system-error getaddrinfo-error misc-error wrong-type-arg out-of-range
    keyword-argument-error host-not-found try-again no-recovery no-data))

(define (%failure-of thunk)
  "Return the values of THUNK in a list, or the exception that it raises, if it is
of the KINDS above.  What else is raised passes by."
  (let ((tag (make-prompt-tag "called")))
    (call-with-prompt tag
      (lambda ()
        (call-with-values
            (lambda ()
              (with-exception-handler
                  (lambda (exception)
                    (if (and (exception? exception)
                             (memq (exception-kind exception) kinds))
                        (abort-to-prompt tag exception)
                        (raise-exception exception #:continuable? #t)))
                thunk))
          list))
      (lambda (k exception) exception))))

(define (%renamed exception who inner)
  "Return EXCEPTION as one of WHO, if one of the names in the list INNER raised it."
  (match (cons (exception-kind exception) (exception-args exception))
    (('getaddrinfo-error code)
     (if (member (lookup-origin exception) inner)
         (lookup-failure code (string->symbol who) (lookup-subject exception))
         exception))
    ((kind (? (lambda (name) (member name inner))) . rest)
     (make-exception-from-throw kind (cons who rest)))
    (_ exception)))

(define-syntax-rule (raising-as who inner expr)
  "Return the values of EXPR.  An error that a procedure named in INNER raises there
is one of WHO."
  (match (%failure-of (lambda () expr))
    ((value) value)
    ((? list? results) (apply values results))
    (exception
     (raise-exception (%renamed exception who inner))
     ;; No tail call: the frame is to be there when the error is shown.
     #f)))
