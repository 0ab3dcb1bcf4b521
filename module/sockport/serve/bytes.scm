;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Bytevectors of parts of others, for what reads and writes messages.

(define-module (sockport serve bytes)
  #:use-module (rnrs bytevectors)
  #:export (bytes-part
            append-bytes))

(define (bytes-part bytes from to)
  "Return a copy of BYTES from FROM to TO."
  (let ((part (make-bytevector (- to from))))
    (bytevector-copy! bytes from part 0 (- to from))
    part))

(define (append-bytes a b)
  (let ((both (make-bytevector (+ (bytevector-length a) (bytevector-length b)))))
    (bytevector-copy! a 0 both 0 (bytevector-length a))
    (bytevector-copy! b 0 both (bytevector-length a) (bytevector-length b))
    both))
