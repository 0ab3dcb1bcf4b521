;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' web server, which is Sockport's; handlers are called in fibers, of all
;;; processors.

(define-module (fibers web server)
  #:use-module (fibers)
  #:use-module (fibers channels)
  #:use-module (fibers conditions)
  #:use-module (fibers scheduler)
  #:use-module ((sockport http) #:select (serve-http))
  #:use-module ((sockport server) #:select (stop-server!))
  #:use-module ((sockport task) #:select (call-with-cleanup current-task))
  #:export (run-server))

(define (listening family addr port)
  (let ((sock (socket family SOCK_STREAM 0)))
    (setsockopt sock SOL_SOCKET SO_REUSEADDR 1)
    (bind sock family addr port)
    sock))

(define (serve-here socket handler . options)
  (apply serve-http (list socket) handler options))

(define (serve-in-all socket handler)
  "Serve in this scheduler and in its peers, until SIGINT comes."
  (define peers (scheduler-remote-peers (current-scheduler)))
  (define over (make-condition))
  (define ended (make-channel))
  (define (stop-when-over server)
    (spawn-fiber (lambda ()
                   (wait over)
                   (stop-server! server))))
  (define (serve-beside)
    (call-with-cleanup
     (lambda ()
       (serve-here socket handler #:signals '() #:on-listen stop-when-over))
     (lambda () (put-message ended #t))))
  (for-each (lambda (peer) (spawn-fiber serve-beside peer)) peers)
  (serve-here socket handler #:signals (list SIGINT)
              #:on-stop (lambda (server) (signal-condition! over)))
  (for-each (lambda (_) (get-message ended)) peers))

(define* (run-server handler #:key host (family AF_INET)
                     (addr (if host (inet-pton family host) INADDR_LOOPBACK))
                     (port 8080)
                     (socket (listening family addr port)))
  "Serve HTTP with (HANDLER request body), which returns a response and a body, until
SIGINT comes."
  (listen socket 1024)
  (if (current-task)
      (serve-here socket handler #:signals (list SIGINT))
      (run-fibers (lambda () (serve-in-all socket handler)))))
