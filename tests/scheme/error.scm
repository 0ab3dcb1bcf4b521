;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The words of errors: the address that a call was about, the bounds of a
;;; number, and what would have been right.  Keys and errnos are elsewhere.

(use-modules (harness)
             (harness error)
             (harness socket)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport)
             (sockport channel)
             (sockport netlink))

(define-syntax-rule (test-about-port procedure port expected expr)
  (test-equal (string-append "by " procedure)
    (format #f "In procedure ~a: 127.0.0.1:~a: ~a" procedure port expected)
    (words (lambda () expr))))

(test-begin "error")

(test-case "an address of two numbers is refused as any other"
  (let-ports ((sock (socket AF_INET SOCK_DGRAM 0)))
    (for-each
     (match-lambda
       ((key detail . address)
        (test-error* address (list key detail "sendto")
          (apply sendto sock #vu8(1) address))))
     `((out-of-range 4 ,AF_INET ,(expt 2 32) 1) (out-of-range 4 ,AF_INET -1 1)
       (wrong-type-arg 4 ,AF_INET 1.5 1) (out-of-range 5 ,AF_INET 1 65536)
       (out-of-range 5 ,AF_INET 1 -1) (wrong-type-arg 5 ,AF_INET 1 #f)
       (system-error ,EINVAL ,AF_INET ,INADDR_LOOPBACK 0)
       (system-error ,EAFNOSUPPORT ,AF_INET6 ,INADDR_LOOPBACK 9)))))

(test-case "the address is named"
  (let ((port (free-port)))
    (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
      (test-about-port "connect" port "Connection refused"
        (connect sock AF_INET INADDR_LOOPBACK port)))
    (let-ports ((first (socket AF_INET SOCK_STREAM 0))
                (second (socket AF_INET SOCK_STREAM 0)))
      (bind first AF_INET INADDR_LOOPBACK port)
      (listen first 1)
      (test-about-port "bind" port "Address already in use"
        (bind second AF_INET INADDR_LOOPBACK port)))
    (let-ports ((sock (socket AF_INET SOCK_DGRAM 0)))
      (connect sock AF_INET INADDR_LOOPBACK port)
      (send sock "x")
      ;; send was not told it.
      (test-about-port "send" port "Connection refused" (send sock "x"))))
  (let-ports ((sock (socket AF_UNIX SOCK_STREAM 0)))
    (test-words "connect: unix:/nonexistent/x: No such file or directory"
      (connect sock AF_UNIX "/nonexistent/x"))))

(test-case "what would be right"
  (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
    (test-words "accept: Invalid argument (the socket does not listen; call listen first)"
      (accept sock))
    (test-words "getpeername: Transport endpoint is not connected (the socket is not connected)"
      (getpeername sock))
    (test-words "bind: [::1]:9: Address family not supported by protocol (the socket is of AF_INET, the address of AF_INET6)"
      (bind sock AF_INET6 1 9))
    (test-words "connect: Wrong type argument in position 3 (expecting integer; inet-pton makes one of a numeric address, getaddrinfo looks a name up): \"localhost\""
      (connect sock AF_INET "localhost" 9)))
  (let-ports ((sock (socket AF_INET SOCK_DGRAM 0)))
    (test-words "send: Destination address required (the socket has no peer; connect it, or use sendto)"
      (send sock "x"))
    (test-words "accept: Operation not supported (a socket of this type does not accept connections)"
      (accept sock))
    (test-words "listen: Operation not supported (a socket of this type does not listen)"
      (listen sock 1)))
  (let-ports ((sock (socket AF_UNIX SOCK_DGRAM 0)))
    (test-words "sendto: 127.0.0.1:9: Invalid argument (the socket is of AF_UNIX, the address of AF_INET)"
      (sendto sock #vu8(1) AF_INET INADDR_LOOPBACK 9)))
  (test-words "inet-pton: an address of AF_INET6, not of AF_INET: \"::1\""
    (inet-pton AF_INET "::1"))
  (test-words "inet-pton: not a numeric address (getaddrinfo looks names up): \"localhost\""
    (inet-pton AF_INET "localhost")))

(test-case "text that is no address"
  (define hint
    "(expecting family or socket address; string->socket-address makes one of \
numeric text, connect-to connects to a name)")
  (let-ports ((sock (socket AF_INET SOCK_DGRAM 0)))
    (test-words (string-append "connect: Wrong type argument in position 2 " hint
                               ": \"localhost:80\"")
      (connect sock "localhost:80"))
    (test-words (string-append "bind: Wrong type argument in position 2 " hint
                               ": \"127.0.0.1:0\"")
      (bind sock "127.0.0.1:0"))
    (test-words (string-append "sendto: Wrong type argument in position 3 " hint
                               ": \"127.0.0.1:80\"")
      (sendto sock "x" "127.0.0.1:80"))
    (test-words "bind: family 80: Invalid argument (the socket is of AF_INET, the address of an unknown family)"
      (bind sock 80)))
  (test-words "listen-on: Wrong type argument in position 1 (expecting text such as host:port; port 8080 of every address is \":8080\"): \"8080\""
    (listen-on "8080"))
  (test-words "listen-on: Wrong type argument in position 1 (expecting text such as host:port, :port for every address, an address object or a port): \"localhost\""
    (listen-on "localhost"))
  (test-words "connect-to: Wrong type argument in position 1 (expecting text such as host:port; this has no host): \":80\""
    (connect-to ":80"))
  (test-words "connect-to: Wrong type argument in position 1 (expecting text such as host:port, not a URI): \"http://localhost:80/\""
    (connect-to "http://localhost:80/")))

(test-case "the procedure that was called is named"
  (let-ports ((taken (socket AF_INET SOCK_STREAM 0)))
    (bind taken AF_INET INADDR_LOOPBACK 0)
    (listen taken 1)
    (let ((port (sockaddr:port (getsockname taken))))
      (test-about-port "listen-on" port "Address already in use"
        (listen-on (getsockname taken)))
      (test-about-port "serve" port "Address already in use"
        (serve (getsockname taken) (const #t)))))
  (let ((port (free-port)))
    (test-about-port "connect-to" port "Connection refused"
      (connect-to (format #f "127.0.0.1:~a" port))))
  (test-words "connect-to: unix:/nonexistent/x: No such file or directory"
    (connect-to "unix:/nonexistent/x"))
  (test-words "connect-to: unix://nonexistent/x: No such file or directory"
    (connect-to "unix://nonexistent/x"))
  (for-each
   (lambda (who proc)
     (test-equal (list who "by its exception")
       (format #f "In procedure ~a: localhost, ninety: there is no such service"
               who)
       (words (lambda () (proc "localhost:ninety")))))
   '("connect-to" "listen-on" "serve")
   (list connect-to listen-on (lambda (where) (serve where (const #t))))))

(test-case "a deadline's words end with their line"
  (test-equal "one newline" "the deadline has passed\n"
    (catch 'deadline-exceeded
      (lambda () (with-deadline 0 (lambda () (sleep 1))))
      (lambda (key . args)
        (call-with-output-string
          (lambda (port) (print-exception port #f key args)))))))

(test-case "bounds"
  (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
    (test-words "bind: Argument 4 out of range (0 to 65535): 70000"
      (bind sock AF_INET 0 70000))
    (test-words "listen: Argument 2 out of range (-1 to 2147483647): -2"
      (listen sock -2))
    (test-words "setsockopt: Argument 4 out of range (0 seconds or more): -1"
      (setsockopt sock SOL_SOCKET SO_LINGER '(1 . -1)))
    (test-words "recv: Argument 2 out of range (0 to 268435455): -1"
      (recv sock -1)))
  (test-words "inet-ntop: Argument 2 out of range (0 to 4294967295): 4294967296"
    (inet-ntop AF_INET (expt 2 32)))
  (test-words "htons: Argument 1 out of range (0 to 65535): 65536"
    (htons 65536)))

(test-case "bounds in tasks and servers"
  (test-words "run-tasks: Argument #:workers out of range (1 to 4096): 0"
    (run-tasks (const 1) #:workers 0))
  (test-words "run-tasks: Argument #:watchdog out of range (0 seconds or more): -1"
    (run-tasks (const 1) #:watchdog -1))
  (test-words "with-deadline: Argument 1 out of range (0 seconds or more): -1"
    (with-deadline -1 (const 1)))
  (test-words "sleep: Argument 1 out of range (0 seconds or more): -1"
    (sleep -1))
  (test-words "make-channel: Argument 1 out of range (an exact integer from 0 on): -1"
    (make-channel -1))
  (test-words "make-semaphore: Wrong type argument in position 1 (expecting an exact integer from 0 on): 1.5"
    (make-semaphore 1.5))
  (test-words "watch-signal!: Argument 1 out of range (1 to 64): 65"
    (watch-signal! 65))
  (test-words "serve: Argument #:workers out of range (1 to 4096): 0"
    (serve "127.0.0.1:0" (const #t) #:workers 0))
  (test-words "serve: Argument #:idle-seconds out of range (0 seconds or more, or #f): -1"
    (serve "127.0.0.1:0" (const #t) #:idle-seconds -1))
  (test-words "make-batch: Argument 1 out of range (1 to 2147483647): 0"
    (make-batch 0 1))
  (test-words "netlink-attributes: Argument 2 out of range (0 to 4): 5"
    (netlink-attributes (make-bytevector 4) 5)))

(define (tail-of port)
  "How PORT, a socket, prints after the number of its descriptor."
  (substring (object->string port)
             (string-length (format #f "#<input-output: socket ~a"
                                    (fileno port)))))

(test-case "sockets print their addresses"
  (let-ports ((server (socket AF_INET SOCK_STREAM 0))
              (client (socket AF_INET SOCK_STREAM 0)))
    (test-equal "none yet" ">" (tail-of server))
    (bind server AF_INET INADDR_LOOPBACK 0)
    (listen server -1)
    (let ((name (socket-address->string (getsockname server))))
      (test-equal "one" (string-append " " name ">") (tail-of server))
      (connect client (getsockname server))
      (test-equal "both"
        (format #f " ~a to ~a>"
                (socket-address->string (getsockname client)) name)
        (tail-of client)))
    (close-port client)
    (test-assert "a closed one"
      (string-prefix? "#<closed: file " (object->string client))))
  (let-ports ((file (open-input-file "/dev/null")))
    (test-equal "other ports as before"
      (format #f "#<input: /dev/null ~a>" (fileno file))
      (object->string file))))

(test-case "recv and recvfrom"
  (let-ports ((server (socket AF_INET SOCK_DGRAM 0))
              (client (socket AF_INET SOCK_DGRAM 0)))
    (bind server AF_INET INADDR_LOOPBACK 0)
    (connect client (getsockname server))
    (send client "abcdef")
    (test-equal "bytes and sender"
      (cons (string->utf8 "abcdef") (getsockname client))
      (recvfrom server 100))
    (send client "abcdef")
    (test-equal "no more than asked for" (string->utf8 "abc")
      (recv server 3 MSG_TRUNC))
    (send client "")
    (test-equal "an empty datagram" #vu8() (recv server 10))))

(test-case "recv in a task"
  (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
         (received
          (run-tasks
           (lambda ()
             (let ((task (spawn-task
                          (lambda () (recv (car pair) 6 MSG_WAITALL)))))
               (task-yield)
               (send (cdr pair) "abc")
               (task-yield)
               (send (cdr pair) "defg")
               (join task))))))
    (test-equal "waits for all" (string->utf8 "abcdef") received)
    (test-equal "the rest" (string->utf8 "g") (recv (car pair) 100))
    (close-port (cdr pair))
    (test-equal "the end" #vu8() (recv (car pair) 100))
    (close-port (car pair))))

(test-end "error")
