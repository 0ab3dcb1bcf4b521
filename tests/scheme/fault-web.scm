;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; As fault.scm, what opens connections of HTTP, WebSocket and TLS, and servers of
;;; several workers.  The other side is in a thread of its own, where nothing fails.
;;; Run with peers/fault.c preloaded.

(use-modules (harness)
             (harness fault)
             (harness https)
             (ice-9 match)
             (ice-9 textual-ports)
             (ice-9 threads)
             (sockport)
             (sockport http)
             (sockport web-client)
             (sockport websocket)
             (web request)
             (web response)
             (web uri))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (respond request body)
  (if (websocket-request? request)
      (accept-websocket request (lambda (ws) (websocket-send ws "hello")))
      (values '((content-type . (text/plain))) "hello")))

(define (call-with-threaded-server proc . options)
  "Call PROC with the number of the port of a server in another thread."
  (let* ((server #f)
         (thread (begin-thread
                  (apply serve-http "127.0.0.1:0" respond #:signals '()
                         #:on-listen (lambda (made) (set! server made))
                         #:log (const #t) options))))
    (wait-until (lambda () server))
    (proc (port-of server))
    (stop-server! server #t)
    (join-thread thread)))

(define (url scheme port)
  (format #f "~a://127.0.0.1:~a/" scheme port))

(define (page . arguments)
  (call-with-values (lambda () (apply http-get arguments))
    (lambda (response body) (list (response-code response) body))))

(define (pages uri)
  (let ((pool (make-http-pool)))
    (call-with-cleanup
     (lambda () (list (page uri #:pool pool) (page uri #:pool pool)))
     (lambda () (close-http-pool pool)))))

(define (message . arguments)
  (let ((ws (apply open-websocket arguments)))
    (call-with-cleanup
     (lambda () (websocket-receive ws))
     (lambda () (close-port (websocket-socket ws))))))

(define (status-line port)
  (call-with-cleanup
   (lambda ()
     (put-string port "GET / HTTP/1.0\r\n\r\n")
     (force-output port)
     (get-line port))
   (lambda () (close-port port))))

(define (rows plain secure)
  (situations
   ("http-get" (const '()) () (page (url "http" plain)) identity)
   ("http-get, twice on a connection" (const '()) () (pages (url "http" plain))
    identity)
   ("http-get, https" (const '()) ()
    (page (url "https" secure) #:context client-context) identity)
   ("connect-to, TLS" (const '()) ()
    (status-line (connect-to "127.0.0.1" #:port secure #:tls client-context))
    identity)
   ("open-websocket" (const '()) () (message (url "ws" plain)) identity)
   ("open-websocket, wss" (const '()) ()
    (message (url "wss" secure) #:context client-context) identity)
   ("call-in-thread" (const '()) () (call-in-thread (const 'done)) identity)
   ("serve-http, two workers" (const '()) ()
    (begin
      (serve-http '("127.0.0.1:0" "unix:@") respond #:workers 2
                  #:on-listen stop-server! #:signals '() #:log (const #t))
      'stopped)
    identity)))

(https-cases "fault-web"
  (call-with-threaded-server
   (lambda (plain)
     (call-with-threaded-server
      (lambda (secure)
        (test-faults (rows plain secure) #:alone? #f))
      #:tls server-context))))
