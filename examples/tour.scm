;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A tour of Sockport: an echo server and its clients over five kinds of socket,
;;; then a page from a real HTTP server.  Everything that goes over a socket is
;;; shown when it does.  Ends with 0 if all came back as it was sent.

(use-modules (sockport) (ice-9 match) (ice-9 popen)
             (ice-9 rdelim) (ice-9 threads) (rnrs bytevectors) (srfi srfi-1))

(define directory (mkdtemp "/tmp/sockport-tour-XXXXXX"))
(define (file name) (string-append directory "/" name))

(set-port-encoding! (current-output-port) "UTF-8")

;;; Two threads speak: a line is printed whole.
(define printing (make-mutex))
(define (say who . words)
  (with-mutex printing
    (format #t "  ~a ~a~%" (string-pad-right who 8)
            (string-join (map object->text words)))
    (force-output)))
(define (object->text word)
  (cond ((string? word) word)
        ((equal? word (vector AF_UNIX #f)) "a client without a name")
        (else (socket-address->string word))))

(define (text bytes size)
  (let ((part (make-bytevector size)))
    (bytevector-copy! bytes 0 part 0 size)
    (object->string (utf8->string part))))

;;; Servers: one for streams, one for datagrams.  Each answers COUNT clients.

(define (echo-streams server count)
  (unless (zero? count)
    (match (accept server)
      ((sock . peer)
       (let ((buffer (make-bytevector 100)))
         (let loop ((size (recv! sock buffer)))
           (unless (zero? size)
             (say "server" "<-" (text buffer size) "from" peer)
             (send sock buffer 0 0 size)
             (loop (recv! sock buffer))))
         (close-port sock))))
    (echo-streams server (- count 1))))

(define (echo-datagrams server count)
  (unless (zero? count)
    (let ((buffer (make-bytevector 100)))
      (match (recvfrom! server buffer)
        ((size . peer)
         (say "server" "<-" (text buffer size) "from" peer)
         (sendto server buffer peer 0 0 size))))
    (echo-datagrams server (- count 1))))

(define (call-with-server serve style address count proc)
  (let ((server (socket (sockaddr:fam address) style 0)))
    (bind server address)
    (when (= style SOCK_STREAM) (listen server 8))
    (say "server" "waits at" (getsockname server))
    (let ((thread (begin-thread (serve server count))))
      (proc (getsockname server))
      (join-thread thread))
    (close-port server)))

;;; A client: sends WORDS, and they must come back.

(define (converse style address name words)
  (let ((sock (socket (sockaddr:fam address) style 0))
        (buffer (make-bytevector 100)))
    ;; A UNIX datagram is answered only if its sender has a name: the kernel
    ;; gives it one.
    (when (and (= style SOCK_DGRAM) (= AF_UNIX (sockaddr:fam address)))
      (bind sock AF_UNIX #f))
    (connect sock address)
    (say name "->" (object->string words))
    (send sock (string->utf8 words))
    (let ((echo (text buffer (recv! sock buffer))))
      (say name "<-" echo)
      (close-port sock)
      (unless (string=? echo (object->string words))
        (error "the echo differs" words echo)))))

(define (exchange title serve style address)
  (format #t "~%~a~%" title)
  (catch 'system-error
    (lambda ()
      (call-with-server serve style address 2
        (lambda (place)
          (converse style place "client 1" "good morning")
          (converse style place "client 2" "καλημέρα"))))
    (lambda (key . args)
      (if (memv (system-error-errno (cons key args))
                (list EAFNOSUPPORT EADDRNOTAVAIL))
          (say "" "(this machine has no such address)")
          (apply throw key args)))))

;;; A page from an HTTP server, Python's, on a port that the kernel chooses.

(define (fetch-page port)
  (let ((sock (socket AF_INET SOCK_STREAM 0))
        (request "GET /page.txt HTTP/1.0\r\nHost: localhost\r\n\r\n"))
    (connect sock AF_INET INADDR_LOOPBACK port)
    (say "client" "->" (object->string request))
    (send sock request)
    ;; A socket is a port as well.
    (let loop ((line (read-line sock)))
      (unless (eof-object? line)
        (say "client" "<-" (string-trim-right line #\return))
        (loop (read-line sock))))
    (close-port sock)))

(define (http-tour)
  (format #t "~%A page from an HTTP server~%")
  (call-with-output-file (file "page.txt")
    (lambda (port) (display "This page came through a socket.\n" port)))
  (call-with-values
      (lambda ()
        (with-error-to-file "/dev/null"
          (lambda ()
            (pipeline `(("python3" "-u" "-m" "http.server" "0" "--bind"
                         "127.0.0.1" "--directory" ,directory))))))
    (lambda (from to pids)
      (dynamic-wind
        (const #t)
        (lambda ()
          (match (string-tokenize (read-line from) char-set:digit)
            ((_ _ _ _ port . _)
             (say "server" "waits at" (string-append "127.0.0.1:" port))
             (fetch-page (string->number port)))))
        (lambda ()
          (kill (first pids) SIGTERM)
          (waitpid (first pids))
          (close-port from)
          (close-port to))))))

(define (search-program name)
  (search-path (parse-path (getenv "PATH")) name))

(define loopback6 (make-socket-address AF_INET6 IN6ADDR_LOOPBACK 0))
(define loopback (make-socket-address AF_INET INADDR_LOOPBACK 0))
(define (unix name) (make-socket-address AF_UNIX (file name)))

(dynamic-wind
  (const #t)
  (lambda ()
    (exchange "TCP over IPv4" echo-streams SOCK_STREAM loopback)
    (exchange "TCP over IPv6" echo-streams SOCK_STREAM loopback6)
    (exchange "UDP" echo-datagrams SOCK_DGRAM loopback)
    (exchange "UNIX stream" echo-streams SOCK_STREAM (unix "stream"))
    (exchange "UNIX datagram" echo-datagrams SOCK_DGRAM (unix "datagram"))
    (if (search-program "python3")
        (http-tour)
        (format #t "~%No page: python3, the HTTP server, is not installed.~%"))
    (format #t "~%Everything came back as it was sent.~%"))
  (lambda ()
    (for-each (lambda (name)
                (when (file-exists? (file name)) (delete-file (file name))))
              '("stream" "datagram" "page.txt"))
    (rmdir directory)))
