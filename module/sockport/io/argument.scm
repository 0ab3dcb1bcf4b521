;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Refusing a bad argument by its position, as the primitives do in C
;;; (guile/error.h): what was expected, or between which bounds.

(define-module (sockport io argument)
  #:export (refuse-type
            refuse-range
            check-integer))

(define (refuse-type who pos expected value)
  "Raise wrong-type-arg for VALUE, the argument POS of WHO; EXPECTED are words."
  (scm-error 'wrong-type-arg who
             "Wrong type argument in position ~A (expecting ~A): ~S"
             (list pos expected value) (list value)))

(define (refuse-range who pos bounds value)
  "Raise out-of-range for VALUE, the argument POS of WHO; BOUNDS are words."
  (scm-error 'out-of-range who "Argument ~A out of range (~A): ~S"
             (list pos bounds value) (list value)))

(define (check-integer value low high pos who)
  "Refuse VALUE unless it is an exact integer from LOW to HIGH."
  (cond ((not (exact-integer? value))
         (refuse-type who pos "exact integer" value))
        ((not (<= low value high))
         (refuse-range who pos (format #f "~a to ~a" low high) value))))
