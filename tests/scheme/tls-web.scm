;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; HTTP over TLS, with curl as the client.

(use-modules (harness) (harness process) (harness tls) (harness web)
             (ice-9 binary-ports) (ice-9 match) (ice-9 textual-ports)
             (rnrs bytevectors) (srfi srfi-1) (sockport) (sockport http)
             (sockport tls) (web request) (web response) (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)
(define (file name) (in-directory directory name))

(define (handler request body)
  (match (uri-path (request-uri request))
    ("/text" (values '((content-type . (text/plain))) "hello"))
    ("/large" (values '() (make-bytevector 1000000 65)))
    ("/file" (values '() (open-file (file "data") "rb")))
    ("/chunks" (values '() (lambda (port)
                             (let next ((i 0))
                               (when (< i 1000)
                                 (display "0123456789" port)
                                 (next (+ i 1)))))))
    ("/fails" (values '() (lambda (port)
                            (display (make-string 20000 #\x) port)
                            (force-output port)
                            (error "as asked"))))
    ("/size" (values '() (number->string (bytevector-length body))))
    (_ (values (build-response #:code 404) "none"))))

(define (fetch port path . options)
  "Return curl's exit code and what it prints."
  (call-with-values
      (lambda ()
        (apply run-program "curl" "-sS" "--cacert" (file "ca.pem")
               "-w" "%{http_code} %{size_download} %{ssl_verify_result}"
               "-o" (file "out")
               (append options
                       (list (format #f "https://localhost:~a~a" port path)))))
    list))

(define (with-https proc . options)
  (apply call-with-http handler
         (lambda (new server)
           (let ((port (sockaddr:port (car (server-addresses server)))))
             (proc (lambda (path . options)
                     (call-in-thread
                      (lambda () (apply fetch port path options))))
                   port)))
         #:tls (server-context directory "localhost" #:alpn '("http/1.1"))
         options))

(tls-cases (directory "tls-web")

  (test-case "curl"
    (require-program "curl")
    (call-with-output-file (file "data")
      (lambda (port) (display (make-string 700000 #\d) port)))
    (let ((lines
           (with-https
            (lambda (get port)
              (for-each
               (match-lambda
                 ((path expected . options)
                  (test-equal (cons path options) (list 0 expected)
                    (apply get path options))))
               `(("/text" "200 5 0")
                 ("/large" "200 1000000 0")
                 ("/file" "200 700000 0")
                 ("/chunks" "200 10000 0")
                 ("/none" "404 4 0")
                 ("/text" "200 0 0" "-I")
                 ("/text" "200 5 0" "--tls-max" "1.2")
                 ("/size" "200 6 0" "--data-binary" ,(string-append "@" (file "data")))
                 ("/size" "200 6 0" "-H" "Expect: 100-continue" "-T" ,(file "data"))
                 ("/size" "200 6 0" "-H" "Transfer-Encoding: chunked"
                  "--data-binary" ,(string-append "@" (file "data")))))
              ;; Parts of it, or a reset: no handshake that was refused, which is 35.
              (test-assert "what fails midway is no whole"
                (memv (car (get "/fails" "--http1.0" "--no-alpn")) '(18 56)))))))
      (test-equal "only that is logged" '(#t)
        (map (lambda (line) (string-prefix? "as asked" line)) lines))))

  (test-case "one connection for several requests"
    (with-https
     (lambda (get port)
       (let ((tls (connect-to "localhost" #:port port #:tls (trusting directory))))
         (define (ask)
           (put-string tls "GET /text HTTP/1.1\r\nHost: localhost\r\n\r\n")
           (force-output tls)
           (let next ()
             (let ((line (get-line tls)))
               (unless (string=? line "\r") (next))))
           (utf8->string (get-bytevector-n tls 5)))
         (test-equal "first" "hello" (ask))
         (test-equal "second" "hello" (ask))
         (close-port tls)))))

  (test-case "clients that never begin with their handshake have an end"
    (call-with-http handler
      (lambda (new server)
        (define (count) (server-connections server))
        (let ((silent (map (lambda (i) (new)) (iota 80))))
          (await (lambda () (>= (count) 66)))
          (for-each (lambda (i) (task-yield)) (iota 100))
          (test-equal "as many as there may be, twice, and 64" 66 (count))
          (for-each close-port silent)
          (let ((tls (connect-to (car (server-addresses server))
                                 #:tls (trusting directory)
                                 #:tls-host "localhost")))
            (put-string tls "GET /text HTTP/1.0\r\n\r\n")
            (force-output tls)
            (test-equal "then others come" '(200) (codes (get-string-all tls)))
            (close-port tls))))
      #:tls (server-context directory "localhost")
      #:connections 1))

  (test-case "an idle connection is ended without an error"
    (test-equal "nothing is logged" '()
      (with-https
       (lambda (get port)
         (let ((tls (connect-to "localhost" #:port port
                                #:tls (trusting directory))))
           (test-equal "an end" #t
             (with-deadline 15 (lambda () (eof-object? (get-u8 tls)))
                            (const 'late)))
           (close-port tls)))
       #:idle-seconds 1/10))))
