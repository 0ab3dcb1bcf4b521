;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A million datagrams in batches, of random sizes, joined and not, over IPv4, IPv6 and
;;; UNIX sockets, some echoed as replies: each comes once, whole, and from whom it is.

(use-modules (harness soak) (ice-9 match) (rnrs bytevectors) (srfi srfi-1)
             (sockport))

(define total 1000000)
;; What the queue of every socket holds: of UNIX sockets 10 (net.unix.max_dgram_qlen).
(define slots 32)
(define (most-for address)
  (if (= AF_UNIX (sockaddr:fam address)) 10 slots))
(define largest 1400)

(define (bound family . where)
  (let ((sock (socket family SOCK_DGRAM 0)))
    (apply bind sock family where)
    (setsockopt sock SOL_SOCKET SO_RCVBUF 4000000)
    (setsockopt sock SOL_SOCKET SO_SNDBUF 4000000)
    sock))

(define (pairs)
  (define (pair . where)
    (false-if-exception (cons (apply bound where) (apply bound where))))
  (filter identity
          (list (pair AF_INET INADDR_LOOPBACK 0) (pair AF_INET6 1 0)
                ;; The kernel names it.
                (pair AF_UNIX ""))))

(define sockets (pairs))
(define batches
  (map (lambda (offload?) (make-batch slots largest #:offload? offload?)) '(#t #f)))
(define (a-batch) (list-ref batches (draw 2)))
(define incoming (make-batch slots largest))
(define incoming-plain (make-batch slots largest #:offload? #f))

(define (numbered number size)
  (let ((bytes (make-bytevector size (modulo number 251))))
    (bytevector-u32-native-set! bytes 0 number)
    bytes))

(define (add-some! batch to)
  "Put numbered datagrams for TO into BATCH; return their sizes."
  (let ((count (+ 1 (draw (most-for to)))))
    (if (zero? (draw 2))
        (map (lambda (number)
               (let ((size (+ 4 (draw (- largest 4)))))
                 (batch-add! batch (numbered number size) to)
                 size))
             (iota count))
        (let* ((size (+ 4 (draw (- largest 4))))
               (bytes (make-bytevector (* count size))))
          (for-each (lambda (number)
                      (bytevector-copy! (numbered number size) 0
                                        bytes (* number size) size))
                    (iota count))
          (batch-add-segments! batch bytes size to)
          (make-list count size)))))

(define (send-all batch sock)
  (let again ((start 0))
    (call-with-values (lambda () (batch-send! batch sock 0 start))
      (lambda (sent . error)
        (unless (or (null? error) (memv (car error) '(0 #f)))
          (fault! "not sent" error))
        (when (and (positive? sent) (< (+ start sent) (batch-count batch)))
          (again (+ start sent)))))))

(define (receive-all batch sock sizes from)
  (let next ((number 0) (left sizes))
    (unless (null? left)
      (let ((count (batch-receive! batch sock)))
        (let look ((i 0) (number number) (left left))
          (cond ((= i count) (next number left))
                ((null? left) (fault! "more than was sent" count))
                (else
                 (unless (bytevector=? (numbered number (car left))
                                       (batch-ref batch i))
                   (fault! "a datagram" number (car left)))
                 (check "whom it is from" from (batch-address batch i))
                 (look (+ i 1) (+ number 1) (cdr left)))))))))

(define (some)
  (match (list-ref sockets (draw (length sockets)))
    ((a . b)
     (let* ((batch (a-batch))
            (sizes (begin
                     (batch-clear! batch)
                     (add-some! batch (getsockname b)))))
       (send-all batch a)
       (receive-all (if (zero? (draw 2)) incoming incoming-plain)
                    b sizes (getsockname a))
       (length sizes)))))

(soak-count total "datagrams" some)
