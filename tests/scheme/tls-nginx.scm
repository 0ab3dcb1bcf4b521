;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The real nginx by TLS: as a server of https, as a client of serve-http #:tls, whose
;;; certificate it verifies, and as a balancer that passes TLS through and sends the
;;; PROXY protocol before it.

(use-modules (harness) (harness files) (harness process) (harness curl)
             (harness tls)
             (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (sockport)
             (sockport http) (sockport proxy-header) (sockport tls)
             (sockport web-client) (web request) (web response) (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)
(define (file name) (in-directory directory name))

(define stream-module "/usr/lib/nginx/modules/ngx_stream_module.so")

(define (configuration port balanced)
  (format #f "daemon off; master_process off; pid ~a; error_log ~a crit;
~a
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path ~a; proxy_temp_path ~a;
  fastcgi_temp_path ~a; uwsgi_temp_path ~a; scgi_temp_path ~a;
  upstream program { server 127.0.0.1:~a; keepalive 2; }
  server {
    listen unix:~a ssl;
    ssl_certificate ~a; ssl_certificate_key ~a; ssl_protocols TLSv1.2 TLSv1.3;
    location = /own { default_type text/plain; return 200 own; }
    location / {
      proxy_pass https://program;
      proxy_http_version 1.1; proxy_set_header Connection '';
      proxy_ssl_verify on; proxy_ssl_trusted_certificate ~a;
      proxy_ssl_name localhost; proxy_ssl_server_name on;
    }
    location /other/ {
      proxy_pass https://127.0.0.1:~a;
      proxy_ssl_verify on; proxy_ssl_trusted_certificate ~a;
      proxy_ssl_name other.test; proxy_ssl_server_name on;
    }
  }
}
~a"
          (file "pid") (file "errors")
          (if (file-exists? stream-module)
              (format #f "load_module ~a;" stream-module)
              "")
          (file "1") (file "2") (file "3") (file "4") (file "5")
          port (file "front") (file "localhost.pem") (file "leaf.key")
          (file "ca.pem") port (file "ca.pem")
          (if (file-exists? stream-module)
              (format #f "stream { server { listen unix:~a; proxy_pass 127.0.0.1:~a; \
proxy_protocol on; } }"
                      (file "stream") balanced)
              "")))

(define (call-with-nginx port balanced thunk)
  (write-file (file "conf") (configuration port balanced))
  (call-with-peer (list "nginx" "-p" directory "-c" (file "conf"))
    (lambda (nginx)
      (unless (wait-until (lambda () (listening-at? (file "front"))))
        (error "nginx does not listen:"
               (call-with-input-file (file "errors") get-string-all)))
      (thunk))))

(define (connected name)
  (let ((port (connect-to (string-append "unix:" (file name))
                          #:tls (trusting directory #:alpn '("http/1.1"))
                          #:tls-host "localhost")))
    (setvbuf port 'block)
    port))

(define (get port path)
  (call-with-values
      (lambda ()
        (http-get (string-append "https://localhost" path) #:port port
                  #:keep-alive? #t))
    (lambda (response body) (list (response-code response) body))))

(define (port-of server)
  (sockaddr:port (car (server-addresses server))))

(define (handler request body)
  (values '((content-type . (text/plain)))
          (match (uri-path (request-uri request))
            ("/large" (lambda (port) (display (make-string 500000 #\x) port)))
            (_ (format #f "~a ~a" (request-method request)
                       (and=> (assq-ref (request-meta request) 'peer)
                              socket-address->string))))))

(tls-cases (directory "tls-nginx")
  (test-case "a server, a client that verifies, and a balancer"
    (require-program "nginx")
    (call-with-web-server "127.0.0.1:0" handler
      (lambda (server)
        (call-with-web-server "127.0.0.1:0" handler
          (lambda (balanced)
            (call-with-nginx (port-of server) (port-of balanced)
              (lambda ()
                (let ((port (connected "front")))
                  (test-equal "nginx's own page" '(200 "own") (get port "/own"))
                  (test-equal "ALPN" "http/1.1" (tls-alpn port))
                  (match (get port "/one")
                    ((code text)
                     (test-equal "by TLS to the program" 200 code)
                     (test-assert "from nginx"
                       (string-prefix? "GET 127.0.0.1:" text))))
                  (test-equal "much" 500000
                    (string-length (second (get port "/large"))))
                  (test-equal "a name that the program cannot prove" 502
                    (first (get port "/other/")))
                  (close-port port))
                (when (file-exists? stream-module)
                  (let ((port (connected "stream")))
                    ;; Its client has come over a UNIX socket, which is unknown in
                    ;; the protocol's version 1.
                    (test-assert "through the balancer, behind its line"
                      (string-prefix? "GET 127.0.0.1:"
                                      (second (get port "/two"))))
                    (close-port port))))))
          #:tls (server-context directory)
          #:prologue (proxy-prologue #:from '("127.0.0.1"))))
      #:tls (server-context directory "localhost" #:alpn '("http/1.1")))))
