;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The uniform vectors of older Guile, on SRFI 4's.  Only the element's width
;;; differs: 1 and -1 stand for 32 bits on every machine, not for a C `long', so
;;; that what the manual writes with them has the width of the network.

(define-module (sockport uniform-vector)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (sockport io argument)
  #:export (make-uniform-vector
            uniform-vector-length
            uniform-vector-ref
            uniform-vector-set!
            uniform-vector-read!
            uniform-vector-write))

;; Array type, bytes of an element, and what an element may be: the bounds of
;; an integer, or a predicate.
(define kinds
  `((u8 1 0 #xff)
    (s8 1 #x-80 #x7f)
    (u16 2 0 #xffff)
    (s16 2 #x-8000 #x7fff)
    (u32 4 0 #xffffffff)
    (s32 4 #x-80000000 #x7fffffff)
    (u64 8 0 #xffffffffffffffff)
    (s64 8 #x-8000000000000000 #x7fffffffffffffff)
    (f32 4 ,real?)
    (f64 8 ,real?)
    (c32 8 ,number?)
    (c64 16 ,number?)))

(define makers
  `((u8 . ,make-u8vector) (s8 . ,make-s8vector) (s16 . ,make-s16vector)
    (u32 . ,make-u32vector) (s32 . ,make-s32vector) (s64 . ,make-s64vector)
    (f32 . ,make-f32vector) (f64 . ,make-f64vector) (c64 . ,make-c64vector)))

(define (prototype-type prototype)
  (match prototype
    (#\a 'u8)
    (#\nul 's8)
    ('s 's16)
    ('l 's64)
    ((? exact-integer? n) (if (positive? n) 'u32 's32))
    (1.0 'f32)
    (1/3 'f64)
    (+i 'c64)
    (_ (refuse-type "make-uniform-vector" 2 "prototype of a kind of number"
                    prototype))))

(define (uniform-kind uvec pos who)
  (or (and (array? uvec) (assq-ref kinds (array-type uvec)))
      (and (bytevector? uvec) (assq-ref kinds 'u8))
      (refuse-type who pos "uniform vector" uvec)))

(define (check-element value kind pos who)
  (match kind
    ((_ (? procedure? fit?))
     (unless (fit? value)
       (refuse-type who pos "number that the vector can hold" value)))
    ((_ low high)
     (check-integer value low high pos who))))

(define* (make-uniform-vector length prototype #:optional (fill 0))
  "Return a uniform vector of LENGTH elements of the type that PROTOTYPE stands
for, each FILL."
  (let ((type (prototype-type prototype)))
    (check-integer length 0 (ash most-positive-fixnum -4) 1 "make-uniform-vector")
    (check-element fill (assq-ref kinds type) 3 "make-uniform-vector")
    ((assq-ref makers type) length fill)))

(define (uniform-vector-length uvec)
  "Return the number of elements of UVEC."
  (match (uniform-kind uvec 1 "uniform-vector-length")
    ((size . _) (quotient (bytevector-length uvec) size))))

(define (uniform-vector-ref uvec index)
  "Return the element of UVEC at INDEX."
  (uniform-kind uvec 1 "uniform-vector-ref")
  (check-integer index 0 (- (uniform-vector-length uvec) 1) 2 "uniform-vector-ref")
  (array-ref uvec index))

(define (uniform-vector-set! uvec index value)
  "Make VALUE the element of UVEC at INDEX."
  (let ((kind (uniform-kind uvec 1 "uniform-vector-set!")))
    (check-integer index 0 (- (uniform-vector-length uvec) 1) 2
                   "uniform-vector-set!")
    (check-element value kind 3 "uniform-vector-set!")
    (array-set! uvec value index)))

(define (byte-range uvec start end who)
  "Return the first byte and the number of bytes of elements START to END, and
the bytes of one."
  (match (uniform-kind uvec 1 who)
    ((size . _)
     (let ((end (or end (uniform-vector-length uvec))))
       (check-integer end 0 (uniform-vector-length uvec) 4 who)
       (check-integer start 0 end 3 who)
       (values (* size start) (* size (- end start)) size)))))

(define* (uniform-vector-read! uvec #:optional (port (current-input-port))
                               (start 0) end)
  "Read elements START to END of UVEC from PORT, as they lie in memory, and
return how many were read, fewer only at the end of the file."
  (define who "uniform-vector-read!")
  (call-with-values (lambda () (byte-range uvec start end who))
    (lambda (first count size)
      (let* ((got (if (zero? count) 0 (get-bytevector-n! port uvec first count)))
             (got (if (eof-object? got) 0 got)))
        (unless (zero? (remainder got size))
          (scm-error 'truncated who "the port ended within element ~A"
                     (list (quotient (+ first got) size)) #f))
        (quotient got size)))))

(define* (uniform-vector-write uvec #:optional (port (current-output-port))
                               (start 0) end)
  "Write elements START to END of UVEC to PORT, as they lie in memory, and return
how many these are."
  (call-with-values
      (lambda () (byte-range uvec start end "uniform-vector-write"))
    (lambda (first count size)
      (put-bytevector port uvec first count)
      (quotient count size))))
