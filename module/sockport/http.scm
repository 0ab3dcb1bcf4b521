;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Serving HTTP: requests and responses of Guile's own (web request) and (web
;;; response), each connection in a task, one request after the other.

(define-module (sockport http)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport ports lock)
  #:use-module (sockport io secure)
  #:use-module (sockport log)
  #:use-module (sockport primitive)
  #:use-module (sockport serve http-admission)
  #:use-module (sockport serve http-body)
  #:use-module (sockport serve http-connection)
  #:use-module (sockport serve http-phase)
  #:use-module (sockport serve http-site)
  #:use-module (sockport serve options)
  #:use-module (sockport serve request-id)
  #:use-module (sockport serve run)
  #:use-module (sockport task)
  #:export (serve-http
            server-statistics)
  #:re-export (body-trailers))

;;; From servers to what they have counted.
(define servers (make-weak-key-hash-table))
(define servers-lock (make-mutex))

(define (remember! server settings)
  (with-lock servers-lock
    (hashq-set! servers server settings)))

(define (server-statistics server)
  "Return an alist of what SERVER, one of `serve-http', has counted since it began,
and of how many connections are open."
  (let ((settings (with-lock servers-lock (hashq-ref servers server))))
    (check-that settings server 1 "server of serve-http" "server-statistics")
    (http-statistics settings)))

(define own
  '(#:idle-seconds #:request-seconds #:minimum-rate #:head-limit #:target-limit
    #:body-limit #:body-port? #:connections #:connections-per-address
    #:on-response
    #:prologue #:request-id #:on-listen #:on-stop))

(define (without-own options)
  (filter-keywords (negate (lambda (key) (memq key own))) options))

(define (with-lenient options)
  "Return OPTIONS, where the end of TLS need not be told: HTTP does so itself."
  (match options
    (() '())
    ((#:tls (? security? security) . rest)
     (cons* #:tls (lenient-server security) (with-lenient rest)))
    ((key value . rest) (cons* key value (with-lenient rest)))))

;;; A request leaves three kilobytes behind, and a collection, which marks Guile's modules
;;; and all others, makes every client wait for ten milliseconds: with twice the heap that
;;; a loop has, half of them are spared.
(define heap-reserve (ash 64 20))

;;; One of CONNECTIONS is counted once its handshake is done.  As many others may have
;;; theirs, or hear that there is no room: more would cost descriptors without end.
(define (most-with-tls connections)
  (+ (* 2 connections) 64))

(define* (serve-checked where handler #:key (workers 1) (idle-seconds 75)
                        (request-seconds 60) (minimum-rate 500)
                        (head-limit 65536) (target-limit 8192)
                        (body-limit 67108864) body-port? connections
                        connections-per-address
                        (log log-line) on-response prologue tls request-id
                        (on-listen (const #t)) (on-stop (const #t))
                        #:allow-other-keys #:rest options)
  (let* ((shares (make-vector workers #f))
         (settings (make-settings handler head-limit target-limit body-limit
                                  body-port? idle-seconds request-seconds
                                  minimum-rate
                                  (make-admission connections
                                                  connections-per-address)
                                  log on-response
                                  ;; What comes before TLS is no matter of HTTP.
                                  (and (not tls) prologue)
                                  (if (eq? request-id #t)
                                      new-request-id
                                      request-id)
                                  shares)))
    (define (share-here)
      (vector-ref shares (if (= 1 (vector-length shares)) 0 (current-worker))))
    (%reserve-heap heap-reserve)
    (let fill ((worker 0))
      (when (< worker (vector-length shares))
        (vector-set! shares worker (make-share settings))
        (fill (+ worker 1))))
    (apply serve-as "serve-http" where
           (lambda (sock peer) (converse (share-here) sock peer))
           #:prologue (and tls prologue)
           #:connections (and tls connections (most-with-tls connections))
           #:on-stop (lambda (server)
                       (end-idle! (share-here))
                       (on-stop server))
           #:on-listen (lambda (server)
                         (remember! server settings)
                         (on-listen server))
           (with-lenient (without-own options)))))

(define (serve-http where handler . options)
  "Serve HTTP at WHERE: call (HANDLER request body) for each request, and send the
response and the body that it returns.  The OPTIONS are those of @code{serve}, and
#:request-seconds, #:minimum-rate, #:head-limit, #:target-limit, #:body-limit,
#:body-port?, #:connections-per-address, #:on-response, #:prologue and #:request-id."
  (check-server-arguments "serve-http" handler '("the request" "the body") options
                          http-options)
  (apply serve-checked where handler options))
