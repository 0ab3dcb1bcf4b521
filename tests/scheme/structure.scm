;;; SPDX-License-Identifier: LGPL-3.0-or-later

(use-modules (harness)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport))

(define structures (@ (sockport primitive) %structures))
(define module (resolve-interface '(sockport structure)))

;; Not module-ref: they are syntax, which the compiler opens.
(define (procedure . parts)
  (eval (apply symbol-append parts) (resolve-module '(sockport structure))))

;; Zeros are a value of every field but those of addresses, where they are #f.
(define (zeros name)
  (bytevector->structure name (make-bytevector 512 0)))

(test-begin "structure")

(test-case "every structure has its procedures, and no other names are there"
  (let ((expected
         (append-map
          (match-lambda
            ((name . fields)
             (cons* (symbol-append 'make- name) (symbol-append name '?)
                    (map (lambda (field) (symbol-append name '- field))
                         fields))))
          (structures))))
    (test-equal "names" '()
      (lset-xor eq? expected
                (lset-difference
                 eq? (module-map (lambda (name variable) name) module)
                 '(bytevector->structure structure->bytevector))))))

(test-case "every field is read and comes back"
  (for-each
   (match-lambda
     ((name . fields)
      (let* ((record (zeros name))
             (values (map (lambda (field)
                            ((procedure name '- field) record))
                          fields))
             (again (apply (procedure 'make- name)
                           values)))
        (test-assert name ((procedure name '?) again))
        (test-assert (list name 'values)
          (every (lambda (value)
                   (or (not value) (eqv? 0 value)
                       (every zero? (bytevector->u8-list value))))
                 values))
        (test-equal (list name 'bytes) #t
          (every zero? (bytevector->u8-list
                        (structure->bytevector name again)))))))
   (structures)))

(test-case "a record becomes bytes and is the same again"
  (let ((bytes (structure->bytevector 'ucred (make-ucred 7 8 9))))
    (test-equal "bytes" (s32vector 7 8 9)
      (let ((v (make-s32vector 3)))
        (bytevector-copy! bytes 0 v 0 12)
        v))
    (test-equal "record" '(7 8 9)
      (let ((back (bytevector->structure 'ucred bytes)))
        (list (ucred-pid back) (ucred-uid back) (ucred-gid back))))))

(test-case "addresses, wide numbers and bytes are fields"
  (let* ((group (make-socket-address AF_INET6 #xff020000000000000000000000001234
                                     0))
         (back (bytevector->structure
                'group-req
                (structure->bytevector 'group-req (make-group-req 3 group)))))
    (test-equal "index" 3 (group-req-ifindex back))
    (test-equal "group" group (group-req-group back)))
  (let ((back (bytevector->structure
               'ipv6-mreq
               (structure->bytevector
                'ipv6-mreq (make-ipv6-mreq (- (expt 2 128) 1) 4294967295)))))
    (test-equal "wide" (- (expt 2 128) 1) (ipv6-mreq-group back))
    (test-equal "unsigned" 4294967295 (ipv6-mreq-ifindex back)))
  (test-equal "few bytes are followed by zeros" #vu8(1 2 0 0 0 0 0 0)
    (packet-mreq-address
     (bytevector->structure
      'packet-mreq
      (structure->bytevector 'packet-mreq
                             (make-packet-mreq 1 0 2 #vu8(1 2)))))))

(test-case "a short answer leaves the later fields without a value"
  (let ((info (bytevector->structure 'tcp-info (make-bytevector 12 1))))
    (test-equal "there" 1 (tcp-info-state info))
    (test-equal "bits" '(2 1)           ; as C packs them on this machine
      (let ((info (bytevector->structure
                   'tcp-info (if (eq? (native-endianness) 'little)
                                 #vu8(0 0 0 0 0 0 #x12 0)
                                 #vu8(0 0 0 0 0 0 #x21 0)))))
        (list (tcp-info-snd-wscale info) (tcp-info-rcv-wscale info))))
    (test-equal "complete" #x01010101 (tcp-info-rto info))
    (test-equal "not there" #f (tcp-info-ato info))
    (test-equal "nor the last" #f (tcp-info-total-rto-time info)))
  (test-equal "an empty one" #f
    (ucred-pid (bytevector->structure 'ucred #vu8()))))

(test-case "a long answer is taken as far as it is known"
  (test-equal "pid" 0
    (ucred-pid (bytevector->structure 'ucred (make-bytevector 100 0)))))

(define-syntax-rule (refused name expected pid uid)
  (test-error* name expected
    (structure->bytevector 'ucred (make-ucred pid uid 0))))

(test-case "values that do not fit are refused"
  (refused "pid" '(out-of-range 2 "structure->bytevector") (expt 2 31) 0)
  (refused "negative uid" '(out-of-range 2) 0 -1)
  (refused "2^32" '(out-of-range 2) 0 (expt 2 32))
  (refused "2^64" '(out-of-range 2) 0 (expt 2 64))
  (refused "2^70" '(out-of-range 2) (expt 2 70) 0)
  (refused "-2^70" '(out-of-range 2) (- (expt 2 70)) 0)
  (refused "1.5" '(wrong-type-arg 2) 0 1.5)
  (refused "#f" '(wrong-type-arg 2) 0 #f)
  (test-error* "another record" '(wrong-type-arg 2)
    (structure->bytevector 'ucred (make-linger 1 2)))
  (test-error* "no record" '(wrong-type-arg 2)
    (structure->bytevector 'ucred '(1 2 3)))
  (test-error* "no structure" '(out-of-range 1)
    (structure->bytevector 'ucredo (make-ucred 1 2 3)))
  (test-error* "no symbol" '(wrong-type-arg 1)
    (bytevector->structure "ucred" #vu8()))
  (test-error* "no bytevector" '(wrong-type-arg 2)
    (bytevector->structure 'ucred "abc"))
  (test-error* "too many bytes" '(out-of-range 2)
    (structure->bytevector 'packet-mreq
                           (make-packet-mreq 1 0 9 (make-bytevector 9 0)))))

(test-end "structure")
