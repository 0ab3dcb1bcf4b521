;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Values written as JSON (RFC 8259), one a line.

(define-module (sockport terminal json)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:export (print-json))

(define (write-all open write-one all close port)
  (display open port)
  (fold (lambda (one comma)
          (display comma port)
          (write-one one port)
          ",")
        "" all)
  (display close port))

(define (write-text text port)
  (define (write-one char)
    (if (or (char<? char #\space) (memv char '(#\" #\\)))
        (format port "\\u~4,'0x" (char->integer char))
        (display char port)))
  (write-char #\" port)
  (string-for-each write-one text)
  (write-char #\" port))

(define (write-field field port)
  (write-value (car field) port)
  (write-char #\: port)
  (write-value (cdr field) port))

(define (write-value value port)
  (match value
    ((? boolean?) (display (if value "true" "false") port))
    ((? exact-integer?) (display value port))
    ((? real?) (display (exact->inexact value) port))
    ((? symbol?) (write-text (symbol->string value) port))
    ((? string?) (write-text value port))
    ((((? symbol?) . _) . _)
     (write-all "{" write-field (filter cdr value) "}" port))
    (_ (write-all "[" write-value value "]" port))))

(define* (print-json value #:optional (port (current-output-port)))
  "Write VALUE as a line to PORT, and send it on.  An alist with symbols for keys is an
object, in which what is #f is left out; any other list is an array."
  (write-value value port)
  (newline port)
  (force-output port))
