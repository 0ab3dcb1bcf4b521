;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; WebSocket (RFC 6455), for servers of (sockport http) and for clients: how a
;;; connection begins.  Messages are sent and received by what is exported again
;;; from here.

(define-module (sockport websocket)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport client connection)
  #:use-module (sockport client open)
  #:use-module (sockport client request)
  #:use-module (sockport client response)
  #:use-module (sockport client upload)
  #:use-module (sockport client uri)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport primitive)
  #:use-module (sockport serve websocket-receive)
  #:use-module (sockport serve websocket-send)
  #:use-module (sockport task)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web uri)
  #:export (websocket-request?
            accept-websocket
            open-websocket)
  #:re-export (websocket?
               websocket-protocol
               websocket-socket
               websocket-open?
               websocket-close-code
               websocket-close-reason
               websocket-receive
               websocket-send
               websocket-ping
               websocket-close))

;;; Headers, as (web http) has parsed them or not.

(define (tokens value)
  "Return the elements of a header that is a list, in small letters."
  (map (lambda (part) (string-downcase (string-trim-both part)))
       (match value
         (#f '())
         ((? string?) (string-split value #\,))
         ((? symbol?) (list (symbol->string value)))
         ((parts ...) (map (lambda (part) (format #f "~a" part)) parts)))))

(define (headers-of message name)
  (append-map (match-lambda
                ((key . value) (if (eq? key name) (list value) '())))
              message))

(define (header message name)
  (match (headers-of message name)
    ((value) value)
    (_ #f)))

(define (has-token? message name token)
  (any (lambda (value) (member token (tokens value)))
       (headers-of message name)))

;;; Options that both sides have.

(define most-bytes #x1fffffff)

(define (check-options who protocols headers message-limit ping-seconds)
  (check-strings protocols #:protocols who)
  (check-that (list? headers) headers #:headers "alist" who)
  (check-integer message-limit 0 most-bytes #:message-limit who)
  (when ping-seconds
    (check-that (real? ping-seconds) ping-seconds #:ping-seconds
                "number of seconds, or #f" who)
    (unless (< 0 ping-seconds 1e9)
      (refuse-range who #:ping-seconds "more than 0 and less than 10^9 seconds"
                    ping-seconds))))

;;; The server's side: RFC 6455, 4.2.

(define (check-request request who)
  (check-that (request? request) request 1 "request" who))

(define (websocket-request? request)
  "Does REQUEST ask for a WebSocket?"
  (check-request request "websocket-request?")
  (->bool (has-token? (request-headers request) 'upgrade "websocket")))

(define key-characters
  (char-set-adjoin (char-set-intersection char-set:ascii
                                          char-set:letter+digit)
                   #\+ #\/))

;;; Sixteen bytes in base64.
(define (key? value)
  (and (string? value)
       (= 24 (string-length value))
       (string-every key-characters value 0 22)
       (string=? "==" (substring value 22))))

(define (same-origin? origin host secure?)
  "Is ORIGIN, a page's, of the HOST, a pair, that the request is for, SECURE? if it came
by TLS?"
  (let ((uri (false-if-exception (string->uri origin))))
    (and uri host
         (or (not secure?) (eq? 'https (uri-scheme uri)))
         (uri-host uri)
         (string-ci=? (string-trim-both (uri-host uri) (char-set #\[ #\]))
                      (string-trim-both (car host) (char-set #\[ #\])))
         (eqv? (or (uri-port uri) (default-port (uri-scheme uri)))
               (or (cdr host) (default-port (uri-scheme uri)))))))

(define (default-port scheme)
  (if (memq scheme '(https wss)) 443 80))

;;; Only browsers send one, and they let any page connect: RFC 6455, 10.2.  One that
;;; came without TLS may be of somebody else's making.
(define (good-origin? request origins)
  (let ((origin (assq-ref (request-headers request) 'origin)))
    (or (not origin)
        (eq? origins #t)
        (if (eq? origins 'same)
            (same-origin? origin (request-host request)
                          (layered? (request-port request)))
            (->bool (member origin origins))))))

(define (refusal code text . headers)
  (values (build-response #:code code
                          #:headers `((content-type . (text/plain)) ,@headers))
          (string-append text "\n")))

(define (chosen-protocol headers protocols)
  "Return the first of PROTOCOLS that the client offers, or #f."
  (let ((offered (append-map (lambda (value)
                               (map string-trim-both (string-split value #\,)))
                             (headers-of headers 'sec-websocket-protocol))))
    (find (lambda (protocol) (member protocol offered)) protocols)))

(define (fault request origins)
  "Return #f, or what `refusal' takes."
  (let ((headers (request-headers request)))
    (cond ((not (and (eq? 'GET (request-method request))
                     (not (equal? '(1 . 0) (request-version request)))
                     (websocket-request? request)
                     (has-token? headers 'connection "upgrade")))
           '(426 "This is a WebSocket." (upgrade . ("websocket"))
                 (connection . (upgrade))))
          ((not (equal? "13" (header headers 'sec-websocket-version)))
           '(426 "The version of WebSocket here is 13."
                 (sec-websocket-version . "13") (upgrade . ("websocket"))
                 (connection . (upgrade))))
          ((not (key? (header headers 'sec-websocket-key)))
           '(400 "Sec-WebSocket-Key has to be 16 bytes in base64."))
          ((not (good-origin? request origins))
           '(403 "Pages from elsewhere may not connect."))
          (else #f))))

(define (converse proc ws)
  (with-exception-handler
      (lambda (exception)
        (abandon-websocket ws (if (task-cancelled? exception) 1001 1011))
        (raise-exception exception))
    (lambda ()
      (proc ws)
      (websocket-close ws))))

(define-keyed (accept-websocket request proc #:key (protocols '())
                         (origins 'same) (headers '()) (message-limit 1048576)
                         (ping-seconds 30))
  "Return the two values with which a handler makes a WebSocket of the connection
that REQUEST came on: (PROC websocket) is called then, and the WebSocket is closed
when it returns.  If REQUEST is not right, the values are a response that says so."
  (check-request request "accept-websocket")
  (check-procedure proc 2 "accept-websocket")
  (check-that (or (memq origins '(#t same)) (list? origins)) origins #:origins
              "same, #t or list of strings" "accept-websocket")
  (check-options "accept-websocket" protocols headers message-limit ping-seconds)
  (match (fault request origins)
    ((code text . more) (apply refusal code text more))
    (#f
     (let* ((asked (request-headers request))
            (protocol (chosen-protocol asked protocols)))
       (values
        (build-response
         #:code 101
         #:headers
         `((upgrade . ("websocket"))
           (connection . (upgrade))
           (sec-websocket-accept
            . ,(%websocket-accept (header asked 'sec-websocket-key)))
           ,@(if protocol `((sec-websocket-protocol . ,protocol)) '())
           ,@headers))
        (lambda (sock)
          (converse proc
                    (make-websocket sock #:protocol protocol
                                    #:message-limit message-limit
                                    #:ping-seconds ping-seconds))))))))

;;; The client's side: RFC 6455, 4.1.

(define (refuse-url url)
  (scm-error 'misc-error "open-websocket"
             "Not the address of a WebSocket, like ws://host:port/path: ~S"
             (list url) #f))

(define (opening-request uri key protocols headers)
  (build-request uri
                 #:headers
                 `((upgrade . ("websocket"))
                   (connection . (upgrade))
                   (sec-websocket-key . ,key)
                   (sec-websocket-version . "13")
                   ,@(if (null? protocols)
                         '()
                         `((sec-websocket-protocol
                            . ,(string-join protocols ", "))))
                   ,@headers)))

;;; Of several protocols none is agreed on, and no extension was offered: 4.1.
(define (check-response response key protocols)
  (let* ((headers (response-headers response))
         (chosen (headers-of headers 'sec-websocket-protocol))
         (protocol (and (pair? chosen) (car chosen))))
    (define (refuse text . args)
      (scm-error 'misc-error "open-websocket" text args #f))
    (unless (= 101 (response-code response))
      (refuse "The server does not open a WebSocket: ~A ~A"
              (response-code response) (response-reason-phrase response)))
    (unless (and (has-token? headers 'upgrade "websocket")
                 (has-token? headers 'connection "upgrade")
                 (equal? (%websocket-accept key)
                         (header headers 'sec-websocket-accept))
                 (null? (headers-of headers 'sec-websocket-extensions))
                 (or (null? chosen)
                     (and (null? (cdr chosen)) (member protocol protocols))))
      (refuse "What the server says is not WebSocket: ~S" headers))
    protocol))

(define head-limit 65536)

(define (connected uri socket context verify-certificate? proxy proxy-context)
  (if socket
      (make-connection socket)
      (call-with-values
          (lambda ()
            (uri-route uri proxy context verify-certificate? proxy-context
                       "open-websocket"))
        open-connection)))

(define-keyed (open-websocket url #:key (protocols '()) (headers '())
                         (message-limit 1048576) (ping-seconds 30) socket
                         context (verify-certificate? #t) (proxy 'environment)
                         proxy-context)
  "Return a WebSocket that is connected to URL, like ws://host:port/path or
wss://host/path; over SOCKET, if it is given, a connected socket."
  (let ((uri (and (string? url) (false-if-exception (parse-uri url)))))
    (unless (and uri (memq (uri-scheme uri) '(ws wss)) (uri-host uri))
      (refuse-url url))
    (check-options "open-websocket" protocols headers message-limit ping-seconds)
    (check-that (or (not socket) (port? socket)) socket #:socket
                "connected socket" "open-websocket")
    (let* ((key (%websocket-key))
           (message (prepare (opening-request uri key protocols headers) #f
                             #:keep? #t))
           (connection (connected uri socket context verify-certificate?
                                  proxy proxy-context))
           (done? #f))
      (call-with-cleanup
       (lambda ()
         (send-head connection message)
         (let ((protocol (check-response
                          (next-response connection head-limit)
                          key protocols)))
           (set! done? #t)
           (make-websocket (connection-port connection) #:client? #t
                           #:protocol protocol #:message-limit message-limit
                           #:ping-seconds ping-seconds)))
       (lambda ()
         (unless done? (close-quietly connection)))))))
