;;; SPDX-License-Identifier: LGPL-3.0-or-later
(use-modules (harness)
             (ice-9 binary-ports)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport byte-order)
             (sockport uniform-vector))

;; Name, prototype, bytes of an element, a value that comes back as it was.
(define kinds
  `(("unsigned byte" #\a 1 255) ("signed byte" #\nul 1 -128)
    ("short" s 2 -32768) ("unsigned long" 1 4 4294967295)
    ("any positive integer" 7 4 4294967295) ("signed long" -1 4 -2147483648)
    ("long long" l 8 ,(- (expt 2 63))) ("float" 1.0 4 0.5)
    ("double" 1/3 8 0.1) ("complex" +i 16 1.5+2.5i)))

(define (written uvec . args)
  (call-with-output-bytevector
    (lambda (port) (apply uniform-vector-write uvec port args))))

(define (read-into uvec bytes . args)
  (apply uniform-vector-read! uvec (open-bytevector-input-port bytes) args))

(test-begin "uniform-vector")

(test-case "every prototype keeps its elements"
  (for-each
   (match-lambda
     ((name prototype size value)
      (let ((v (make-uniform-vector 3 prototype)))
        (test-equal (list name "length") 3 (uniform-vector-length v))
        (uniform-vector-set! v 1 value)
        (test-equal (list name "ref") value (uniform-vector-ref v 1))
        (test-assert (list name "zero") (zero? (uniform-vector-ref v 2)))
        (let ((bytes (written v))
              (other (make-uniform-vector 3 prototype)))
          (test-equal (list name "bytes") (* 3 size) (bytevector-length bytes))
          (test-equal (list name "read") 3 (read-into other bytes))
          (test-equal (list name "same") value (uniform-vector-ref other 1))))))
   kinds))

(test-case "a fill is in every element"
  (let ((v (make-uniform-vector 2 -1 -5)))
    (test-equal "first" -5 (uniform-vector-ref v 0))
    (test-equal "last" -5 (uniform-vector-ref v 1))))

(test-case "a range is read and written"
  (let ((v (make-uniform-vector 4 #\a 9)))
    (test-equal "count" 2 (read-into v #vu8(1 2 3) 1 3))
    (test-equal "all" #vu8(9 1 2 9) (written v))
    (test-equal "part" #vu8(2) (written v 2 3))
    (test-equal "empty" #vu8() (written v 4))
    (test-equal "nothing asked" 0 (read-into v #vu8(1) 4))))

(test-case "the end of the file is told, and half an element refused"
  (let ((v (make-uniform-vector 2 1)))
    (test-equal "at the end" 0 (read-into v #vu8()))
    (test-equal "one of two" 1 (read-into v #vu8(1 2 3 4)))
    (test-error* "half" '(truncated #f "uniform-vector-read!")
      (read-into v #vu8(1 2 3 4 5)))))

(define-syntax-rule (refused key pos expression)
  (test-error* 'expression '(key pos) expression))

(test-case "bad arguments are refused"
  (define v (make-uniform-vector 2 1))
  (refused wrong-type-arg 1 (make-uniform-vector 1.5 1))
  (refused out-of-range 1 (make-uniform-vector -1 1))
  (refused out-of-range 1 (make-uniform-vector (expt 2 70) 1))
  (refused wrong-type-arg 2 (make-uniform-vector 1 "a"))
  (refused wrong-type-arg 2 (make-uniform-vector 1 'x))
  (refused out-of-range 3 (make-uniform-vector 1 1 -1))
  (refused wrong-type-arg 3 (make-uniform-vector 1 1 1.5))
  (refused wrong-type-arg 1 (uniform-vector-length '(1)))
  (refused wrong-type-arg 1 (uniform-vector-ref (vector 1) 0))
  (refused out-of-range 2 (uniform-vector-ref v 2))
  (refused out-of-range 2 (uniform-vector-ref v -1))
  (refused wrong-type-arg 2 (uniform-vector-ref v 0.5))
  (refused out-of-range 2 (uniform-vector-set! v (expt 2 70) 1))
  (refused out-of-range 3 (uniform-vector-set! v 0 (expt 2 32)))
  (refused out-of-range 3 (uniform-vector-set! v 0 (- (expt 2 70))))
  (refused wrong-type-arg 3 (uniform-vector-set! v 0 'a))
  (refused out-of-range 3 (written v 3))
  (refused out-of-range 4 (written v 0 3))
  (refused out-of-range 3 (written v 2 1))
  (refused wrong-number-of-args #f (uniform-vector-ref v)))

;; The two definitions of the manual's section on network byte order, as they
;; stand there.
(define manual
  '((define write-network-long
      (lambda (value port)
        (let ((v (make-uniform-vector 1 1 0)))
          (uniform-vector-set! v 0 (htonl value))
          (uniform-vector-write v port))))
    (define read-network-long
      (lambda (port)
        (let ((v (make-uniform-vector 1 1 0)))
          (uniform-vector-read! v port)
          (ntohl (uniform-vector-ref v 0)))))))

(test-case "the manual's definitions run"
  (let ((module (make-fresh-user-module)))
    (for-each (lambda (name)
                (module-use! module (resolve-interface name)))
              '((sockport uniform-vector) (sockport byte-order)))
    (for-each (lambda (form) (eval form module)) manual)
    (let ((bytes (call-with-output-bytevector
                   (lambda (port)
                     ((eval 'write-network-long module) #xfedcba98 port)))))
      (test-equal "written" #vu8(#xfe #xdc #xba #x98) bytes)
      (test-equal "read" #xfedcba98
        ((eval 'read-network-long module)
         (open-bytevector-input-port bytes))))))

(test-end "uniform-vector")
