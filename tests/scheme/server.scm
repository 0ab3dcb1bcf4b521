;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers: what they do with connections that are many, slow, idle, gone or
;;; faulty, and when descriptors run out.

(use-modules (harness)
             (harness process)
             (harness server)
             (harness socket)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport))

(test-begin "server")

(test-case "a task for each connection"
  (test-equal "nothing is logged" '()
    (call-with-server echo
      (lambda (server)
        (test-assert "a server" (server? server))
        (let-ports ((a (client server)) (b (client server)))
          (test-equal "the second" "two" (say b "two"))
          (test-equal "the first" "one" (say a "one"))
          (test-equal "both are counted" 2 (server-connections server)))
        (wait-for-task (lambda () (zero? (server-connections server))))))))

(test-case "the first that has come is served before the queue is looked at"
  (let ((counts '()) (the-server #f))
    (call-with-server
        (lambda (sock peer)
          (set! counts (cons (server-connections the-server) counts)))
      (lambda (server)
        (set! the-server server)
        (let-ports ((a (client server)) (b (client server)) (c (client server)))
          (for-each (lambda (sock) (test-equal "ended" 0 (end-of sock)))
                    (list a b c)))))
    (test-equal "all are served" 3 (length counts))
    (test-equal "one was accepted then" 1 (last counts))))

(test-case "an error in a handler ends its connection only, and is logged"
  (let ((lines (call-with-server
                   (lambda (sock peer)
                     (let ((buffer (make-string 4)))
                       (recv! sock buffer)
                       (if (string=? buffer "fail")
                           (error "as asked:" buffer)
                           (send sock buffer))))
                 (lambda (server)
                   (let-ports ((a (client server)) (b (client server)))
                     (test-equal "ended" 'end (say a "fail"))
                     (test-equal "the other" "good" (say b "good")))))))
    (test-equal "once" 1 (length lines))
    (test-assert "with the peer and the error"
      (and (string-contains (car lines) "connection from 127.0.0.1:")
           (string-contains (car lines) "as asked: \"fail\"")))))

(test-case "what a handler has buffered is sent, and its socket closed"
  (call-with-server
      (lambda (sock peer)
        (setvbuf sock 'block)
        (display "greeting" sock))
    (lambda (server)
      (let-ports ((sock (client server)))
        (let ((buffer (make-string 8)))
          (test-equal "sent" 8 (recv! sock buffer MSG_WAITALL))
          (test-equal "closed" 0 (end-of sock)))))))

(test-case "no more connections than the limit"
  (call-with-server echo
    (lambda (server)
      (let ((a (client server)))
        (let-ports ((b (client server)) (c (client server)))
          (test-equal "a" "a" (say a "a"))
          (test-equal "b" "b" (say b "b"))
          (send c "c")
          (test-equal "the third waits" 'late
            (with-deadline 1/20 (lambda () (recv! c (make-string 1)))
                           (const 'late)))
          (test-equal "two are counted" 2 (server-connections server))
          (close-port a)
          (test-equal "now it is served" 1 (recv! c (make-string 1))))))
    #:connections 2))

(test-case "nor with workers, nor with several listeners"
  (for-each
   (match-lambda
     ((where . options)
      (let ((lock (make-mutex)) (now 0) (most 0))
        (define (count! more)
          (with-mutex lock
            (set! now (+ now more))
            (set! most (max now most))))
        (define (handle sock peer)
          (count! 1)
          (recv! sock (make-string 1))
          ;; So long that a fourth would come meanwhile.
          (sleep 1/50)
          (count! -1)
          (send sock "x"))
        (define (talk address)
          (let-ports ((sock (socket (sockaddr:fam address) SOCK_STREAM 0)))
            (connect sock address)
            (send sock "x")
            (recv! sock (make-string 1))))
        (apply serve where handle
               #:connections 3
               #:on-listen
               (lambda (server)
                 (call-with-new-thread
                  (lambda ()
                    (for-each join-thread
                              (map (lambda (i)
                                     (let ((address
                                            (list-ref
                                             (server-addresses server)
                                             (modulo i (length
                                                        (server-addresses
                                                         server))))))
                                       (call-with-new-thread
                                        (lambda ()
                                          (do ((k 0 (+ k 1))) ((= k 2))
                                            (talk address))))))
                                   (iota 12)))
                    (stop-server! server))))
               options)
        (test-equal (list where options "three at a time, never more") 3 most))))
   ;; This test may run twice at the same time, in chaos as well.
   `(("127.0.0.1:0" #:workers 4)
     (("127.0.0.1:0" "127.0.0.1:0"))
     (("127.0.0.1:0" ,(format #f "unix:@sockport-several-~a" (getpid)))
      #:workers 2))))

(define (outlives-idle? server)
  "Does a connection to SERVER that is used last longer than one that is not, and was
made after it?"
  (let-ports ((active (client server)) (idle (client server)))
    (let* ((end (spawn-task (lambda () (end-of idle))))
           (answered? (let talk ()
                        (cond ((not (equal? "x" (say active "x"))) #f)
                              ((eq? 'done (task-state end)) #t)
                              (else (sleep 1/20) (talk))))))
      (and (= 0 (join end)) answered?))))

(test-case "an idle connection is closed, an active one is not"
  (call-with-server echo
    (lambda (server)
      ;; Again where nothing ran here for so long that both were idle.
      (test-assert "not while it is active"
        (let try ((left 100))
          (and (positive? left)
               (or (outlives-idle? server) (try (- left 1)))))))
    #:idle-seconds 1/2))

(test-case "a reader that takes nothing is idle, too"
  (call-with-server
      (lambda (sock peer)
        (send sock (make-bytevector 20000000)))
    (lambda (server)
      (let-ports ((sock (client server)))
        (wait-for-task (lambda () (= 1 (server-connections server))))
        (wait-for-task (lambda () (zero? (server-connections server))))))
    #:idle-seconds 1/10))

(test-case "a connection has its time, however active"
  (call-with-server echo
    (lambda (server)
      (let-ports ((sock (client server)))
        (test-equal "ended" 'end
          (with-deadline 5
            (lambda ()
              (let again ()
                (match (say sock "x")
                  ("x" (sleep 1/100) (again))
                  (end end))))))))
    #:connection-seconds 1/5))

(test-case "a slow reader, a slow writer and a peer that vanishes disturb nobody"
  (test-equal "nothing is logged" '()
    (call-with-server
        (lambda (sock peer)
          (let ((buffer (make-bytevector 4)))
            (recv! sock buffer MSG_WAITALL)
            (if (equal? buffer (string->utf8 "much"))
                (send sock (make-bytevector 20000000))
                (send sock buffer))))
      (lambda (server)
        (let-ports ((reader (client server)) (writer (client server))
                    (other (client server)))
          (send reader "much")
          (send writer "sl")
          (let ((gone (client server)))
            (send gone "much")
            (recv! gone (make-string 10))
            (setsockopt gone SOL_SOCKET SO_LINGER '(1 . 0))
            (close-port gone))
          (test-equal "the other" "fast" (say other "fast"))
          (test-equal "the slow one" "slow" (say writer "ow"))
          (wait-for-task (lambda () (= 1 (server-connections server)))))))))

(test-case "descriptors run out: said once, waited for, and gone on"
  (call-with-values (lambda () (getrlimit 'nofile))
    (lambda (soft hard)
      (let ((lines
             (call-with-server echo
               (lambda (server)
                 (let* ((first (client server))
                        (socks (map (lambda (i)
                                      (socket AF_INET SOCK_STREAM 0))
                                    (iota 20))))
                   (say first "x")
                   (dynamic-wind
                     (lambda ()
                       (setrlimit 'nofile
                                  (+ 4 (apply max (map fileno socks)))
                                  hard))
                     (lambda ()
                       (for-each (lambda (sock)
                                   (connect sock
                                            (car (server-addresses server))))
                                 socks)
                       (let ((before (tms:utime (times))))
                         (sleep 3/10)
                         (test-assert "without spinning"
                           (< (- (tms:utime (times)) before)
                              (/ internal-time-units-per-second 10)))))
                     (lambda ()
                       (setrlimit 'nofile soft hard)))
                   (for-each (lambda (sock)
                               (test-equal "served in the end" "x"
                                 (say sock "x")))
                             socks)
                   (for-each close-port (cons first socks)))))))
        (test-equal "two lines"
          '("cannot accept: Too many open files; trying again"
            "accepting again")
          lines)))))

(test-case "a handler that joins a task which was cancelled ends its connection alone"
  (test-equal "logged" 2
    (length
     (call-with-server
         (lambda (sock peer)
           (let ((task (spawn-task (lambda () (sleep 60)))))
             (cancel! task)
             (join task)))
       (lambda (server)
         (do ((i 0 (+ i 1))) ((= i 2))
           (let-ports ((sock (client server)))
             (test-equal "the end" 0 (end-of sock)))))))))

(test-case "a log that fails ends nothing"
  (call-with-server (lambda (sock peer) (error "failed"))
    (lambda (server)
      (do ((i 0 (+ i 1))) ((= i 2))
        (let-ports ((sock (client server)))
          (test-equal "the end" 0 (end-of sock)))))
    #:log (lambda (text) (error "the disk is full"))))

(test-case "a thousand connections, and then a thousand more"
  (call-with-server echo
    (lambda (server)
      (do ((round 0 (+ round 1))) ((= round 2))
        (let ((socks (map (lambda (i) (client server)) (iota 400))))
          (test-assert "all answer"
            (every (lambda (sock) (equal? "x" (say sock "x"))) socks))
          (test-equal "all are counted" 400 (server-connections server))
          (for-each close-port socks)
          (wait-for-task
           (lambda () (zero? (server-connections server)))))))))

(test-end "server")
