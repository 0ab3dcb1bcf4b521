;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How far a long transfer is, on a terminal.

(define-module (sockport terminal progress)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (sockport terminal report)
  #:export (show-progress))

(define (size->text bytes)
  (let next ((size bytes) (units '("B" "kB" "MB" "GB" "TB")))
    (match units
      ((unit) (format #f "~,1f ~a" size unit))
      ((unit . _) (=> not-this)
       (cond ((>= size 1000) (not-this))
             ((exact? size) (format #f "~a ~a" size unit))
             (else (format #f "~,1f ~a" size unit))))
      ((_ . larger) (next (/ size 1000.) larger)))))

(define first-after 1000)
(define then-every 200)

(define (show-progress)
  "Return a procedure that is called with two numbers, the bytes sent and received so
far, and shows them on a terminal once that takes long; without arguments it wipes
them out."
  (define elapsed (stopwatch))
  (define next-at first-after)
  (define port (current-error-port))
  (define (show . words)
    (for-each (lambda (word) (display word port)) words)
    (force-output port))
  (define (rate bytes)
    (size->text (inexact->exact (round (/ (* 1000 bytes) (elapsed))))))
  (if (isatty? port)
      (case-lambda
        (() (when (> next-at first-after) (show "\r\x1b[K")))
        ((sent received)
         (when (>= (elapsed) next-at)
           (set! next-at (+ (elapsed) then-every))
           (show "\r" (size->text sent) " sent, " (size->text received)
                 " received, " (rate (+ sent received)) "/s\x1b[K"))))
      (const #t)))
