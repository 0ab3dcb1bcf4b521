;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Integers in network byte order: converted, on ports, and in bytevectors.

(define-module (sockport byte-order)
  #:use-module (ice-9 binary-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport primitive)
  #:use-module (sockport io argument)
  #:re-export (htons ntohs htonl ntohl)
  #:export (write-network-u16 read-network-u16
            network-u16-ref network-u16-set!
            write-network-s16 read-network-s16
            network-s16-ref network-s16-set!
            write-network-u32 read-network-u32
            network-u32-ref network-u32-set!
            write-network-s32 read-network-s32
            network-s32-ref network-s32-set!
            write-network-u64 read-network-u64
            network-u64-ref network-u64-set!
            write-network-s64 read-network-s64
            network-s64-ref network-s64-set!
            write-network-short read-network-short
            write-network-long read-network-long))

(define (check-place bv k size who)
  (unless (bytevector? bv)
    (refuse-type who 1 "bytevector" bv))
  (check-integer k 0 (- (bytevector-length bv) size) 2 who))

(define (read-integer port size who)
  "Return a bytevector of the next SIZE bytes of PORT, or the end-of-file object
when there is none."
  (check-that (and (input-port? port) (not (port-closed? port)))
              port 1 "open input port" who)
  (let ((bv (get-bytevector-n port size)))
    (unless (or (eof-object? bv) (= (bytevector-length bv) size))
      (scm-error 'truncated who "the port ended after ~A of ~A bytes"
                 (list (bytevector-length bv) size) (list bv)))
    bv))

(define-syntax-rule (define-network-port-integer
                      (write-it read-it)
                      size low high bytevector-ref bytevector-set!)
  (begin
    (define (write-it value port)
      (check-integer value low high 1 (symbol->string 'write-it))
      (check-that (and (output-port? port) (not (port-closed? port)))
                  port 2 "open output port" (symbol->string 'write-it))
      (let ((bv (make-bytevector size)))
        (bytevector-set! bv 0 value (endianness big))
        (put-bytevector port bv)))
    (define (read-it port)
      (let ((bv (read-integer port size (symbol->string 'read-it))))
        (if (eof-object? bv)
            bv
            (bytevector-ref bv 0 (endianness big)))))))

(define-syntax-rule (define-network-integer
                      (write-it read-it it-ref it-set!)
                      size low high bytevector-ref bytevector-set!)
  (begin
    (define-network-port-integer (write-it read-it)
      size low high bytevector-ref bytevector-set!)
    (define (it-ref bv k)
      (check-place bv k size (symbol->string 'it-ref))
      (bytevector-ref bv k (endianness big)))
    (define (it-set! bv k value)
      (check-place bv k size (symbol->string 'it-set!))
      (check-integer value low high 3 (symbol->string 'it-set!))
      (bytevector-set! bv k value (endianness big)))))

(define-network-integer
  (write-network-u16 read-network-u16 network-u16-ref network-u16-set!)
  2 0 #xffff bytevector-u16-ref bytevector-u16-set!)
(define-network-integer
  (write-network-s16 read-network-s16 network-s16-ref network-s16-set!)
  2 #x-8000 #x7fff bytevector-s16-ref bytevector-s16-set!)
(define-network-integer
  (write-network-u32 read-network-u32 network-u32-ref network-u32-set!)
  4 0 #xffffffff bytevector-u32-ref bytevector-u32-set!)
(define-network-integer
  (write-network-s32 read-network-s32 network-s32-ref network-s32-set!)
  4 #x-80000000 #x7fffffff bytevector-s32-ref bytevector-s32-set!)
(define-network-integer
  (write-network-u64 read-network-u64 network-u64-ref network-u64-set!)
  8 0 #xffffffffffffffff bytevector-u64-ref bytevector-u64-set!)
(define-network-integer
  (write-network-s64 read-network-s64 network-s64-ref network-s64-set!)
  8 #x-8000000000000000 #x7fffffffffffffff bytevector-s64-ref
  bytevector-s64-set!)

;; The manual's names.
(define-network-port-integer (write-network-short read-network-short)
  2 0 #xffff bytevector-u16-ref bytevector-u16-set!)
(define-network-port-integer (write-network-long read-network-long)
  4 0 #xffffffff bytevector-u32-ref bytevector-u32-set!)
