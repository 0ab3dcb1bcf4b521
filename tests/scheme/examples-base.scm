;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The examples of the base: run as programs of their own, against real peers.

(use-modules (harness) (harness process) (harness socket) (sockport)
             (ice-9 match) (ice-9 rdelim) (ice-9 textual-ports)
             (rnrs bytevectors) (srfi srfi-1))

(define (source name)
  (string-append (getenv "SOCKPORT_SOURCE") "/examples/" name))

(define (built name)
  (string-append (getenv "SOCKPORT_BUILD") "/examples/" name))

(define (scheme name . arguments)
  `("guile" "--no-auto-compile" "-s" ,(source name) ,@arguments))

(define (run-scheme . arguments)
  (apply run-program (apply scheme arguments)))

(define-syntax-rule (test-run name (status output) expected command)
  (call-with-values (lambda () command)
    (lambda (status output)
      (test-assert name expected))))

(define (call-with-port command proc)
  "Start COMMAND, whose first line of output tells the port where it waits."
  (call-with-peer command
    (lambda (peer)
      (read-line (peer-output peer))
      (proc peer (listening-port peer)))))

(test-begin "examples-base")

(test-case "tour"
  (test-run "everything comes back" (status output)
    (and (eqv? 0 status)
         (every (lambda (words) (string-contains output words))
                '("TCP over IPv4" "TCP over IPv6" "UDP" "UNIX stream"
                  "UNIX datagram" "server   <- \"good morning\" from 127.0.0.1:"
                  "client 2 <- \"καλημέρα\""
                  "Everything came back as it was sent.")))
    (run-scheme "tour.scm"))
  (when (in-path "python3")
    (test-run "a page is fetched" (status output)
      (string-contains output "client   <- This page came through a socket.")
      (run-scheme "tour.scm"))))

;;; An HTTP server from Debian, and Python's.

(define (nginx-configuration directory port)
  (format #f "daemon off; pid ~a/pid; error_log stderr;
events {}
http { access_log off; root ~a;
  client_body_temp_path ~a; proxy_temp_path ~a; fastcgi_temp_path ~a;
  uwsgi_temp_path ~a; scgi_temp_path ~a;
  server { listen 127.0.0.1:~a; } }
user ~a;~%"
          directory directory directory directory directory directory directory
          port (passwd:name (getpwuid (getuid)))))

(define (write-file name words)
  (call-with-output-file name (lambda (port) (display words port))))

(define page "one line\nand another\n")

(define (test-web-client port)
  (test-run "the page and its headers" (status output)
    (and (eqv? 0 status)
         (string-contains output " 200 OK\r\n")
         (string-suffix? (string-append "\r\n\r\n" page) output))
    (run-scheme "web-client.scm" "localhost" (number->string port)
                "/page.txt"))
  (test-run "what is not there" (status output)
    (and (eqv? 0 status) (string-contains output " 404 "))
    (run-scheme "web-client.scm" "127.0.0.1" (number->string port)
                "/nothing")))

(define-syntax-rule (with-page directory body ...)
  (with-temporary-directory
   (lambda (directory)
     (chmod directory #o755)
     (write-file (string-append directory "/page.txt") page)
     body ...)))

(test-case "web-client and Python's server"
  (require-program "python3")
  (with-page directory
    (call-with-peer `("python3" "-m" "http.server" "0" "--bind" "127.0.0.1"
                      "--directory" ,directory)
      (lambda (peer) (test-web-client (listening-port peer))))))

(test-case "web-client and nginx"
  (require-program "nginx")
  (with-page directory
    (let ((configuration (string-append directory "/nginx.conf")))
      (write-file configuration (nginx-configuration directory (free-port)))
      (call-with-peer `("nginx" "-e" "stderr" "-c" ,configuration)
        (lambda (peer) (test-web-client (listening-port peer)))))))

(test-case "web-client without a server"
  (test-run "exits with 1" (status output)
    (and (eqv? 1 status) (string-null? output))
    (run-scheme "web-client.scm" "127.0.0.1" "1" "/"))
  (test-run "without arguments" (status output)
    (eqv? 2 status)
    (run-scheme "web-client.scm")))

;;; Servers.

(define (greeting? output number)
  (and (string-prefix? "Hello 127.0.0.1:" output)
       (string-contains output
                        (format #f ", you are client number ~a." number))))

(test-case "greeter"
  (call-with-port (scheme "greeter.scm" "0")
    (lambda (peer port)
      (define place (format #f "127.0.0.1:~a" port))
      (when (in-path "socat")
        (test-run "greets socat" (status output)
          (greeting? output 1)
          (run-program "socat" "-u" (string-append "TCP:" place) "-")))
      (when (in-path "curl")
        (test-run "greets curl" (status output)
          (greeting? output 2)
          (run-program "curl" "-s" "--http0.9" (string-append "telnet://" place))))
      (when (in-path "python3")
        (test-run "greets Python" (status output)
          (greeting? output 3)
          (run-program "python3" "-c" (format #f "import socket
s = socket.create_connection (('127.0.0.1', ~a))
print (s.makefile ().read ())" port)))))))

(define (python-time port)
  (format #f "import socket, struct, time
s = socket.socket (socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout (10)
s.connect (('127.0.0.1', ~a))
s.send (b'what time is it?')
data = s.recv (100)
assert len (data) == 4
seconds = struct.unpack ('!I', data)[0] - 2208988800
print (abs (time.time () - seconds) < 5)" port))

(test-case "time-server"
  (call-with-port (scheme "time-server.scm" "0")
    (lambda (peer port)
      (when (in-path "python3")
        (test-run "tells Python the time" (status output)
          (string=? output "True\n")
          (run-program "python3" "-c" (python-time port))))
      (test-run "tells time-client the time" (status output)
        (and (eqv? 0 status)
             (string-prefix? (strftime "%Y-%m-%d " (gmtime (current-time)))
                             output))
        (run-scheme "time-client.scm" "127.0.0.1" (number->string port))))))

(test-case "time-client"
  ;; The first answer after the wrap of 2036, from Python.
  (when (in-path "python3")
    (call-with-peer '("python3" "-c" "import socket
s = socket.socket (socket.AF_INET, socket.SOCK_DGRAM)
s.bind (('127.0.0.1', 0))
_, client = s.recvfrom (10)
s.sendto (bytes ([0, 0, 0, 16]), client)")
      (lambda (peer)
        (test-run "understands a time after 2036" (status output)
          (string=? output "2036-02-07 06:28:32 UTC\n")
          (run-scheme "time-client.scm" "127.0.0.1"
                      (number->string (listening-port peer)))))))
  (let ((silent (socket AF_INET SOCK_DGRAM 0)))
    (bind silent AF_INET INADDR_LOOPBACK 0)
    (test-run "gives up on a silent server" (status output)
      (and (eqv? 1 status) (string-null? output))
      (run-scheme "time-client.scm" "127.0.0.1"
                  (number->string (sockaddr:port (getsockname silent)))))
    (close-port silent)))

;;; The chat: two socat clients and one of ours.

(define (tell peer words)
  (put-string (peer-input peer) words)
  (newline (peer-input peer))
  (force-output (peer-input peer)))

(define (hear peer)
  (read-line (peer-output peer)))

(define (call-with-guest-of port proc)
  (call-with-peer `("socat" "-" ,(format #f "TCP:127.0.0.1:~a" port)) proc))

(define (call-with-guest path proc)
  (call-with-peer `("socat" "-" ,(string-append "UNIX-CONNECT:" path)) proc))

(test-case "chat"
  (require-program "socat")
  (with-temporary-directory
   (lambda (directory)
     (define path (string-append directory "/chat"))
     (call-with-peer (scheme "chat.scm" path)
       (lambda (server)
         (hear server)
         (let ((sock (socket AF_UNIX SOCK_STREAM 0)))
           (connect sock AF_UNIX path)
           (set-port-encoding! sock "UTF-8")
           (call-with-guest path
             (lambda (guest)
               (test-equal "guest 2 has come" (read-line sock))
               (tell guest "good morning")
               (test-equal "guest 2: good morning" (read-line sock))
               (send sock (string->utf8 "καλημέρα\n"))
               (test-equal "guest 1: καλημέρα" (hear guest))
               (call-with-guest path
                 (lambda (third)
                   (test-equal "guest 3 has come" (hear guest))
                   (test-equal "guest 3 has come" (read-line sock))
                   (tell third "to both")
                   (test-equal "guest 3: to both" (hear guest))
                   (test-equal "guest 3: to both" (read-line sock))))
               (test-equal "guest 3 has gone" (hear guest))))
           (close-port sock)))))))

;;; The program of the README.

(define (block-after line file)
  (call-with-input-file file
    (lambda (port)
      (let skip ()
        (unless (string=? line (read-line port)) (skip)))
      (let loop ((lines '()))
        (match (read-line port)
          ("```" (string-join (reverse lines) "\n"))
          (line (loop (cons line lines))))))
    #:encoding "UTF-8"))

(test-case "the README's server"
  (require-program "socat")
  (with-temporary-directory
   (lambda (directory)
     (define program (string-append directory "/echo.scm"))
     (write-file program (block-after "```scheme" (source "../README.md")))
     (call-with-peer (list "guile" "--no-auto-compile" "-s" program)
       (lambda (server)
         (call-with-guest-of (listening-port server)
           (lambda (guest)
             (tell guest "there and back")
             (test-equal "there and back" (hear guest)))))))))

;;; C programs.

(define (call-with-echo address proc)
  (require-program "socat")
  (call-with-peer (list "socat" address "PIPE") proc))

(test-case "embed"
  (call-with-echo "TCP-LISTEN:0,bind=127.0.0.1"
    (lambda (peer)
      (test-run "is answered" (status output)
        (and (eqv? 0 status) (string=? output "hello from C\n"))
        (run-program (built "embed")
                     (number->string (listening-port peer)))))))

(test-end "examples-base")
