;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' web server, which is Sockport's.

(define-module (fibers web server)
  #:use-module ((sockport http) #:select (serve-http))
  #:use-module ((ice-9 threads) #:select (current-processor-count))
  #:export (run-server))

(define (listening family addr port)
  (let ((sock (socket family SOCK_STREAM 0)))
    (setsockopt sock SOL_SOCKET SO_REUSEADDR 1)
    (bind sock family addr port)
    sock))

(define* (run-server handler #:key host (family AF_INET)
                     (addr (if host (inet-pton family host) INADDR_LOOPBACK))
                     (port 8080)
                     (socket (listening family addr port)))
  "Serve HTTP with (HANDLER request body), which returns a response and a body, until
SIGINT comes."
  (listen socket 1024)
  (serve-http (list socket) handler #:signals (list SIGINT)))
