;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The other implementations of TLS as peers: OpenSSL's and GnuTLS's programs, curl
;;; and Python.

(use-modules (harness) (harness namespace) (harness process) (harness socket) (harness task)
             (harness tls) (ice-9 match) (ice-9 rdelim) (ice-9 textual-ports)
             (srfi srfi-1) (sockport) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)
(define (file name) (in-directory directory name))

(define (connected port)
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (connect sock AF_INET INADDR_LOOPBACK port)
    sock))

(define (type peer text)
  (display text (peer-input peer))
  (force-output (peer-input peer)))

(define* (with-openssl-server options proc)
  "Call PROC with the peer and the port of openssl's server."
  (require-program "openssl")
  (call-with-peer
   (append (list "openssl" "s_server" "-accept" "127.0.0.1:0"
                 "-cert" (file "localhost.pem") "-key" (file "leaf.key"))
           options)
   (lambda (peer)
     (proc peer (listening-port peer)))))

(define (meets-openssl options proc)
  (with-openssl-server options
    (lambda (peer port)
      (in-tasks
       (let* ((tls (tls-connect (connected port) "localhost"
                                (trusting directory)))
              (value (proc tls)))
         (close-port tls)
         value)))))

(define (answers-backwards tls)
  (say tls "abc")
  (read-line tls))

(define (with-our-server options serve proc)
  "Call PROC with the port of a server that hands its connections to SERVE."
  (let ((listener (socket AF_INET SOCK_STREAM 0))
        (context (apply server-context directory "localhost" options)))
    (bind listener AF_INET INADDR_LOOPBACK 0)
    (listen listener 10)
    (let ((result
           (in-tasks
            (let* ((results '())
                   (accepting
                    (spawn-task
                     (lambda ()
                       (let again ()
                         (let ((sock (car (accept listener))))
                           (set! results
                                 (cons (reason-of
                                        (lambda ()
                                          (let ((tls (tls-accept sock context)))
                                            (call-with-cleanup
                                             (lambda () (serve tls))
                                             (lambda () (close-port tls))))))
                                       results))
                           (again))))))
                   (value (call-in-thread
                           (lambda ()
                             (proc (sockaddr:port (getsockname listener)))))))
              (cancel! accepting)
              (list value results)))))
      (close-port listener)
      result)))

(define (echo tls)
  (let ((line (read-line tls)))
    (unless (eof-object? line)
      (say tls (string-append "echo " line))
      (echo tls))))

(define (feeding text . command)
  "Run COMMAND with TEXT as its input; return what it prints, once that has a line
with `echo'."
  (call-with-peer command
    (lambda (peer)
      (display text (peer-input peer))
      (force-output (peer-input peer))
      (let next ((lines '()))
        (let ((line (read-line (peer-output peer))))
          (cond ((eof-object? line) (reverse lines))
                ((string-prefix? "echo" line) line)
                (else (next (cons line lines)))))))))

(define python-client "
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as sock:
    with context.wrap_socket(sock, server_hostname='localhost') as tls:
        tls.sendall(b'hello\\n')
        print(tls.recv(100).decode(), end='', flush=True)
")

(define python-server "
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
context.set_alpn_protocols(['two', 'one'])
listener = socket.create_server(('127.0.0.1', 0))
for i in range(2):
    tls = context.wrap_socket(listener.accept()[0], server_side=True)
    line = tls.recv(100)
    tls.sendall(b'%s %s' % (tls.selected_alpn_protocol().encode(), line))
    tls.unwrap().close()
")

(define (find-line wanted port)
  (let next ()
    (let ((line (read-line port)))
      (if (or (eof-object? line) (equal? wanted line))
          line
          (next)))))

(tls-cases (directory "tls-peers")
  (test-case "openssl's server"
    (for-each
     (match-lambda
       ((option version)
        (test-equal option (list version "cba")
          (meets-openssl (list option "-rev")
            (lambda (tls) (list (tls-protocol tls) (answers-backwards tls)))))))
     '(("-tls1_2" tls1.2) ("-tls1_3" tls1.3))))

  (test-case "versions that are too old"
    (test-equal "refused" '(alert protocol-version)
      (with-openssl-server '("-tls1_1" "-cipher" "ALL:@SECLEVEL=0" "-rev")
        (lambda (peer port)
          (in-tasks
           (catch 'tls-error
             (lambda ()
               (tls-connect (connected port) "localhost" (trusting directory)))
             (lambda args
               (list (tls-error-reason args) (tls-error-alert args))))))))
    (test-equal "a client that wants 1.3" '(alert protocol-version)
      (with-openssl-server '("-tls1_2" "-rev")
        (lambda (peer port)
          (in-tasks
           (catch 'tls-error
             (lambda ()
               (tls-connect (connected port) "localhost"
                            (trusting directory #:minimum 'tls1.3)))
             (lambda args
               (list (tls-error-reason args) (tls-error-alert args)))))))))

  (test-case "keys are changed while nothing but reading goes on"
    (require-program "openssl")
    (with-openssl-server '("-tls1_3")
      (lambda (peer port)
        (in-tasks
         (let ((tls (tls-connect (connected port) "localhost"
                                 (trusting directory))))
           (type peer "before\n")
           (test-equal "before" "before" (read-line tls))
           (type peer "K\n")
           ;; What stands behind the letter is dropped.
           (say tls "x")
           (find-line "x" (peer-output peer))
           (type peer "after\n")
           (test-equal "after" "after" (read-line tls))
           (say tls "and back")
           (test-equal "and back" "and back"
             (find-line "and back" (peer-output peer)))
           (close-port tls))))))

  (test-case "openssl's server ends what does not begin anew"
    (require-program "openssl")
    (with-openssl-server '("-tls1_2")
      (lambda (peer port)
        (in-tasks
         (let ((tls (tls-connect (connected port) "localhost"
                                 (trusting directory))))
           (type peer "r\n")
           ;; Others go on, as tests/c/tls-session.c shows.
           (test-equal "by an alert" 'alert
             (reason-of (lambda () (read-line tls))))
           (close-port tls))))))

  (test-case "clients of others"
    (test-equal "openssl" "echo hello"
      (match (with-our-server '() echo
               (lambda (port)
                 (feeding "hello\n" "openssl" "s_client" "-quiet"
                          "-verify_return_error" "-verify_quiet"
                          "-CAfile" (file "ca.pem")
                          "-servername" "localhost"
                          "-connect" (format #f "127.0.0.1:~a" port))))
        ((line _) line)))
    (require-program "gnutls-cli")
    (test-equal "gnutls-cli" "echo hello"
      (match (with-our-server '() echo
               (lambda (port)
                 (feeding "hello\n" "gnutls-cli" "--logfile=/dev/null"
                          (string-append "--x509cafile=" (file "ca.pem"))
                          "-p" (number->string port) "localhost")))
        ((line _) line))))

  (test-case "a session is resumed, but nothing is taken before its handshake"
    (require-program "openssl")
    (define (client port . options)
      (append (list "openssl" "s_client" "-CAfile" (file "ca.pem") "-connect"
                    (format #f "127.0.0.1:~a" port))
              options))
    (define (lines-before-echo command)
      (call-with-peer command
        (lambda (peer)
          (display "hello\n" (peer-input peer))
          (force-output (peer-input peer))
          (let next ((lines '()))
            (let ((line (read-line (peer-output peer))))
              (if (or (eof-object? line) (string-prefix? "echo" line))
                  lines
                  (next (cons line lines))))))))
    (match (with-our-server '() echo
             (lambda (port)
               (lines-before-echo (client port "-sess_out" (file "session")))
               (lines-before-echo
                (client port "-sess_in" (file "session")
                        "-early_data" (file "ca.pem")))))
      ((lines _)
       (test-assert "resumed"
         (any (lambda (line) (string-prefix? "Reused, TLSv1.3" line)) lines))
       (test-assert "not taken"
         (member "Early data was not sent" lines)))))

  (test-case "gnutls-serv"
    (require-program "gnutls-serv")
    ;; It listens at every address.
    (call-with-namespaces 1
      (lambda (namespace)
        (in-namespace namespace
          (lambda ()
            (call-with-peer (list "gnutls-serv" "--echo" "--quiet" "--port=0"
                                  (string-append "--x509certfile=" (file "localhost.pem"))
                                  (string-append "--x509keyfile=" (file "leaf.key")))
              (lambda (peer)
                (define context (trusting directory))
                (define (meet)
                  (in-tasks
                   (let* ((tls (tls-connect (connected (listening-port peer))
                                            "localhost" context))
                          (line (ask tls "hello"))
                          (met (list line (tls-protocol tls) (tls-resumed? tls))))
                     (close-port tls)
                     met)))
                (test-equal "a session" '("hello" tls1.3 #f) (meet))
                (test-equal "and the same" '("hello" tls1.3 #t) (meet)))))))))

  (test-case "Guile's own web client with guile-gnutls, in a task"
    (unless (false-if-exception (resolve-interface '(gnutls)))
      (skip "needs guile-gnutls"))
    (with-openssl-server '("-www")
      (lambda (peer port)
        (define (page)
          (call-with-values
              (lambda ()
                ((@ (web client) http-get) (format #f "https://127.0.0.1:~a/" port)
                 #:verify-certificate? #f))
            (lambda (response body) body)))
        (test-equal "20 pages" 20
          (in-tasks
           (count (lambda (_) (string-contains (page) "s_server")) (iota 20)))))))

  (test-case "Python"
    (require-program "python3")
    (test-equal "client" "echo hello"
      (match (with-our-server '() echo
               (lambda (port)
                 (feeding "" "python3" "-c" python-client
                          (number->string port) (file "ca.pem"))))
        ((line _) line)))
    (call-with-peer (list "python3" "-c" python-server (file "localhost.pem")
                          (file "leaf.key"))
      (lambda (peer)
        (for-each
         (match-lambda
           ((alpn expected)
            (test-equal (list "server" alpn) expected
              (in-tasks
               (let ((tls (tls-connect (connected (listening-port peer))
                                       "localhost"
                                       (trusting directory #:alpn alpn))))
                 (say tls "hello")
                 (let ((line (read-line tls)))
                   (call-with-cleanup
                    (lambda () (list line (tls-alpn tls) (eof-object? (read-char tls))))
                    (lambda () (close-port tls)))))))))
         '((("one" "two") ("two hello" "two" #t))
           (("one") ("one hello" "one" #t))))))))
