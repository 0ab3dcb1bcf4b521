;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A reader of JSON, as far as the tests' peers write it: objects are alists,
;;; arrays are lists, null is the symbol.

(define-module (harness json)
  #:use-module (ice-9 match)
  #:use-module (ice-9 rdelim)
  #:export (string->json))

(define (skip-blanks port)
  (when (and (char? (peek-char port))
             (char-whitespace? (peek-char port)))
    (read-char port)
    (skip-blanks port)))

(define (expect port char)
  (skip-blanks port)
  (unless (eqv? char (read-char port))
    (error "JSON without" char (ftell port))))

(define (next port)
  (skip-blanks port)
  (peek-char port))

(define (read-elements port close read-element)
  (read-char port)
  (if (eqv? close (next port))
      (begin (read-char port) '())
      (let loop ((elements (list (read-element port))))
        (match (next port)
          (#\, (read-char port)
               (loop (cons (read-element port) elements)))
          (_ (expect port close)
             (reverse elements))))))

(define (read-pair port)
  (skip-blanks port)
  (let ((key (read port)))
    (expect port #\:)
    (cons key (read-json port))))

(define (read-word port)
  (let ((word (read-delimited ",]} \n" port 'peek)))
    (match word
      ("true" #t)
      ("false" #f)
      ("null" 'null)
      (_ (or (string->number word)
             (error "not JSON" word))))))

(define (read-json port)
  (match (next port)
    (#\{ (read-elements port #\} read-pair))
    (#\[ (read-elements port #\] read-json))
    ;; Strings with \/ or \u are none that the peers write.
    (#\" (read port))
    (_ (read-word port))))

(define (string->json text)
  (call-with-input-string text read-json))
