;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (sockport web-client) over TLS: certificates, proxies, kept connections and
;;; sessions, redirects, and WebSocket, against servers with an authority of the
;;; tests' own.

(use-modules (harness)
             (harness client)
             (harness process)
             (harness proxy)
             (harness server)
             (ice-9 match)
             (ice-9 textual-ports)
             (srfi srfi-1)
             (sockport)
             (sockport web-client)
             (web response)
             (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "web-client-https")

(define tls (false-if-exception (resolve-interface '(sockport tls))))

(unless (and tls (in-path "openssl"))
  (test-case "everything"
    (skip "needs (sockport tls) and openssl"))
  (test-end "web-client-https"))

(define-syntax-rule (from-tls name ...)
  (begin (define (name . arguments)
           (apply (module-ref tls 'name) arguments))
         ...))

(from-tls tls-context tls-accept tls-alpn tls-resumed? tls-error? tls-error-reason)

;;; Certificates.

(define (openssl . arguments)
  (call-with-values (lambda () (apply run-program "openssl" arguments))
    (lambda (status output)
      (unless (eqv? 0 status) (error "openssl failed:" arguments output)))))

(define directory (mkdtemp "/tmp/sockport-https-XXXXXX"))
(define (file name) (string-append directory "/" name))

(define (make-certificates)
  (mkdir (file "trust"))
  (openssl "req" "-x509" "-newkey" "ec" "-pkeyopt"
           "ec_paramgen_curve:prime256v1" "-nodes" "-days" "2" "-subj"
           "/CN=Authority of a test" "-keyout" (file "ca.key")
           "-out" (file "trust/ca.pem"))
  (openssl "req" "-newkey" "ec" "-pkeyopt" "ec_paramgen_curve:prime256v1"
           "-nodes" "-subj" "/CN=server" "-keyout" (file "server.key")
           "-out" (file "server.csr"))
  (call-with-output-file (file "ext")
    (lambda (port)
      (display "subjectAltName=DNS:localhost,DNS:a.test,IP:127.0.0.1\n" port)))
  (openssl "x509" "-req" "-in" (file "server.csr") "-CA" (file "trust/ca.pem")
           "-CAkey" (file "ca.key") "-CAcreateserial" "-days" "2"
           "-extfile" (file "ext") "-out" (file "server.pem")))

(make-certificates)

(define server-context
  (tls-context #:certificate (file "server.pem") #:key (file "server.key")
               #:alpn '("http/1.1")))

(define client-context
  (tls-context #:trust (file "trust/ca.pem") #:alpn '("http/1.1")))

;;; Servers.

(define (read-head port)
  "Return the lines of a head; '() at the end."
  (let next ((lines '()))
    (match (get-line port)
      ((? eof-object?) (reverse lines))
      ("\r" (reverse lines))
      (line (next (cons (string-trim-right line) lines))))))

(define* (call-with-https proc #:key (answer (lambda (port head count)
                                               (put-string port (reply))
                                               #t)))
  "Call PROC with a server and a thunk that returns a list for each connection: its
ALPN, whether its session was resumed, and the heads that came.  (ANSWER port head
count) returns whether another request may come."
  (let ((seen '()))
    (call-with-raw
     (lambda (sock number)
       (match (false-if-exception (tls-accept sock server-context))
         (#f #f)
         (port
          (let ((entry (list (tls-alpn port) (tls-resumed? port) '())))
            (set! seen (cons entry seen))
            (call-with-cleanup
             (lambda ()
               (false-if-exception
                (let next ((count 0))
                  (let ((head (read-head port)))
                    (unless (null? head)
                      (set-car! (cddr entry) (cons head (caddr entry)))
                      (let ((more? (answer port head count)))
                        (force-output port)
                        (when more? (next (+ count 1)))))))))
             (lambda () (close-port port)))))))
     (lambda (server)
       (proc server (lambda () (reverse seen)))))))

(define (port-of server)
  (sockaddr:port (car (server-addresses server))))

(define* (https server #:optional (path "/") (host "localhost"))
  (format #f "https://~a:~a~a" host (port-of server) path))

(define (tls-reason thunk)
  (with-exception-handler
      (lambda (exception)
        (if (tls-error? exception)
            (tls-error-reason exception)
            exception))
    (lambda () (list 'returned (call-with-values thunk list)))
    #:unwind? #t))

(test-case "a page, and who is trusted"
  (call-with-https
   (lambda (server seen)
     (test-equal "with a context" '(200 "hello")
       (get-values (https server) #:context client-context))
     (test-equal "by an address" '(200 "hello")
       (get-values (https server "/" "127.0.0.1") #:context client-context))
     (test-equal "ALPN" "http/1.1" (first (first (seen))))
     (parameterize ((x509-certificate-directory (file "trust")))
       (test-equal "with a directory" '(200 "hello") (get-values (https server)))
       (test-equal "another name" 'wrong-host
         (tls-reason (lambda ()
                       (http-get (https server "/" "127.0.0.2"))))))
     (test-equal "an authority that nobody knows" 'unknown-issuer
       (tls-reason (lambda () (http-get (https server)))))
     (test-equal "unless nobody asks" '(200 "hello")
       (get-values (https server) #:verify-certificate? #f)))))

(test-case "kept connections, and sessions of new ones"
  (call-with-https
   (lambda (server seen)
     (let ((pool (make-http-pool)))
       (for-each (lambda (i)
                   (get-values (https server) #:context client-context
                               #:pool pool))
                 (iota 5))
       (test-equal "one connection" 1 (length (seen)))
       (test-equal "five requests" 5 (length (third (first (seen)))))
       (close-http-pool pool))
     (get-values (https server) #:context client-context)
     (get-values (https server) #:context client-context)
     (test-assert "a session is resumed" (second (last (seen)))))))

(test-case "one that the server has closed meanwhile"
  (call-with-https
   (lambda (server seen)
     (let ((pool (make-http-pool)))
       (define (get)
         (get-values (https server) #:context client-context #:pool pool))
       (get)
       (test-equal "another is made" '(200 "hello") (get))
       (test-equal "two" 2 (length (seen)))
       (close-http-pool pool)))
   #:answer (lambda (port head count) (put-string port (reply)) #f)))

(test-case "bodies, streaming and cut"
  (define text (make-string 300000 #\a))
  (call-with-https
   (lambda (server seen)
     (call-with-values
         (lambda ()
           (http-get (https server) #:context client-context #:streaming? #t))
       (lambda (response port)
         (test-equal "all" text (get-string-all port))
         (close-port port))))
   #:answer (lambda (port head count) (put-string port (reply text)) #f))
  (call-with-https
   (lambda (server seen)
     (test-equal "cut" 'truncated
       (reason-of (lambda ()
                    (http-get (https server) #:context client-context)))))
   #:answer (lambda (port head count)
              (put-string port (crlf "HTTP/1.1 200 OK" "Content-Length: 9" ""))
              (put-string port "abc")
              #f)))

(test-case "other tasks go on, and a deadline holds in the handshake"
  (call-with-raw (lambda (sock number) (recv sock 1000) (end-of sock))
    (lambda (server)
      (test-assert "ticks"
        (<= 5 (ticks-beside
               (lambda ()
                 (test-equal "late" 'late
                   (with-deadline 1/10
                     (lambda ()
                       (http-get (https server) #:context client-context))
                     (const 'late))))))))))

(test-case "through proxies"
  (call-with-https
   (lambda (server seen)
     (call-with-http-proxy
      (lambda (proxy heads)
        (define text (format #f "http://127.0.0.1:~a" (port-of proxy)))
        (test-equal "CONNECT" '(200 "hello")
          (get-values "https://a.test/" #:context client-context #:proxy text))
        (test-assert "what was asked"
          (string-prefix? "CONNECT a.test:443 HTTP/1.1\r\n" (car (heads))))
        (test-equal "a path, not the whole" "GET / HTTP/1.1"
          (car (car (third (first (seen))))))
        (parameterize ((current-https-proxy text))
          (test-equal "by the parameter" '(200 "hello")
            (get-values "https://a.test/" #:context client-context))))
      #:place (const (port-of server)))
     (call-with-socks
      (lambda (proxy asked)
        (test-equal "SOCKS" '(200 "hello")
          (get-values "https://a.test/" #:context client-context
                      #:proxy (format #f "socks5://127.0.0.1:~a"
                                      (port-of proxy))))
        (test-equal "what was asked" '((3 "a.test" 443)) (asked)))
      #:place (const (port-of server)))))
  (call-with-http-proxy
   (lambda (proxy heads)
     (let ((exception
            (with-exception-handler identity
              (lambda ()
                (http-get "https://a.test/" #:context client-context
                          #:proxy (format #f "http://127.0.0.1:~a"
                                          (port-of proxy))))
              #:unwind? #t)))
       (test-equal "407" 407 (http-error-code exception))
       (test-equal "nothing was sent behind that" 1 (length (heads)))))
   #:refusal "HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n"))

(test-case "no redirect leads to http"
  (call-with-https
   (lambda (server seen)
     (test-equal "refused" 'insecure-redirect
       (reason-of (lambda ()
                    (http-get (https server) #:context client-context
                              #:redirects 3)))))
   #:answer (lambda (port head count)
              (put-string port (crlf "HTTP/1.1 302 Go" "Content-Length: 0"
                                     "Location: http://127.0.0.1:1/" ""))
              #f)))

(for-each (lambda (name) (false-if-exception (delete-file (file name))))
          '("ca.key" "trust/ca.pem" "trust/ca.srl" "server.key" "server.csr"
            "server.pem" "ext"))
(rmdir (file "trust"))
(rmdir directory)

(test-end "web-client-https")
