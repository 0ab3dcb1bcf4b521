;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The examples of servers and of tasks, against real peers.

(use-modules (harness)
             (harness process)
             (harness socket)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport))

(define (example name . arguments)
  `("guile" "--no-auto-compile" "-s"
    ,(string-append (getenv "SOCKPORT_SOURCE") "/examples/" name)
    ,@arguments))

(define (output-of . command)
  (call-with-values (lambda () (apply run-program command))
    (lambda (status output) (and (eqv? 0 status) output))))

(define (end peer)
  (kill (peer-pid peer) SIGTERM)
  (status:exit-val (peer-status peer)))

(define (say peer line)
  (display line (peer-input peer))
  (newline (peer-input peer))
  (force-output (peer-input peer)))

(define (hear peer)
  (read-line (peer-output peer)))

(test-begin "examples-servers")

(test-case "chat-server and guests with socat"
  (require-program "socat")
  (call-with-peer (example "chat-server.scm" "127.0.0.1:0")
    (lambda (server)
      (hear server)
      (let ((address (format #f "TCP:127.0.0.1:~a" (listening-port server))))
        (call-with-peer (list "socat" "-" address)
          (lambda (anna)
            (say anna "Anna")
            (test-equal "in" "Anna has come" (hear anna))
            (call-with-peer (list "socat" "-" address)
              (lambda (ben)
                (say ben "Ben")
                (test-equal "coming" "Ben has come" (hear anna))
                (test-equal "in as well" "Ben has come" (hear ben))
                (say anna "hello")
                (test-equal "to the other" "Anna: hello" (hear ben))
                (say ben "grüß dich")
                (test-equal "and back" "Ben: grüß dich" (hear anna))))
            (test-equal "going" "Ben has gone" (hear anna))))
        (test-equal "SIGTERM ends it well" 0 (end server))))))

(define (guest-socket port name)
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (setsockopt sock SOL_SOCKET SO_RCVBUF 4096)
    (connect sock AF_INET INADDR_LOOPBACK port)
    (send sock (string-append name "\n"))
    sock))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-case "chat-server puts out a guest who does not read, and nobody else"
  (call-with-peer (example "chat-server.scm" "127.0.0.1:0")
    (lambda (server)
      (hear server)
      (let* ((port (listening-port server))
             (anna (guest-socket port "Anna"))
             (said (read-line anna))
             (deaf (guest-socket port "Deaf"))
             (line (string-append (make-string 15000 #\x) "\n")))
        (test-equal "in" "Anna has come" said)
        (test-equal "coming" "Deaf has come" (read-line anna))
        ;; 64 lines are in the channel when it is full, others on the way.
        (test-equal "going" "Deaf has gone"
          (let next ()
            (or (with-deadline 0 (lambda () (read-line anna)) (const #f))
                (begin (send anna line) (next)))))
        (let ((ben (guest-socket port "Ben")))
          (test-equal "the others go on" "Ben has come" (read-line anna))
          (close-port ben))
        (close-port anna)
        (close-port deaf)))))

(define (call-with-redis directory proc)
  (define path (string-append directory "/redis"))
  (call-with-peer (list "redis-server" "--port" "0" "--unixsocket" path
                        "--save" "" "--dir" directory "--logfile" "/dev/null")
    (lambda (redis)
      (unless (wait-until (lambda () (listening-at? path)))
        (error "redis-server does not listen"))
      (proc path))))

(test-case "proxy before a Redis server, with redis-benchmark"
  (require-program "redis-server")
  (require-program "redis-benchmark")
  (with-temporary-directory
    (lambda (directory)
      (call-with-redis directory
        (lambda (path)
          (call-with-peer (example "proxy.scm" "127.0.0.1:0"
                                   (string-append "unix:" path))
            (lambda (proxy)
              (hear proxy)
              (let ((port (number->string (listening-port proxy))))
                (test-equal "one client" "PONG\n"
                  (output-of "redis-cli" "-p" port "ping"))
                (let ((output (output-of "redis-benchmark" "-p" port "-q"
                                         "-c" "50" "-n" "2000" "-P" "4"
                                         "-t" "set,get,lpush")))
                  (test-assert "fifty clients"
                    (and output
                         (every (lambda (name) (string-contains output name))
                                '("SET: " "GET: " "LPUSH: "))
                         (not (string-contains output "Error")))))
                (output-of "redis-cli" "-p" port "setrange" "big" "999999" "x")
                (test-equal "a large value comes whole" 1000001
                  (string-length
                   (output-of "redis-cli" "-p" port "--raw" "get" "big")))
                (test-equal "SIGTERM ends it well" 0 (end proxy))))))))))

(test-case "proxy whose target is not there"
  (call-with-peer (example "proxy.scm" "127.0.0.1:0" "unix:/nothing/here")
    (lambda (proxy)
      (hear proxy)
      (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
        (connect sock AF_INET INADDR_LOOPBACK (listening-port proxy))
        (test-equal "closed" 0 (recv! sock (make-string 1))))
      (test-equal "the proxy goes on" 0 (end proxy)))))

(test-case "udp-limiter answers so many and no more"
  (call-with-peer (example "udp-limiter.scm" "0" "10")
    (lambda (limiter)
      (hear limiter)
      (let-ports ((sock (socket AF_INET SOCK_DGRAM 0)))
        (connect sock AF_INET INADDR_LOOPBACK (listening-port limiter))
        (do ((i 0 (+ i 1))) ((= i 100))
          (send sock "x"))
        (setsockopt sock SOL_SOCKET SO_RCVTIMEO '(0 . 500000))
        (let ((answers
               (let count ((sum 0))
                 (if (catch 'system-error
                       (lambda () (recv! sock (make-string 1)))
                       (const #f))
                     (count (+ sum 1))
                     sum))))
          (test-assert "ten at once, and some with time"
            (<= 10 answers 30))
          (send sock "x")
          (test-equal "again, later" 1 (recv! sock (make-string 1)))
          (test-equal "SIGTERM ends it well" 0 (end limiter))
          (test-equal "the others were dropped"
            (format #f "dropped ~a" (- 100 answers))
            (hear limiter)))))))

(test-case "port-scanner finds who listens"
  (let-ports ((a (tcp-listener)) (b (tcp-listener)))
    (let* ((ports (sort (map (lambda (sock) (sockaddr:port (getsockname sock)))
                             (list a b))
                        <))
           (first (max 1 (- (car ports) 500)))
           (output (output-of "guile" "--no-auto-compile" "-s"
                              (list-ref (example "port-scanner.scm") 3)
                              (number->string first)
                              (number->string (cadr ports)))))
      (test-assert "both are found"
        (and output
             (lset<= = ports
                     (map string->number (string-tokenize output))))))))

(test-end "examples-servers")
