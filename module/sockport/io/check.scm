;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Refusing a bad argument of a procedure in Scheme as the primitives do: by its
;;; position, with what would be right, in the name of the procedure that was
;;; called.

(define-module (sockport io check)
  #:use-module (rnrs bytevectors)
  #:export (refuse-type
            refuse-range
            check-integer
            check-port
            check-bytevector
            check-procedure))

(define (refuse-type value wanted position who)
  "Raise wrong-type-arg: WHO wants what the text WANTED says at POSITION."
  (scm-error 'wrong-type-arg who
             "Wrong type argument in position ~A (expecting ~A): ~S"
             (list position wanted value) (list value)))

(define* (refuse-range value position who #:optional wanted)
  "Raise out-of-range."
  (if wanted
      (scm-error 'out-of-range who "Argument ~A out of range (expecting ~A): ~S"
                 (list position wanted value) (list value))
      (scm-error 'out-of-range who "Argument ~A out of range: ~S"
                 (list position value) (list value))))

(define (check-integer value low high position who)
  "Return VALUE, an exact integer from LOW to HIGH."
  (cond ((not (exact-integer? value))
         (refuse-type value "exact integer" position who))
        ((not (<= low value high))
         (refuse-range value position who
                       (format #f "~a to ~a" low high)))
        (else value)))

(define (check-port value position who)
  "Return VALUE, an open file port."
  (if (and (file-port? value) (not (port-closed? value)))
      value
      (refuse-type value "open file port" position who)))

(define (check-bytevector value position who)
  (if (bytevector? value)
      value
      (refuse-type value "bytevector" position who)))

(define (check-procedure value position who)
  (if (procedure? value)
      value
      (refuse-type value "procedure" position who)))
