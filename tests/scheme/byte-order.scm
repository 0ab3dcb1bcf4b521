;;; SPDX-License-Identifier: LGPL-3.0-or-later
(use-modules (harness)
             (ice-9 binary-ports)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport byte-order)
             (srfi srfi-1))

(define (bytes-of writer value)
  (call-with-output-bytevector (lambda (port) (writer value port))))

(test-begin "byte-order")

(test-case "a value is packed into its bytes"
  (define little? (eq? (native-endianness) (endianness little)))
  (for-each
   (match-lambda
     ((name convert value swapped)
      (test-equal name (if little? swapped value) (convert value))
      (test-equal (string-append name " twice") value
                  (convert (convert value)))))
   `(("htons" ,htons #x1234 #x3412) ("ntohs" ,ntohs #x00ff #xff00)
     ("htonl" ,htonl #x12345678 #x78563412)
     ("ntohl" ,ntohl #xfffffffe #xfeffffff))))

(test-case "what does not fit is refused"
  (for-each
   (match-lambda
     ((name convert limit)
      (for-each
       (match-lambda
         ((value . key)
          (test-error* (format #f "~a ~a" name value) (list key 1 name)
            (convert value))))
       `((-1 . out-of-range) (,limit . out-of-range)
         (,(expt 2 32) . out-of-range) (,(expt 2 64) . out-of-range)
         (,(expt 2 70) . out-of-range) (,(- (expt 2 70)) . out-of-range)
         (1.5 . wrong-type-arg) (1.0 . wrong-type-arg) (#f . wrong-type-arg)
         ("1" . wrong-type-arg)))
      (test-error* (string-append name " of nothing") '(wrong-number-of-args)
        (convert))
      (test-error* (string-append name " of two") '(wrong-number-of-args)
        (convert 1 2))))
   `(("htons" ,htons ,(expt 2 16)) ("ntohs" ,ntohs ,(expt 2 16))
     ("htonl" ,htonl ,(expt 2 32)) ("ntohl" ,ntohl ,(expt 2 32)))))

;; Name, size, signed?, and the four procedures.
(define integers
  `(("u16" 2 #f ,write-network-u16 ,read-network-u16 ,network-u16-ref
     ,network-u16-set!)
    ("s16" 2 #t ,write-network-s16 ,read-network-s16 ,network-s16-ref
     ,network-s16-set!)
    ("u32" 4 #f ,write-network-u32 ,read-network-u32 ,network-u32-ref
     ,network-u32-set!)
    ("s32" 4 #t ,write-network-s32 ,read-network-s32 ,network-s32-ref
     ,network-s32-set!)
    ("u64" 8 #f ,write-network-u64 ,read-network-u64 ,network-u64-ref
     ,network-u64-set!)
    ("s64" 8 #t ,write-network-s64 ,read-network-s64 ,network-s64-ref
     ,network-s64-set!)))

(define (each-integer proc)
  (for-each
   (match-lambda
     ((name size signed? . procedures)
      (let ((span (expt 256 size)))
        (apply proc name size
               (if signed? (- (quotient span 2)) 0)
               (- (if signed? (quotient span 2) span) 1)
               procedures))))
   integers))

(test-case "integers of each width round-trip, most significant byte first"
  (each-integer
   (lambda (name size low high write read ref put!)
     (for-each
      (lambda (value)
        (let ((bytes (bytes-of write value))
              (bv (make-bytevector (+ size 2) 7)))
          (test-equal (list name value "bytes")
            (map (lambda (i)
                   (logand #xff (ash value (* -8 (- size i 1)))))
                 (iota size))
            (bytevector->u8-list bytes))
          (test-equal (list name value "port") value
            (read (open-bytevector-input-port bytes)))
          (put! bv 1 value)
          (test-equal (list name value "ref") value (ref bv 1))
          (test-equal (list name value "the rest") '(7 7)
            (list (bytevector-u8-ref bv 0)
                  (bytevector-u8-ref bv (+ size 1))))))
      (list low high 0 1 (quotient high 3))))))

(test-case "an integer that does not fit writes nothing"
  (each-integer
   (lambda (name size low high write read ref put!)
     (for-each
      (match-lambda
        ((value key)
         (let ((written
                (call-with-output-bytevector
                  (lambda (port)
                    (test-error* (list name value) (list key 1)
                      (write value port)))))
               (bv (make-bytevector size 7)))
           (test-equal (list name "nothing") #vu8() written)
           (test-error* (list name value "set!") (list key 3)
             (put! bv 0 value))
           (test-equal (list name "unchanged") (make-bytevector size 7) bv))))
      `((,(- low 1) out-of-range) (,(+ high 1) out-of-range)
        (,(expt 2 70) out-of-range) (1.5 wrong-type-arg)
        (#f wrong-type-arg))))))

(test-case "places outside the bytevector are refused"
  (each-integer
   (lambda (name size low high write read ref put!)
     (let ((bv (make-bytevector size 0)))
       (for-each
        (match-lambda
          ((k key)
           (test-error* (list name k "ref") (list key 2) (ref bv k))
           (test-error* (list name k "set!") (list key 2) (put! bv k 0))))
        `((-1 out-of-range) (1 out-of-range) (,(expt 2 64) out-of-range)
          (1.5 wrong-type-arg)))
       (test-error* (list name "not a bytevector") '(wrong-type-arg 1)
         (ref "abcdefgh" 0))))))

(test-case "the end of the file is told apart from half an integer"
  (each-integer
   (lambda (name size low high write read ref put!)
     (test-assert (list name "end")
       (eof-object? (read (open-bytevector-input-port #vu8()))))
     (test-error* (list name "cut") '(truncated)
       (read (open-bytevector-input-port (make-bytevector (- size 1) 0)))))))

(test-case "the manual's names"
  (test-equal "short" #vu8(1 2) (bytes-of write-network-short #x0102))
  (test-equal "long" #vu8(1 2 3 4) (bytes-of write-network-long #x01020304))
  (test-error* "long, too long" '(out-of-range 1 "write-network-long")
               (bytes-of write-network-long (expt 2 32)))
  (test-equal "read short" #x0102
    (read-network-short (open-bytevector-input-port #vu8(1 2))))
  (test-equal "read long" #x01020304
    (read-network-long (open-bytevector-input-port #vu8(1 2 3 4)))))

(test-end "byte-order")
