;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The command sockport: what it can do, its options, and what it exits with.

(define-module (sockport command main)
  #:use-module (sockport)
  #:use-module (sockport command look)
  #:use-module (sockport command stream)
  #:use-module (sockport terminal arguments)
  #:use-module (sockport terminal report)
  #:export (main))

;;; (sockport terminal arguments) has what the columns of both tables are.
(define commands
  `(("connect" ,connect-command "WHERE" 1 (deadline family from json)
     "standard input and output over a connection")
    ("listen" ,listen-command "WHERE [-- COMMAND [ARGUMENT...]]" command
     (deadline json) "the same for the first who connects, or COMMAND for each")
    ("proxy" ,proxy-command "FROM TO" 2
     (deadline family from send-proxy-header accept-proxy-header json)
     "pass connections on")
    ("probe" ,probe-command "WHERE..." + (deadline family from delay json)
     "every address, and how long each takes")
    ("ls" ,list-command "[tcp|udp|unix]..." * (listening family json)
     "sockets of this machine")
    ("echo" ,echo-command "WHERE" 1 (deadline json)
     "send everybody back what they sent")
    ("bench" ,bench-command "WHERE" 1
     (connections size seconds deadline family from json)
     "measure a server that echoes")))

(define options
  `((deadline "SECONDS" ,text->seconds "end after so much time")
    (family "4|6" ,(one-of `("4" . ,AF_INET) `("inet" . ,AF_INET)
                           `("6" . ,AF_INET6) `("inet6" . ,AF_INET6))
            "use this family's addresses alone")
    (from "ADDRESS" ,identity "connect from this address of the machine")
    (json #f #f "write JSON, a value a line")
    (connections "NUMBER" ,text->count "how many at once")
    (size "BYTES" ,text->count "how much is sent at a time")
    (seconds "SECONDS" ,text->seconds "for how long")
    (listening #f #f "only sockets that listen")
    (delay "SECONDS" ,text->seconds "between one address and the next (0.25)")
    (send-proxy-header "1|2" ,(one-of '("1" . 1) '("2" . 2))
                       "say who the client is, in the PROXY protocol")
    (accept-proxy-header #f #f "be told who the client is, by a proxy")))

(define words "WHERE is host:port, [::1]:80, unix:/run/name, unix:@abstract or
vsock:CID:PORT.  sockport COMMAND --help shows its options; sockport(1) has more.")

;;; sockport(1) explains them.
(define statuses
  '((usage . 2) (wrong-type-arg . 2) (out-of-range . 2) (getaddrinfo-error . 3)
    (deadline-exceeded . 4)))

(define (main version arguments)
  "Do what ARGUMENTS ask for, and exit."
  ;; Until a server takes it, it ends the program without a word.
  (sigaction SIGINT SIG_DFL)
  (call-and-exit "sockport" statuses
    (lambda ()
      (run-tasks (arguments->thunk "sockport" version commands options words
                                   arguments)))))
