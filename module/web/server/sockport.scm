;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A back end for Guile's (web server):
;;;
;;;   (run-server handler 'sockport '(#:port 8080))
;;;
;;; `run-server' wants a request from its back end, calls the handler itself, and
;;; hands the response back, one request at a time.  Here the handler is called in
;;; a task for each connection, so the back end looks for it among what
;;; `run-server' was called with, serves, and only comes back at the end.

(define-module (web server sockport)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (sockport constant)
  #:use-module (sockport address)
  #:use-module (sockport http)
  #:use-module (sockport log)
  #:use-module (sockport serve listeners)
  #:use-module (sockport socket)
  #:use-module (sockport channel)
  #:use-module (sockport task)
  #:use-module (system vm frame)
  #:use-module (web server)
  #:export (sockport))

(define-record-type <web-server>
  (make-web-server listeners options)
  web-server?
  (listeners web-server-listeners)
  (options web-server-options))

;;; Opening.

(define (where host family addr port listen)
  (cond (listen listen)
        (host (make-socket-address family (inet-pton family host) port))
        (else (make-socket-address family addr port))))

(define own '(#:host #:family #:addr #:port #:socket #:listen))

(define (without-own options)
  (match options
    (() '())
    ((key value . rest)
     (if (memq key own)
         (without-own rest)
         (cons* key value (without-own rest))))))

(define* (open-server #:key host (family AF_INET) (addr INADDR_LOOPBACK)
                      (port 8080) socket listen #:allow-other-keys
                      #:rest options)
  (make-web-server
   (if socket
       (begin (false-if-exception (listen-again socket)) (list socket))
       (car (open-listeners (where host family addr port listen) 1)))
   (without-own options)))

;;; Guile's own takes a socket that is bound, and listens.
(define (listen-again socket)
  ((@ (sockport socket) listen) socket SOMAXCONN))

;;; The handler.

(define (frames stack)
  (map (lambda (index) (stack-ref stack index)) (iota (stack-length stack))))

(define (value-in frame name)
  "Return the value of the variable NAME in FRAME in a box, or #f."
  (let ((binding (frame-lookup-binding frame name)))
    (and binding (list (binding-ref binding)))))

(define (handler-and-state)
  "Return a pair of what `run-server', or `serve-one-client', was called with."
  (any (lambda (frame)
         (and (memq (frame-procedure-name frame) '(serve-one-client run-server))
              (match (list (value-in frame 'handler) (value-in frame 'state))
                ((((? procedure? handler)) ((? list? state)))
                 (cons handler state))
                (_ #f))))
       (frames (make-stack #t))))

;;; A handler that has state gets what the request before left, so its requests
;;; are handled one after the other.
(define (with-state handler state)
  ;; What it holds is the right to call the handler.
  (define turn (make-channel 1))
  (define (enter) (channel-get turn))
  (define (leave) (channel-put turn #t))
  (leave)
  (lambda (request body)
    (enter)
    (call-with-cleanup
     (lambda ()
       (call-with-values (lambda () (apply handler request body state))
         (lambda (response body . new)
           (set! state new)
           (values response body))))
     leave)))

;;; Serving.  Anything but `interrupt' and `quit' would have run-server call again.

(define (serve server)
  (match (handler-and-state)
    (#f (log-line "web server: this Guile hides its handler; use serve-http"))
    ((handler . state)
     (apply serve-http (web-server-listeners server)
            (if (null? state) handler (with-state handler state))
            #:signals (list SIGTERM SIGINT)
            (web-server-options server)))))

(define (read-request server)
  (catch #t
    (lambda () (serve server))
    (lambda (key . args)
      (when (eq? key 'quit)
        (apply throw key args))
      (log-line (call-with-output-string
                  (lambda (port)
                    (print-exception port #f key args))))))
  (throw 'interrupt))

(define (write-response server client response body)
  (values))

(define (close-server server)
  (for-each close-listener (web-server-listeners server)))

(define-server-impl sockport
  open-server
  read-request
  write-response
  close-server)
