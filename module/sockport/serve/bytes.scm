;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Bytevectors: parts of others, for what reads and writes messages, and sent whole.

(define-module (sockport serve bytes)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport transfer)
  #:export (bytes-part
            append-bytes
            send-all))

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

(define* (send-all port bytes #:optional (start 0) (end (bytevector-length bytes))
                   (flags 0))
  "Send BYTES from START to END to PORT, or raise what prevents it."
  ;; Fewer are sent before an error, which the next call meets.
  (when (< start end)
    (send-all port bytes (+ start (send port bytes flags start end)) end flags)))
