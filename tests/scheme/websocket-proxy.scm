;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; WebSockets through proxies of each kind, reached by TLS or not, to servers with TLS
;;; and without; and what becomes of proxies that refuse.

(use-modules (harness)
             (harness client)
             (harness https)
             (harness proxy)
             (harness websocket)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport)
             (sockport tls)
             (sockport web-client)
             (sockport websocket))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define echo (lambda (request) (accept-websocket request echo-messages)))

(define (call-with-both tls proc)
  "Call PROC with the scheme and the server of WebSockets, by TLS with the context TLS
unless it is #f."
  (apply call-with-websockets echo
         (lambda (new server) (proc (if tls "wss" "ws") server))
         (if tls (list #:tls tls) '())))

(define messages
  (list "hello" "" #vu8(0 255) (make-string 70000 #\x) (make-bytevector 300000 7)))

(define (conversation ws)
  "Return which messages came back over WS, and how it ended."
  (let ((same (map (lambda (message)
                     (websocket-send ws message)
                     (equal? message (websocket-receive ws)))
                   messages)))
    (websocket-close ws 4000 "enough")
    (let ((end (list (eof-object? (websocket-receive ws))
                     (websocket-close-code ws))))
      (close-port (websocket-socket ws))
      (append same end))))

(define expected (append (map (const #t) messages) '(#t 4000)))

(define (open scheme . options)
  (apply open-websocket (string-append scheme "://a.test/")
         #:context client-context options))

(define (proxy-text scheme proxy)
  (format #f "~a://localhost:~a" scheme (port-of proxy)))

(define (what-fails thunk)
  "Return the kind of exception that ends THUNK, its reason and its code."
  (with-exception-handler
      (lambda (exception)
        (cond ((tls-error? exception) (list 'tls (tls-error-reason exception)))
              ((http-error? exception)
               (list 'http (http-error-reason exception)
                     (http-error-code exception)))
              (else exception)))
    thunk #:unwind? #t))

(https-cases "websocket-proxy"
  (for-each
   (match-lambda
     ((kind call scheme . options)
      (for-each
       (lambda (tls)
         (test-case (format #f "~a, ~a" kind (if tls "wss" "ws"))
           (call-with-both tls
             (lambda (target server)
               (call
                (lambda (proxy asked)
                  (test-equal "messages" expected
                    (conversation
                     (apply open target #:proxy (proxy-text scheme proxy)
                            (if (equal? scheme "https")
                                (list #:proxy-context client-context)
                                '()))))
                  (test-equal "one connection" 1 (length (asked)))
                  (match (asked)
                    (((? string? head))
                     (test-assert (list "what was asked" head)
                       (string-prefix?
                        (format #f "CONNECT a.test:~a HTTP/1.1\r\n"
                                (if tls 443 80))
                        head)))
                    (((type host port))
                     (test-equal "what was asked"
                       (list 3 "a.test" (if tls 443 80))
                       (list type host port)))))
                #:place (const (port-of server)))))))
       (list #f server-context))))
   `(("http" ,call-with-http-proxy "http")
     ("https" ,(lambda (proc . options)
                 (apply call-with-http-proxy proc #:tls server-context options))
      "https")
     ("SOCKS" ,call-with-socks "socks5")))

  (test-case "by the parameters, with the directory of certificates"
    (call-with-both server-context
      (lambda (target server)
        (call-with-http-proxy
         (lambda (proxy heads)
           (parameterize ((x509-certificate-directory (trust-directory))
                          (current-https-proxy (proxy-text "https" proxy)))
             (test-equal "messages" expected
               (conversation (open-websocket "wss://a.test/")))
             (test-equal "through the proxy" 1 (length (heads)))
             (parameterize ((current-no-proxy "localhost"))
               (test-equal "not to it" expected
                 (conversation
                  (open-websocket (format #f "wss://localhost:~a/"
                                          (port-of server)))))
               (test-equal "past it" 1 (length (heads))))))
         #:tls server-context #:place (const (port-of server))))))

  ;; Whoever is between a browser and the server can make one without TLS.
  (test-case "pages of a server that came without its TLS"
    (call-with-both server-context
      (lambda (target server)
        (define (code scheme)
          (catch 'misc-error
            (lambda ()
              (let ((ws (open-websocket
                         (format #f "wss://localhost:~a/" (port-of server))
                         #:context client-context
                         #:headers `((origin . ,(format #f "~a://localhost:~a" scheme
                                                        (port-of server)))))))
                (websocket-close ws)
                (close-port (websocket-socket ws))
                101))
            (lambda (key who message irritants . rest) (car irritants))))
        (test-equal "may not connect" '(101 403) (map code '("https" "http"))))))

  (test-case "whom they prove to be"
    (call-with-both server-context
      (lambda (target server)
        (call-with-http-proxy
         (lambda (proxy heads)
           (define (fails url . options)
             (what-fails
              (lambda ()
                (apply open-websocket url #:proxy (proxy-text "https" proxy)
                       options))))
           (test-equal "nobody trusts the proxy" '(tls unknown-issuer)
             (fails "wss://a.test/" #:context client-context))
           (test-equal "it was asked for nothing" '() (heads))
           (test-equal "nobody trusts the server" '(tls unknown-issuer)
             (fails "wss://a.test/" #:proxy-context client-context))
           (test-equal "another server" '(tls wrong-host)
             (fails "wss://b.test/" #:context client-context
                    #:proxy-context client-context)))
         #:tls server-context #:place (const (port-of server))))))

  (test-case "refusals have their code"
    (for-each
     (match-lambda
       ((text . expected)
        (for-each
         (lambda (tls)
           (call-with-http-proxy
            (lambda (proxy heads)
              (test-equal (list text tls) (cons 'http expected)
                (what-fails
                 (lambda ()
                   (open "wss" #:proxy-context client-context
                         #:proxy (proxy-text (if tls "https" "http") proxy)))))
              (test-equal "nothing was sent behind it" 1 (length (heads))))
            #:refusal text #:tls tls))
         (list #f server-context))))
     '(("HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n" proxy-login 407)
       ("HTTP/1.1 502 Bad\r\n\r\n" proxy-refused 502)
       ("hello\r\n\r\n" bad-proxy #f))))

  (test-case "a deadline while the proxy, or the server behind it, thinks"
    (for-each
     (lambda (place)
       (call-with-raw
        (lambda (sock number) (false-if-exception (read-until-blank sock "never")))
        (lambda (silent)
          (call-with-http-proxy
           (lambda (proxy heads)
             (test-equal place 'late
               (with-deadline 1/10
                 (lambda ()
                   (open "wss" #:proxy-context client-context
                         #:proxy (proxy-text "https" (if (eq? place 'proxy)
                                                         silent
                                                         proxy))))
                 (const 'late))))
           #:tls server-context #:place (const (port-of silent))))))
     '(proxy server)))

  (test-case "the proxy goes away in the middle"
    (call-with-both server-context
      (lambda (target server)
        (call-with-http-proxy
         (lambda (proxy heads)
           (let ((ws (open target #:proxy (proxy-text "https" proxy)
                           #:proxy-context client-context)))
             (websocket-send ws "hello")
             (test-equal "a message" "hello" (websocket-receive ws))
             (shutdown (tls-socket (websocket-socket ws)) SHUT_RDWR)
             (test-assert "an end" (eof-object? (websocket-receive ws)))
             (test-equal "that nobody has said" '(1006 #f #f)
               (list (websocket-close-code ws) (websocket-open? ws)
                     (websocket-send ws "more")))
             (close-port (websocket-socket ws))))
         #:tls server-context #:place (const (port-of server)))))))
