;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; As fault.scm, the procedures that deal with what is around a socket: groups,
;;; queues of errors, netlink, names, processes, signals, service managers,
;;; and servers.  Run with peers/fault.c preloaded.

(use-modules (harness)
             (harness fault)
             ((harness socket) #:select (tcp-pair))
             (ice-9 match)
             (ice-9 receive)
             (rnrs bytevectors)
             (sockport)
             (sockport netlink)
             (sockport system-sockets))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define group "239.1.2.3")
(define source "127.0.0.1")

(define (udp) (socket AF_INET SOCK_DGRAM 0))
(define (new-udp) (list (udp)))

(define (member-of-group)
  (let ((sock (udp)))
    (multicast-join! sock group #:interface "lo")
    (list sock)))

(define (deaf-member)
  (match (member-of-group)
    ((sock)
     (multicast-block! sock group source #:interface "lo")
     (list sock))))

(define (tcp-ends)
  (match (tcp-pair) ((a . b) (list a b))))

(define (unix-ends)
  (match (socketpair AF_UNIX SOCK_STREAM 0) ((a . b) (list a b))))

(define (message-with-port)
  (match (unix-ends)
    ((a b)
     (send-ports a (list a) "x")
     (list b a))))

;;; A socket that plays the manager of services.
(define (manager)
  (let ((sock (socket AF_UNIX SOCK_DGRAM 0)))
    (bind sock AF_UNIX "")
    (setenv "NOTIFY_SOCKET"
            (substring (socket-address->string (getsockname sock)) 5))
    (list sock)))

(define RTM_GETLINK 18)
(define NLM_F_DUMP #x300)
(define buffer (make-bytevector 3))

(define (exit-code pid) (status:exit-val (wait-process pid)))

(define rows
  (situations
   ("sockatmark" tcp-ends (a b) (sockatmark a) identity)
   ("receive-errors" new-udp (sock) (receive-errors sock) identity)
   ("close-received" message-with-port (in out)
    (close-received (recvmsg! in (list buffer))) (const 'closed))
   ("multicast-join! from a source" new-udp (sock)
    (multicast-join! sock group #:interface "lo" #:source source) identity)
   ("multicast-leave!" member-of-group (sock)
    (multicast-leave! sock group #:interface "lo") identity)
   ("multicast-block!" member-of-group (sock)
    (multicast-block! sock group source #:interface "lo") identity)
   ("multicast-unblock!" deaf-member (sock)
    (multicast-unblock! sock group source #:interface "lo") identity)
   ("set-multicast-interface!" new-udp (sock)
    (set-multicast-interface! sock "lo") identity)
   ("display-socket-options" new-udp (sock)
    (call-with-output-string
     (lambda (port) (display-socket-options sock port)))
    (lambda (text) (or (not (string? text)) (not (string-null? text)))))
   ("netlink-request" (lambda () (list (open-netlink NETLINK_ROUTE))) (sock)
    (netlink-request sock RTM_GETLINK NLM_F_DUMP (make-bytevector 16 0)) pair?)
   ("getnameinfo" (const '()) ()
    (getnameinfo (make-socket-address AF_INET INADDR_LOOPBACK 80) NI_NUMERICHOST)
    pair?)
   ("gethostbyaddr" (const '()) ()
    (vector? (gethost INADDR_LOOPBACK)) identity)
   ("getserv" (const '()) () (vector? (getserv "http" "tcp")) identity)
   ("getprotobynumber" (const '()) () (vector? (getproto 6)) identity)
   ("start-process" (const '()) () (start-process "true" '())
    (lambda (pid) (if (integer? pid) (exit-code pid) pid)))
   ("end-process" (lambda () (list (start-process "sleep" '("60")))) (pid)
    (status:term-sig (end-process pid)) identity)
   ("notify-manager" manager (sock)
    (notify-manager #:ready? #t #:status "serving")
    identity)
   ("watch-signal!" (const '()) ()
    (begin (watch-signal! SIGUSR1) (unwatch-signal! SIGUSR1) 'done)
    identity)
   ;; Of TCP there may be thousands that only wait for their time to be over.
   ("system-sockets" unix-ends (a b)
    (pair? (system-sockets 'unix)) identity)
   ("serve" (const '()) ()
    (begin
      (serve "127.0.0.1:0" (const #t) #:on-listen stop-server! #:log (const #t))
      'stopped)
    identity)))

(test-begin "fault-system")

;; Before any other look-up, whose thread would do for this one.
(test-case "the first look-up wants a thread"
  (define (host) (pair? (getaddrinfo "localhost" "80")))
  (define (service) (vector? (getserv "http" "tcp")))
  (test-equal "there is none" '(getaddrinfo-error #f #f) (with-fault 0 EAGAIN host))
  (test-equal "nor for a service" (list 'system-error EAGAIN "getserv")
    (with-fault 0 EAGAIN service))
  (test-equal "and then there is" '(#t #t) (list (host) (service))))

(test-faults rows)
(test-end "fault-system")
