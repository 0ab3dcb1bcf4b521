;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The words of errors, as Guile prints them.

(define-module (harness error)
  #:use-module (ice-9 exceptions)
  #:use-module (srfi srfi-64)
  #:export (printed
            words
            test-words))

(define (printed exception)
  "Return what Guile prints of EXCEPTION."
  (call-with-output-string
    (lambda (port)
      (print-exception port #f (exception-kind exception)
                       (exception-args exception)))))

(define (words thunk)
  "Return what Guile prints of the exception that THUNK raises, without its tail."
  (guard (exception (#t (string-trim-right (printed exception))))
    (thunk)
    "no error"))

(define-syntax-rule (test-words expected expr)
  (test-equal expected (string-append "In procedure " expected)
    (words (lambda () expr))))
