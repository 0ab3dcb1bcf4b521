;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A client of HTTP with the names and keywords of Guile's own (web client): a
;;; program needs another name in its use-modules, and nothing else, to have
;;; requests that suspend their task, end at a deadline, and notice what is cut.

(define-module (sockport web-client)
  #:use-module (ice-9 match)
  #:use-module (sockport client connection)
  #:use-module (sockport client error)
  #:use-module (sockport client exchange)
  #:use-module (sockport client gzip)
  #:use-module (sockport client open)
  #:use-module (sockport client pool)
  #:use-module (sockport client proxy)
  #:use-module (sockport client redirect)
  #:use-module (sockport client request)
  #:use-module (sockport client response)
  #:use-module (sockport client upload)
  #:use-module (sockport client uri)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport io called)
  #:use-module (web http)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web uri)
  #:re-export (current-http-proxy
               current-https-proxy
               current-all-proxy
               current-no-proxy
               x509-certificate-directory
               make-http-pool
               http-pool?
               http-pool-idle
               close-http-pool
               &http-error
               http-error?
               http-error-reason
               http-error-code
               http-error-request
               http-error-response
               response-trailers
               response-invalid-headers)
  #:export (current-http-pool
            open-socket-for-uri
            http-request
            http-get
            http-head
            http-post
            http-put
            http-delete
            http-trace
            http-options))

(define current-http-pool (make-parameter #f))

(define (ensure-uri uri who)
  (cond ((uri-reference? uri) uri)
        ((and (string? uri) (parse-uri uri)))
        (else (refuse-type who 1 "URI, as \"http://host/path\"" uri))))

;;; (web request) wants a port for some methods, before there is one.
(define no-port (%make-void-port "r+"))

(define (check-place uri)
  (unless (and (memq (uri-scheme uri) '(http https)) (uri-host uri))
    (refuse "Not the URI of a page, like http://host/path: ~A"
            (uri->string uri))))

(define (checked-uri uri port)
  "Return the URI that a request over PORT, or over a connection of its own, is for."
  (let ((uri (ensure-uri uri "http-request")))
    (unless port (check-place uri))
    uri))

;;; How a request is made: by PORT, which is the user's, or by a connection of its
;;; own, of POOL if there is one.

(define (over-port port request body settings keep-alive?)
  (when (output-port? port) (force-output port))
  (let* ((message (prepare request body #:keep? keep-alive?
                           #:absolute? (http-proxy-port? port)))
         (connection (make-connection port)))
    (exchange connection request message settings
              (release-to #f keep-alive?))))

(define (idempotent? request)
  (memq (request-method request) '(GET HEAD OPTIONS TRACE PUT DELETE)))

(define (release-to pool keep-alive?)
  (lambda (connection keep? clean?)
    (cond ((and pool keep?) (give-connection! pool connection))
          ;; In the middle of a body no other request can follow.
          ((and keep-alive? clean? (not pool)) #t)
          (else (close-connection connection)))))

(define (over-own request body settings keep-alive? pool route key)
  (let* ((asked (route-asks-proxy route))
         (message (prepare request body #:keep? (or pool keep-alive?)
                           #:absolute? asked
                           #:more (if asked (proxy-login-headers asked) '())))
         (release (release-to pool keep-alive?))
         (kept (and pool (take-connection! pool key))))
    (define (over connection)
      (exchange connection request message settings release))
    (define (over-new)
      (over (open-connection route key)))
    (cond ((not kept) (over-new))
          ((and (idempotent? request) (message-again? message))
           (call-with-values
               (lambda () (unless-stale kept (lambda () (over kept))))
             (case-lambda
               ((response body) (values response body))
               ((stale) (over-new)))))
          (else (over kept)))))

(define (unless-stale connection thunk)
  "Return the values of THUNK; one value if CONNECTION was closed by the server."
  (let ((tag (make-prompt-tag "stale")))
    (call-with-prompt tag
      (lambda ()
        (with-exception-handler
            (lambda (exception)
              (if (stale? connection exception)
                  (abort-to-prompt tag)
                  (raise-exception exception #:continuable? #t)))
          thunk))
      (lambda (k) 'stale))))

(define (discard body)
  (when (port? body) (close-port body)))

(define (follow request body left one-request)
  "Return what (ONE-REQUEST request body) does, or what it is redirected to, LEFT
times at most."
  (call-with-values (lambda () (one-request request body))
    (lambda (response content)
      (cond ((or (not left) (not (redirect? response)))
             (values response content))
            ((zero? left)
             (discard content)
             (raise-http-error 'too-many-redirects request response
                               "there are more redirects than were asked for"))
            (else
             (discard content)
             (call-with-values (lambda () (redirected request response))
               (lambda (request body-too?)
                 (when (and body-too? (port? body))
                   (raise-http-error 'bad-redirect request response
                                     "a body that was a port cannot be sent \
once more, to where a response redirects"))
                 (follow request (and body-too? body) (- left 1)
                         one-request))))))))

(define (check-parts method version headers request pool port)
  (check-that (symbol? method) method #:method "symbol" "http-request")
  (check-that (pair? version) version #:version "pair of integers" "http-request")
  (check-that (list? headers) headers #:headers "alist" "http-request")
  (check-that (or (not request) (request? request)) request #:request "request"
              "http-request")
  (check-that (or (not pool) (http-pool? pool)) pool #:pool "http-pool"
              "http-request")
  (when port
    (check-that (port? port) port #:port "port" "http-request")))

(define (check-limits head-limit body-limit redirects port)
  (check-integer head-limit 1 #x7fffffff #:head-limit "http-request")
  (when body-limit
    (check-integer body-limit 0 (ash 1 62) #:body-limit "http-request"))
  (when redirects
    (check-integer redirects 0 1000 #:redirects "http-request")
    (when port
      (refuse "#:redirects needs connections of its own, not #:port"))))

(define-keyed (http-request uri #:key body (verify-certificate? #t) port
                         (method 'GET) (version '(1 . 1)) keep-alive?
                         (headers '()) (decode-body? #t) streaming? request
                         (pool (and (not port) (current-http-pool))) redirects
                         (head-limit 65536) body-limit context
                         (proxy 'environment) proxy-context gzip?)
  "Ask for URI, and return the response and its body: a string if it is text and
DECODE-BODY?, a bytevector, #f if there is none, or with STREAMING? a port."
  (check-parts method version headers request pool port)
  (check-limits head-limit body-limit redirects port)
  (let ((request (or request
                     (build-request (checked-uri uri port)
                                    #:method method #:version version
                                    #:headers (if (and gzip? (not streaming?))
                                                  (gzip-header headers)
                                                  headers)
                                    #:port (or port no-port))))
        (settings (make-settings streaming? decode-body? gzip? head-limit
                                 body-limit)))
    (if port
        (over-port port request body settings keep-alive?)
        (follow request body redirects
                (lambda (request body)
                  (check-place (request-uri request))
                  (call-with-values
                      (lambda ()
                        (uri-route (request-uri request) proxy context
                                   verify-certificate? proxy-context
                                   "http-request"))
                    (lambda (route key)
                      (over-own request body settings keep-alive? pool
                                route key))))))))

(define-keyed (open-socket-for-uri uri #:key (verify-certificate? #t) context
                         (proxy 'environment) proxy-context)
  "Return a port that is connected to the host of URI, or to its proxy."
  (let ((uri (ensure-uri uri "open-socket-for-uri")))
    (check-place uri)
    (call-with-values
        (lambda ()
          (uri-route uri proxy context verify-certificate? proxy-context
                     "open-socket-for-uri"))
      (lambda (route key)
        (let ((port (connection-port (open-connection route key))))
          (setvbuf port 'block 65536)
          (when (route-asks-proxy route)
            (set-http-proxy-port?! port #t))
          port)))))

(define-syntax-rule (define-verb name method)
  (define (name uri . options)
    (raising-as (symbol->string 'name) '("http-request")
      (apply http-request uri #:method 'method options))))

(define-verb http-get GET)
(define-verb http-head HEAD)
(define-verb http-post POST)
(define-verb http-put PUT)
(define-verb http-delete DELETE)
(define-verb http-trace TRACE)
(define-verb http-options OPTIONS)
