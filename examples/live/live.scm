;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; live.scm [WHERE]: a chat in the browser, and beside it the server's own
;;; connections as the kernel sees them, both over WebSocket:
;;; http://127.0.0.1:8080/.  The page is in www/.
;;;
;;; A guest has a task that receives and one that sends; between them is a channel,
;;; so that nobody waits for a guest who does not read: when it is full, the guest is
;;; out.

(use-modules (sockport) (sockport channel) (sockport http) (sockport serve-files)
             (sockport structure) (sockport websocket)
             (ice-9 exceptions) (ice-9 match) (srfi srfi-1) (srfi srfi-9)
             (web request) (web uri))

(define-record-type <guest>
  (make-guest ws outbox name since messages)
  guest?
  (ws guest-ws)
  (outbox guest-outbox)
  (name guest-name set-guest-name!)
  (since guest-since)
  (messages guest-messages set-guest-messages!))

(define guests '())

;;; JSON, as far as it is needed: objects are alists with symbols.

(define (json-char char)
  (match char
    (#\" "\\\"")
    (#\\ "\\\\")
    ((? (lambda (char) (char<? char #\space)))
     (format #f "\\u~4,'0x" (char->integer char)))
    (_ (string char))))

(define (json value)
  (match value
    (#t "true")
    (#f "null")
    ((? number?) (number->string value))
    ((? string?)
     (string-append "\"" (string-concatenate (map json-char (string->list value)))
                    "\""))
    (((? pair? pairs) ...)
     (string-append "{" (string-join
                         (map (match-lambda
                                ((key . value)
                                 (string-append (json (symbol->string key)) ":"
                                                (json value))))
                              pairs)
                         ",")
                    "}"))
    (#(values ...) (string-append "[" (string-join (map json values) ",") "]"))))

;;; Sending to all.

(define (tell guest message)
  ;; 0 seconds: only if there is room now.
  (with-deadline 0
    (lambda () (channel-put (guest-outbox guest) message))
    (lambda () (channel-close! (guest-outbox guest)))))

(define (tell-all . pairs)
  (let ((message (json pairs)))
    (for-each (lambda (guest) (tell guest message)) guests)))

(define (send-messages guest)
  (match (channel-get (guest-outbox guest))
    ((? eof-object?) (websocket-close (guest-ws guest) 1008 "too slow"))
    (message
     (when (websocket-send (guest-ws guest) message)
       (send-messages guest)))))

;;; The connections, by the kernel's TCP_INFO.

(define started (current-time))

(define (connection guest)
  (let* ((sock (websocket-socket (guest-ws guest)))
         (info (getsockopt sock IPPROTO_TCP TCP_INFO)))
    `((name . ,(guest-name guest))
      (peer . ,(socket-address->string (getpeername sock)))
      (seconds . ,(- (current-time) (guest-since guest)))
      (messages . ,(guest-messages guest))
      (rtt . ,(tcp-info-rtt info))
      (window . ,(tcp-info-snd-cwnd info))
      (received . ,(tcp-info-bytes-received info))
      (acked . ,(tcp-info-bytes-acked info)))))

(define (tell-connections)
  (tell-all
   (cons 'connections
         (list->vector
          (filter-map (lambda (guest)
                        ;; One may just have gone.
                        (false-if-exception (connection guest)))
                      (reverse guests))))
   (cons 'uptime (- (current-time) started))))

(define (view-connections)
  (unless (null? guests)
    (tell-connections))
  (sleep 1/2)
  (view-connections))

;;; A guest.

(define (short text)
  (let ((text (string-trim-both text)))
    (substring text 0 (min 500 (string-length text)))))

(define (listen-to guest)
  (match (websocket-receive (guest-ws guest))
    ((? eof-object?) #t)
    ((? string? text)
     (unless (string-null? (short text))
       (set-guest-messages! guest (+ 1 (guest-messages guest)))
       (if (guest-name guest)
           (tell-all (cons 'from (guest-name guest)) (cons 'text (short text)))
           (begin
             (set-guest-name! guest (short text))
             (tell-all (cons 'come (guest-name guest)))
             (tell-connections))))
     (listen-to guest))
    (_ (websocket-close (guest-ws guest) 1003 "text only"))))

(define (chat ws)
  (define guest (make-guest ws (make-channel 64) #f (current-time) 0))
  (set! guests (cons guest guests))
  (call-with-cleanup
   (lambda ()
     (with-task-group
      (lambda (group)
        (spawn-task (lambda () (send-messages guest)) #:group group)
        (listen-to guest)
        (cancel! group))))
   (lambda ()
     (set! guests (delq guest guests))
     (when (guest-name guest)
       (tell-all (cons 'gone (guest-name guest)))))))

;;; The server.

(define files
  (file-handler (string-append (dirname (current-filename)) "/www")))

(define (handler request body)
  (match (uri-path (request-uri request))
    ("/chat" (accept-websocket request chat #:message-limit 10000))
    (_ (files request body))))

(define (say-where server)
  (format #t "http://~a/~%"
          (socket-address->string (car (server-addresses server))))
  (force-output))

(define (run where)
  (run-tasks
   (lambda ()
     (with-task-group
      (lambda (group)
        (spawn-task view-connections #:group group)
        (serve-http where handler #:on-listen say-where)
        (cancel! group))))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_) (run "127.0.0.1:8080"))
    ((_ where) (run where))
    (_
     (display "usage: live.scm [WHERE]\n" (current-error-port))
     (exit 2))))
