;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; connect-to, with addresses that work, refuse, or never answer.

(use-modules (harness) (harness process) (harness socket) (ice-9 match) (ice-9 threads)
             (srfi srfi-1) (sockport))

(define (listener family backlog)
  (let ((sock (socket family SOCK_STREAM 0)))
    (bind sock family (if (= family AF_INET) INADDR_LOOPBACK 1) 0)
    (listen sock backlog)
    sock))

(define (fill listener)
  "Connect to LISTENER, whose backlog is 0: it drops whoever comes next."
  (let ((sock (socket (sockaddr:fam (getsockname listener)) SOCK_STREAM 0)))
    (connect sock (getsockname listener))
    sock))

(define (vsock-listener)
  (or (false-if-exception (car (listen-on "vsock:1:4294967295")))
      (skip "no vsock here")))

(define (unused family)
  (let-ports ((sock (listener family 1))) (getsockname sock)))

(define (peer-of sock)
  "Where SOCK is connected to; it is closed."
  (let ((peer (getpeername sock)))
    (close-port sock)
    peer))

(define (failed . args)
  (catch 'system-error
    (lambda () (close-port (apply connect-to args)) 'connected)
    (lambda error
      (cons (system-error-errno error) (connect-failures error)))))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "connect")

(define (test-everywhere name expected thunk)
  (test-equal (list name "in a thread") expected (thunk))
  (test-equal (list name "in a task") expected (run-tasks thunk))
  (test-equal (list name "with a deadline") expected
    (with-deadline 30 thunk)))

(test-case "what WHERE can be"
  (let-ports ((server (listener AF_INET 100)))
    (let* ((name (getsockname server)) (port (sockaddr:port name)))
      (for-each
       (lambda (args)
         (test-everywhere args name
                          (lambda () (peer-of (apply connect-to args)))))
       `((,name) ((,name)) (,(socket-address->string name))
         (,(format #f "localhost:~a" port)) ("localhost" #:port ,port)
         ("127.0.0.1" #:port ,(number->string port))
         ((,(format #f "127.0.0.1:~a" (free-port)) ,name)) (,name #:family ,AF_INET)))))
  (with-temporary-directory
   (lambda (directory)
     (let-ports ((server (socket AF_UNIX SOCK_STREAM 0)))
       (bind server AF_UNIX (string-append directory "/name"))
       (listen server 1)
       (test-assert "a UNIX name"
         (let ((sock (connect-to (string-append "unix:" directory "/name"))))
           (close-port sock)))))))

(test-case "every text of socket-address->string connects"
  (for-each
   (match-lambda
     ((family . parts)
      (let-ports ((server (socket family SOCK_STREAM 0)))
        (apply bind server family parts)
        (listen server 10)
        (let ((name (getsockname server)))
          (test-everywhere (socket-address->string name) name
            (lambda ()
              (peer-of (connect-to (socket-address->string name)))))))))
   `((,AF_INET ,INADDR_LOOPBACK 0) (,AF_INET6 1 0) (,AF_UNIX "")
     (,AF_UNIX ,(format #f "\x00;sockport \"~a\" \\ ü" (getpid))))))

;; Of this machine itself: VMADDR_CID_LOCAL, where the kernel has its module.
(test-case "vsock, too"
  (let-ports ((server (vsock-listener)))
    (let ((name (getsockname server)))
      (unless (false-if-exception (peer-of (connect-to name)))
        (skip "no vsock here"))
      (test-equal "its text" (format #f "vsock:1:~a" (sockaddr:port name))
        (socket-address->string name))
      (test-everywhere "connects" name
        (lambda () (peer-of (connect-to (socket-address->string name))))))))

(test-case "what it cannot be"
  (test-error* "no port" '(wrong-type-arg 1 "connect-to") (connect-to "host"))
  (for-each
   (lambda (where)
     (test-error* where '(wrong-type-arg 1 "connect-to") (connect-to where)))
   '("" "host:" ":80" "[]:80" "[::1]" "[::1:80" "::1:80" "2001:db8::1" "a:b:c"
     "[::1]80" "[::1]:" "x[::1]:80" "vsock:1:port" "http://host:80"
     "127.0.0.1:80\x00;" "127.0.0.1\x00;:80" "[::1]:80\x00;" "\x00;:80"))
  (test-error* "no text" '(wrong-type-arg 1 "connect-to") (connect-to 80))
  (test-error* "a port" '(out-of-range 1 "connect-to") (connect-to "h:70000"))
  (test-error* "a port by keyword" '(out-of-range #:port "connect-to")
    (connect-to "h" #:port 70000))
  (test-error* "a delay" '(out-of-range #:delay "connect-to")
    (connect-to "127.0.0.1:1" #:delay 0))
  (test-error* "a local name" '(wrong-type-arg #:local "connect-to")
    (connect-to "127.0.0.1:1" #:local "localhost"))
  (test-error* "another family" '(misc-error #f "connect-to")
    (connect-to (list "127.0.0.1:1") #:family AF_INET6))
  (test-equal "a service that is none" EAI_SERVICE
    (catch 'getaddrinfo-error
      (lambda () (connect-to "127.0.0.1" #:port "nosuchservice"))
      (lambda (key code) code))))

(test-case "the first that works wins, and nothing is left"
  (let-ports ((dead (listener AF_INET6 0)) (server (listener AF_INET 10)))
    (let-ports ((filler (fill dead)))
      (let ((choices (list (getsockname dead) (getsockname server))))
        (test-everywhere "one that never answers" (getsockname server)
          (lambda () (peer-of (connect-to choices #:delay 1/100))))
        (test-everywhere "one that refuses" (getsockname server)
          (lambda ()
            (peer-of (connect-to (list (unused AF_INET6) (getsockname server))
                                 #:delay #f))))))))

(test-case "all failures are told, in order and once"
  (let ((first (unused AF_INET6)) (second (unused AF_INET)))
    (test-everywhere "each"
      `(,ECONNREFUSED (,first . ,ECONNREFUSED) (,second . ,ECONNREFUSED))
      (lambda () (failed (list first second second first))))
    (test-everywhere "one that has no port"
      `(,ENOENT (,(make-socket-address AF_UNIX "/nonexistent") . ,ENOENT))
      (lambda () (failed "unix:/nonexistent")))
    (test-equal "of another error" '()
      (catch 'system-error
        (lambda ()
          (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
            (connect sock second)))
        (lambda error (connect-failures error))))))

(test-case "families take turns"
  (let ((addresses (append (map (lambda (i) (unused AF_INET6)) (iota 2))
                           (map (lambda (i) (unused AF_INET)) (iota 2)))))
    (test-equal (list AF_INET6 AF_INET AF_INET6 AF_INET)
      (map (lambda (failure) (sockaddr:fam (car failure)))
           (cdr (failed addresses))))))

(test-case "deadlines and cancel!"
  (let-ports ((dead (listener AF_INET 0)))
    (let-ports ((filler (fill dead)))
      (define (expire)
        (catch 'deadline-exceeded
          (lambda ()
            (with-deadline 0.05 (lambda () (connect-to (getsockname dead)))))
          (const 'expired)))
      (test-equal "in a thread" 'expired (expire))
      (test-equal "in a task" 'expired (run-tasks expire))
      (test-equal "cancelled" 'cancelled
        (run-tasks
         (lambda ()
           (let ((task (spawn-task
                        (lambda () (connect-to (getsockname dead))))))
             (task-yield)
             (cancel! task)
             (false-if-exception (join task))
             (task-state task))))))))

(test-case "one address and no options: a refusal, and a queue that is full"
  (let ((nobody (unused AF_INET)))
    (test-everywhere "refused" `(,ECONNREFUSED (,nobody . ,ECONNREFUSED))
      (lambda () (failed nobody)))
    (test-everywhere "refused, as text"
      `(,ECONNREFUSED (,nobody . ,ECONNREFUSED))
      (lambda () (failed (socket-address->string nobody)))))
  (test-error* "an address that is none" '(out-of-range 1 "connect-to")
    (connect-to (vector AF_INET INADDR_LOOPBACK 65536)))
  (for-each
   (match-lambda
     ((where connect-while)
      (let-ports ((full (listener AF_INET 0)))
        (let-ports ((filler (fill full)))
          (define accepted '())
          (define (accept-one)
            (set! accepted (cons (car (accept full)) accepted)))
          (define connected
            (connect-while accept-one
                           (lambda () (connect-to (getsockname full)))))
          (accept-one)
          (test-equal (list "it waits for room" where)
            (sort (map (compose sockaddr:port getsockname)
                       (list filler connected))
                  <)
            (sort (map (compose sockaddr:port getpeername) accepted) <))
          (for-each close-port (cons connected accepted))))))
   `(("in a thread"
      ,(lambda (accept-one connect)
         (let* ((other (call-with-new-thread accept-one)) (sock (connect)))
           (join-thread other)
           sock)))
     ("in a task"
      ,(lambda (accept-one connect)
         (run-tasks
          (lambda ()
            (let ((task (spawn-task connect)))
              (task-yield)
              (accept-one)
              (join task)))))))))

(test-case "who connects again and again lets others run"
  (let-ports ((server (listener AF_INET 100)))
    (define there (getsockname server))
    (define turns 0)
    (run-tasks
     (lambda ()
       (define (connect-often count)
         (unless (zero? count)
           (close-port (connect-to there))
           (close-port (car (accept server)))
           (connect-often (- count 1))))
       (define counter
         (spawn-task (lambda ()
                       (let again ()
                         (task-yield)
                         (set! turns (+ turns 1))
                         (again)))))
       (connect-often 200)
       (cancel! counter)))
    (test-assert "turns" (> turns 4))
    (test-assert "its own socket is non-blocking there"
      (run-tasks (lambda ()
                   (let-ports ((sock (connect-to there)))
                     (nonblocking? sock)))))))

(test-case "options"
  (let-ports ((server (listener AF_INET 10)))
    (let-ports ((plain (connect-to (getsockname server)))
                (other (connect-to (getsockname server) #:no-delay? #f
                                   #:keep-alive 30 #:user-timeout 2.5
                                   #:local "127.0.0.2"
                                   #:set-up (lambda (sock)
                                              (setsockopt sock IPPROTO_IP IP_TTL
                                                          7)))))
      (define (option sock level name) (getsockopt sock level name))
      (test-equal "as they are" '(1 0)
        (list (option plain IPPROTO_TCP TCP_NODELAY)
              (option plain SOL_SOCKET SO_KEEPALIVE)))
      (test-equal "as asked for" '(0 1 30 30 2500 7)
        (list (option other IPPROTO_TCP TCP_NODELAY)
              (option other SOL_SOCKET SO_KEEPALIVE)
              (option other IPPROTO_TCP TCP_KEEPIDLE)
              (option other IPPROTO_TCP TCP_KEEPINTVL)
              (option other IPPROTO_TCP TCP_USER_TIMEOUT)
              (option other IPPROTO_IP IP_TTL)))
      (test-equal "from where" "127.0.0.2"
        (inet-ntop AF_INET (sockaddr:addr (getsockname other))))
      (test-assert "in blocking mode" (not (nonblocking? plain))))
    (test-error* "an error of the set-up procedure" '(misc-error)
      (connect-to (getsockname server)
                  #:set-up (lambda (sock) (error "no"))))))

(test-case "attempts are told of as they are made"
  (let-ports ((listener (tcp-listener)))
    (let* ((there (getsockname listener))
           (not-there (make-socket-address AF_INET (+ 1 INADDR_LOOPBACK)
                                           (sockaddr:port there)))
           (told '())
           (tell! (lambda (address errno)
                    (set! told (cons (cons address errno) told)))))
      (close-port (connect-to (list not-there there) #:on-attempt tell!))
      (test-equal "of the Internet's"
        `((,not-there . #f) (,not-there . ,ECONNREFUSED) (,there . #f))
        (reverse told))))
  (let ((told '()))
    (define (tell! address errno) (set! told (cons errno told)))
    (false-if-exception
     (connect-to "unix:/nonexistent/socket" #:on-attempt tell!))
    (test-equal "of another" (list ENOENT #f) told)
    (set! told '())
    (false-if-exception
     (connect-to "127.0.0.1:1" #:local "192.0.2.1" #:on-attempt tell!))
    (test-equal "of one that fails before it connects" (list EADDRNOTAVAIL #f) told))
  (test-error* "no procedure" '(wrong-type-arg #:on-attempt "connect-to")
    (connect-to "127.0.0.1:1" #:on-attempt 1)))

(test-case "what would be tried"
  (define (texts . arguments)
    (map socket-address->string (apply where->addresses arguments)))
  (test-equal "an address" '("127.0.0.1:80") (texts "127.0.0.1:80"))
  (test-equal "a host and a service" '("127.0.0.1:80")
    (texts "localhost" #:port "http" #:family AF_INET))
  (test-equal "of one family" '("[::1]:80")
    (texts '("127.0.0.1:80" "[::1]:80") #:family AF_INET6))
  (test-equal "a UNIX socket" '("unix:/run/x") (texts "unix:/run/x"))
  (test-error* "no place" '(wrong-type-arg 1) (where->addresses 1))
  (test-error* "no family" '(wrong-type-arg #:family "where->addresses")
    (where->addresses "127.0.0.1:80" #:family 'inet)))

(test-end "connect")
