;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The C library's getsockopt and setsockopt on bytevectors, so that the kernel
;;; is asked past Sockport.

(define-module (harness raw-option)
  #:use-module (rnrs bytevectors)
  #:use-module (system foreign)
  #:export (raw-get
            raw-get-int
            raw-set!
            raw-set-int!))

(define (function name . types)
  (pointer->procedure int (dynamic-func name (dynamic-link)) types
                      #:return-errno? #t))

(define getsockopt (function "getsockopt" int int int '* '*))
(define setsockopt (function "setsockopt" int int int '* uint32))

(define (check who thunk)
  (call-with-values thunk
    (lambda (result errno)
      (unless (zero? result)
        (scm-error 'system-error who "~a" (list (strerror errno))
                   (list errno))))))

(define (raw-get sock level number size)
  "The bytes that the kernel answers, at most SIZE."
  (let ((bytes (make-bytevector size 0))
        (length (u32vector size)))
    (check "raw-get"
           (lambda ()
             (getsockopt (fileno sock) level number
                         (bytevector->pointer bytes)
                         (bytevector->pointer length))))
    (let ((answer (make-bytevector (u32vector-ref length 0))))
      (bytevector-copy! bytes 0 answer 0 (bytevector-length answer))
      answer)))

(define (raw-set! sock level number bytes)
  (check "raw-set!"
         (lambda ()
           (setsockopt (fileno sock) level number (bytevector->pointer bytes)
                       (bytevector-length bytes)))))

(define (raw-get-int sock level number)
  (bytevector-s32-native-ref (raw-get sock level number 4) 0))

(define (raw-set-int! sock level number value)
  (raw-set! sock level number (s32vector value)))
