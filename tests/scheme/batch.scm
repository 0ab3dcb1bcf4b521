;;; SPDX-License-Identifier: LGPL-3.0-or-later
(use-modules (harness)
             (ice-9 receive)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             ((sockport io wait) #:select (look-again-waiter))
             (srfi srfi-1))

(define (udp)
  (let ((sock (socket AF_INET SOCK_DGRAM 0)))
    (bind sock AF_INET INADDR_LOOPBACK 0)
    (setsockopt sock SOL_SOCKET SO_RCVBUF 1000000)
    sock))

(define (call-with-two proc)
  (let ((one (udp)) (two (udp)))
    (proc one two)
    (for-each (lambda (port)
                (unless (port-closed? port) (close-port port)))
              (list one two))))

(define-syntax-rule (with-two (one two) body ...)
  (call-with-two (lambda (one two) body ...)))

(define (contents batch)
  (map (lambda (i) (utf8->string (batch-ref batch i)))
       (iota (batch-count batch))))

(define (receive-all batch sock count)
  "The contents of COUNT datagrams."
  (let loop ((got '()))
    (if (< (length got) count)
        (begin
          (batch-receive! batch sock)
          (loop (append got (contents batch))))
        got)))

;; A thread's first wait opens a pipe, which must not count.
(let ((port (socket AF_UNIX SOCK_DGRAM 0)))
  ((look-again-waiter port 'test))
  (close-port port))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "batch")

(test-case "datagrams go and come"
  (for-each
   (lambda (offload?)
     (with-two (one two)
       (let ((batch (make-batch 8 100 #:offload? offload?))
             (to (getsockname two)))
         (test-equal "index" 0 (batch-add! batch "first" to))
         (test-equal "index" 1 (batch-add! batch "other" to))
         (test-equal "index" 2 (batch-add! batch #vu8(97 98 99) to 1))
         (test-equal "index" 3 (batch-add! batch "" to))
         (test-equal "index" 4 (batch-add! batch "xyz" to 1 2))
         (receive (sent errno) (batch-send! batch one)
           (test-equal "sent" '(5 #f) (list sent errno)))
         (test-equal "received" '("first" "other" "bc" "" "y")
           (receive-all batch two 5))
         (test-equal "sender" (getsockname one)
           (batch-address batch (- (batch-count batch) 1))))))
   '(#t #f)))

(test-case "equal datagrams are joined and split"
  (with-two (one two)
    (let ((batch (make-batch 200 10)) (to (getsockname two))
          (texts (map (lambda (i) (format #f "~5,'0d" i)) (iota 200))))
      (test-error* "turns joining on" '(system-error 11 "batch-receive!")
        (batch-receive! batch two MSG_DONTWAIT))
      (for-each (lambda (text) (batch-add! batch text to)) texts)
      (batch-send! batch one)
      (let ((in (make-batch 16 10)))
        (batch-receive! in two)
        (test-assert "more than slots" (> (batch-count in) 16))
        (test-equal "segment size" 5 (batch-segment-size in 0))
        (test-equal "not cut" #f (batch-cut? in 0))
        (let ((first (contents in)))
          (test-equal "all in order" texts
            (append first
                    (receive-all in two (- 200 (length first))))))))))

(test-case "what is in a batch"
  (with-two (one two)
    (let ((batch (make-batch 4 8 #:offload? #f)))
      (sendmsg one "123456789" (getsockname two))
      (test-equal "count" 1 (batch-receive! batch two))
      (test-equal "length" 8 (batch-length batch 0))
      (test-equal "cut" #t (batch-cut? batch 0))
      (test-equal "segment" 0 (batch-segment-size batch 0))
      (test-equal "slots" 4 (batch-slots batch))
      (test-equal "size" 8 (batch-slot-size batch))
      (test-assert "batch" (batch? batch))
      (test-equal "not a batch" #f (batch? (batch-bytes batch)))
      (test-equal "its bytes" (char->integer #\1)
        (bytevector-u8-ref (batch-bytes batch) (batch-start batch 0)))
      (batch-clear! batch)
      (test-equal "cleared" 0 (batch-count batch)))))

(test-case "answers go to the senders"
  (with-two (one two)
    (let ((batch (make-batch 4 8)) (out (make-batch 4 8)))
      (sendmsg one "ping" (getsockname two))
      (batch-receive! batch two)
      ;; In place, with another length.
      (bytevector-u8-set! (batch-bytes batch) (batch-start batch 0) 80)
      (batch-resize! batch 0 3)
      (batch-send! batch two)
      ;; From another batch.
      (batch-add-reply! out batch 0 "pong")
      (batch-add-reply! out batch 0 "xpong2" 1)
      (batch-send! out two)
      (test-equal "all three" '("Pin" "pong" "pong2")
        (receive-all batch one 3)))))

(test-case "waiting suspends a task"
  (with-two (one two)
    (let ((batch (make-batch 4 8)) (out (make-batch 4 8)) (seen '()))
      (run-tasks
       (lambda ()
         (spawn-task (lambda ()
                       (set! seen (cons (batch-receive! batch two) seen))))
         (spawn-task (lambda ()
                       (set! seen (cons 'meanwhile seen))
                       (batch-add! out "x" (getsockname two))
                       (batch-send! out one)))))
      (test-equal "in order" '(1 meanwhile) seen))))

(test-case "a batch is full at its slots"
  (let ((batch (make-batch 2 4)))
    (test-equal "one" 0 (batch-add! batch "1234"))
    (test-equal "two" 1 (batch-add! batch ""))
    (test-equal "three" #f (batch-add! batch ""))))

(test-case "a buffer is cut into datagrams"
  (with-two (one two)
    (let ((batch (make-batch 4 8)) (to (getsockname two)))
      (test-equal "with a short one" 3
        (batch-add-segments! batch "0123456789" 4 to))
      (test-equal "as many as fit" 1
        (batch-add-segments! batch "abcdefgh" 3 to 1 7))
      (test-equal "none" 0 (batch-add-segments! batch "abc" 3 to))
      (test-equal "sent" 4 (batch-send! batch one))
      (test-equal "received" '("0123" "4567" "89" "bcd")
        (receive-all batch two 4)))
    (let ((batch (make-batch 4 8)))
      (test-equal "of nothing" 0 (batch-add-segments! batch "" 3))
      (test-error* "too long" '(out-of-range 3 "batch-add-segments!")
        (batch-add-segments! batch "abc" 9))
      (test-error* "of no length" '(out-of-range 3 "batch-add-segments!")
        (batch-add-segments! batch "abc" 0))
      (test-error* "to nowhere" '(wrong-type-arg 4 "batch-add-segments!")
        (batch-add-segments! batch "abc" 1 5)))))

(test-case "IPv6 is joined and split too"
  (let ((one (socket AF_INET6 SOCK_DGRAM 0)) (two (socket AF_INET6 SOCK_DGRAM 0))
        (batch (make-batch 64 16)))
    (bind one AF_INET6 1 0)
    (bind two AF_INET6 1 0)
    (catch 'system-error
      (lambda () (batch-receive! batch two MSG_DONTWAIT))
      (const #f))
    (batch-add-segments! batch (make-bytevector 640 7) 10 (getsockname two))
    (test-equal "sent" 64 (batch-send! batch one))
    (batch-receive! batch two)
    (test-equal "all at once" 64 (batch-count batch))
    (test-equal "sender" (getsockname one) (batch-address batch 63))
    (close-port one)
    (close-port two)))

(test-case "the first that cannot go is told"
  (with-two (one two)
    (let ((batch (make-batch 4 8)) (to (getsockname two)))
      (batch-add! batch "a" to)
      (batch-add! batch "b" (vector AF_INET6 1 9 0 0))
      (batch-add! batch "c" to)
      (receive (sent errno) (batch-send! batch one)
        (test-equal "one went" (list 1 EAFNOSUPPORT) (list sent errno))
        (receive (sent errno) (batch-send! batch one 0 2)
          (test-equal "the rest goes" '(1 #f) (list sent errno))))
      (test-equal "received" '("a" "c") (receive-all batch two 2)))))

(test-case "connected sockets need no address"
  (let ((pair (socketpair AF_UNIX SOCK_DGRAM 0)) (batch (make-batch 8 8)))
    (batch-add! batch "a")
    (batch-add! batch "b" #f)
    (test-equal "sent" 2 (batch-send! batch (car pair)))
    (test-equal "never joined" '("a" "b") (receive-all batch (cdr pair) 2))
    (test-equal "no sender" #f (batch-address batch 0))
    (close-port (car pair))
    (close-port (cdr pair))))

(test-case "more than one system call holds"
  (let* ((pair (socketpair AF_UNIX SOCK_DGRAM 0))
         (count 3000)
         (batch (make-batch count 8)) (in (make-batch count 8))
         (reader (call-with-new-thread
                  (lambda () (length (receive-all in (cdr pair) count))))))
    (do ((i 0 (+ i 1))) ((= i count))
      (batch-add! batch "datagram"))
    ;; The peer's queue is far shorter: sending waits for it.
    (test-equal "sent" count (batch-send! batch (car pair)))
    (test-equal "received" count (join-thread reader))
    (close-port (car pair))
    (close-port (cdr pair))))

(test-case "a waiting receive ends with the data or the socket"
  (with-two (one two)
    (let* ((batch (make-batch 4 8))
           (reader (call-with-new-thread
                    (lambda () (batch-receive! batch two)))))
      (usleep 20000)
      (sendmsg one "x" (getsockname two))
      (test-equal "data" 1 (join-thread reader))
      (let ((reader (call-with-new-thread
                     (lambda ()
                       (catch 'system-error
                         (lambda () (batch-receive! batch two))
                         (lambda args (system-error-errno args)))))))
        (usleep 20000)
        (close-port two)
        (test-equal "closed" EBADF (join-thread reader))))))

(test-case "nothing is allocated for a datagram"
  (with-two (one two)
    (let* ((batch (make-batch 64 100)) (to (getsockname two))
           (in (make-batch 64 100)) (text (make-bytevector 100 1))
           (allocated (lambda ()
                        (assq-ref (gc-stats) 'heap-total-allocated)))
           (round (lambda ()
                    (batch-clear! batch)
                    (do ((i 0 (+ i 1))) ((= i 64))
                      (batch-add! batch text to))
                    (batch-send! batch one)
                    (let loop ((left 64))
                      (when (positive? left)
                        (loop (- left (batch-receive! in two))))))))
      (round)
      (let ((before (allocated)) (rounds 100))
        (do ((i 0 (+ i 1))) ((= i rounds)) (round))
        ;; This program is interpreted, which allocates; a compiled one is
        ;; measured in bench/.
        (test-assert "less than a datagram has bytes"
          (< (/ (- (allocated) before) (* rounds 64)) 1000))))))

(test-case "bad arguments"
  (let ((batch (make-batch 4 8)))
    (define-syntax-rule (refused (expected ...) expression)
      (test-error* (format #f "~s" 'expression) '(expected ...) expression))
    (for-each
     (lambda (bad)
       (let ((key (if (exact-integer? bad) 'out-of-range 'wrong-type-arg)))
         (test-error* (format #f "slots ~a" bad) (list key 1 "make-batch")
           (make-batch bad 8))
         (test-error* (format #f "size ~a" bad) (list key 2 "make-batch")
           (make-batch 8 bad))
         (test-error* (format #f "index ~a" bad) (list key 2 "batch-ref")
           (batch-ref batch bad))))
     (list -1 0 (expt 2 32) (expt 2 64) (expt 2 70) 1.5 #f))
    (refused (out-of-range 1 "make-batch") (make-batch (- (expt 2 31) 1) 65535))
    (refused (wrong-type-arg 1 "batch-count") (batch-count 'batch))
    (refused (wrong-type-arg 2 "batch-add!") (batch-add! batch 5))
    (refused (wrong-type-arg 2 "batch-add!") (batch-add! batch "\u0100"))
    (refused (wrong-type-arg 3 "batch-add!") (batch-add! batch "" 5))
    (refused (out-of-range 4 "batch-add!") (batch-add! batch "" #f 1))
    (refused (out-of-range 5 "batch-add!") (batch-add! batch "" #f 0 1))
    (refused (system-error 90 "batch-add!") (batch-add! batch "123456789"))
    (refused (wrong-type-arg 2 "batch-receive!") (batch-receive! batch 5))
    (refused (wrong-type-arg 2 "batch-send!") (batch-send! batch 5))
    (refused (out-of-range 2 "batch-resize!") (batch-resize! batch 0 1))
    (refused (wrong-type-arg 2 "batch-add-reply!")
             (batch-add-reply! batch "batch" 0 ""))
    (batch-add! batch "12")
    (refused (out-of-range 3 "batch-resize!") (batch-resize! batch 0 9))
    (batch-add! batch "34")
    (refused (out-of-range 3 "batch-resize!") (batch-resize! batch 0 3))
    (with-two (one two)
      (refused (out-of-range 4 "batch-send!") (batch-send! batch one 0 3))
      (refused (out-of-range 3 "batch-send!") (batch-send! batch one -1))
      (refused (out-of-range 3 "batch-receive!")
               (batch-receive! batch one (expt 2 64)))
      (refused (system-error 89 "batch-send!")
               (receive (sent errno) (batch-send! batch one)
                 (scm-error 'system-error "batch-send!" "~a" '("") (list errno)))))))

(test-case "dropped batches are freed"
  (define (resident)
    (gc)
    (call-with-input-file "/proc/self/statm" (lambda (port) (read port) (read port))))
  (define (grown)
    (let ((before (resident)))
      (for-each (lambda (i) (make-batch 1000 100)) (iota 1000))
      (- (resident) before)))
  ;; The heap grows until Guile's thread for that keeps up.
  (test-assert "again and again" (any (lambda (i) (< (grown) 8000)) (iota 10))))

(test-end "batch")
