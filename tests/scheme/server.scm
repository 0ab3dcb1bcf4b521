;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers: what they do with connections that are many, slow, idle, gone or
;;; faulty, when descriptors run out, and how they end.

(use-modules (harness)
             (harness process)
             (harness socket)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport))

(define (echo sock peer)
  (let ((buffer (make-bytevector 4096)))
    (let again ()
      (let ((count (recv! sock buffer)))
        (unless (zero? count)
          (send sock buffer 0 0 count)
          (again))))))

(define (wait-for-task ready?)
  (with-deadline 10
    (lambda ()
      (let again ()
        (or (ready?)
            (begin (sleep 1/1000) (again)))))))

(define (call-with-server handler proc . options)
  "Call PROC with a server in tasks, and return what the server logged."
  (define lines '())
  (define (log line) (set! lines (cons line lines)))
  (run-tasks
   (lambda ()
     (let* ((server #f)
            (task (spawn
                   (lambda ()
                     (apply serve "127.0.0.1:0" handler
                            #:signals '() #:log log
                            #:on-listen (lambda (made) (set! server made))
                            options)))))
       (wait-for-task (lambda () server))
       (proc server)
       (stop-server! server #t)
       (join task))))
  (reverse lines))

(define (client server)
  (let* ((address (car (server-addresses server)))
         (sock (socket (sockaddr:fam address) SOCK_STREAM 0)))
    (with-exception-handler
        (lambda (exception)
          (close-port sock)
          (raise-exception exception))
      (lambda () (connect sock address))
      #:unwind? #t)
    sock))

(define (say sock text)
  "Send TEXT and return what comes back: a string, or end or reset."
  (let ((buffer (make-string 100)))
    (catch 'system-error
      (lambda ()
        (send sock text)
        (match (recv! sock buffer)
          (0 'end)
          (count (substring buffer 0 count))))
      (lambda args
        (if (memv (system-error-errno args) (list ECONNRESET EPIPE))
            'end
            (apply throw args))))))

(define (end-of sock)
  (let ((buffer (make-string 100)))
    (catch 'system-error
      (lambda () (recv! sock buffer))
      (lambda args
        (if (= ECONNRESET (system-error-errno args)) 0 (apply throw args))))))

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

(test-case "an idle connection is closed, an active one is not"
  (call-with-server echo
    (lambda (server)
      (let-ports ((idle (client server)) (active (client server)))
        (let again ((left 6))
          (sleep 1/20)
          (test-equal "active" "x" (say active "x"))
          (unless (zero? left) (again (- left 1))))
        (test-equal "idle" 0 (end-of idle))))
    #:idle-seconds 1/5))

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

;;; The end.

(define (refused? server)
  (catch 'system-error
    (lambda () (close-port (client server)) #f)
    (lambda args (= ECONNREFUSED (system-error-errno args)))))

(test-case "stopping: nobody new, and time for the others"
  (call-with-server echo
    (lambda (server)
      (let ((sock (client server)))
        (say sock "x")
        (stop-server! server)
        (wait-for-task (lambda () (refused? server)))
        (test-equal "still served" "y" (say sock "y"))
        (close-port sock)
        (wait-for-task (lambda () (zero? (server-connections server))))))
    #:grace-seconds #f))

(test-case "stopping: the grace period ends"
  (call-with-server echo
    (lambda (server)
      (let-ports ((sock (client server)))
        (say sock "x")
        (stop-server! server)
        (test-equal "ended" 0 (end-of sock))))
    #:grace-seconds 1/10))

(test-case "SIGTERM, and what handled it before"
  (let ((before (car (sigaction SIGTERM))))
    (serve "127.0.0.1:0" echo
           #:on-listen (lambda (server) (kill (getpid) SIGTERM)))
    (test-equal "as before" before (car (sigaction SIGTERM)))))

(test-case "a signal while the server sleeps, and a second one"
  (define server #f)
  (define thread
    (in-thread
     (lambda ()
       (wait-until (lambda () server))
       (let ((sock (client server)))
         (send sock "x")
         (recv! sock (make-string 1))
         (kill (getpid) SIGTERM)
         (wait-until (lambda () (refused? server)))
         (kill (getpid) SIGTERM)
         (let ((end (end-of sock)))
           (close-port sock)
           end)))))
  (serve "127.0.0.1:0" echo #:grace-seconds #f
         #:on-listen (lambda (made) (set! server made)))
  (test-equal "cancelled" 0 (join-thread thread)))

(test-case "a name in the file system goes with the server"
  (with-temporary-directory
    (lambda (directory)
      (let ((path (string-append directory "/sock")))
        (serve (string-append "unix:" path) echo #:mode #o600
               #:on-listen (lambda (server)
                             (test-assert "there" (file-exists? path))
                             (stop-server! server)))
        (test-assert "gone" (not (file-exists? path)))))))

(test-case "several addresses, and a socket that listens already"
  (let* ((given (tcp-listener)) (address (getsockname given)))
    (serve (list "127.0.0.1:0" given) echo
           #:on-listen
           (lambda (server)
             (test-equal "both" 2 (length (server-addresses server)))
             (test-equal "the given one" address
               (cadr (server-addresses server)))
             (stop-server! server)))
    (test-assert "it was closed" (port-closed? given))))

(test-case "workers"
  (define seen (make-hash-table))
  (define lock (make-mutex))
  (define server #f)
  (define thread
    (in-thread
     (lambda ()
       (wait-until (lambda () server))
       (let ((socks (map (lambda (i) (client server)) (iota 64))))
         (for-each (lambda (sock)
                     (send sock "x")
                     (recv! sock (make-string 1)))
                   socks)
         (for-each close-port socks)
         (stop-server! server)))))
  (serve "127.0.0.1:0"
         (lambda (sock peer)
           (with-mutex lock (hashv-set! seen (current-worker) #t))
           (echo sock peer))
         #:workers 2
         #:on-listen (lambda (made) (set! server made)))
  (join-thread thread)
  (test-equal "each had some" '(0 1)
    (sort (hash-map->list (lambda (worker _) worker) seen) <)))

(test-case "an address in use is an error of serve"
  (let-ports ((taken (tcp-listener)))
    (test-error* "in use" `(system-error ,EADDRINUSE "bind")
      (serve (getsockname taken) echo))))

(test-end "server")
