;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the command says: results and events as JSON (RFC 8259) or in words, and how
;;; far a long transfer is.

(define-module (sockport command report)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:export (now milliseconds say plain print-json report-event show-progress))

(define (now)
  "Return the time of a clock that is never set, in seconds."
  (/ (get-internal-real-time) (exact->inexact internal-time-units-per-second)))

(define (milliseconds seconds)
  (/ (round (* 100000 seconds)) 100.))

(define (say . words)
  (for-each (lambda (word) (display word (current-error-port))) words)
  (newline (current-error-port))
  (force-output (current-error-port)))

(define (plain text)
  "Return the first line of TEXT, what is shown of an error, without the names of
procedures."
  (regexp-substitute/global #f "In procedure [^ ]+: "
                            (car (string-split text #\newline)) 'pre 'post))

;;; An alist with symbols for keys is an object, in which what is #f is left out; any
;;; other list is an array.
(define* (print-json value #:optional (port (current-output-port)))
  "Write VALUE as a line to PORT."
  (define (write-all open write-one all close)
    (display open port)
    (fold (lambda (one comma)
            (display comma port)
            (write-one one)
            ",")
          "" all)
    (display close port))
  (define (write-char* char)
    (if (or (char<? char #\space) (memv char '(#\" #\\)))
        (format port "\\u~4,'0x" (char->integer char))
        (display char port)))
  (define write-value
    (match-lambda
      ((? boolean? value) (display (if value "true" "false") port))
      ((? number? value)
       (display (if (exact-integer? value) value (exact->inexact value)) port))
      ((? symbol? value) (write-value (symbol->string value)))
      ((? string? value)
       (write-char #\" port)
       (string-for-each write-char* value)
       (write-char #\" port))
      ((and object (((? symbol?) . _) ...))
       (write-all "{" write-field (filter cdr object) "}"))
      (array (write-all "[" write-value array "]"))))
  (define write-field
    (match-lambda
      ((key . value)
       (write-value key)
       (display ":" port)
       (write-value value))))
  (write-value value)
  (newline port)
  (force-output port))

(define (report-event json? event fields)
  "Say on the standard error that EVENT has happened; FIELDS is an alist on it."
  (cond (json? (print-json (acons 'event event fields) (current-error-port)))
        ((eq? event 'listening)
         (say "listening on " (assq-ref fields 'address)))))

;;; Progress.

(define (size->text bytes)
  (let next ((size bytes) (units '("B" "kB" "MB" "GB" "TB")))
    (if (or (< size 1000) (null? (cdr units)))
        (string-append (if (exact? size)
                           (number->string size)
                           (format #f "~,1f" size))
                       " " (car units))
        (next (/ size 1000.) (cdr units)))))

(define first-after 1)
(define then-every 1/5)

(define (show-progress)
  "Return a procedure that is called with two numbers, the bytes sent and received so
far, and shows them on a terminal once that takes long; without arguments it wipes
them out."
  (define begun (now))
  (define next-at (+ begun first-after))
  (define port (current-error-port))
  (define (show . words)
    (for-each (lambda (word) (display word port)) words)
    (force-output port))
  (define (rate bytes)
    (size->text (inexact->exact (round (/ bytes (- (now) begun))))))
  (if (isatty? port)
      (case-lambda
        (() (when (> next-at (+ begun first-after)) (show "\r\x1b[K")))
        ((sent received)
         (when (>= (now) next-at)
           (set! next-at (+ (now) then-every))
           (show "\r" (size->text sent) " sent, " (size->text received)
                 " received, " (rate (+ sent received)) "/s\x1b[K"))))
      (const #t)))
