;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Many clients, good ones and bad ones, and the programs that others test their
;;; servers with.

(use-modules (harness)
             (harness process)
             (harness socket)
             (harness web)
             (ice-9 match)
             (ice-9 regex)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport http))

(define text/plain '((content-type . (text/plain))))

(test-begin "web-crowd")

(define (hello request body)
  (values text/plain (if body (number->string (bytevector-length body)) "hello")))

(define (connect-all new count)
  (map (lambda (i) (new)) (iota count)))

(test-case "who sends slowly keeps nobody else waiting, and is cut"
  (call-with-http hello
    (lambda (new server)
      (let ((slow (connect-all new 1000)))
        (for-each (lambda (sock) (send sock "GET /slow HTTP/1.1\r\nHo")) slow)
        (test-equal "fifty others are served" (make-list 50 '(200 200))
          (map (lambda (i) (codes (exchange new (string-append get get))))
               (iota 50)))
        (test-equal "the slow get their answer" (make-list 1000 '(408))
          (map (lambda (sock)
                 (setvbuf sock 'block)
                 (codes (get-string-all sock)))
               slow))
        (for-each close-port slow))
      (await (lambda () (zero? (server-connections server)))))
    #:request-seconds 4))

(test-case "who takes slowly keeps nobody else waiting, and is cut"
  (call-with-http
      (lambda (request body)
        (values text/plain (make-bytevector 3000000 97)))
    (lambda (new server)
      (let ((slow (connect-all new 100)))
        (for-each (lambda (sock) (send sock get)) slow)
        (test-equal "others are served" '(200)
          (codes (exchange new get)))
        (await (lambda () (zero? (server-connections server))))
        (test-equal "the slow are not waited for" 0 (server-connections server))
        (for-each close-port slow)))
    #:idle-seconds 2))

(test-case "buffers do not stay as large as what they held once"
  (call-with-http hello
    (lambda (new server)
      (define (resident)
        (gc) (gc)
        (string->number
         (match:substring
          (string-match "VmRSS:[^0-9]*([0-9]+)"
                        (call-with-input-file "/proc/self/status"
                          get-string-all))
          1)))
      (define post
        (string-append (crlf "POST / HTTP/1.1" "Host: a" "Content-Length: 8000000"
                             "")
                       (make-string 8000000 #\x)))
      (let ((socks (connect-all new 6)))
        (define (ask sock text)
          (send sock text)
          (let* ((buffer (make-string 500)) (count (recv! sock buffer)))
            (codes (substring buffer 0 count))))
        (for-each (lambda (sock) (ask sock post)) socks)
        (let ((before (resident)))
          (for-each (lambda (sock) (ask sock post)) socks)
          (test-equal "served" (make-list 6 '(200))
            (map (lambda (sock) (ask sock post)) socks))
          (test-assert "memory" (< (- (resident) before) 32000)))
        (for-each close-port socks)))))

(test-case "nor after a large head"
  (call-with-http hello
    (lambda (new server)
      (define (in-use)
        (gc) (gc)
        (let ((stats (gc-stats)))
          (- (assq-ref stats 'heap-size) (assq-ref stats 'heap-free-size))))
      (define large
        (crlf "GET / HTTP/1.1" "Host: a"
              (string-append "X: " (make-string 1000000 #\x)) ""))
      (let ((socks (connect-all new 20)))
        (define (ask-each text)
          (map (lambda (sock)
                 (send sock text)
                 (let* ((buffer (make-string 500)) (count (recv! sock buffer)))
                   (codes (substring buffer 0 count))))
               socks))
        (ask-each get)
        (let ((before (in-use)))
          (test-equal "served" (make-list 20 '(200)) (ask-each large))
          ;; What the last one was may be held.
          (test-assert (list "memory" (- (in-use) before))
            (< (- (in-use) before) 8000000)))
        (for-each close-port socks)))
    #:head-limit 2000000))

(define program "
(use-modules (sockport) (sockport http) (web request) (rnrs bytevectors))
(serve-http \"127.0.0.1:0\"
  (lambda (request body)
    (values '((content-type . (text/plain)))
            (if body (number->string (bytevector-length body)) \"Hello, World!\"))))
")

(define (output-of . command)
  (call-with-values (lambda () (apply run-program command))
    (lambda (status output) output)))

(define (call-with-server proc)
  (call-with-peer (list "guile" "--no-auto-compile" "-c" program)
    (lambda (peer)
      (proc (format #f "http://127.0.0.1:~a/" (listening-port peer))))))

(define (number-behind pattern text)
  (and=> (string-match (string-append pattern "[^0-9]*([0-9]+)") text)
         (lambda (found) (string->number (match:substring found 1)))))

(test-case "ab, with and without keeping connections"
  (require-program "ab")
  (call-with-server
   (lambda (url)
     (for-each
      (lambda (options)
        (let ((text (apply output-of "ab" "-q" "-n" "500" "-c" "10"
                           (append options (list url)))))
          (test-equal (list options "complete") 500
            (number-behind "Complete requests:" text))
          (test-equal (list options "failed") 0
            (number-behind "Failed requests:" text))))
      '(() ("-k"))))))

(test-case "h2load, in HTTP/1.1"
  (require-program "h2load")
  (call-with-server
   (lambda (url)
     (test-assert "all succeed"
       (string-contains (output-of "h2load" "--h1" "-n" "500" "-c" "10" url)
                        "500 succeeded, 0 failed")))))

(define nginx-configuration "daemon off; master_process off;
error_log stderr crit; pid ~a/pid;
events { worker_connections 256; }
http { access_log off; client_body_temp_path ~a/1; proxy_temp_path ~a/2;
  fastcgi_temp_path ~a/3; uwsgi_temp_path ~a/4; scgi_temp_path ~a/5;
  upstream here { server 127.0.0.1:~a; keepalive 4; }
  server { listen unix:~a/front;
    location / { proxy_pass http://here; proxy_http_version 1.1;
                 proxy_set_header Connection \"\"; } } }
")

(test-case "nginx in front"
  (require-program "nginx")
  (require-program "curl")
  (with-temporary-directory
    (lambda (directory)
      (call-with-peer (list "guile" "--no-auto-compile" "-c" program)
        (lambda (server)
          (define configuration (string-append directory "/conf"))
          (define front (string-append directory "/front"))
          (define (curl . options)
            (apply output-of "curl" "-sS" "--max-time" "10" "--unix-socket" front
                   (append options '("http://a/"))))
          (call-with-output-file configuration
            (lambda (port)
              (apply format port nginx-configuration
                     (append (make-list 6 directory)
                             (list (listening-port server) directory)))))
          (call-with-peer (list "nginx" "-c" configuration)
            (lambda (nginx)
              (wait-until (lambda () (listening-at? front)))
              (test-equal "a page, again and again" (make-list 5 "Hello, World!")
                (map (lambda (i) (curl)) (iota 5)))
              (test-equal "a body" "100000"
                (curl "--data-binary" (make-string 100000 #\x)))
              (test-equal "a body in chunks" "100000"
                (curl "-H" "Transfer-Encoding: chunked"
                      "--data-binary" (make-string 100000 #\x))))))))))

(test-end "web-crowd")
