;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the kernel lists of sockets that are here, and of which it is known.

(use-modules (harness) (harness process) (harness socket) (srfi srfi-1) (sockport)
             (sockport system-sockets))

(define (text address) (socket-address->string address))

(define (entry-of sock kind . options)
  "Return what is listed of SOCK, but of a connection that is over."
  (find (lambda (one)
          (and (equal? (text (getsockname sock)) (assq-ref one 'local))
               (not (eq? 'time-wait (assq-ref one 'state)))))
        (apply system-sockets kind options)))

(define (fields entry . keys)
  (map (lambda (key) (assq-ref entry key)) keys))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "system-sockets")

(test-case "TCP"
  (let-ports ((listener (tcp-listener)) (pair (tcp-pair)))
    (send (cdr pair) "12345")
    (let-ports ((waiting (connect-to (getsockname listener))))
      (test-equal "a listener, and who waits" `(tcp listening 1 ,(getuid))
        (fields (entry-of listener 'tcp) 'protocol 'state 'receive-queue 'uid)))
    (let ((entry (entry-of (car pair) 'tcp)))
      (test-equal "a connection" (list 'established 5
                                       (text (getpeername (car pair))) 5)
        (fields entry 'state 'receive-queue 'peer 'bytes-received))
      (test-assert "of which more is known"
        (every number? (fields entry 'rtt-ms 'rtt-variance-ms 'congestion-window
                               'segment-size 'retransmitted 'bytes-sent
                               'inode))))
    (test-equal "in a task" 'listening
      (run-tasks (lambda () (assq-ref (entry-of listener 'tcp) 'state))))
    (test-assert "of its family"
      (entry-of listener 'tcp #:family AF_INET))
    (test-equal "not of the other" #f
      (entry-of listener 'tcp #:family AF_INET6))))

(test-case "UDP and UNIX"
  (let-ports ((udp (socket AF_INET SOCK_DGRAM 0)) (unix (unix-listener)))
    (bind udp AF_INET INADDR_LOOPBACK 0)
    (test-equal "UDP" '(udp bound) (fields (entry-of udp 'udp) 'protocol 'state))
    (test-equal "UNIX" '(unix listening "-")
      (fields (entry-of unix 'unix) 'protocol 'state 'peer)))
  (with-temporary-directory
   (lambda (directory)
     (let ((name (string-append directory "/s")))
       (let-ports ((bound (socket AF_UNIX SOCK_DGRAM 0)))
         (bind bound AF_UNIX name)
         (test-equal "a path" 'unix-datagram
           (assq-ref (entry-of bound 'unix) 'protocol)))))))

(test-case "what is no argument"
  (test-error* "a kind" '(wrong-type-arg 1 "system-sockets")
    (system-sockets 'sctp))
  (test-error* "a family" '(wrong-type-arg #:family "system-sockets")
    (system-sockets 'tcp #:family AF_UNIX)))

(test-end "system-sockets")
