;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Proxies: what a text such as socks5://user:password@host:port means, and how one
;;; is asked, over a socket that is connected to it, for a connection to a host: by
;;; CONNECT (RFC 9110, 9.3.6) or SOCKS (RFC 1928, RFC 1929).  The host's name goes to
;;; the proxy as it is.  Nothing behind the proxy's last byte is taken from the
;;; socket, which is a port of TLS where the proxy is one of https.

(define-module (sockport client proxy)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport address)
  #:use-module (sockport client connection)
  #:use-module (sockport client error)
  #:use-module (sockport client request)
  #:use-module (sockport client secure)
  #:use-module (sockport client uri)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport io close)
  #:use-module (sockport primitive)
  #:use-module (sockport task)
  #:use-module (sockport transfer)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web uri)
  #:export (read-proxy
            proxy-kind
            proxy-host
            proxy-port
            proxy-secure?
            proxy-login-headers
            connect-by-proxy))

(define-record-type <proxy>
  (make-proxy kind host port user password)
  proxy?
  (kind proxy-kind)                     ; http, https or socks5
  (host proxy-host)
  (port proxy-port)
  (user proxy-user)
  (password proxy-password))

(define kinds
  '((http http . 80) (https https . 443) (socks5 socks5 . 1080)
    (socks5h socks5 . 1080) (socks socks5 . 1080)))

(define (read-proxy who value)
  "Return the proxy that VALUE, a text or a URI, stands for."
  (let* ((uri (cond ((uri? value) value)
                    ((not (string? value)) #f)
                    ((string-contains value "://") (parse-uri value))
                    (else (parse-uri (string-append "http://" value)))))
         (kind (and uri (uri-host uri) (assq-ref kinds (uri-scheme uri)))))
    (unless kind
      (refuse-type who #:proxy
                   "text such as http://host:port, https://host:port or \
socks5://host:port" value))
    (let ((login (split-login (uri-userinfo uri))))
      (make-proxy (car kind) (uri-host uri) (or (uri-port uri) (cdr kind))
                  (and login (car login)) (and login (cdr login))))))

(define (proxy-secure? proxy)
  "Is PROXY itself reached by TLS?"
  (eq? 'https (proxy-kind proxy)))

(define (proxy-login-headers proxy)
  (if (proxy-user proxy)
      `((proxy-authorization
         . ,(basic-login (proxy-user proxy) (proxy-password proxy))))
      '()))

;;; CONNECT.

(define head-limit 65536)

(define (connect-bytes proxy host port)
  (let ((place (host-text host port)))
    (%http-request-bytes (header-memory) 'CONNECT place place 1
                         (proxy-login-headers proxy) 0 0 #f #f)))

;;; What is looked at is taken only up to the end of the head: what follows is for
;;; whoever reads the socket next.
(define (see-more! sock bytes have)
  "Store what comes next at HAVE into BYTES; return how much was seen, and how much of
that was taken."
  (if (layered? sock)
      ;; Nothing can be looked at there, and a byte does not cost a system call.
      (let ((taken (recv! sock bytes 0 have (+ have 1))))
        (values taken taken))
      (values (recv! sock bytes MSG_PEEK have) 0)))

(define (read-head-exactly sock)
  "Read a head of HTTP from SOCK; return its parts, or #f if it is none."
  (let ((head (%make-http-head)) (bytes (make-bytevector (+ head-limit 1))))
    (define (take! from to)
      (unless (= from to)
        (recv! sock bytes 0 from to)))
    (%http-head-begin-response! head head-limit)
    (let next ((have 0))
      (call-with-values (lambda () (see-more! sock bytes have))
        (lambda (seen taken)
          (let ((end (+ have seen))
                (size (%http-head-parse! head bytes 0 (+ have seen))))
            (cond ((zero? seen) #f)
                  ((not size)
                   (take! (+ have taken) end)
                   (next end))
                  ((negative? size) #f)
                  (else
                   (take! (+ have taken) size)
                   (%http-response-parts head bytes 0 (header-memory))))))))))

(define most-interim 100)

(define (read-final-head sock)
  "The same, of a response that is not an interim one."
  (let next ((left most-interim))
    (let ((parts (read-head-exactly sock)))
      (if (and parts (positive? left) (< (vector-ref parts 0) 200))
          (next (- left 1))
          parts))))

(define (fail reason response message . irritants)
  (apply raise-http-error reason #f response message irritants))

(define (ask-http proxy sock host port)
  (send sock (connect-bytes proxy host port))
  (match (read-final-head sock)
    (#f (fail 'bad-proxy #f "the proxy ~a sent no response of HTTP"
              (proxy-host proxy)))
    (#(code reason minor headers _ _ _)
     (let ((response (build-response #:version (cons 1 minor) #:code (min code 599)
                                     #:reason-phrase reason #:headers headers
                                     #:validate-headers? #f)))
       (unless (<= 200 code 299)
         (fail (if (= code 407) 'proxy-login 'proxy-refused) response
               "the proxy ~a refuses a connection to ~a: ~a ~a"
               (proxy-host proxy) (host-text host port) code reason))))))

;;; SOCKS.

(define (receive-exactly sock count)
  (let ((bytes (make-bytevector count)))
    (let next ((have 0))
      (if (= have count)
          bytes
          (let ((got (recv! sock bytes 0 have count)))
            (when (zero? got)
              (fail 'bad-proxy #f "the SOCKS proxy closed the connection"))
            (next (+ have got)))))))

(define (bytes . parts)
  "Return the bytes that PARTS are, integers and bytevectors."
  (u8-list->bytevector
   (append-map-parts parts)))

(define (append-map-parts parts)
  (apply append
         (map (lambda (part)
                (if (bytevector? part) (bytevector->u8-list part) (list part)))
              parts)))

(define (counted text what)
  "Return TEXT in UTF-8 behind its length."
  (let* ((utf8 (string->utf8 text)) (size (bytevector-length utf8)))
    (unless (<= 1 size 255)
      (refuse "~A for a SOCKS proxy has to be of 1 to 255 bytes: ~S" what text))
    (bytes size utf8)))

(define (log-in proxy sock)
  (send sock (bytes 1 (counted (proxy-user proxy) "A name")
                    (counted (proxy-password proxy) "A password")))
  (unless (zero? (bytevector-u8-ref (receive-exactly sock 2) 1))
    (fail 'proxy-login #f "the SOCKS proxy ~a does not take the name and password"
          (proxy-host proxy))))

(define (greet proxy sock)
  (send sock (if (proxy-user proxy) #vu8(5 2 0 2) #vu8(5 1 0)))
  (match (bytevector->u8-list (receive-exactly sock 2))
    ((5 0) #t)
    ((5 2) (if (proxy-user proxy)
               (log-in proxy sock)
               (fail 'proxy-login #f "the SOCKS proxy ~a wants a password"
                     (proxy-host proxy))))
    ((5 255) (fail 'proxy-login #f
                   "the SOCKS proxy ~a wants another way to log in"
                   (proxy-host proxy)))
    (_ (fail 'bad-proxy #f "~a is no SOCKS proxy of version 5"
             (proxy-host proxy)))))

(define (host->number family host)
  (catch 'misc-error
    (lambda () (inet-pton family host))
    (const #f)))

(define (number->bytes number size)
  (let ((bytes (make-bytevector size)))
    (bytevector-uint-set! bytes 0 number (endianness big) size)
    bytes))

(define (destination host)
  (cond ((host->number AF_INET host)
         => (lambda (number) (bytes 1 (number->bytes number 4))))
        ((host->number AF_INET6 host)
         => (lambda (number) (bytes 4 (number->bytes number 16))))
        (else (bytes 3 (counted host "The name of a host")))))

;;; RFC 1928, 6.
(define errnos
  (vector #f ECONNABORTED EACCES ENETUNREACH EHOSTUNREACH ECONNREFUSED ETIMEDOUT
          EOPNOTSUPP EAFNOSUPPORT))

(define (refused code host)
  (let ((errno (if (< 0 code (vector-length errnos))
                   (vector-ref errnos code)
                   ECONNABORTED)))
    (scm-error 'system-error "connect-to" "a SOCKS proxy, for ~A: ~A"
               (list host (strerror errno)) (list errno))))

(define (skip-address sock)
  (match (bytevector->u8-list (receive-exactly sock 2))
    ((_ 1) (receive-exactly sock 6))
    ((_ 4) (receive-exactly sock 18))
    ((_ 3) (receive-exactly
                sock (+ 2 (bytevector-u8-ref (receive-exactly sock 1) 0))))
    (_ (fail 'bad-proxy #f "the SOCKS proxy sent no address"))))

(define (ask-socks5 proxy sock host port)
  (greet proxy sock)
  (send sock (bytes 5 1 0 (destination host) (number->bytes port 2)))
  (let ((reply (receive-exactly sock 2)))
    (unless (= 5 (bytevector-u8-ref reply 0))
      (fail 'bad-proxy #f "~a is no SOCKS proxy of version 5"
            (proxy-host proxy)))
    (let ((code (bytevector-u8-ref reply 1)))
      (unless (zero? code) (refused code host))
      (skip-address sock))))

(define (proxy-context proxy context)
  "Return what TLS with PROXY itself needs to know: CONTEXT, or if that is #f the
context of those that name none; #f for a proxy without TLS."
  (and (proxy-secure? proxy)
       (or context ((tls 'current-tls-context)))))

(define (connect-by-proxy value host port context connect)
  "Return a socket, or a port of TLS, that the proxy VALUE, a text, has connected to
PORT of HOST; (CONNECT host port context) returns one that is connected to the proxy,
by TLS if there is a CONTEXT."
  (let* ((proxy (read-proxy "connect-to" value))
         (ask (if (eq? 'socks5 (proxy-kind proxy)) ask-socks5 ask-http))
         (sock (connect (proxy-host proxy) (proxy-port proxy)
                        (proxy-context proxy context)))
         (done? #f))
    (call-with-cleanup
     (lambda ()
       (ask proxy sock host port)
       (set! done? #t)
       sock)
     (lambda ()
       (unless done? (close-port sock))))))
