;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; connect-to #:proxy: SOCKS 5 and CONNECT, what they are told, and what becomes of
;;; their refusals; and requests through proxies.

(use-modules (harness)
             (harness client)
             (harness process)
             (harness proxy)
             (harness server)
             (harness socket)
             (ice-9 match)
             (ice-9 regex)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport web-client)
             (web response)
             (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (port-of server)
  (sockaddr:port (car (server-addresses server))))

(define (proxy-text server scheme . login)
  (format #f "~a://~a127.0.0.1:~a" scheme (string-concatenate login)
          (port-of server)))

(define (echoed sock)
  (let ((text (say sock "hello")))
    (close-port sock)
    text))

;; Guile's writer has a capital since 3.0.11, which means the same.
(define (as-of-old head)
  (regexp-substitute/global #f "Authorization: Basic" head
                            'pre "Authorization: basic" 'post))

(define (reason-or-errno thunk)
  (catch 'http-error
    (lambda ()
      (catch 'system-error
        thunk
        (lambda args (system-error-errno args))))
    (lambda (key who message arguments data) (car data))))

(test-begin "connect-proxy")

(test-case "SOCKS: the name goes to the proxy"
  (call-with-server echo
    (lambda (target)
      (call-with-socks
       (lambda (proxy asked)
         (define (through where . options)
           (echoed (apply connect-to where
                          #:proxy (proxy-text proxy "socks5") options)))
         (test-equal "a name that nobody here knows" "hello"
           (through "nowhere.invalid:80"))
         (test-equal "with a service" "hello"
           (through "nowhere.invalid" #:port "http"))
         (test-equal "IPv4" "hello" (through "192.0.2.1:81"))
         (test-equal "IPv6" "hello" (through "[2001:db8::1]:82"))
         (test-equal "an address" "hello"
           (through (make-socket-address AF_INET 3221225985 83)))
         (test-equal "what it was asked"
           '((3 "nowhere.invalid" 80) (3 "nowhere.invalid" 80)
             (1 "192.0.2.1" 81) (4 "2001:db8::1" 82) (1 "192.0.2.1" 83))
           (asked)))
       #:place (const (port-of target))))))

(test-case "SOCKS: name and password"
  (call-with-server echo
    (lambda (target)
      (call-with-socks
       (lambda (proxy asked)
         (define (through . login)
           (reason-or-errno
            (lambda ()
              (echoed (connect-to "a.invalid:80"
                                  #:proxy (apply proxy-text proxy "socks5h"
                                                 login))))))
         (test-equal "right" "hello" (through "me:se%40cret@"))
         (test-equal "wrong" 'proxy-login (through "me:x@"))
         (test-equal "none" 'proxy-login (through)))
       #:password '("me" . "se@cret")
       #:place (const (port-of target))))))

(test-case "SOCKS: refusals are errors of the system"
  (for-each
   (match-lambda
     ((code . errno)
      (call-with-socks
       (lambda (proxy asked)
         (test-equal code errno
           (reason-or-errno
            (lambda ()
              (connect-to "a.invalid:80"
                          #:proxy (proxy-text proxy "socks5"))))))
       #:code code)))
   `((1 . ,ECONNABORTED) (2 . ,EACCES) (3 . ,ENETUNREACH) (4 . ,EHOSTUNREACH)
     (5 . ,ECONNREFUSED) (6 . ,ETIMEDOUT) (9 . ,ECONNABORTED))))

(test-case "what is no SOCKS proxy"
  (for-each
   (lambda (text)
     (call-with-raw (lambda (sock number) (recv sock 3) (send sock text))
       (lambda (server)
         (test-equal (list text) 'bad-proxy
           (reason-or-errno
            (lambda ()
              (connect-to "a.invalid:80"
                          #:proxy (proxy-text server "socks5"))))))))
   '("HTTP/1.1 400 Bad\r\n\r\n" "\x04\x00" "\x05" "")))

(test-case "CONNECT: what is asked, and what follows the head"
  (call-with-server echo
    (lambda (target)
      (call-with-http-proxy
       (lambda (proxy heads)
         (define (through where . login)
           (connect-to where #:proxy (apply proxy-text proxy "http" login)))
         (let ((sock (through "[::1]:443")))
           (let ((buffer (make-string 5)))
             (recv! sock buffer MSG_WAITALL)
             (test-equal "bytes behind the head are read first" "first" buffer))
           (test-equal "then the others" "hello" (echoed sock)))
         (close-port (through "a.invalid:80" "me:pw@"))
         (match (heads)
           ((first second)
            (test-equal "brackets"
              "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n" first)
            (test-equal "a login"
              (string-append
               "CONNECT a.invalid:80 HTTP/1.1\r\nHost: a.invalid:80\r\n"
               "Proxy-Authorization: basic bWU6cHc=\r\n\r\n")
              (as-of-old second)))))
       #:before "first"
       #:place (const (port-of target))))))

(test-case "CONNECT: refusals have their code"
  (for-each
   (match-lambda
     ((text reason code)
      (call-with-http-proxy
       (lambda (proxy heads)
         (let ((exception
                (with-exception-handler identity
                  (lambda ()
                    (connect-to "a.invalid:443"
                                #:proxy (proxy-text proxy "http")))
                  #:unwind? #t)))
           (test-equal (list text 'reason) reason (http-error-reason exception))
           (test-equal (list text 'code) code (http-error-code exception))))
       #:refusal text)))
   '(("HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n" proxy-login 407)
     ("HTTP/1.1 502 Bad\r\n\r\n" proxy-refused 502)
     ("HTTP/1.0 403\r\n\r\n" proxy-refused 403)
     ("HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 503 No\r\n\r\n" proxy-refused 503)
     ("hello\r\n\r\n" bad-proxy #f)
     ("HTTP/1.1 2" bad-proxy #f)
     ("" bad-proxy #f))))

(test-case "a deadline or cancel! while a proxy thinks leaves nothing"
  (for-each
   (lambda (scheme)
     (call-with-raw (lambda (sock number) (recv sock 1000) (end-of sock))
       (lambda (server)
         (define (through)
           (connect-to "a.invalid:80" #:proxy (proxy-text server scheme)))
         (test-equal (list scheme 'deadline) 'late
           (with-deadline 1/20 through (const 'late)))
         (test-assert (list scheme 'cancelled) (ends-cancelled? through)))))
   '("socks5" "http")))

(test-case "arguments"
  (test-error* "a scheme" '(wrong-type-arg #:proxy "connect-to")
    (connect-to "a:80" #:proxy "ftp://a"))
  (test-error* "no text" '(wrong-type-arg #:proxy "connect-to")
    (connect-to "a:80" #:proxy 'a))
  (test-error* "a UNIX name" '(wrong-type-arg 1 "connect-to")
    (connect-to "unix:/a" #:proxy "socks5://127.0.0.1:1")))

;;; Requests.

(test-case "a request for http goes to the proxy of HTTP itself"
  (call-with-replies (list (reply) (reply))
    (lambda (proxy seen)
      (parameterize ((current-http-proxy (proxy-text proxy "http" "me:pw@")))
        (test-equal "response" '(200 "hello")
          (get-values "http://a.invalid:81/b?c"))
        (call-with-values
            (lambda () (http-get "http://[::1]/d"
                                 #:port (open-socket-for-uri "http://[::1]/d")))
          (lambda (response body) (test-equal "by a port of it" "hello" body)))
        (match (seen)
          ((first second)
           (test-assert "the whole URI"
             (string-prefix?
              "GET http://a.invalid:81/b?c HTTP/1.1\r\nHost: a.invalid:81\r\n"
              first))
           (test-assert "the login"
             (string-contains (as-of-old first)
                              "Proxy-Authorization: basic bWU6cHc=\r\n"))
           (test-assert "brackets"
             (string-prefix? "GET http://[::1]/d HTTP/1.1\r\nHost: [::1]\r\n"
                             second))))))))

(test-case "a request through SOCKS, and one that goes by itself"
  (call-with-replies (list (reply) (reply) (reply))
    (lambda (target seen)
      (call-with-socks
       (lambda (proxy asked)
         (define text (proxy-text proxy "socks5"))
         (test-equal "by the keyword" '(200 "hello")
           (get-values "http://a.invalid/b" #:proxy text))
         (test-equal "asked for" '((3 "a.invalid" 80)) (asked))
         (parameterize ((current-http-proxy text)
                        (current-no-proxy "x, 127.0.0.0/8"))
           (test-equal "unless that names the host" '(200 "hello")
             (get-values (uri-of target "/c")))
           (test-equal "asked for no more" 1 (length (asked))))
         (parameterize ((current-all-proxy text))
           (test-equal "for all schemes" '(200 "hello")
             (get-values "http://b.invalid/"))
           (test-equal "asked for" 2 (length (asked)))))
       #:place (const (port-of target))))))

(test-case "the parameters are those of (web client)"
  (test-assert "http" (eq? (@ (sockport web-client) current-http-proxy)
         (@ (web client) current-http-proxy)))
  (test-assert "https"
    (eq? (@ (sockport web-client) current-https-proxy)
         (@ (web client) current-https-proxy)))
  (test-assert "certificates"
    (eq? (@ (sockport web-client) x509-certificate-directory)
         (@ (web client) x509-certificate-directory))))

;;; Real ones.

(test-case "microsocks"
  (require-program "microsocks")
  (call-with-peer '("microsocks" "-i" "127.0.0.1" "-p" "0" "-u" "me" "-P" "pw")
    (lambda (peer)
      (define proxy (listening-port peer))
      (define (through login port)
        (reason-or-errno
         (lambda ()
           (echoed (connect-to "localhost" #:port port
                               #:proxy (format #f "socks5://~a127.0.0.1:~a"
                                               login proxy))))))
      (call-with-server echo
        (lambda (target)
          (test-equal "right" "hello" (through "me:pw@" (port-of target)))
          (test-equal "wrong" 'proxy-login
            (through "me:no@" (port-of target)))
          ;; Nobody can listen where another socket is bound.
          (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
            (bind sock AF_INET INADDR_LOOPBACK 0)
            (test-equal "nobody listens" ECONNREFUSED
              (through "me:pw@" (sockaddr:port (getsockname sock))))))))))

(test-case "tinyproxy"
  (require-program "tinyproxy")
  (with-temporary-directory
   (lambda (directory)
     (define file (string-append directory "/conf"))
     (define port (free-port))
     (call-with-output-file file
       (lambda (out)
         (format out "Port ~a\nListen 127.0.0.1\nTimeout 20\nMaxClients 10\n\
Allow 127.0.0.1\nBasicAuth me pw\n" port)))
     (call-with-peer (list "tinyproxy" "-d" "-c" file)
       (lambda (peer)
         (listening-port peer)
         (define (proxy login)
           (format #f "http://~a127.0.0.1:~a" login port))
         (call-with-replies (list (reply) (reply))
           (lambda (target seen)
             (test-equal "a request" '(200 "hello")
               (get-values (uri-of target "/a") #:proxy (proxy "me:pw@")))
             (test-assert "reached the server"
               (string-prefix? "GET /a " (car (seen))))
             (test-equal "without a password" 407
               (car (get-values (uri-of target "/a") #:proxy (proxy "")))))))))))

(test-end "connect-proxy")
