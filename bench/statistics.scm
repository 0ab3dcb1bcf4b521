;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Medians and quantiles.

(define-module (bench statistics)
  #:export (median quantile))

(define (quantile numbers share)
  "Return the number below which SHARE of NUMBERS lie, between neighbours in
proportion."
  (let* ((sorted (list->vector (sort numbers <)))
         (place (* share (- (vector-length sorted) 1)))
         (low (inexact->exact (floor place)))
         (high (min (+ low 1) (- (vector-length sorted) 1))))
    (exact->inexact
     (+ (* (vector-ref sorted low) (- 1 (- place low)))
        (* (vector-ref sorted high) (- place low))))))

(define (median numbers)
  (quantile numbers 1/2))
