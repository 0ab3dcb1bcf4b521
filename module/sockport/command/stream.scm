;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; connect, listen, proxy and echo: bytes from one side to the other.

(define-module (sockport command stream)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:use-module (sockport command arguments)
  #:use-module (sockport command report)
  #:use-module (sockport proxy-header)
  #:export (connect-command
            connection-keywords
            echo-command
            listen-command
            proxy-command))

(define (text address)
  (socket-address->string address))

(define (connection-keywords options)
  "Return the keyword arguments for `connect-to' that OPTIONS ask for."
  (append (match (assq-ref options 'family)
            (#f '())
            (family (list #:family family)))
          (match (assq-ref options 'from)
            (#f '())
            (from (list #:local from)))))

;;; Standard input and output.

;;; A peer that takes no more may still have something to say.
(define (unless-gone thunk)
  (catch 'system-error
    thunk
    (lambda args
      (unless (memv (system-error-errno args) (list EPIPE ECONNRESET ENOTCONN))
        (apply throw args)))))

;;; The peer has said all; it may still listen, or have gone.
(define patience 1/2)

(define (finish-sending task progress)
  "Wait for TASK until PROGRESS, what it has sent, stands still for a while."
  (let ((before (progress)))
    (with-deadline patience
      (lambda () (join task))
      (lambda ()
        (if (= before (progress))
            (cancel! task)
            (finish-sending task progress))))))

(define (converse sock json?)
  "Send what comes on the standard input to SOCK, and write what SOCK receives to the
standard output, until both have ended; the input also ends when the peer has said
all and nothing more comes."
  (define progress (show-progress))
  (define begun (now))
  (define sent 0)
  (define received 0)
  (define (send-input)
    (unless-gone
     (lambda ()
       (splice sock (current-input-port) #f
               (lambda (count)
                 (set! sent count)
                 (progress sent received)))
       (shutdown sock SHUT_WR))))
  (with-task-group
   (lambda (group)
     (define sending (spawn-task send-input #:group group))
     (splice (current-output-port) sock #f
             (lambda (count)
               (set! received count)
               (progress sent received)))
     (finish-sending sending (lambda () sent))))
  (progress)
  (report-event json? 'end 'sent sent 'received received
                'seconds (/ (milliseconds (- (now) begun)) 1000)))

(define (connect-command options where)
  (let ((sock (apply connect-to where (connection-keywords options)))
        (json? (assq-ref options 'json)))
    (report-event json? 'connected 'address (text (getpeername sock))
                  'from (text (getsockname sock)))
    (converse sock json?)
    (close-port sock)))

;;; Servers.

(define (serve-at where options handler . keywords)
  "Serve WHERE until SIGTERM or SIGINT: say where that is, report each connection,
and give it its deadline.  HANDLER is called with the server as well."
  (define json? (assq-ref options 'json))
  (define server #f)
  (define (converse sock peer)
    (report-event json? 'connection 'peer (text peer))
    (with-deadline (assq-ref options 'deadline)
      (lambda () (handler sock peer server)))
    (report-event json? 'end 'peer (text peer)))
  (apply serve where converse
         #:signals (list SIGTERM SIGINT)
         #:log (lambda (text) (say "sockport: " (plain text)))
         #:on-listen
         (lambda (it)
           (set! server it)
           (for-each (lambda (address)
                       (report-event json? 'listening 'address (text address)))
                     (server-addresses it)))
         keywords))

(define (variables sock peer)
  (list (string-append "SOCKPORT_PEER=" (text peer))
        (string-append "SOCKPORT_LOCAL=" (text (getsockname sock)))))

(define (run-for sock peer command)
  "Run COMMAND, a list, with SOCK for its standard input and output."
  (set-nonblocking! sock #f)
  (let ((pid (start-process (car command) (cdr command)
                            #:input sock #:output sock
                            #:variables (variables sock peer)))
        (ended? #f))
    (call-with-cleanup
     (lambda ()
       (wait-process pid)
       (set! ended? #t))
     (lambda ()
       (unless ended? (end-process pid))))))

(define (listen-command options where command)
  (define (only-one sock peer server)
    (stop-server! server)
    (converse sock (assq-ref options 'json)))
  (match command
    (#f (serve-at where options only-one #:connections 1 #:grace-seconds #f))
    (() (refuse-usage "there is no command after --"))
    (_ (serve-at where options
                 (lambda (sock peer server) (run-for sock peer command))
                 #:grace-seconds 1))))

;;; Between sockets.

(define (relay from to)
  "Pass what FROM says on to TO, and its end."
  (define buffer (make-bytevector 65536))
  (let next ()
    (match (recv! from buffer)
      (0 (unless-gone (lambda () (shutdown to SHUT_WR))))
      (count
       (send to buffer 0 0 count)
       (next)))))

(define (proxy-command options from to)
  (define (client-of sock peer)
    (if (assq-ref options 'accept-proxy-header)
        (call-with-values (lambda () (receive-proxy-header sock))
          (lambda (source destination)
            (values (or source peer) (or destination (getsockname sock)))))
        (values peer (getsockname sock))))
  (define (pass-on client peer proxy)
    (call-with-values (lambda () (client-of client peer))
      (lambda (source destination)
        (let ((server (apply connect-to to (connection-keywords options))))
          (call-with-cleanup
           (lambda ()
             (match (assq-ref options 'send-proxy-header)
               (#f #f)
               (version (send server (proxy-header source destination version))))
             ;; An error of one direction ends the other.
             (with-task-group
              (lambda (group)
                (spawn-task (lambda () (relay server client)) #:group group)
                (relay client server))))
           (lambda () (close-port server)))))))
  (serve-at from options pass-on #:grace-seconds 1))

(define (echo-command options where)
  (serve-at where options (lambda (sock peer server) (relay sock sock))
            #:grace-seconds 1))
