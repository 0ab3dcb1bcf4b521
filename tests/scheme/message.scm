;;; SPDX-License-Identifier: LGPL-3.0-or-later
(use-modules (harness)
             (harness message)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 receive)
             (ice-9 textual-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             ((sockport io wait) #:select (look-again-waiter))
             (srfi srfi-1))

;; A thread's first wait opens a pipe, which must not count.
(let ((port (socket AF_UNIX SOCK_DGRAM 0)))
  ((look-again-waiter port 'test))
  (close-port port))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "message")

(test-case "slices are gathered and scattered"
  (with-pair (SOCK_STREAM near far)
    (let ((one (make-bytevector 6 0)) (text (make-string 4 #\-)))
      (test-equal "sent" 10
        (sendmsg near (list "ab" #vu8(99 100) '(#vu8(0 101 102) 1)
                            '("xghy" 1 3) "" "ij")))
      (let ((message (recvmsg! far (list (list one 1 4) (string) (list text 1)
                                         (list one 4 5) (make-bytevector 3)))))
        (test-equal "length" 10 (message-length message))
        (test-equal "a bytevector's parts" #vu8(0 97 98 99 103 0) one)
        (test-equal "a string's part" "-def" text)
        (test-equal "no address" #f (message-address message))
        (test-equal "no control messages" '() (message-control message))
        (test-equal "no flags" 0 (message-flags message))
        (test-assert "a message" (message? message))
        (test-equal "not a message" #f (message? far))))))

(test-case "a lone buffer is a slice"
  (with-pair (SOCK_DGRAM near far)
    (let ((text (make-string 3 #\space)))
      (test-equal "a string" 3 (sendmsg near "ab\xff"))
      (test-equal "into a string" 3 (message-length (recvmsg! far text)))
      (test-equal "its characters" "ab\xff" text)
      (test-equal "nothing" 0 (sendmsg near '()))
      (test-equal "an empty datagram" 0
        (message-length (recvmsg! far (make-bytevector 1)))))))

(test-case "more slices than the kernel takes"
  (let* ((count 3000)
         (slices (map (lambda (i) (make-bytevector 3 (logand i 255)))
                      (iota count)))
         (whole (apply bytevector-append* slices)))
    (for-each
     (lambda (type)
       (with-pair (type near far)
         (let* ((parts (map (lambda (i) (make-bytevector 3 0)) (iota count)))
                (reader (call-with-new-thread
                         (lambda ()
                           (message-length
                            (recvmsg! far parts MSG_WAITALL))))))
           (test-equal "all sent" (* 3 count) (sendmsg near slices))
           (test-equal "all received" (* 3 count) (join-thread reader))
           (test-assert "the same" (equal? whole
                                           (apply bytevector-append* parts))))))
     (list SOCK_STREAM SOCK_DGRAM))))

(test-case "a stream is sent whole though it does not fit"
  (with-pair (SOCK_STREAM near far)
    (let* ((size (* 4 1024 1024))
           (text (make-string 70000 #\a))
           (in (make-bytevector (+ size 70000)))
           (reader (call-with-new-thread
                    (lambda ()
                      (recvmsg! far (list in) MSG_WAITALL)))))
      (test-equal "sent" (+ size 70000)
        (sendmsg near (list (make-bytevector size 7) text)))
      (test-equal "received" (+ size 70000)
        (message-length (join-thread reader)))
      (test-equal "the last byte" 97
        (bytevector-u8-ref in (+ size 69999))))))

(test-case "waiting for all stops at the end and at control messages"
  (with-pair (SOCK_STREAM near far)
    (send near "abc")
    (send-ports near (list near) "d")
    (let* ((text (make-string 8 #\-))
           (message (recvmsg! far text MSG_WAITALL)))
      (test-equal "with the ports" 4 (message-length message))
      (test-equal "whole string" "abcd----" text)
      (close-received message))
    (send near "ef")
    (close-port near)
    (test-equal "at the end" 2
      (message-length (recvmsg! far (make-bytevector 8) MSG_WAITALL)))))

(test-case "what was cut is told"
  (with-pair (SOCK_DGRAM near far)
    (sendmsg near "abcdef")
    (let ((message (recvmsg! far (make-bytevector 3))))
      (test-equal "data" '(3 #t #f)
        (list (message-length message) (message-data-cut? message)
              (message-control-cut? message))))
    (sendmsg near "abcdef" #f (rights near far))
    (let ((message (recvmsg! far (make-bytevector 3) MSG_TRUNC
                             (+ control-header 4))))
      (test-equal "both" '(6 #t #t 1)
        (list (message-length message) (message-data-cut? message)
              (message-control-cut? message)
              (length (control-ref (message-control message) 'rights))))
      (close-received message))))

(test-case "addresses go and come"
  (let ((one (socket AF_INET SOCK_DGRAM 0)) (two (socket AF_INET SOCK_DGRAM 0)))
    (bind one AF_INET INADDR_LOOPBACK 0)
    (bind two AF_INET INADDR_LOOPBACK 0)
    (sendmsg one "x" (getsockname two))
    (test-equal "the sender" (getsockname one)
      (message-address (recvmsg! two (make-bytevector 1))))
    (close-port one)
    (close-port two)))

;;; Ports.

(test-case "flags are passed on"
  (with-pair (SOCK_STREAM near far)
    (test-error* "to recvmsg!" '(system-error 11 "recv-ports")
      (recv-ports far (make-bytevector 1) MSG_DONTWAIT))
    (with-pair (SOCK_DGRAM one two)
      (test-error* "to sendmsg" '(system-error 95 "send-ports")
        (send-ports one (list one) "x" MSG_OOB)))
    (test-error* "a closed peer" '(system-error 32 "send-ports")
      (begin
        (close-port far)
        (send-ports near (list near) "x")))))

;;; Waiting.

(test-case "a thread that waits is woken by data"
  (with-pair (SOCK_STREAM near far)
    (let ((reader (call-with-new-thread
                   (lambda ()
                     (message-length (recvmsg! far (make-bytevector 5)))))))
      (usleep 20000)
      (send near "abc")
      (test-equal "length" 3 (join-thread reader)))))

(test-case "a thread that waits is woken when its socket is closed"
  (with-pair (SOCK_STREAM near far)
    (let ((reader (call-with-new-thread
                   (lambda ()
                     (catch 'system-error
                       (lambda () (recvmsg! far (make-bytevector 5)))
                       (lambda args (system-error-errno args)))))))
      (usleep 20000)
      (close-port far)
      (test-equal "EBADF" EBADF (join-thread reader)))))

(test-case "non-blocking sockets do not wait"
  (with-pair (SOCK_STREAM near far)
    (for-each (lambda (port)
                (fcntl port F_SETFL
                       (logior O_NONBLOCK (fcntl port F_GETFL))))
              (list near far))
    (test-error* "recvmsg!" `(system-error ,EAGAIN "recvmsg!")
      (recvmsg! far (make-bytevector 1)))
    (let* ((size (* 8 1024 1024)) (n (sendmsg near (make-bytevector size))))
      (test-assert "a part was sent" (< 0 n size))
      (test-error* "and then nothing" `(system-error ,EAGAIN "sendmsg")
        (sendmsg near (make-bytevector size))))))

(test-case "a full queue of a UNIX datagram socket is waited for"
  (with-pair (SOCK_DGRAM near far)
    (let* ((count 2000)
           (reader (call-with-new-thread
                    (lambda ()
                      (let loop ((n 0))
                        (when (< n count)
                          (recvmsg! far (make-bytevector 9))
                          (loop (+ n 1))))))))
      (do ((i 0 (+ i 1))) ((= i count))
        (sendmsg near "datagram"))
      (join-thread reader)
      (test-assert "all went" #t))))

;;; Under a scheduler, and with a deadline.

(test-case "waiting suspends a task"
  (with-pair (SOCK_STREAM near far)
    (let ((seen '()))
      (run-tasks
       (lambda ()
         (spawn-task (lambda ()
                       (let ((message (recvmsg! far (make-bytevector 9))))
                         (set! seen (cons (message-length message) seen)))
                       (receive (ports message) (recv-ports far)
                         (set! seen (cons (length ports) seen))
                         (close-received message))))
         (spawn-task (lambda ()
                       (set! seen (cons 'meanwhile seen))
                       (sendmsg near "abc")
                       (sleep 0.01)
                       (send-ports near (list near near))))))
      (test-equal "in order" '(2 3 meanwhile) seen))))

(test-case "a deadline ends waiting"
  (with-pair (SOCK_STREAM near far)
    (test-equal "in a thread" 'late
      (with-deadline 0.02
        (lambda () (recvmsg! far (make-bytevector 9)))
        (const 'late)))
    (test-equal "in a task" 'late
      (run-tasks
       (lambda ()
         (with-deadline 0.02
           (lambda () (recv-ports far))
           (const 'late)))))))

;;; Refusals.

(test-case "bad arguments"
  (with-pair (SOCK_STREAM near far)
    (define bytes (make-bytevector 4))
    (define-syntax-rule (refused (expected ...) expression)
      (test-error* (format #f "~s" 'expression) '(expected ...) expression))
    (refused (wrong-type-arg 1 "sendmsg") (sendmsg 5 bytes))
    (refused (wrong-type-arg 2 "sendmsg") (sendmsg near 5))
    (refused (wrong-type-arg 2 "sendmsg") (sendmsg near '(5)))
    (refused (wrong-type-arg 2 "sendmsg") (sendmsg near "\u0100"))
    (refused (wrong-type-arg 2 "sendmsg") (sendmsg near '("a" . "b")))
    (refused (out-of-range 2 "sendmsg") (sendmsg near `((,bytes 5))))
    (refused (out-of-range 2 "sendmsg") (sendmsg near `((,bytes -1))))
    (refused (out-of-range 2 "sendmsg") (sendmsg near `((,bytes 3 2))))
    (refused (out-of-range 2 "sendmsg")
             (sendmsg near `((,bytes 0 ,(expt 2 64)))))
    (refused (wrong-type-arg 2 "sendmsg") (sendmsg near `((,bytes 1.5))))
    (refused (wrong-type-arg 3 "sendmsg") (sendmsg near bytes 5))
    (refused (wrong-type-arg 3 "sendmsg") (sendmsg near bytes #(1 2 3 4 5 6)))
    (refused (out-of-range 3 "sendmsg")
             (sendmsg near bytes (vector AF_INET 0 65536)))
    (refused (wrong-type-arg 4 "sendmsg") (sendmsg near bytes #f 5))
    (refused (wrong-type-arg 4 "sendmsg") (sendmsg near bytes #f '(5)))
    (refused (out-of-range 5 "sendmsg") (sendmsg near bytes #f '() -1))
    (refused (out-of-range 5 "sendmsg")
             (sendmsg near bytes #f '() (expt 2 70)))
    (refused (wrong-type-arg 5 "sendmsg") (sendmsg near bytes #f '() 1.5))
    (refused (wrong-number-of-args) (sendmsg near))
    (refused (wrong-type-arg 1 "recvmsg!") (recvmsg! 5 bytes))
    (refused (wrong-type-arg 2 "recvmsg!") (recvmsg! far '(5)))
    (refused (wrong-type-arg 2 "recvmsg!") (recvmsg! far 'x))
    (refused (out-of-range 3 "recvmsg!") (recvmsg! far bytes -1))
    (refused (out-of-range 3 "recvmsg!") (recvmsg! far bytes (expt 2 31)))
    (refused (out-of-range 4 "recvmsg!") (recvmsg! far bytes 0 -1))
    (refused (out-of-range 4 "recvmsg!") (recvmsg! far bytes 0 (expt 2 64)))
    (refused (wrong-type-arg 4 "recvmsg!") (recvmsg! far bytes 0 1.5))
    (close-port far)
    (refused (wrong-type-arg 1 "recvmsg!") (recvmsg! far bytes))
    (refused (wrong-type-arg 1 "sendmsg") (sendmsg far bytes))
    (refused (wrong-type-arg 2 "send-ports") (send-ports near (list far) "x"))))

(test-end "message")
