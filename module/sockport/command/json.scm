;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Writing JSON (RFC 8259): what --json prints.

(define-module (sockport command json)
  #:use-module (ice-9 match)
  #:export (write-json))

(define (write-string text port)
  (define (write-char* char)
    (match char
      ((or #\" #\\) (write-char #\\ port) (write-char char port))
      ((? (lambda (char) (char<? char #\space)))
       (display (string-append "\\u" (string-pad (number->string
                                                  (char->integer char) 16)
                                                 4 #\0))
                port))
      (_ (write-char char port))))
  (write-char #\" port)
  (string-for-each write-char* text)
  (write-char #\" port))

(define (write-elements open elements write-element close port)
  (write-char open port)
  (let next ((elements elements) (first? #t))
    (unless (null? elements)
      (unless first? (write-char #\, port))
      (write-element (car elements))
      (next (cdr elements) #f)))
  (write-char close port))

;;; An alist with symbols for keys is an object, any other list an array.
(define (write-json value port)
  "Write VALUE to PORT.  What is #f in an object is left out."
  (match value
    (#t (display "true" port))
    (#f (display "false" port))
    ((? exact-integer?) (display value port))
    ((? real?) (display (exact->inexact value) port))
    ((? symbol?) (write-string (symbol->string value) port))
    ((? string?) (write-string value port))
    ((((? symbol? keys) . values) ...)
     (write-elements #\{ (filter cdr value)
                     (match-lambda
                       ((key . value)
                        (write-json key port)
                        (write-char #\: port)
                        (write-json value port)))
                     #\} port))
    ((? list?)
     (write-elements #\[ value (lambda (one) (write-json one port)) #\] port))))
