;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Proxies that are themselves reached by TLS: whom they prove to be, what they are
;;; asked, and what becomes of their refusals.

(use-modules (harness)
             (harness client)
             (harness https)
             (harness process)
             ((harness socket) #:select (free-port))
             (harness proxy)
             (harness server)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport)
             (sockport tls)
             (sockport web-client)
             (web response))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (tls-reason thunk)
  (catch 'tls-error
    (lambda () (list 'returned (call-with-values thunk list)))
    (lambda error (tls-error-reason error))))

(define* (proxy-text proxy #:optional (host "localhost") (login ""))
  (format #f "https://~a~a:~a" login host (port-of proxy)))

(define* (call-with-secure-proxy proc #:rest options)
  (apply call-with-http-proxy proc #:tls server-context options))

(https-cases "https-proxy"
  (test-case "a page of https"
    (call-with-https
     (lambda (server seen)
       (call-with-secure-proxy
        (lambda (proxy heads)
          (define (get uri . options)
            (apply get-values uri #:context client-context
                   #:proxy (proxy-text proxy) options))
          (test-equal "TLS in TLS" '(200 "hello")
            (get "https://a.test/" #:proxy-context client-context))
          (test-assert "what was asked"
            (string-prefix? "CONNECT a.test:443 HTTP/1.1\r\n" (car (heads))))
          (test-equal "a certificate for another name" 'wrong-host
            (tls-reason (lambda ()
                          (get "https://b.test/"
                               #:proxy-context client-context))))
          (parameterize ((x509-certificate-directory (trust-directory)))
            (test-equal "both by the directory of certificates" '(200 "hello")
              (get-values "https://a.test/" #:proxy (proxy-text proxy)))
            (parameterize ((current-https-proxy (proxy-text proxy)))
              (test-equal "by the parameter" '(200 "hello")
                (get-values "https://a.test/")))))
        #:place (const (port-of server))))))

  (test-case "the proxy has to prove who it is"
    (call-with-secure-proxy
     (lambda (proxy heads)
       (define (reason host . options)
         (tls-reason
          (lambda ()
            (apply http-get "https://a.test/" #:context client-context
                   #:proxy (proxy-text proxy host) options))))
       (test-equal "nobody trusts it" 'unknown-issuer (reason "localhost"))
       (test-equal "whatever is asked of the host" 'unknown-issuer
         (reason "localhost" #:verify-certificate? #f))
       (test-equal "the wrong certificate" 'unknown-issuer
         (reason "localhost" #:proxy-context (tls-context #:trust 'none)))
       (test-equal "it was asked for nothing" '() (heads)))
     #:place (const 1)))

  (test-case "and be whom it was called"
    (call-with-values
        (lambda ()
          (run-program "openssl" "req" "-x509" "-newkey" "ec" "-pkeyopt"
                       "ec_paramgen_curve:prime256v1" "-nodes" "-days" "2"
                       "-subj" "/CN=proxy" "-addext"
                       "subjectAltName=DNS:other.test" "-keyout"
                       (https-file "other.key") "-out" (https-file "other.pem")))
      (lambda (status output) (test-equal "made" 0 status)))
    (call-with-http-proxy
     (lambda (proxy heads)
       (test-equal "another name" 'wrong-host
         (tls-reason
          (lambda ()
            (connect-to "a.test:443" #:proxy (proxy-text proxy)
                        #:proxy-tls (tls-context
                                     #:trust (https-file "other.pem"))))))
       (test-equal "it was asked for nothing" '() (heads)))
     #:tls (tls-context #:certificate (https-file "other.pem")
                        #:key (https-file "other.key"))))

  (test-case "a request for http goes to the proxy itself"
    (call-with-https
     (lambda (proxy seen)
       (define (get path . options)
         (apply get-values (string-append "http://a.invalid:81" path)
                #:proxy (proxy-text proxy "localhost" "me:pw@")
                #:proxy-context client-context options))
       (let ((pool (make-http-pool)))
         (test-equal "response" '(200 "hello") (get "/b?c" #:pool pool))
         (test-equal "another" '(200 "hello") (get "/d" #:pool pool))
         (close-http-pool pool))
       (match (seen)
         (((alpn resumed? (second first)))
          (test-equal "the whole URI" "GET http://a.invalid:81/b?c HTTP/1.1"
            (car first))
          (test-assert "the login"
            (member "proxy-authorization: basic bwu6chc="
                    (map string-downcase first)))
          (test-equal "over the same connection"
            "GET http://a.invalid:81/d HTTP/1.1" (car second))))
       (call-with-values
           (lambda ()
             (http-get "http://a.invalid/e"
                       #:port (open-socket-for-uri
                               "http://a.invalid/e"
                               #:proxy (proxy-text proxy)
                               #:proxy-context client-context)))
         (lambda (response body) (test-equal "by a port of it" "hello" body))))))

  (test-case "connect-to"
    (call-with-server echo
      (lambda (target)
        (call-with-secure-proxy
         (lambda (proxy heads)
           (define (through where . options)
             (apply connect-to where #:proxy (proxy-text proxy)
                    #:proxy-tls client-context options))
           (let ((port (through "a.invalid:80")) (buffer (make-string 5)))
             (test-assert "a port of TLS" (tls-port? port))
             (recv! port buffer)
             (test-equal "bytes behind the head are read first" "first" buffer)
             (test-equal "then the others" "hello" (say port "hello"))
             (close-port port))
           (parameterize ((current-tls-context client-context))
             (let ((port (connect-to "a.invalid:80"
                                     #:proxy (proxy-text proxy))))
               (test-assert "with the context of those that name none"
                 (tls-port? port))
               (close-port port)))
           (test-equal "unless that trusts somebody else" 'unknown-issuer
             (tls-reason (lambda ()
                           (connect-to "a.invalid:80"
                                       #:proxy (proxy-text proxy))))))
         #:before "first"
         #:place (const (port-of target)))))
    (test-error* "what is no context" '(wrong-type-arg #:proxy-tls "connect-to")
      (connect-to "a:80" #:proxy "https://a" #:proxy-tls #t)))

  (test-case "refusals have their code"
    (for-each
     (match-lambda
       ((text reason code)
        (call-with-secure-proxy
         (lambda (proxy heads)
           (let ((exception
                  (with-exception-handler identity
                    (lambda ()
                      (http-get "https://a.test/" #:context client-context
                                #:proxy (proxy-text proxy)
                                #:proxy-context client-context))
                    #:unwind? #t)))
             (test-equal (list text 'reason) reason
               (http-error-reason exception))
             (test-equal (list text 'code) code (http-error-code exception))
             (test-equal (list text "nothing was sent behind it") 1
               (length (heads)))))
         #:refusal text)))
     '(("HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n" proxy-login 407)
       ("HTTP/1.1 502 Bad\r\n\r\n" proxy-refused 502)
       ("hello\r\n\r\n" bad-proxy #f)
       ("HTTP/1.1 2" bad-proxy #f))))

  (test-case "a deadline or cancel! while a proxy thinks leaves nothing"
    (call-with-raw
     (lambda (sock number)
       (read-until-blank sock)
       (false-if-exception (end-of sock)))
     (lambda (server)
       (define (through)
         (connect-to "a.invalid:80" #:proxy (proxy-text server)
                     #:proxy-tls client-context))
       (test-equal "deadline" 'late
         (with-deadline 1/20 through (const 'late)))
       (test-assert "cancelled" (ends-cancelled? through)))
     #:tls server-context))

  (test-case "tinyproxy behind socat's TLS"
    (require-program "tinyproxy")
    (require-program "socat")
    (with-temporary-directory
     (lambda (directory)
       (define file (string-append directory "/conf"))
       (define plain (free-port))
       (call-with-output-file file
         (lambda (port)
           (format port "Port ~a\nListen 127.0.0.1\nTimeout 20\n\
MaxClients 10\nAllow 127.0.0.1\n" plain)))
       (call-with-peer (list "tinyproxy" "-d" "-c" file)
         (lambda (peer)
           (listening-port peer)
           (call-with-peer
               (list "socat"
                     (format #f "OPENSSL-LISTEN:0,bind=127.0.0.1,fork,verify=0,\
cert=~a,key=~a" (https-file "server.pem") (https-file "server.key"))
                     (format #f "TCP:127.0.0.1:~a" plain))
             (lambda (front)
               (define proxy
                 (format #f "https://localhost:~a" (listening-port front)))
               (call-with-https
                (lambda (server seen)
                  (test-equal "https" '(200 "hello")
                    (get-values (https server) #:proxy proxy
                                #:context client-context
                                #:proxy-context client-context))))
               (call-with-replies (list (reply))
                 (lambda (server seen)
                   (test-equal "http" '(200 "hello")
                     (get-values (uri-of server "/") #:proxy proxy
                                 #:proxy-context client-context))))))))))))
