;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; connect, listen, proxy and echo: bytes from one side to the other.

(define-module (sockport command stream)
  #:use-module (sockport)
  #:use-module (sockport proxy-header)
  #:use-module (sockport terminal json)
  #:use-module (sockport terminal progress)
  #:use-module (sockport terminal report)
  #:export (connect-command listen-command proxy-command echo-command))

(define text socket-address->string)

(define (report json event . fields)
  "Say on the standard error that EVENT has happened."
  (if json
      (print-json (acons 'event event fields) (current-error-port))
      (when (eq? event 'listening)
        (say "listening on " (assq-ref fields 'address)))))

(define (converse sock json)
  "Relay the standard input and output to SOCK.  When its peer has said all, it may
still listen, or have gone: then half a second without input is the end."
  (define elapsed (stopwatch))
  (define progress (show-progress))
  (define-values (sent received)
    (relay (cons (current-input-port) (current-output-port)) sock
           #:patience 1/2 #:progress progress))
  (progress)
  (report json 'end `(sent . ,sent) `(received . ,received)
          `(seconds . ,(/ (elapsed) 1000))))

(define* (connect-command where #:key deadline (family AF_UNSPEC) from json)
  (with-deadline deadline
    (lambda ()
      (let ((sock (connect-to where #:family family #:local from)))
        (report json 'connected `(address . ,(text (getpeername sock)))
                `(from . ,(text (getsockname sock))))
        (converse sock json)))))

;;; Servers.

(define (serve-at where deadline json handler . keywords)
  "Serve WHERE until SIGTERM or SIGINT: say where that is, report each connection,
and give it its deadline.  HANDLER is called with the server as well."
  (define server #f)
  (define (note-server it)
    (set! server it)
    (for-each (lambda (address) (report json 'listening `(address . ,(text address))))
              (server-addresses it)))
  (define (handle sock peer)
    (report json 'connection `(peer . ,(text peer)))
    (with-deadline deadline (lambda () (handler sock peer server)))
    (report json 'end `(peer . ,(text peer))))
  (apply serve where handle #:on-listen note-server
         #:signals (list SIGTERM SIGINT)
         #:log (lambda (line) (say "sockport: " (plain line)))
         keywords))

(define* (listen-command where #:key command deadline json)
  (define (run-for sock peer server)
    (set-nonblocking! sock #f)
    (run-process (car command) (cdr command) #:input sock #:output sock
                 #:variables (list (string-append "SOCKPORT_PEER=" (text peer))
                                   (string-append "SOCKPORT_LOCAL="
                                                  (text (getsockname sock))))))
  (define (converse-once sock peer server)
    (stop-server! server)
    (converse sock json))
  (if command
      (serve-at where deadline json run-for #:grace-seconds 1)
      (serve-at where deadline json converse-once #:connections 1
                #:grace-seconds #f)))

(define* (proxy-command where to #:key deadline (family AF_UNSPEC) from json
                        send-proxy-header accept-proxy-header)
  (define (pass-on-client client peer _)
    (define-values (source destination)
      (if accept-proxy-header (receive-proxy-header client) (values #f #f)))
    (define server (connect-to to #:family family #:local from))
    (call-with-cleanup
     (lambda ()
       (when send-proxy-header
         (send server (proxy-header (or source peer)
                                    (or destination (getsockname client))
                                    send-proxy-header)))
       (relay client server))
     (lambda () (close-port server))))
  (serve-at where deadline json pass-on-client #:grace-seconds 1))

(define* (echo-command where #:key deadline json)
  (serve-at where deadline json (lambda (sock peer server) (pass-on sock sock))
            #:grace-seconds 1))
