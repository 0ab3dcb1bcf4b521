;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What goes wrong with a request besides the system's errors: an exception that
;;; says why, by a symbol, and has the request and the response, as far as there
;;; are some.  It is also a throw to http-error, for programs that use `catch', and
;;; stays what it is when they throw it again: all is in the arguments too.

(define-module (sockport client error)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (sockport io argument)
  #:use-module (web response)
  #:export (&http-error
            http-error?
            http-error-reason
            http-error-code
            http-error-request
            http-error-response
            raise-http-error
            refuse))

(define-exception-type &http-error &error
  make-http-error any-http-error?)

(define (thrown exception)
  "Return the list of what http-error was thrown with, or #f."
  (and (exception? exception)
       (eq? 'http-error (exception-kind exception))
       (match (exception-args exception)
         ((_ _ _ (and data (reason request response))) data)
         (_ #f))))

(define (http-error? object)
  "Is OBJECT the exception of a request that failed?"
  (->bool (thrown object)))

(define (part exception index who)
  (list-ref (or (thrown exception)
                (refuse-type who 1 "exception of a request" exception))
            index))

(define (http-error-reason exception)
  "Return the symbol that says what is wrong."
  (part exception 0 "http-error-reason"))

(define (http-error-request exception)
  "Return the request that EXCEPTION came of, or #f."
  (part exception 1 "http-error-request"))

(define (http-error-response exception)
  "Return the response that EXCEPTION came of, or #f if there was none."
  (part exception 2 "http-error-response"))

(define (http-error-code exception)
  "Return the status of the response that EXCEPTION has, or #f."
  (let ((response (part exception 2 "http-error-code")))
    (and response (response-code response))))

(define (raise-http-error reason request response message . irritants)
  "Raise the exception for REASON, a symbol."
  (raise-exception
   (make-exception
    (make-http-error)
    (make-exception-from-throw
     'http-error (list "http-request" message irritants
                       (list reason request response))))))

(set-exception-printer! 'http-error
  (lambda (port key args default)
    (display (apply format #f (cadr args) (caddr args)) port)))

(define (refuse message . irritants)
  "Raise a misc-error: what the program asks for cannot be sent."
  (scm-error 'misc-error "http-request" message irritants #f))
