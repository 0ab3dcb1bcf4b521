;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Much data for the tests of sendfile and splice.

(define-module (harness bulk)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 threads)
  #:use-module (rnrs bytevectors)
  #:export (size data reader))

(define size (* 3 1024 1024))

(define data
  (let ((bytes (make-bytevector size)))
    (do ((i 0 (+ i 1))) ((= i size) bytes)
      (bytevector-u8-set! bytes i (logand (* i 7) 255)))))

(define (reader sock)
  "A new thread that reads all that comes from SOCK and returns it."
  (call-with-new-thread (lambda () (get-bytevector-all sock))))
