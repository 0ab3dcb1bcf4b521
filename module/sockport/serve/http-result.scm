;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a handler of HTTP has returned, made a response; and what to say where it
;;; cannot be one.

(define-module (sockport serve http-result)
  #:use-module (srfi srfi-1)
  #:use-module (sockport serve http-record)
  #:use-module (web request)
  #:use-module (web response)
  #:export (asks-to-close?
            refuse-body-value
            refuse-values
            response-to
            upgrade?))

(define (refuse-values . values)
  "Refuse what a handler has returned in place of two values or more."
  (error "a handler returns two values, a response or its headers and a body, as (values '() \"text\"), but this one returned"
         (if (null? values) "none" (car values))))

(define (refuse-response value)
  (error "the first value of a handler is a response or an alist of headers, as ((content-type . (text/plain))), but this one returned"
         value))

(define (refuse-body-value value)
  (error "the second value of a handler is a body (string, bytevector, procedure, file, parts or #f), but this one returned"
         value))

(define (headers? object)
  (and (list? object) (every pair? object)))

(define (upgrade? request response)
  "Does RESPONSE hand the connection over to its body?"
  (let ((code (response-code response)))
    (or (= 101 code)
        (and (eq? 'CONNECT (request-method request)) (<= 200 code 299)))))

(define (response-to request response body)
  "Return the response to REQUEST where the handler has returned RESPONSE, one or its
headers, and BODY.  Most handlers know nothing of CONNECT; what they return for all
methods must not seem to be a tunnel."
  (let ((response (cond ((response? response) response)
                        ((headers? response)
                         (make-response '(1 . 1) 200 #f response #f))
                        (else (refuse-response response)))))
    (if (and (eq? 'CONNECT (request-method request))
             (upgrade? request response)
             (not (procedure? body)))
        (build-response #:code 501)
        response)))

(define (asks-to-close? response)
  "Is close among the values of RESPONSE's header Connection?"
  (let ((options (response-connection response)))
    (unless (list? options)
      (error "not a value of the header connection, a list as (close):" options))
    (memq 'close options)))
