;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Behind the real nginx: over TCP and a UNIX socket, with kept connections,
;;; Forwarded headers, WebSocket, bodies in both directions, and the PROXY protocol.

(use-modules (harness)
             (harness files)
             (harness process)
             (harness socket)
             (harness curl)
             (harness websocket)
             (ice-9 match)
             (ice-9 receive)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport access-log)
             (sockport forwarded)
             (sockport proxy-header)
             (sockport serve-files)
             (sockport websocket)
             (web request)
             (web uri))

(define stream-module "/usr/lib/nginx/modules/ngx_stream_module.so")

(define stream-port (free-port))

(define (configuration directory upstream)
  (format #f "daemon off; master_process off; pid ~a/pid; error_log ~a/errors;
~a
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ~a/body; proxy_temp_path ~a/proxy;
  fastcgi_temp_path ~a/fastcgi; uwsgi_temp_path ~a/uwsgi; scgi_temp_path ~a/scgi;
  client_max_body_size 100m;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream program { server ~a; keepalive 4; }
  server {
    listen unix:~a/front;
    location / {
      proxy_pass http://program;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For \"198.51.100.7\";
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
  }
}
~a"
          directory directory
          (if (file-exists? stream-module)
              (format #f "load_module ~a;" stream-module)
              "")
          directory directory directory directory directory
          upstream directory
          (if (file-exists? stream-module)
              (format #f "stream { server { listen unix:~a/stream; \
listen 127.0.0.1:~a; proxy_pass ~a; proxy_protocol on; } }"
                      directory stream-port upstream)
              "")))

(define (call-with-nginx upstream proc)
  "Call PROC with the directory that nginx listens in, before UPSTREAM."
  (require-program "nginx")
  (require-program "curl")
  (with-temporary-directory
    (lambda (directory)
      (let ((file (string-append directory "/conf")))
        (write-file file (configuration directory upstream))
        (call-with-peer (list "nginx" "-p" directory "-c" file)
          (lambda (nginx)
            (unless (wait-until
                     (lambda () (file-exists? (string-append directory "/front"))))
              (error "nginx does not listen:"
                     (call-with-input-file (string-append directory "/errors")
                       get-string-all)))
            (proc directory)))))))

(define (front directory . arguments)
  (apply curl "--unix-socket" (string-append directory "/front") arguments))

(define client-of (forwarded-reader '("127.0.0.1" "unix")))

(define (handler request body)
  (match (uri-path (request-uri request))
    ("/client"
     (receive (address scheme host) (client-of request)
       (values '((content-type . (text/plain)))
               (format #f "~a ~a" (socket-address->string address) scheme))))
    ("/peer"
     (values '((content-type . (text/plain)))
             (socket-address->string (assq-ref (request-meta request) 'peer))))
    ("/large"
     (values '((content-type . (application/octet-stream)))
             (lambda (port) (display (make-string 3000000 #\x) port))))
    ("/upload"
     (values '((content-type . (text/plain)))
             (number->string (if body (bytevector-length body) 0))))
    ("/echo" (accept-websocket request echo-messages))))

(define (exchanges server directory)
  (define (get path . arguments)
    (apply front directory (string-append "http://test" path) arguments))
  (test-equal "the client is whom nginx names" "198.51.100.7:0 http"
    (get "/client"))
  (test-equal "whatever the client says" "198.51.100.7:0 http"
    (get "/client" "-H" "X-Forwarded-For: 6.6.6.6"))
  (test-equal "a large response" 3000000 (string-length (get "/large")))
  (with-temporary-directory
    (lambda (files)
      (let ((file (string-append files "/data")))
        (write-file file (make-string 5000000 #\y))
        (test-equal "an upload" "5000000"
          (get "/upload" "--data-binary" (string-append "@" file)))
        (test-equal "in chunks" "5000000"
          (get "/upload" "-H" "Transfer-Encoding: chunked" "--data-binary"
               (string-append "@" file))))))
  (let ((before (server-connections server)))
    (for-each (lambda (i) (get "/client")) (iota 5))
    (test-equal "connections are kept" before (server-connections server)))
  (let ((sock (socket AF_UNIX SOCK_STREAM 0)))
    (connect sock AF_UNIX (string-append directory "/front"))
    (let ((ws (open-websocket "ws://test/echo" #:socket sock)))
      (websocket-send ws "through nginx")
      (test-equal "WebSocket" "through nginx" (websocket-receive ws))
      (websocket-close ws)
      (test-equal "closed by both" 1000 (websocket-close-code ws))
      (close-port sock))))

(define version-2
  (string-append "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
                 "\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x05\x00\x06"))

(define (ask-after server header)
  "Send HEADER, then ask for /peer, and return what comes."
  (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
    (connect sock (car (server-addresses server)))
    (send sock (string-append header "GET /peer HTTP/1.1\r\nHost: a\r\n"
                              "Connection: close\r\n\r\n"))
    (setvbuf sock 'block)
    (last (string-split (get-string-all sock) #\newline))))

(test-begin "real-nginx")

(test-case "over TCP"
  (require-program "nginx")
  (call-with-web-server "127.0.0.1:0" handler
    (lambda (server)
      (call-with-nginx (socket-address->string (car (server-addresses server)))
        (lambda (directory) (exchanges server directory))))))

(test-case "over a UNIX socket"
  (require-program "nginx")
  (with-temporary-directory
    (lambda (sockets)
      (let ((where (string-append "unix:" sockets "/program"))
            (log (open-output-string)))
        (call-with-web-server where handler
          (lambda (server)
            (call-with-nginx where
              (lambda (directory) (exchanges server directory))))
          #:on-response
          (access-logger log #:format 'common
                         #:client (lambda (request)
                                    (receive (address . rest) (client-of request)
                                      address))))
        (test-assert "the log has the client"
          (string-prefix? "198.51.100.7 - - [" (get-output-string log)))))))

(test-case "the PROXY protocol"
  (require-program "nginx")
  (unless (file-exists? stream-module)
    (skip "needs nginx's stream module"))
  (call-with-web-server "127.0.0.1:0" handler
    (lambda (server)
      (call-with-nginx (socket-address->string (car (server-addresses server)))
        (lambda (directory)
          (define (get path)
            (curl "--unix-socket" (string-append directory "/stream")
                  (string-append "http://test" path)))
          ;; Its client has come over a UNIX socket, which version 1 calls unknown.
          (test-assert "nginx says that it does not know"
            (string-prefix? "127.0.0.1:" (get "/peer")))
          (match (string-split (curl (format #f "http://127.0.0.1:~a/peer"
                                             stream-port)
                                     "-w" " 127.0.0.1:%{local_port}")
                               #\space)
            ((peer client)
             (test-equal "else it names its client" client peer)))
          (test-equal "without the header there is nothing" #f
            (with-error-to-port (%make-void-port "w")
              (lambda () (curl (url-of server "/peer")))))
          (test-assert "with curl's there is"
            (string-prefix? "127.0.0.1:"
                            (curl (url-of server "/peer")
                                  "--haproxy-protocol")))
          (test-equal "version 1" "192.0.2.1:5"
            (ask-after server "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n"))
          (test-equal "version 2" "192.0.2.1:5"
            (ask-after server version-2)))))
    #:prologue (proxy-prologue #:from '("127.0.0.0/8"))))

(test-end "real-nginx")
