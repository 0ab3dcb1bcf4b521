;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers of HTTPS: requests on connections that are kept, a connection for each
;;; request, sessions that are resumed, and much data.  Sockport against C with GnuTLS
;;; and epoll, Node, Go and nginx.  wrk and openssl make the requests.

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

(define (program . command)
  (lambda (port)
    (append command (list (number->string port) certificate key))))

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

(define servers
  `(("Sockport" . ,(program "guile" "--no-auto-compile" "-s"
                            (peer "tls-sockport.scm")))
    ("C" . ,(program (built "tls-server")))
    ("Node" . ,(program "node" (peer "tls-node.js")))
    ("Go" . ,(program (built "tls-go")))
    ("nginx" . ,nginx)))

;;; Measuring.

(define seconds 2)

(define (run-wrk port path connections . options)
  "Return how many answers came in a second, or #f."
  (apply command-number
         (on-processor
          1 (list "sh" "-c"
                  (format #f "wrk -t1 -c~a -d~a ~a https://127.0.0.1:~a~a | \
awk '/Requests.sec/ { rate = $2 } /Non-2xx/ { bad = 1 } \
END { if (!bad) print rate }'"
                          connections seconds (string-join options) port path)))))

(define (run-resumed port)
  (command-number "sh" "-c"
                  (format #f "taskset -c 1 openssl s_time -connect 127.0.0.1:~a \
-tls1_2 -reuse -time ~a 2>&1 | awk '/ real seconds/ { n = $1; s = $4 } \
END { print n / s }'"
                          port seconds)))

(define one-each "-H 'Connection: close'")

(define (make-cases servers cases)
  (map (match-lambda
         ((name . measure)
          (cons name
                (map (match-lambda
                       ((peer port pid)
                        (cons peer (lambda () (measure port)))))
                     servers))))
       cases))

(define requests
  `(("requests, 1 connection" . ,(lambda (port) (run-wrk port "/" 1)))
    ("requests, 100 connections" . ,(lambda (port) (run-wrk port "/" 100)))))

(define handshakes
  `(("handshakes" . ,(lambda (port) (run-wrk port "/" 20 one-each)))
    ("handshakes, resumed" . ,run-resumed)))

(define bytes
  `(("1 connection" . ,(lambda (port) (run-wrk port "/large" 1)))
    ("100 connections" . ,(lambda (port) (run-wrk port "/large" 100)))))

(define rounds 5)

(define (run)
  (call-with-servers servers
    (lambda (servers)
      (bench "tls-requests" #:title "Requests of HTTPS" #:unit "requests/s"
             #:better 'higher #:rounds rounds
             #:promises '(("Node" . 1.0))
             #:cases (make-cases servers requests))
      (bench "tls-handshakes" #:title "Handshakes of TLS" #:unit "connections/s"
             #:better 'higher #:rounds rounds
             #:promises '(("C" . 0.9))
             #:cases (make-cases servers handshakes))
      (bench "tls-bytes" #:title "Data by TLS" #:unit "MiB/s"
             #:better 'higher #:rounds rounds
             #:promises '(("C" . 0.9))
             #:cases (make-cases servers bytes)))))

(if (and (in-path? "wrk") (in-path? "openssl"))
    (begin
      (make-certificate)
      (run)
      (for-each (lambda (file) (when (file-exists? file) (delete-file file)))
                (list certificate key configuration
                      (string-append files ".large"))))
    (display "tls: needs wrk and openssl\n"))
