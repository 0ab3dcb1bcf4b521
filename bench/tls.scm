;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers of TLS: requests of HTTPS on connections that are kept; handshakes, with
;;; a request each, and sessions that are resumed; and much data.  Sockport against C
;;; with GnuTLS and epoll, Node, Go and nginx.  tls-load.c makes the requests.
;;; Requests are answered by serve-http; handshakes and data are for a server that does
;;; what the one in C does.  A handshake costs a client as much as a server, so
;;; handshakes are counted by the time that the server's process has used.  Rounds are
;;; short and many: other work on the machine then hits neighbours alike.

(use-modules (bench harness)
             (bench server)
             (ice-9 match)
             (srfi srfi-1))

(define source (dirname (dirname (current-filename))))
(define (peer name) (string-append source "/bench/peers/" name))
(define (built name)
  (string-append (or (getenv "SOCKPORT_BUILD") "build") "/bench/" name))

(define files (tmpnam))
(define certificate (string-append files ".pem"))
(define key (string-append files ".key"))
(define configuration (string-append files ".conf"))

(define (make-certificate)
  (system* "openssl" "req" "-x509" "-newkey" "ec" "-pkeyopt"
           "ec_paramgen_curve:P-256" "-nodes" "-days" "2" "-subj" "/CN=localhost"
           "-addext" "subjectAltName=DNS:localhost,IP:127.0.0.1"
           "-out" certificate "-keyout" key)
  (chmod key #o600))

;;; Servers.  Each is given a port.

;;; Some have much to say of each connection that is reset.
(define (program . command)
  (lambda (port)
    (append '("sh" "-c" "exec \"$@\" 2>/dev/null" "sh")
            command (list (number->string port) certificate key))))

(define (nginx port)
  (call-with-output-file configuration
    (lambda (out)
      (format out "daemon off; master_process off; error_log stderr crit;
pid ~a.pid;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000;
  client_body_temp_path ~a.1; proxy_temp_path ~a.2; fastcgi_temp_path ~a.3;
  uwsgi_temp_path ~a.4; scgi_temp_path ~a.5;
  server { listen 127.0.0.1:~a ssl backlog=4096;
    ssl_certificate ~a; ssl_certificate_key ~a; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:a:10m;
    location = /large { alias ~a.large; }
    location / { default_type text/plain; return 200 \"Hello, World!\"; } } }
" files files files files files files port certificate key files)))
  (let ((large (string-append files ".large")))
    (call-with-output-file large
      (lambda (port) (display (make-string 1048576 #\a) port)))
    (chmod large #o644))
  (list "nginx" "-c" configuration))

(define (guile name)
  ;; As ./dev run does with a user's program.
  (system* "guile" "--no-auto-compile"
           (string-append source "/build-aux/compile-program.scm") (peer name))
  (cons "Sockport" (program "guile" "--no-auto-compile" "-s" (peer name))))

(define others
  `(("C" . ,(program (built "tls-server")))
    ("Node" . ,(program "node" (peer "tls-node.js")))
    ("Go" . ,(program (built "tls-go")))
    ("nginx" . ,nginx)))

;;; Measuring.

(define seconds "0.3")

(define (load port mode connections)
  "Return what tls-load prints, or #f."
  (apply command-numbers
         (on-processor 1 (list (built "tls-load") (number->string port) mode
                               (number->string connections) seconds))))

(define* (rate mode connections #:optional (unit 1))
  "Return a procedure that returns how many UNITs of MODE came in a second, or #f."
  (lambda (port pid)
    (match (load port mode connections)
      ((number . _) (/ number unit))
      (_ #f))))

(define (by-processor mode)
  "Return a procedure that returns how many connections of MODE came in a second of
the server's processor, or #f."
  (lambda (port pid)
    (let ((before (cpu-us pid)))
      (match (load port mode 8)
        ((_ count)
         (let ((used (- (cpu-us pid) before)))
           (and (positive? count) (positive? used) (/ (* 1e6 count) used))))
        (_ #f)))))

(define (make-cases servers cases)
  (map (match-lambda
         ((name . measure)
          (cons name
                (map (match-lambda
                       ((peer port pid)
                        (cons peer (lambda () (measure port pid)))))
                     servers))))
       cases))

(define requests
  `(("1 connection" . ,(rate "requests" 1))
    ("100 connections" . ,(rate "requests" 100))))

(define handshakes
  `(("full" . ,(by-processor "full"))
    ("resumed" . ,(by-processor "resumed"))))

(define bytes
  `(("1 connection" . ,(rate "bytes" 1 1048576))
    ("100 connections" . ,(rate "bytes" 100 1048576))))

(define rounds 15)

(define (run-requests servers)
  (bench "tls-requests" #:title "Requests of HTTPS" #:unit "requests/s"
         #:better 'higher #:rounds rounds
         #:promises '(("Node" . 1.0))
         #:cases (make-cases servers requests)))

(define (run-connections-and-bytes servers)
  (bench "tls-handshakes" #:title "Handshakes of TLS"
         #:unit "connections in a second of processor"
         #:better 'higher #:rounds rounds
         #:promises '(("C" . 0.9))
         #:cases (make-cases servers handshakes))
  (bench "tls-bytes" #:title "Data by TLS" #:unit "MiB/s"
         #:better 'higher #:rounds rounds
         #:promises '(("C" . 0.9))
         #:cases (make-cases servers bytes)))

(define (run)
  (call-with-servers (cons (guile "tls-sockport.scm") others) run-requests)
  (call-with-servers (cons (guile "tls-raw-sockport.scm") others)
                     run-connections-and-bytes))

(if (and (file-exists? (built "tls-load")) (in-path? "openssl"))
    (begin
      (make-certificate)
      (run)
      (for-each (lambda (file) (when (file-exists? file) (delete-file file)))
                (list certificate key configuration
                      (string-append files ".large"))))
    (display "tls: needs openssl, and GnuTLS when it is built\n"))
