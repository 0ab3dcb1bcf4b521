;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (sockport web-client) over TLS: certificates, proxies, kept connections and
;;; sessions, redirects, and WebSocket, against servers with an authority of the
;;; tests' own.

(use-modules (harness)
             (harness client)
             (harness https)
             (harness process)
             (harness proxy)
             (harness server)
             (ice-9 binary-ports)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             ((sockport primitive) #:select (%websocket-accept))
             ((sockport serve websocket-send) #:select (make-websocket))
             (sockport tls)
             (sockport web-client)
             (sockport websocket)
             (web response)
             (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (tls-reason thunk)
  (with-exception-handler
      (lambda (exception)
        (if (tls-error? exception)
            (tls-error-reason exception)
            exception))
    (lambda () (list 'returned (call-with-values thunk list)))
    #:unwind? #t))

(https-cases "web-client-https"
  (test-case "a page, and who is trusted"
    (call-with-https
     (lambda (server seen)
       (test-equal "with a context" '(200 "hello")
         (get-values (https server) #:context client-context))
       (test-equal "by a name" '(200 "hello")
         (get-values (https server "/" "localhost") #:context client-context))
       (test-equal "ALPN" "http/1.1" (first (first (seen))))
       (parameterize ((x509-certificate-directory (trust-directory)))
         (test-equal "with a directory" '(200 "hello") (get-values (https server))))
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

  (test-case "one that is closed on the way, without a notice"
    (call-with-https
     (lambda (server seen)
       (let ((pool (make-http-pool)))
         (define (try proc . options)
           (tls-reason (lambda ()
                         (call-with-values
                             (lambda ()
                               (apply proc (https server) #:pool pool
                                      #:context client-context options))
                           (lambda (response body) body)))))
         (test-equal "a first" '(returned ("hello")) (try http-get))
         (test-equal "GET is sent once more" '(returned ("hello"))
           (try http-get))
         (test-equal "over a new one" 2 (length (seen)))
         (test-equal "POST is not" 'truncated (try http-post #:body "a"))
         (test-equal "three requests, and one" '(2 2)
           (map (lambda (entry) (length (third entry))) (seen)))
         (close-http-pool pool)))
     #:answer (lambda (port head count)
                (if (zero? count)
                    (put-string port (reply))
                    (shutdown (tls-socket port) SHUT_RDWR))
                (zero? count))))

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
        (define (ask)
          (http-get (https server) #:context client-context))
        (test-equal "late" 'late
          (with-deadline 1/10 ask (const 'late)))
        (test-assert "one that goes on cancels it" (ends-cancelled? ask)))))

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
          (test-equal "a certificate for another name" 'wrong-host
           (tls-reason (lambda ()
                         (http-get "https://b.test/" #:proxy text
                                   #:context client-context))))
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

  (test-case "WebSocket"
    (call-with-https
     (lambda (server seen)
       (let ((ws (open-websocket (format #f "wss://127.0.0.1:~a/" (port-of server))
                                 #:context client-context)))
         (websocket-send ws "hello")
         (test-equal "comes back" "hello" (websocket-receive ws))
         (test-assert "and ends" (eof-object? (websocket-receive ws)))
         (test-equal "as it should" 1000 (websocket-close-code ws))
         (close-port (websocket-socket ws))))
     #:answer
     (lambda (port head count)
       (let ((key (any (lambda (line)
                         (and (string-prefix-ci? "Sec-WebSocket-Key: " line)
                              (substring line 19)))
                       head)))
         (put-string port (crlf "HTTP/1.1 101 Switching Protocols"
                                "Upgrade: websocket" "Connection: Upgrade"
                                (string-append "Sec-WebSocket-Accept: "
                                               (%websocket-accept key))
                                ""))
         (force-output port)
         (let ((ws (make-websocket port)))
           (websocket-send ws (websocket-receive ws))
           (websocket-close ws))
         #f))))

  (test-case "Guile's own client, on a connection from here"
    (call-with-https
     (lambda (server seen)
       (test-equal "the page" "hello"
         (call-with-values
             (lambda ()
               ((@ (web client) http-get) (https server)
                #:port (open-socket-for-uri (https server)
                                            #:context client-context)))
           (lambda (response body) body))))))

  (test-case "a download as Guix makes it: with guile-gnutls, and in one call"
    (define size 300000)
    (define (save port)
      (let next ((sum 0))
        (let ((bytes (get-bytevector-some port)))
          (if (eof-object? bytes)
              (begin (close-port port) sum)
              (next (+ sum (bytevector-length bytes)))))))
    (define (guile uri)
      (let ((port ((@ (web client) open-socket-for-uri) uri)))
        (setvbuf port 'block 65536)
        (call-with-values
            (lambda ()
              ((@ (web client) http-get) uri #:port port #:decode-body? #f
               #:streaming? #t #:keep-alive? #t
               #:headers '((user-agent . "GNU Guile"))))
          (lambda (response body)
            (let ((size (case (response-code response)
                          ((200) (save body))
                          ((302) (guile (response-location response))))))
              (close-port port)
              size)))))
    (call-with-https
     (lambda (server seen)
       (let ((uri (string->uri (https server))))
         (parameterize ((x509-certificate-directory (trust-directory)))
           (when (false-if-exception (resolve-interface '(gnutls)))
             (test-equal "its way, in a thread of its own" size
               (call-in-thread (lambda () (guile uri)))))
           (test-equal "here" size
             (with-deadline 600
               (lambda ()
                 (call-with-values
                     (lambda () (http-get uri #:redirects 5 #:streaming? #t
                                          #:decode-body? #f))
                   (lambda (response body) (save body)))))))))
     #:answer (lambda (port head count)
                (if (string-prefix? "GET /new" (car head))
                    (put-string port (reply (make-string size #\a)))
                    (format port "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\
Location: https://~a/new\r\n\r\n"
                            (substring (find (lambda (line)
                                               (string-prefix? "Host: " line))
                                             head)
                                       6)))
                #f)))

  (test-case "Guile's own client and guile-gnutls, in a thread of its own"
    (unless (false-if-exception (resolve-interface '(gnutls)))
      (skip "needs guile-gnutls"))
    (call-with-https
     (lambda (server seen)
       (test-equal "the page, of a server that is another task here" "hello"
         (parameterize ((x509-certificate-directory (trust-directory)))
           (call-in-thread
            (lambda ()
              (call-with-values
                  (lambda () ((@ (web client) http-get) (https server)))
                (lambda (response body) body)))))))
     #:answer (lambda (port head count)
                (sleep 1/10)
                (put-string port (reply))
                #f))))
