;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; One request over one connection, and its response.  Whatever ends it on the way
;;; closes the connection.

(define-module (sockport client exchange)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-9)
  #:use-module (sockport client connection)
  #:use-module (sockport client error)
  #:use-module (sockport client gzip)
  #:use-module (sockport client response)
  #:use-module (sockport client upload)
  #:use-module (sockport constant)
  #:use-module (sockport deadline)
  #:use-module (sockport io secure)
  #:use-module (sockport task)
  #:use-module (web request)
  #:use-module (web response)
  #:export (make-settings
            exchange
            stale?))

(define-record-type <settings>
  (make-settings streaming? decode? gzip? head-limit body-limit)
  settings?
  (streaming? settings-streaming?)
  (decode? settings-decode?)
  (gzip? settings-gzip?)
  (head-limit settings-head-limit)
  (body-limit settings-body-limit))

;;; Sending.

;; RFC 9110, 10.1.1: not everybody sends 100 Continue.
(define patience 1)

(define (early-response connection limit)
  "Wait for what the server says of the head alone.  Return a response, its flags
and its length in a list, or #f if the body may follow."
  (with-deadline patience
    (lambda ()
      (call-with-values
          (lambda () (next-response connection limit #:continue? #t))
        (lambda (response . rest)
          (if (= 100 (response-code response))
              (begin (set-connection-response! connection #f) #f)
              (cons response rest)))))
    (const #f)))

;;; Only what the connection has raised, not what the procedure of a body has.
(define (gone? args)
  (and (member (cadr args) '("send" "write"))
       (memv (system-error-errno args) (list EPIPE ECONNRESET))
       #t))

(define (send-message connection message limit)
  "Send MESSAGE.  Return #f when all of it went, a list as of `early-response', or
the arguments of the error that the server has caused, which may have said why."
  (catch 'system-error
    (lambda ()
      (send-head connection message)
      (or (and (message-waits? message)
               (early-response connection limit))
          (begin
            (send-body connection message)
            #f)))
    (lambda args
      (if (gone? args) args (apply throw args)))))

(define (response-despite failure connection limit)
  "Return the response that came before FAILURE, the arguments of an error, did."
  (define (fail)
    (apply throw failure))
  (catch #t
    (lambda () (next-response connection limit))
    (lambda (key . args)
      (if (memq key '(http-error system-error tls-error))
          (fail)
          (apply throw key args)))))

(define (response-to connection message limit)
  "Send MESSAGE and return the response, its flags and its length, and whether all
of MESSAGE was sent."
  (match (send-message connection message limit)
    (#f
     (call-with-values (lambda () (next-response connection limit))
       (lambda results (apply values (append results '(#t))))))
    ((and failure ('system-error . _))
     (call-with-values
         (lambda () (response-despite failure connection limit))
       (lambda results (apply values (append results '(#f))))))
    (results (apply values (append results '(#f))))))

;;; The whole.

(define (keeps? response flags kind request)
  "Can another request follow over the connection?"
  (and (not (logtest CLOSE flags))
       (or (equal? '(1 . 1) (response-version response))
           (logtest KEEP-ALIVE flags))
       (not (eq? kind 'close))
       (not (memq 'close (request-connection request '())))
       (not (= 101 (response-code response)))
       (not (eq? 'CONNECT (request-method request)))))

(define (body connection request response kind length settings end)
  (if (eq? kind 'none)
      (begin (end #t) #f)
      ((if (settings-streaming? settings) response-body-stream response-body)
       connection response kind length
       #:limit (settings-body-limit settings)
       #:head-limit (settings-head-limit settings)
       #:decode? (settings-decode? settings)
       #:unpack (if (settings-gzip? settings)
                    (lambda (body)
                      (unpacked body request response
                                (settings-body-limit settings)))
                    identity)
       #:end end)))

(define (exchange connection request message settings release)
  "Send MESSAGE, which REQUEST was made into, and return the response and its body.
(RELEASE connection keep? clean?) is called when the body has come to its end, and then
CLEAN? is true, or will be read no more."
  (define done? #f)
  (set-connection-request! connection request)
  (call-with-cleanup
   (lambda ()
     (call-with-values
         (lambda ()
           (response-to connection message (settings-head-limit settings)))
       (lambda (response flags length sent?)
         (let* ((kind (body-kind (request-method request)
                                 (response-code response) flags))
                (keep? (and sent? (keeps? response flags kind request)))
                (body (body connection request response kind length settings
                            (lambda (clean?)
                              ;; From here on it is not ours.
                              (set! done? #t)
                              (release connection (and clean? keep?) clean?)))))
           (set! done? #t)
           (values response body)))))
   (lambda ()
     (unless done? (close-quietly connection)))))

(define (stale? connection exception)
  "Did EXCEPTION come because the server had closed CONNECTION, which was kept,
before the request?"
  (and (connection-reused? connection)
       (not (connection-response connection))
       (case (exception-kind exception)
         ((system-error)
          (memv (system-error-errno
                 (cons 'system-error (exception-args exception)))
                (list EPIPE ECONNRESET)))
         ((http-error)
          (eq? 'no-response (http-error-reason exception)))
         ;; Many a server does not say by TLS that it closes.
         (else
          (cut-short? (exception-kind exception) (exception-args exception))))
       #t))
