;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A back end for Guile's (web server):
;;;
;;;   (run-server handler 'sockport '(#:port 8080))
;;;
;;; `run-server' asks its back end for a request, calls the handler itself, and
;;; hands the response back, one request at a time.  So the connections are served
;;; in a thread of their own, and what is to be handled goes through a channel.

(define-module (web server sockport)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport address)
  #:use-module (sockport channel)
  #:use-module (sockport constant)
  #:use-module (sockport http)
  #:use-module (sockport io argument)
  #:use-module (sockport io called)
  #:use-module (sockport io keyword)
  #:use-module (sockport log)
  #:use-module (sockport ports lock)
  #:use-module (sockport serve listeners)
  #:use-module (sockport serve options)
  #:use-module (sockport server)
  #:use-module (sockport socket)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web server)
  #:export (sockport))

;;; REQUESTS carries exchanges.  SERVER is a box of that of `serve', THREAD where it runs;
;;; both are #f before the first request is asked for.  Once this is closed, the box has
;;; `closed', and no thread begins; LOCK is held while one does.
(define-record-type <web-server>
  (make-web-server listeners options requests server lock thread)
  web-server?
  (listeners web-server-listeners)
  (options web-server-options)
  (requests web-server-requests)
  (server web-server-server)
  (lock web-server-lock)
  (thread web-server-thread set-web-server-thread!))

;;; RESPONSES gets a pair of a response and a body.
(define-record-type <exchange>
  (make-exchange request body responses)
  exchange?
  (request exchange-request)
  (body exchange-body)
  (responses exchange-responses))

;;; Opening.

(define (where host family addr port listen)
  (cond (listen listen)
        (host (make-socket-address family (host-number host family) port))
        (else (make-socket-address family addr port))))

(define (host-number host family)
  (or (and (string? host) (false-if-exception (inet-pton family host)))
      (refuse-type "run-server" #:host
                   "text of a numeric address of #:family; #:listen takes names"
                   host)))

(define (check-number-of-port value position who)
  (check-integer value 0 65535 position who))

(define own-options
  `((#:port . ,check-number-of-port)
    (#:socket . ,(lambda (value position who)
                   (when value (check-port value position who))))
    ,@(unchecked '(#:host #:family #:addr #:listen))))
(define own (map car own-options))

(define (open-server . options)
  (define (own? key) (memq key own))
  (define (listener's? key) (memq key listener-options))
  (check-options options `(,@own-options ,@http-options) "run-server")
  (make-web-server (apply listeners-at (filter-keywords listener's? options)
                          (filter-keywords own? options))
                   (filter-keywords (negate own?) options)
                   (make-channel) (make-atomic-box #f) (make-mutex) #f))

(define* (listeners-at options #:key host (family AF_INET) (addr INADDR_LOOPBACK)
                       (port 8080) socket listen)
  (cond (socket
         (false-if-exception (listen-again socket))
         (list socket))
        (else
         (let ((where (where host family addr port listen)))
           (car (in-place-of "run-server" '((1 . #:listen)) "run-server"
                  (lambda ()
                    (raising-as "run-server" '("listen-on")
                      (apply open-listeners where 1 options)))))))))

;;; Guile's own takes a socket that is bound, and listens.
(define (listen-again socket)
  ((@ (sockport socket) listen) socket SOMAXCONN))

;;; The thread of the connections.

(define (hand-over web-server)
  (lambda (request body)
    (let ((responses (make-channel 1)))
      (channel-put (web-server-requests web-server)
                   (make-exchange request body responses))
      (match (channel-get responses)
        ((response . body) (values response body))))))

(define* (serve-listeners web-server #:key (on-listen (const #t))
                          #:allow-other-keys #:rest options)
  (apply serve-http (web-server-listeners web-server) (hand-over web-server)
         #:signals (list SIGTERM SIGINT)
         `(,@options
           #:on-listen ,(lambda (server)
                          ;; It may have been closed since the thread began.
                          (when (atomic-box-compare-and-swap!
                                 (web-server-server web-server) #f server)
                            (stop-server! server #t))
                          (on-listen server)))))

(define (serve-connections web-server)
  (catch #t
    (lambda ()
      (apply serve-listeners web-server (web-server-options web-server)))
    (lambda (key . args)
      (log-line (call-with-output-string
                  (lambda (port)
                    (print-exception port #f key args))))))
  (channel-close! (web-server-requests web-server)))

;;; Guile's server goes on for ever; `interrupt' is how it ends.
(define (read-request web-server)
  (with-lock (web-server-lock web-server)
    (when (eq? 'closed (atomic-box-ref (web-server-server web-server)))
      (throw 'interrupt))
    (unless (web-server-thread web-server)
      (set-web-server-thread!
       web-server
       (call-with-new-thread (lambda () (serve-connections web-server))))))
  (match (channel-get (web-server-requests web-server))
    ((? eof-object?) (throw 'interrupt))
    (exchange (values exchange
                      (exchange-request exchange)
                      (exchange-body exchange)))))

;;; A body of no bytes stands for none, which a response to HEAD must not take for
;;; the size that GET would have.
(define (write-response web-server exchange response body)
  (let ((none? (and (bytevector? body)
                    (zero? (bytevector-length body))
                    (not (response-content-length response))
                    (eq? 'HEAD (request-method (exchange-request exchange))))))
    (channel-put (exchange-responses exchange)
                 (cons response (and (not none?) body))))
  (values))

(define (close-server web-server)
  (let ((server (with-lock (web-server-lock web-server)
                  (atomic-box-swap! (web-server-server web-server) 'closed)))
        (thread (web-server-thread web-server)))
    (when (server? server)
      (stop-server! server #t))
    (when thread
      (join-thread thread)))
  (for-each close-listener (web-server-listeners web-server)))

(define-server-impl sockport
  open-server
  read-request
  write-response
  close-server)
