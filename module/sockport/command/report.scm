;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the command says on its standard error: events of servers, and how far a
;;; long transfer is.

(define-module (sockport command report)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (sockport)
  #:use-module (sockport command json)
  #:export (milliseconds
            now
            say
            plain
            report-event
            show-progress
            size->text))

(define (now)
  "Return the time of a clock that is never set, in seconds."
  (/ (get-internal-real-time) (exact->inexact internal-time-units-per-second)))

(define (milliseconds seconds)
  "Return SECONDS in milliseconds, with two digits after the point."
  (/ (round (* 100000 seconds)) 100.))

(define (say . words)
  (let ((port (current-error-port)))
    (for-each (lambda (word) (display word port)) words)
    (newline port)
    (force-output port)))

;;; Where in the program it was raised is nothing to a user.
(define procedure-rx (make-regexp "In procedure [^ ]+: "))

(define (plain text)
  "Return TEXT, what is shown of an error, as a line without the program's names."
  (regexp-substitute/global #f procedure-rx (car (string-split text #\newline))
                            'pre 'post))

(define (report-event json? event . fields)
  "Say that EVENT, a symbol, has happened to what FIELDS, keys and values, tell."
  (define alist
    (let next ((fields fields))
      (match fields
        (() '())
        ((key value . rest) (acons key value (next rest))))))
  (cond (json?
         (write-json (acons 'event event alist) (current-error-port))
         (say))
        ((eq? event 'listening)
         (say "listening on " (assq-ref alist 'address)))))

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
  (define shown? #f)
  (define (show . words)
    (let ((port (current-error-port)))
      (for-each (lambda (word) (display word port)) words)
      (force-output port)))
  (if (isatty? (current-error-port))
      (case-lambda
        (() (when shown? (show "\r\x1b[K")))
        ((sent received)
         (let ((time (now)))
           (when (>= time next-at)
             (set! next-at (+ time then-every))
             (set! shown? #t)
             (show "\r" (size->text sent) " sent, " (size->text received)
                   " received, "
                   (size->text (inexact->exact
                                (round (/ (+ sent received) (- time begun)))))
                   "/s\x1b[K")))))
      (const #t)))
