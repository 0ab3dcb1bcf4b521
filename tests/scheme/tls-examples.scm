;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The examples of TLS, with other programs at the other end.

(use-modules (harness) (harness example) (harness process) (harness socket)
             (harness task) (harness tls) (harness web) (ice-9 match)
             (ice-9 rdelim) (ice-9 textual-ports) (srfi srfi-1) (sockport)
             (sockport http) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)
(define (file name) (in-directory directory name))

(define (openssl-server . options)
  (append (list "openssl" "s_server" "-accept" "127.0.0.1:0"
                "-cert" (file "localhost.pem") "-key" (file "leaf.key"))
          options))

(define (first-line command input)
  "What COMMAND prints first that is not empty, once it has INPUT."
  (call-with-peer command
    (lambda (peer)
      (display input (peer-input peer))
      (force-output (peer-input peer))
      (let next ()
        (let ((line (read-line (peer-output peer))))
          (if (equal? line "") (next) line))))))

;;; A server of mail as small as can be: what it was sent, and by what.
(define (serve-mail sock context)
  (define heard '())
  (define (reply port . lines)
    (for-each (lambda (line) (display (string-append line "\r\n") port)) lines)
    (force-output port))
  (define (hear port)
    (let ((line (string-trim-right (read-line port) #\return)))
      (set! heard (cons line heard))
      line))
  (setvbuf sock 'block)
  (reply sock "220 test ESMTP")
  (hear sock)
  (reply sock "250-test" "250 STARTTLS")
  (hear sock)
  (reply sock "220 go ahead")
  (let ((port (tls-accept sock context)))
    (hear port)
    (reply port "250 test")
    (hear port) (reply port "250 OK")
    (hear port) (reply port "250 OK")
    (hear port) (reply port "354 go on")
    (let next ()
      (unless (string=? "." (hear port)) (next)))
    (reply port "250 OK")
    (hear port) (reply port "221 bye")
    (read-char port)
    (close-port port)
    (reverse heard)))

(tls-cases (directory "tls-examples")

  (test-case "what is called as it should not be tells how it should"
    (for-each
     (lambda (name)
       (match (output-and-errors-of ((example name)))
         ((code output)
          (test-assert name
            (and (= code 2) (string-contains output "usage: "))))))
     '("https-get.scm" "send-mail.scm" "tls-echo.scm" "tls-proxy.scm")))

  (test-case "https-get"
    (require-program "openssl")
    (call-with-peer (openssl-server "-www")
      (lambda (peer)
        (match (output-of ((example "https-get.scm") "localhost"
                           (number->string (listening-port peer)) "/"
                           (file "ca.pem")))
          ((code output)
           (test-equal "well" 0 code)
           (test-assert "a page" (string-contains output "HTTP/1.0 200"))))))
    (call-with-peer (openssl-server "-www")
      (lambda (peer)
        (match (output-and-errors-of
                ((example "https-get.scm") "127.0.0.2"
                 (number->string (listening-port peer)) "/" (file "ca.pem")))
          ((code output) (test-equal "not there" 1 code)))
        (match (output-and-errors-of
                ((example "https-get.scm") "localhost"
                 (number->string (listening-port peer)) "/"))
          ((code output)
           (test-equal "the system does not trust it" 1 code)
           (test-assert (list "a line" output)
             (and (string-contains output "not among those that are trusted")
                  (not (string-contains output "Backtrace")))))))))

  (test-case "tls-client, a C program"
    (require-program "openssl")
    (call-with-peer (openssl-server "-rev")
      (lambda (peer)
        (test-equal "backwards" "cba"
          (first-line (list (string-append (getenv "SOCKPORT_BUILD")
                                           "/examples/tls-client")
                            "localhost" (number->string (listening-port peer))
                            (file "ca.pem"))
                      "abc\n")))))

  (test-case "tls-echo, for clients with a certificate"
    (require-program "openssl")
    (certificate directory "client" '() #:purpose 'tls_www_client)
    (call-with-peer ((example "tls-echo.scm") "127.0.0.1:0" (file "localhost.pem")
                     (file "leaf.key") (file "ca.pem"))
      (lambda (server)
        (read-line (peer-output server))
        (let* ((port (listening-port server))
               (client (list "openssl" "s_client" "-quiet" "-verify_quiet"
                             "-CAfile" (file "ca.pem") "-connect"
                             (format #f "127.0.0.1:~a" port))))
          (define (echoed? line)
            (equal? "hello"
                    (first-line (append client
                                        (list "-cert" (file "client.pem")
                                              "-key" (file "leaf.key")))
                                "hello\n")))
          (test-assert "echoed" (echoed? "hello"))
          (kill (peer-pid server) SIGHUP)
          (test-assert "after reading all again" (echoed? "hello"))
          (test-assert "without one" (eof-object? (first-line client "hello\n")))
          (kill (peer-pid server) SIGTERM)
          (test-equal "ends well" 0 (status:exit-val (peer-status server)))))))

  (test-case "tls-proxy in front of a server without TLS"
    (require-program "curl")
    (call-with-http (lambda (request body)
                      (values '((content-type . (text/plain))) "hello"))
      (lambda (new server)
        (let ((target (socket-address->string (car (server-addresses server)))))
          (test-equal "curl" "hello"
            (call-in-thread
             (lambda ()
               (call-with-peer ((example "tls-proxy.scm") "127.0.0.1:0" target
                                (file "localhost.pem") (file "leaf.key"))
                 (lambda (proxy)
                   (read-line (peer-output proxy))
                   (cadr (output-of
                          (list "curl" "-sS" "--cacert" (file "ca.pem")
                                (format #f "https://localhost:~a/"
                                        (listening-port proxy))))))))))))))

  (test-case "send-mail, which becomes TLS on the way"
    (let-ports ((listener (socket AF_INET SOCK_STREAM 0)))
      (bind listener AF_INET INADDR_LOOPBACK 0)
      (listen listener 1)
      (match (in-tasks
              (let ((task (spawn-task
                           (lambda ()
                             (serve-mail (car (accept listener))
                                         (server-context directory))))))
                (define (send-it)
                  (call-with-peer
                   ((example "send-mail.scm") "localhost"
                    (number->string (sockaddr:port (getsockname listener)))
                    "me@test" "you@test" (file "ca.pem"))
                   (lambda (peer)
                     (display "Subject: hello\n\ngood morning\n.hidden\n"
                              (peer-input peer))
                     (peer-status peer))))
                (let ((status (call-in-thread send-it)))
                  (list (status:exit-val status) (join task)))))
        ((code (hello "STARTTLS" again "MAIL FROM:<me@test>" "RCPT TO:<you@test>"
                "DATA" . text))
         (test-equal "well" 0 code)
         (test-equal "the text"
           '("Subject: hello" "" "good morning" "..hidden" "." "QUIT") text))))))
