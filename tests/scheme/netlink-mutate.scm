;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Netlink's frame under chance: what is made is read again, and datagrams that are
;;; changed anywhere are read or refused with EBADMSG, and nothing else.  With
;;; SOCKPORT_SOAK a million of them, else a few thousand; SOCKPORT_SEED makes the
;;; same ones again.

(use-modules (harness)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport)
             (sockport netlink)
             (srfi srfi-1))

(define seed
  (or (string->number (or (getenv "SOCKPORT_SEED") ""))
      (random 1000000 (random-state-from-platform))))
(define state (seed->random-state seed))
(define rounds (if (getenv "SOCKPORT_SOAK") 1000000 4000))

(define (chance n) (random n state))
(define (one-of list) (list-ref list (chance (length list))))

(define (random-bytes size)
  (u8-list->bytevector (map (lambda (i) (chance 256)) (iota size))))

;;; Attributes as they are given, and as they are read again.

(define (integer-bytes n)
  (let ((bytes (make-bytevector 4)))
    (bytevector-u32-native-set! bytes 0 n)
    bytes))

(define (random-value depth)
  (match (chance (if (positive? depth) 4 3))
    (0 (random-bytes (chance 24)))
    (1 (chance (ash 1 32)))
    (2 (one-of '("" "lo" "eth0" "λ")))
    (3 (random-attributes (- depth 1)))))

(define (random-attributes depth)
  (map (lambda (i) (cons (chance #x4000) (random-value depth)))
       (iota (chance 5))))

(define (read-again value)
  (match value
    ((? bytevector?) value)
    ((? string?) (string->utf8 (string-append value "\0")))
    ((? exact-integer?) (integer-bytes value))
    (nested (make-netlink-attributes nested))))

(define (as-read attributes)
  (map (match-lambda ((type . value) (cons type (read-again value))))
       attributes))

;;; A datagram of messages, and changes to it.

(define datagram (@@ (sockport netlink) message-bytes))
(define messages (@@ (sockport netlink) messages))
(define check-result (@@ (sockport netlink) check-result))
(define NLMSG_ERROR 2)
(define NLMSG_DONE 3)
(define NLM_F_ACK_TLVS #x200)

(define (append-bytes parts)
  (u8-list->bytevector (append-map bytevector->u8-list parts)))

(define (random-datagram)
  (append-bytes
   (append-map
    (lambda (i)
      (datagram (one-of (list NLMSG_ERROR NLMSG_DONE 16 (chance 65536)))
                (one-of (list 0 NLM_F_ACK_TLVS (chance 65536)))
                (chance (ash 1 32))
                (make-netlink-attributes (random-attributes 2)
                                         (random-bytes (* 4 (chance 6))))))
    (iota (+ 1 (chance 3))))))

(define (mutate! bytes)
  (let ((at (chance (bytevector-length bytes))))
    (match (chance 4)
      (0 (bytevector-u8-set! bytes at (chance 256)))
      (1 (bytevector-u8-set! bytes at (one-of '(0 1 3 4 5 15 16 17 127 255))))
      (2 (when (<= (+ at 4) (bytevector-length bytes))
           (bytevector-u32-native-set! bytes at
                                       (one-of '(0 1 #x7fffffff #x80000000
                                                   #xffffffff)))))
      (3 (bytevector-u8-set! bytes at
                             (logxor (bytevector-u8-ref bytes at)
                                     (ash 1 (chance 8))))))))

;;; The value of THUNK, or `refused' if it raises what a bad frame is to raise.
(define (read-or-refuse who thunk)
  (catch 'system-error
    thunk
    (lambda (key name . rest)
      (unless (and (equal? name who)
                   (= EBADMSG (system-error-errno (cons* key name rest))))
        (apply throw key name rest))
      'refused)))

(define (attributes-within? payload start)
  (match (read-or-refuse "netlink-attributes"
                         (lambda () (netlink-attributes payload start)))
    ('refused #t)
    (found (<= (fold (lambda (attribute sum)
                       (+ sum 4 (bytevector-length (cdr attribute))))
                     0 found)
               (max 0 (- (bytevector-length payload) start))))))

;;; It raises the errno that stands there, with whatever words, or none, and EBADMSG
;;; for what is none.
(define (result-plain? message)
  (let* ((payload (netlink-message-payload message))
         (errno (if (< (bytevector-length payload) 4)
                    0
                    (- (bytevector-s32-native-ref payload 0)))))
    (catch 'system-error
      (lambda () (check-result message) (<= errno 0))
      (lambda error
        (= (system-error-errno error) (if (<= errno 4095) errno EBADMSG))))))

(define (message-sound? message)
  (let* ((payload (netlink-message-payload message))
         (length (bytevector-length payload)))
    (and (every (lambda (start) (attributes-within? payload (min start length)))
                '(0 4 16 20))
         (result-plain? message))))

(define (datagram-sound? bytes end)
  (match (read-or-refuse "netlink-receive" (lambda () (messages bytes end)))
    ('refused #t)
    (found (and (<= (fold (lambda (message sum)
                            (+ sum 16 (bytevector-length
                                       (netlink-message-payload message))))
                          0 found)
                    end)
                (every message-sound? found)))))

(test-begin "netlink-mutate")
(format #t "# seed ~a~%" seed)

(test-case "what is made is read again"
  (do ((i 0 (+ i 1)))
      ((= i rounds) (test-assert "all were read" #t))
    (let* ((attributes (random-attributes 2))
           (header (random-bytes (* 4 (chance 6))))
           (found (netlink-attributes
                   (make-netlink-attributes attributes header)
                   (bytevector-length header))))
      (unless (equal? found (as-read attributes))
        (test-equal (list "seed" seed "round" i)
          (as-read attributes) found)))))

(test-case "what is changed is read or refused"
  (do ((i 0 (+ i 1)))
      ((= i rounds) (test-assert "all were sound" #t))
    (let ((bytes (random-datagram)))
      (do ((left (chance 6) (- left 1)))
          ((zero? left))
        (mutate! bytes))
      (let ((end (if (zero? (chance 3))
                     (chance (+ 1 (bytevector-length bytes)))
                     (bytevector-length bytes))))
        (unless (datagram-sound? bytes end)
          (test-assert (list "seed" seed "round" i bytes end) #f))))))

(test-end "netlink-mutate")
