;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Serving HTTP: requests and responses of Guile's own (web request) and (web
;;; response), each connection in a task, one request after the other.

(define-module (sockport http)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport constant)
  #:use-module (sockport deadline)
  #:use-module (sockport serve http-message)
  #:use-module (sockport log)
  #:use-module (sockport server)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web server)
  #:export (serve-http))

;;; OPEN has for each worker a table of its connections.
(define-record-type <site>
  (make-site handler request-seconds head-limit body-limit log open draining?)
  site?
  (handler site-handler)
  (request-seconds site-request-seconds)
  (head-limit site-head-limit)
  (body-limit site-body-limit)
  (log site-log)
  (open site-open)
  (draining? site-draining? set-site-draining!))

;;; IDLE? while it waits for a request.  LAST is what `parse-head' wants.
(define-record-type <connection>
  (make-connection site sock peer idle? last)
  connection?
  (site connection-site)
  (sock connection-sock)
  (peer connection-peer)
  (idle? connection-idle? set-connection-idle!)
  (last connection-last set-connection-last!))

(define (connections-here site)
  (let ((open (site-open site)))
    (vector-ref open (if (= 1 (vector-length open)) 0 (current-worker)))))

;;; What is already on its way can still be read after that: tcp(7).
(define (end-idle! site)
  "Have the connections of this thread that wait for a request see its end."
  (set-site-draining! site #t)
  (hash-for-each (lambda (connection _)
                   (when (connection-idle? connection)
                     (false-if-exception
                      (shutdown (connection-sock connection) SHUT_RD))))
                 (connections-here site)))

;;; The handler.

(define (exception->text exception stack)
  (call-with-output-string
    (lambda (port)
      (when stack
        (display-backtrace stack port))
      (print-exception port #f (exception-kind exception)
                       (exception-args exception)))))

(define (failing-to proc thunk)
  "Call THUNK; if it raises an exception, call (PROC exception stack) instead, out
of its extent."
  (let ((tag (make-prompt-tag "handler")))
    (call-with-prompt tag
      (lambda ()
        (with-exception-handler
            (lambda (exception)
              (if (or (task-cancelled? exception)
                      (eq? 'quit (exception-kind exception)))
                  (raise-exception exception)
                  (abort-to-prompt tag exception (make-stack #t 2))))
          thunk))
      (lambda (k exception stack) (proc exception stack)))))

;;; A handler that aborts to the default prompt expects to go on at once, as in
;;; Guile's own server.
(define (with-default-prompt thunk)
  (call-with-prompt (default-prompt-tag)
    thunk
    (lambda (k proc)
      (with-default-prompt (lambda () (proc k))))))

(define (event-stream? response)
  (eq? 'text/event-stream (car (response-content-type response '(none)))))

(define (sent-as-made? response body)
  (and (procedure? body)
       (or (= 101 (response-code response))
           (event-stream? response))))

(define (full-response request response)
  (if (response? response)
      response
      (build-response #:version (request-version request) #:headers response)))

(define (answer site request body)
  "Return the response to REQUEST and its body: a bytevector, #f, or a procedure
that is to be called with the socket."
  (failing-to
   (lambda (exception stack)
     ((site-log site)
      (format #f "~a ~a: ~a" (request-method request)
              (request-uri request) (exception->text exception stack)))
     (sanitize-response request (build-response #:code 500) #f))
   (lambda ()
     (call-with-values
         (lambda ()
           (with-default-prompt
            (lambda () ((site-handler site) request body))))
       (lambda (response body . rest)
         (let ((response (full-response request response)))
           (if (sent-as-made? response body)
               (values response body)
               (sanitize-response request response body))))))))

;;; A connection.

(define (refusal code)
  (build-response #:code code #:headers '((content-length . 0))))

(define linger-seconds 1)

;;; Closing a socket with unread input resets the connection, and the peer may
;;; lose the response before it has read it.
(define (finish sock)
  (shutdown sock SHUT_WR)
  (with-deadline linger-seconds
    (lambda ()
      (let again ()
        (unless (eof-object? (get-bytevector-some sock))
          (again))))
    (const #f)))

(define (in-request-time site thunk)
  (with-deadline (site-request-seconds site) thunk
                 (lambda () (refuse-request 408))))

(define (stream connection request response body)
  (let ((sock (connection-sock connection)))
    (send-head sock response #f)
    (unless (eq? 'HEAD (request-method request))
      (body sock)
      (force-output sock))
    #f))

(define (respond connection request body)
  "Answer REQUEST; return true if another may follow."
  (let* ((site (connection-site connection))
         (sock (connection-sock connection)))
    (call-with-values (lambda () (answer site request body))
      (lambda (response body)
        (if (procedure? body)
            (stream connection request response body)
            (let ((keep? (and (not (site-draining? site))
                              (persistent? request response))))
              (send-response sock response body keep?)
              keep?))))))

(define (next-request connection)
  "Return the next request, or #f at the end."
  (let* ((site (connection-site connection))
         (sock (connection-sock connection)))
    (set-connection-idle! connection #t)
    (let ((head (await-head sock (site-head-limit site)
                            (lambda (thunk)
                              (set-connection-idle! connection #f)
                              (in-request-time site thunk))))
          (peer (connection-peer connection)))
      (set-connection-idle! connection #f)
      (cond ((bytevector? head)
             (let ((request (parse-head head sock peer
                                        (connection-last connection))))
               (set-connection-last! connection (cons head request))
               request))
            (else (and head (read-head sock peer)))))))

(define (body-of site request)
  (and (or (request-content-length request)
           (pair? (request-transfer-encoding request)))
       (in-request-time site
         (lambda () (request-bytes request (site-body-limit site))))))

(define (requests connection)
  (let ((request (next-request connection)))
    (when (and request
               (respond connection request
                        (body-of (connection-site connection) request))
               (not (port-closed? (connection-sock connection))))
      (requests connection))))

(define (converse site sock peer)
  (let ((connection (make-connection site sock peer #t #f))
        (open (connections-here site)))
    (setvbuf sock 'block 4096)
    (hashq-set! open connection #t)
    (call-with-cleanup
     (lambda ()
       (catch 'refused-request
         (lambda ()
           (requests connection))
         (lambda (key code)
           (send-response sock (refusal code) #f #f)
           (finish sock))))
     (lambda () (hashq-remove! open connection)))))

(define* (serve-http where handler #:key (workers 1) (idle-seconds 75)
                     (request-seconds 60) (head-limit 65536)
                     (body-limit 67108864) (log log-line)
                     #:allow-other-keys #:rest options)
  "Serve HTTP at WHERE: call (HANDLER request body) for each request, and send the
response and the body that it returns.  OPTIONS are those of @code{serve}, too."
  (define site
    (make-site handler request-seconds head-limit body-limit log
               (list->vector
                (map (lambda (worker) (make-hash-table)) (iota workers)))
               #f))
  (apply serve where
         (lambda (sock peer) (converse site sock peer))
         #:idle-seconds idle-seconds
         #:on-stop (lambda (server) (end-idle! site))
         (without-own options)))

(define own '(#:request-seconds #:head-limit #:body-limit #:idle-seconds))

(define (without-own options)
  (match options
    (() '())
    ((key value . rest)
     (if (memq key own)
         (without-own rest)
         (cons* key value (without-own rest))))))
