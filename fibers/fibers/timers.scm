;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' timers.

(define-module (fibers timers)
  #:use-module (fibers operations)
  #:use-module (fibers scheduler)
  #:use-module (sockport task operation)
  #:export (sleep-operation
            timer-operation)
  #:replace (sleep))

(define (timer-operation expiry)
  "An operation that waits until EXPIRY, in internal time units, and has no values."
  (wrap-operation
   (moment-operation (lambda () (max 0 (internal-time->ns expiry)))
                     (lambda () (< expiry (get-internal-real-time))))
   (lambda _ (values))))

(define (sleep-operation seconds)
  "An operation that takes SECONDS from now on, and has no values."
  (timer-operation
   (+ (get-internal-real-time)
      (inexact->exact (round (* seconds internal-time-units-per-second))))))

(define (sleep seconds)
  "Let SECONDS pass."
  (perform-operation (sleep-operation seconds)))
