;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Sockets as ports: how they are born, buffered, shut down, collected, and that
;;; none of it leaks.  SOCKPORT_SOAK=1 makes the soak a million rounds long.

(use-modules (harness)
             (harness process)
             (harness socket)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1)
             (web client)
             (web response)
             (web uri))

(test-begin "socket")

(define (closes-on-exec? port)
  (logtest FD_CLOEXEC (fcntl port F_GETFD)))

(test-case "every socket is born close-on-exec, in blocking mode"
  (let-ports ((server (unix-listener))
              (client (socket AF_UNIX SOCK_STREAM 0))
              (pair (unix-pair)))
    (connect client (getsockname server))
    (let-ports ((accepted (car (accept server))))
      (for-each
       (lambda (name port)
         (test-assert (list name 'close-on-exec) (closes-on-exec? port))
         (test-assert (list name 'blocking) (not (nonblocking? port)))
         (test-assert (list name 'port)
           (and (file-port? port) (input-port? port) (output-port? port))))
       '(listener client accepted first second)
       (list server client accepted (car pair) (cdr pair))))
    (let-ports ((other (socket AF_UNIX SOCK_STREAM 0)))
      (connect other (getsockname server))
      (let-ports ((accepted (car (accept server SOCK_NONBLOCK))))
        (test-assert "unless accept is asked" (nonblocking? accepted))
        (test-assert "close-on-exec still" (closes-on-exec? accepted))))))

(test-case "families, types and protocols"
  (for-each
   (match-lambda
     ((family type protocol)
      (let-ports ((sock (socket family type protocol)))
        (test-equal (list family type)
          (list family (logand type #xf))
          (list (getsockopt sock SOL_SOCKET SO_DOMAIN)
                (getsockopt sock SOL_SOCKET SO_TYPE))))))
   `((,AF_INET ,SOCK_STREAM 0) (,AF_INET ,SOCK_DGRAM ,IPPROTO_UDP)
     (,AF_INET6 ,SOCK_STREAM ,IPPROTO_TCP) (,AF_UNIX ,SOCK_SEQPACKET 0)
     (,AF_UNIX ,(logior SOCK_DGRAM SOCK_NONBLOCK) 0)
     (,AF_NETLINK ,SOCK_RAW 0)))
  (test-error* "no such family" (list 'system-error EAFNOSUPPORT "socket")
    (socket 60000 SOCK_STREAM 0))
  (test-error* "no such type" (list 'system-error EINVAL "socket")
    (socket AF_INET 15 0))
  (test-error* "no such protocol" (list 'system-error EPROTONOSUPPORT "socket")
    (socket AF_INET SOCK_STREAM IPPROTO_UDP))
  (test-error* "no pair" (list 'system-error EOPNOTSUPP "socketpair")
    (socketpair AF_INET SOCK_STREAM 0)))

(test-case "what does not listen has nothing to accept"
  (let-ports ((stream (socket AF_INET SOCK_STREAM 0))
              (datagrams (socket AF_INET SOCK_DGRAM 0))
              (pair (unix-pair))
              (files (pipe)))
    (test-error* "unbound" (list 'system-error EINVAL "accept") (accept stream))
    (test-error* "connected" (list 'system-error EINVAL "accept")
      (accept (car pair)))
    (test-error* "datagrams" (list 'system-error EOPNOTSUPP "accept")
      (accept datagrams))
    (test-error* "a pipe" (list 'system-error ENOTSOCK "accept")
      (accept (car files)))))

;;; Buffers.

(test-case "ports are unbuffered at birth"
  (let-ports ((pair (unix-pair)))
    (let ((a (car pair)) (b (cdr pair)))
      (put-string a "abc")
      (test-equal "what is written is sent" 3
        (recv! b (make-bytevector 9) MSG_DONTWAIT))
      (send a "xyz")
      (test-equal "a character is read" #\x (get-char b))
      (test-equal "and no more is taken" 2
        (recv! b (make-bytevector 9) MSG_DONTWAIT)))))

(test-case "setvbuf adds a buffer"
  (let-ports ((pair (unix-pair)))
    (let ((a (car pair)) (b (cdr pair)))
      (setvbuf a 'block 100)
      (setvbuf b 'block 100)
      (put-string a "a line\nanother\n")
      (test-error* "nothing is sent yet" (list 'system-error EAGAIN)
        (recv! b (make-bytevector 9) MSG_DONTWAIT))
      (force-output a)
      (test-equal "lines" '("a line" "another")
        (let* ((first (get-line b)) (second (get-line b)))
          (list first second)))
      (put-bytevector b #vu8(1 2 3))
      (force-output b)
      (test-equal "bytes" #vu8(1 2 3) (get-bytevector-n a 3)))))

(test-case "shutdown delivers buffered output first"
  (for-each
   (lambda (how)
     (let-ports ((pair (unix-pair)))
       (setvbuf (car pair) 'block 100)
       (put-string (car pair) "last words")
       (shutdown (car pair) how)
       (test-equal (list how 'delivered) "last words" (get-string-all (cdr pair)))
       (close-port (car pair))))
   '(1 2))
  (let-ports ((pair (unix-pair)))
    (setvbuf (car pair) 'block 100)
    (put-string (car pair) "not yet")
    (shutdown (car pair) 0)
    (test-error* "shutting down reception sends nothing"
        (list 'system-error EAGAIN)
      (recv! (cdr pair) (make-bytevector 9) MSG_DONTWAIT))))

(test-case "shutdown delivers more than the socket's buffer holds"
  (let-ports ((pair (unix-pair)))
    (setvbuf (car pair) 'block 2000000)
    (put-string (car pair) (make-string 1500000 #\x))
    (let ((reader (in-thread
                   (lambda () (string-length (get-string-all (cdr pair)))))))
      (shutdown (car pair) 1)
      (test-equal 1500000 (join-thread reader)))))

(test-case "shutdown in non-blocking mode loses nothing"
  (let-ports ((pair (unix-pair)))
    (set-nonblocking! (car pair) #t)
    (setvbuf (car pair) 'block 2000000)
    (put-string (car pair) (make-string 1500000 #\x))
    (test-error* "it would have to wait" (list 'system-error EAGAIN "shutdown")
      (shutdown (car pair) 1))
    (let ((reader (in-thread
                   (lambda () (string-length (get-string-all (cdr pair)))))))
      (let again ()
        (catch 'system-error
          (lambda () (shutdown (car pair) 1))
          (lambda _ (usleep 100) (again))))
      (test-equal 1500000 (join-thread reader)))))

(test-case "shutdown towards a dead peer is an error, not a signal"
  (let-ports ((pair (unix-pair)))
    (setvbuf (car pair) 'block 100)
    (put-string (car pair) "nobody reads this")
    (close-port (cdr pair))
    (test-error* "the error" (list 'system-error EPIPE "send")
      (shutdown (car pair) 1))
    (test-equal "once" *unspecified* (shutdown (car pair) 1))))

(test-case "closing towards a dead peer is an error, not a signal"
  (let ((pair (unix-pair)))
    (setvbuf (car pair) 'block 100)
    (put-string (car pair) "nobody reads this")
    (close-port (cdr pair))
    (test-error* "the error" (list 'system-error EPIPE "send")
      (close-port (car pair)))
    (test-assert "closed all the same" (port-closed? (car pair)))))

(test-case "closing delivers buffered output"
  (let-ports ((pair (unix-pair)))
    (setvbuf (car pair) 'block 100)
    (put-string (car pair) "the last words")
    (close-port (car pair))
    (test-equal "the last words" (get-string-all (cdr pair)))))

(test-case "a closed port"
  (let ((sock (socket AF_UNIX SOCK_STREAM 0)))
    (test-equal "was open" #t (close-port sock))
    (test-equal "is closed" #f (close-port sock))
    (test-equal "close" #f (close sock))
    (test-assert (port-closed? sock))))

;;; Collection and leaks.

(test-case "a port that is dropped is collected, and its descriptor closed"
  (let ((before (length (descriptors))))
    (define (drop count)
      (unless (zero? count)
        (socketpair AF_UNIX SOCK_STREAM 0)
        (drop (- count 1))))
    (dropping (lambda () (drop 50)))
    (test-assert "all but a few"
      (wait-until (lambda ()
                    (gc)
                    (<= (length (descriptors)) (+ before 10)))))
    ;; One may be kept by a word that looks like its address.
    (wait-until (lambda () (gc) (drop 1) (gc)
                        (<= (length (descriptors)) before))
                3)
    (gc)))

(define (resident-kib)
  (call-with-input-file "/proc/self/status"
    (lambda (port)
      (let loop ()
        (let ((line (read-line port)))
          (if (string-prefix? "VmRSS:" line)
              (string->number (second (string-tokenize line)))
              (loop)))))))

(define rounds (if (getenv "SOCKPORT_SOAK") 1000000 20000))

(define (soak name once)
  "Call ONCE many times; descriptors and memory must stay where they were."
  (define (times count)
    (do ((i 0 (+ i 1))) ((= i count)) (once)))
  (parameterize ((case-seconds (if (getenv "SOCKPORT_SOAK") 1200 (case-seconds))))
    (test-case name
      (times 5000)
      (gc)
      (let ((resident (resident-kib))
            (open (length (descriptors))))
        (times rounds)
        (gc)
        (let ((grown (- (resident-kib) resident)))
          (format #t "# ~a: ~a rounds, ~a KiB more, ~a descriptors more~%"
                  name rounds grown (- (length (descriptors)) open))
          (test-assert "memory" (< grown 4096))
          (test-assert "descriptors"
            (<= (length (descriptors)) open)))))))

(soak "socket and close"
      (lambda () (close-port (socket AF_UNIX SOCK_STREAM 0))))

(let ((server (unix-listener)))
  (define address (getsockname server))
  (soak "accept and close"
        (lambda ()
          (let ((client (socket AF_UNIX SOCK_STREAM 0)))
            (connect client address)
            (close-port (car (accept server)))
            (close-port client))))
  (close-port server))

(let ((nowhere (make-socket-address AF_UNIX "\0sockport nobody listens")))
  (soak "a connect that fails"
        (lambda ()
          (let ((client (socket AF_UNIX SOCK_STREAM 0)))
            (catch 'system-error
              (lambda () (connect client nowhere))
              (const #f))
            (close-port client)))))

(soak "a pair that carries a message"
      (let ((buffer (make-bytevector 64)))
        (lambda ()
          (let ((pair (unix-pair)))
            (send (car pair) buffer)
            (recv! (cdr pair) buffer)
            (close-port (car pair))
            (close-port (cdr pair))))))

(let ((sock (socket AF_UNIX SOCK_STREAM 0)))
  (soak "arguments that are refused"
        (lambda ()
          (catch #t (lambda () (bind sock AF_INET 1 65536)) (const #f))
          (catch #t (lambda () (send sock "\u0100")) (const #f))))
  (close-port sock))

;;; Guile's own (web client) on a port of ours, against a real server.

(test-case "a page is fetched from a real server"
  (require-program "python3")
  (with-temporary-directory
   (lambda (directory)
     (call-with-output-file (string-append directory "/page")
       (lambda (port) (display "a page" port)))
     (call-with-peer
      (list "python3" "-m" "http.server" "--bind" "127.0.0.1"
            "--directory" directory "0")
      (lambda (peer)
        (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
          (let ((port (listening-port peer)))
            (connect sock AF_INET INADDR_LOOPBACK port)
            (setvbuf sock 'block)
            (call-with-values
                (lambda ()
                  (http-get (build-uri 'http #:host "127.0.0.1" #:port port
                                       #:path "/page")
                            #:port sock #:decode-body? #f))
              (lambda (response body)
                (test-equal 200 (response-code response))
                (test-equal "a page" (utf8->string body)))))))))))

(test-end "socket")
