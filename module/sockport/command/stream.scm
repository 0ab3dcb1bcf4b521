;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; connect, listen, proxy and echo: bytes from one side to the other.

(define-module (sockport command stream)
  #:use-module (ice-9 match)
  #:use-module (sockport)
  #:use-module (sockport command report)
  #:use-module (sockport proxy-header)
  #:export (text connect-as connect-command listen-command proxy-command
            echo-command))

(define text socket-address->string)

(define (connect-as options where . keywords)
  "Connect to WHERE as OPTIONS say."
  (apply connect-to where #:family (or (assq-ref options 'family) AF_UNSPEC)
         #:local (assq-ref options 'from) keywords))

;;; A peer that takes no more may still have something to say.
(define (unless-gone thunk)
  (catch 'system-error
    thunk
    (lambda args
      (unless (memv (system-error-errno args) (list EPIPE ECONNRESET ENOTCONN))
        (apply throw args)))))

;;; Standard input and output.

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
    (splice sock (current-input-port) #f
            (lambda (count)
              (set! sent count)
              (progress sent received)))
    (shutdown sock SHUT_WR))
  (with-task-group
   (lambda (group)
     (define sending (spawn-task (lambda () (unless-gone send-input))
                                 #:group group))
     (splice (current-output-port) sock #f
             (lambda (count)
               (set! received count)
               (progress sent received)))
     (finish-sending sending (lambda () sent))))
  (progress)
  (report-event json? 'end
                `((sent . ,sent) (received . ,received)
                  (seconds . ,(/ (milliseconds (- (now) begun)) 1000)))))

(define (connect-command options where)
  (let ((sock (connect-as options where)) (json? (assq-ref options 'json)))
    (report-event json? 'connected `((address . ,(text (getpeername sock)))
                                     (from . ,(text (getsockname sock)))))
    (converse sock json?)
    (close-port sock)))

;;; Servers.

(define (serve-at where options handler . keywords)
  "Serve WHERE until SIGTERM or SIGINT: say where that is, report each connection,
and give it its deadline.  HANDLER is called with the server as well."
  (define (report event address key)
    (report-event (assq-ref options 'json) event `((,key . ,(text address)))))
  (define server #f)
  (apply serve where
         (lambda (sock peer)
           (report 'connection peer 'peer)
           (with-deadline (assq-ref options 'deadline)
             (lambda () (handler sock peer server)))
           (report 'end peer 'peer))
         #:signals (list SIGTERM SIGINT)
         #:log (lambda (text) (say "sockport: " (plain text)))
         #:on-listen (lambda (it)
                       (set! server it)
                       (for-each (lambda (address)
                                   (report 'listening address 'address))
                                 (server-addresses it)))
         keywords))

(define (run-for sock peer command)
  "Run COMMAND, a list, with SOCK for its standard input and output."
  (set-nonblocking! sock #f)
  (let ((pid (start-process
              (car command) (cdr command) #:input sock #:output sock
              #:variables (list (string-append "SOCKPORT_PEER=" (text peer))
                                (string-append "SOCKPORT_LOCAL="
                                               (text (getsockname sock))))))
        (ended? #f))
    (call-with-cleanup
     (lambda () (wait-process pid) (set! ended? #t))
     (lambda () (unless ended? (end-process pid))))))

(define* (listen-command options where #:optional command)
  (if command
      (serve-at where options
                (lambda (sock peer server) (run-for sock peer command))
                #:grace-seconds 1)
      (serve-at where options
                (lambda (sock peer server)
                  (stop-server! server)
                  (converse sock (assq-ref options 'json)))
                #:connections 1 #:grace-seconds #f)))

(define (relay from to)
  "Pass what FROM says on to TO, and its end."
  ;; An error after some bytes is met by the next call.
  (if (positive? (splice to from))
      (relay from to)
      (unless-gone (lambda () (shutdown to SHUT_WR)))))

(define (proxy-command options from to)
  (define (ends-of sock peer)
    (if (assq-ref options 'accept-proxy-header)
        (receive-proxy-header sock)
        (values #f #f)))
  (define (pass-on client peer proxy)
    (call-with-values (lambda () (ends-of client peer))
      (lambda (source destination)
        (let ((server (connect-as options to)))
          (call-with-cleanup
           (lambda ()
             (match (assq-ref options 'send-proxy-header)
               (#f #f)
               (version (send server (proxy-header
                                      (or source peer)
                                      (or destination (getsockname client))
                                      version))))
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
