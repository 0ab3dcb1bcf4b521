;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Serving HTTP: requests and responses of Guile's own (web request) and (web
;;; response), each connection in a task, one request after the other.

(define-module (sockport http)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (sockport io secure)
  #:use-module (sockport log)
  #:use-module (sockport serve http-admission)
  #:use-module (sockport serve http-body)
  #:use-module (sockport serve http-connection)
  #:use-module (sockport serve http-phase)
  #:use-module (sockport serve http-site)
  #:use-module (sockport serve request-id)
  #:use-module (sockport server)
  #:use-module (sockport task)
  #:export (serve-http
            server-statistics)
  #:re-export (body-trailers))

;;; From servers to what they have counted.
(define servers (make-weak-key-hash-table))
(define servers-lock (make-mutex))

(define (remember! server settings)
  (with-mutex servers-lock
    (hashq-set! servers server settings)))

(define (server-statistics server)
  "Return an alist of what SERVER, one of `serve-http', has counted since it began,
and of how many connections are open."
  (let ((settings (with-mutex servers-lock (hashq-ref servers server))))
    (unless settings
      (scm-error 'wrong-type-arg "server-statistics"
                 "Wrong type argument in position ~A (expecting ~A): ~S"
                 (list 1 "server of serve-http" server) (list server)))
    (http-statistics settings)))

(define own
  '(#:idle-seconds #:request-seconds #:minimum-rate #:head-limit #:target-limit
    #:body-limit #:body-port? #:connections #:connections-per-address
    #:on-response
    #:prologue #:request-id #:on-listen))

(define (without-own options)
  (match options
    (() '())
    ((key value . rest)
     (if (memq key own)
         (without-own rest)
         (cons* key value (without-own rest))))))

(define (refuse key wanted value)
  (scm-error key "serve-http" "Bad argument (expecting ~A): ~S"
             (list wanted value) (list value)))

(define (check-count name value least)
  (cond ((not (exact-integer? value))
         (refuse 'wrong-type-arg (format #f "~a, an integer" name) value))
        ((not (<= least value #x7fffffff))
         (refuse 'out-of-range
                 (format #f "~a, from ~a to 2147483647" name least) value))))

(define (check-seconds name value)
  (when value
    (cond ((not (real? value))
           (refuse 'wrong-type-arg (format #f "~a, a number or #f" name) value))
          ((not (< 0 value 1e9))
           (refuse 'out-of-range (format #f "~a, more than 0 and less than 10^9" name)
                   value)))))

(define (check-procedure name value)
  (unless (or (boolean? value) (procedure? value))
    (refuse 'wrong-type-arg (format #f "~a, a procedure" name) value)))

(define (with-lenient options)
  "Return OPTIONS, where the end of TLS need not be told: HTTP does so itself."
  (match options
    (() '())
    ((#:tls (? security? security) . rest)
     (cons* #:tls (lenient-server security) (with-lenient rest)))
    ((key value . rest) (cons* key value (with-lenient rest)))))

(define* (serve-http where handler #:key (workers 1) (idle-seconds 75)
                     (request-seconds 60) (minimum-rate 500)
                     (head-limit 65536) (target-limit 8192)
                     (body-limit 67108864) body-port? connections
                     connections-per-address
                     (log log-line) on-response prologue request-id
                     (on-listen (const #t))
                     #:allow-other-keys #:rest options)
  "Serve HTTP at WHERE: call (HANDLER request body) for each request, and send the
response and the body that it returns.  OPTIONS are those of @code{serve}, too."
  (unless (procedure? handler)
    (scm-error 'wrong-type-arg "serve-http"
               "Wrong type argument in position ~A (expecting ~A): ~S"
               (list 2 "procedure" handler) (list handler)))
  (check-count "head-limit" head-limit 1)
  (check-count "target-limit" target-limit 1)
  (when body-limit (check-count "body-limit" body-limit 0))
  (check-count "minimum-rate" minimum-rate 1)
  (when connections
    (check-count "connections" connections 1))
  (when connections-per-address
    (check-count "connections-per-address" connections-per-address 1))
  (check-seconds "idle-seconds" idle-seconds)
  (check-seconds "request-seconds" request-seconds)
  (for-each check-procedure '("body-port?" "on-response" "prologue" "request-id")
            (list body-port? on-response prologue request-id))
  (let* ((shares (make-vector (if (exact-integer? workers) workers 1) #f))
         (settings (make-settings handler head-limit target-limit body-limit
                                  body-port? idle-seconds request-seconds
                                  minimum-rate
                                  (make-admission connections
                                                  connections-per-address)
                                  log on-response prologue
                                  (if (eq? request-id #t)
                                      new-request-id
                                      request-id)
                                  shares)))
    (define (share-here)
      (vector-ref shares (if (= 1 (vector-length shares)) 0 (current-worker))))
    (let fill ((worker 0))
      (when (< worker (vector-length shares))
        (vector-set! shares worker (make-share settings))
        (fill (+ worker 1))))
    (apply serve where
           (lambda (sock peer) (converse (share-here) sock peer))
           #:on-stop (lambda (server) (end-idle! (share-here)))
           #:on-listen (lambda (server)
                         (remember! server settings)
                         (on-listen server))
           (with-lenient (without-own options)))))
