;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The examples when something is missing: an argument, a peer, a variable.  Each
;;; ends with 2 and its usage, or with 1 and a line that says what is wrong, and
;;; never with a backtrace.

(use-modules (harness) (harness example) (harness process) (harness socket) (sockport)
             (ice-9 match) (srfi srfi-1))

(define (run name . arguments)
  (output-and-errors-of (apply (example name) arguments)))

(define (tells? code words result)
  (match result
    ((status output)
     (let ((well? (and (eqv? code status)
                       (not (string-contains output "Backtrace"))
                       (string-contains output words))))
       (unless well?
         (format #t "# ~a: ~a~%" status
                 (string-join (string-split output #\newline) "\n# ")))
       well?))))

(define closed-port (number->string (free-port)))

(define closed (string-append "127.0.0.1:" closed-port))

(define closed-site (format #f "http://~a/" closed))

(define (run-c name . arguments)
  (output-and-errors-of
   (cons (string-append (getenv "SOCKPORT_BUILD") "/examples/" name) arguments)))

(define tls?
  (file-exists? (string-append (getenv "SOCKPORT_BUILD") "/examples/tls-client")))

(test-begin "examples-errors")

(test-case "what is called as it should not be tells how it should"
  (for-each
   (match-lambda
     ((name . arguments)
      (test-assert (list name arguments)
        (tells? 2 "usage: " (apply run name arguments)))))
   '(("chat-server.scm") ("chat.scm") ("dbus.scm") ("echo-server.scm")
     ("echo-server.scm" "x") ("event-stream.scm" "x") ("greeter.scm")
     ("greeter.scm" "http") ("mdns.scm") ("netlink.scm") ("options.scm" "tcp7")
     ("pass-file.scm") ("port-scanner.scm" "1") ("port-scanner.scm" "a" "b")
     ("port-scanner.scm" "1" "70000") ("proxy.scm" "x") ("time-client.scm")
     ("time-server.scm") ("trace-path.scm") ("trace-path.scm" "::1" "x")
     ("udp-limiter.scm" "x" "y") ("udp-limiter.scm" "1") ("web-client.scm")
     ("metrics.scm" "a" "b") ("live/live.scm" "a" "b") ("crawler.scm" "a" "b")
     ("fetch.scm") ("service/greet.scm" "a" "b")))
  (for-each
   (match-lambda
     ((name . arguments)
      (test-assert (list name arguments)
        (tells? 2 "usage: " (apply run-c name arguments)))))
   '(("core-client") ("core-client" "x" "a") ("embed") ("poller-echo"))))

(test-case "what is not there is named"
  (for-each
   (match-lambda
     ((words name . arguments)
      (test-assert (list name arguments)
        (tells? 1 words (apply run name arguments)))))
   `(("refused" "time-client.scm" "127.0.0.1" ,closed-port)
     ("refused" "web-client.scm" "127.0.0.1" ,closed-port "/")
     (,(string-append closed ": Connection refused") "fetch.scm" ,closed-site)
     ("nowhere.invalid" "web-client.scm" "nowhere.invalid" "80" "/")
     ("no address" "proxy.scm" "127.0.0.1:0" "there")
     ("expecting text such as" "metrics.scm" "x")
     ("expecting text such as" "live/live.scm" "x")
     ("expecting text such as" "service/greet.scm" "x")
     ("no numeric address" "trace-path.scm" "localhost")
     ("No such file" "pass-file.scm" "take" "/nothing/here")
     ("No such file" "chat.scm" "/nothing/here")
     ("" "greeter.scm" "70000")
     ("" "chat-server.scm" "nonsense")
     ("" "options.scm" "tcp" "no-such-option")
     ("" "netlink.scm" "up" "no-such0")))
  (test-assert "by embed"
    (tells? 1 (string-append closed ": Connection refused") (run-c "embed" closed-port)))
  (test-assert "by core-client"
    (tells? 1 "Connection refused" (run-c "core-client" closed "a"))))

(test-case "what TLS needs is named"
  (unless tls?
    (skip "built without GnuTLS"))
  (test-assert "a server" (tells? 1 "refused" (run-c "tls-client" "127.0.0.1" closed-port)))
  (for-each
   (match-lambda
     ((code words name . arguments)
      (test-assert (list name arguments)
        (tells? code words (apply run name arguments)))))
   `((2 "usage: " "https-get.scm" "a" "1" "/" "b" "c")
     (2 "usage: " "send-mail.scm" "a" "1" "b" "c" "d" "e")
     (1 "refused" "https-get.scm" "127.0.0.1" ,closed-port "/")
     (1 "refused" "send-mail.scm" "127.0.0.1" ,closed-port "a@one.test" "b@one.test")
     (1 "No such file" "tls-echo.scm" "127.0.0.1:0" "/none" "/none" "/none")
     (1 "No such file" "tls-proxy.scm" "127.0.0.1:0" ,closed "/none" "/none"))))

(test-case "a word that is no URI is named"
  (test-assert "by fetch"
    (tells? 2 "fetch.scm: no URI: nonsense" (run "fetch.scm" "nonsense"))))

(define (without variables command)
  (append (cons "env" (append-map (lambda (name) (list "-u" name)) variables))
          command))

(test-case "a variable that is not set is named"
  (test-assert "the bus"
    (tells? 1 "DBUS_SESSION_BUS_ADDRESS"
            (output-and-errors-of
             (without '("DBUS_SESSION_BUS_ADDRESS")
                      ((example "dbus.scm") "list")))))
  (test-assert "the compositor"
    (tells? 1 "XDG_RUNTIME_DIR"
            (output-and-errors-of
             (without '("WAYLAND_DISPLAY" "XDG_RUNTIME_DIR")
                      ((example "wayland.scm")))))))

(test-case "port-scanner says when nothing is open"
  (test-assert "it does"
    (tells? 0 "no port from" (run "port-scanner.scm" closed-port closed-port))))

(test-case "time-client tries every address of a host"
  (require-program "python3")
  (call-with-peer '("python3" "-c" "import socket
s = socket.socket (socket.AF_INET, socket.SOCK_DGRAM)
s.bind (('127.0.0.1', 0))
while True:
  _, client = s.recvfrom (10)
  s.sendto (bytes ([0, 0, 0, 16]), client)")
    (lambda (peer)
      (test-assert "localhost"
        (tells? 0 "2036-02-07 06:28:32 UTC"
                (run "time-client.scm" "localhost"
                     (number->string (listening-port peer))))))))

(test-end "examples-errors")
