;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Each procedure that makes system calls, with each of them interrupted, failing
;;; for want of memory or descriptors, or having to wait.  An interruption changes
;;; no result; what is wanting is told or done without, and everything is as it
;;; was, so that the same call made again gives the usual result; what has to wait
;;; waits, in a plain thread and in a task.  Run with peers/fault.c preloaded.

(use-modules (harness)
             (harness fault)
             ((harness socket) #:select (tcp-listener))
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 popen)
             (ice-9 receive)
             (rnrs bytevectors)
             (sockport)
             (sockport netlink)
             (srfi srfi-1))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

;;; A situation is a name; a thunk that returns a list of what it is about; a
;;; procedure of that, which makes the calls; and one that makes a datum of its
;;; result and gives back what it obtained.

(define (listener-and-caller)
  (let ((listener (tcp-listener)) (caller (socket AF_INET SOCK_STREAM 0)))
    (connect caller (getsockname listener))
    (list listener caller)))

(define (listener-and-socket)
  (list (tcp-listener) (socket AF_INET SOCK_STREAM 0)))

(define (pair type)
  (match (socketpair AF_UNIX type 0)
    ((a . b) (list a b))))

(define (pair-with-data type)
  (lambda ()
    (let ((sockets (pair type)))
      (send (second sockets) "abc")
      sockets)))

(define (new-socket) (list (socket AF_INET SOCK_STREAM 0)))
(define (new-udp) (list (socket AF_INET SOCK_DGRAM 0)))

(define (udp-and-batch)
  (let ((sock (socket AF_INET SOCK_DGRAM 0)) (batch (make-batch 4 16)))
    (bind sock AF_INET INADDR_LOOPBACK 0)
    (list sock batch)))

(define (udp-with-datagram)
  (match (udp-and-batch)
    ((sock batch)
     (sendto sock "abc" (getsockname sock))
     (list sock batch))))

(define (udp-with-full-batch)
  (match (udp-and-batch)
    ((sock batch)
     (for-each (lambda (text) (batch-add! batch text (getsockname sock)))
               '("a" "b" "c"))
     (list sock batch))))

(define (file-and-pair)
  (cons (open-file "/etc/passwd" "r0") (pair SOCK_STREAM)))

(define (pipe-and-pair)
  (match (pipe)
    ((out . in)
     (display "abc" in)
     (close-port in)
     (cons out (pair SOCK_STREAM)))))

(define (pairs-with-data)
  (append ((pair-with-data SOCK_STREAM)) (pair SOCK_STREAM)))

(define (looked-up result)
  (if (pair? result) 'found result))

(define (closed thing)
  (cond ((port? thing) (close-port thing) 'closed)
        (else (close-descriptor thing) 'closed-descriptor)))

(define (received buffer)
  (lambda (n) (and (number? n) (utf8->string buffer))))

(define-syntax-rule (situations (name before (argument ...) call settle) ...)
  (list (list name before (lambda (argument ...) call) settle) ...))

(define buffer (make-bytevector 3))

(define quick
  (situations
   ("socket" (const '()) () (socket AF_INET SOCK_STREAM 0) closed)
   ("socketpair" (const '()) () (socketpair AF_UNIX SOCK_STREAM 0)
    (match-lambda ((a . b) (closed a) (closed b))))
   ("bind" new-socket (sock) (bind sock AF_INET INADDR_LOOPBACK 0) identity)
   ("listen" new-socket (sock) (listen sock 1) identity)
   ("accept" listener-and-caller (listener caller) (accept listener)
    (match-lambda ((sock . address) (closed sock) (sockaddr:fam address))))
   ("connect" listener-and-socket (listener sock)
    (connect sock (getsockname listener)) identity)
   ("getsockname" new-socket (sock) (sockaddr:port (getsockname sock)) identity)
   ("getpeername" (lambda () (pair SOCK_STREAM)) (a b)
    (sockaddr:fam (getpeername a)) identity)
   ("shutdown" (lambda () (pair SOCK_STREAM)) (a b) (shutdown a 1) identity)
   ("nonblocking?" new-socket (sock) (nonblocking? sock) identity)
   ("set-nonblocking!" new-socket (sock) (set-nonblocking! sock #t) identity)
   ("getsockopt" new-socket (sock) (getsockopt sock SOL_SOCKET SO_TYPE) identity)
   ("getsockopt linger" new-socket (sock)
    (getsockopt sock SOL_SOCKET SO_LINGER) identity)
   ("socket-option" new-socket (sock) (socket-option sock 'keepalive) identity)
   ("setsockopt" new-socket (sock) (setsockopt sock SOL_SOCKET SO_KEEPALIVE 1)
    identity)
   ("set-socket-option!" new-socket (sock)
    (set-socket-option! sock 'keepalive #t) identity)
   ("socket-options" new-socket (sock) (pair? (socket-options sock)) identity)
   ("send" (lambda () (pair SOCK_STREAM)) (a b) (send a "abc") identity)
   ("sendto" udp-and-batch (sock batch) (sendto sock "abc" (getsockname sock))
    identity)
   ("recv!" (pair-with-data SOCK_STREAM) (a b) (recv! a buffer)
    (received buffer))
   ("recv" (pair-with-data SOCK_STREAM) (a b) (recv a 9) utf8->string)
   ("recvfrom!" (pair-with-data SOCK_DGRAM) (a b) (car (recvfrom! a buffer))
    (received buffer))
   ("recvfrom" (pair-with-data SOCK_DGRAM) (a b) (recvfrom a 9)
    (lambda (result) (utf8->string (if (pair? result) (car result) result))))
   ("sendmsg" (lambda () (pair SOCK_STREAM)) (a b) (sendmsg a '("ab" "c"))
    identity)
   ("recvmsg!" (pair-with-data SOCK_DGRAM) (a b)
    (message-length (recvmsg! a (list buffer))) (received buffer))
   ("send-ports" (lambda () (pair SOCK_STREAM)) (a b) (send-ports a (list a) "x")
    identity)
   ("recv-ports" (lambda ()
                   (match (pair SOCK_STREAM)
                     ((a b) (send-ports b (list a) "x") (list a b))))
    (a b) (receive (ports message) (recv-ports a) ports)
    (lambda (ports) (map closed ports)))
   ("make-batch" (const '()) () (batch-slots (make-batch 4 16)) identity)
   ("batch-receive!" udp-with-datagram (sock batch) (batch-receive! batch sock)
    identity)
   ("batch-send!" udp-with-full-batch (sock batch)
    (call-with-values (lambda () (batch-send! batch sock)) list) identity)
   ("sendfile" file-and-pair (file a b) (sendfile a file 3 0) identity)
   ("sendfile from a number" file-and-pair (file a b)
    (sendfile a (fileno file) 3 0) identity)
   ("splice" pipe-and-pair (in a b) (splice a in) identity)
   ("splice from a socket" pairs-with-data (in from to out) (splice to in 3) identity)
   ("if-nametoindex" (const '()) () (positive? (if-nametoindex "lo")) identity)
   ("if-indextoname" (const '()) () (if-indextoname 1) identity)
   ("network-interfaces" (const '()) () (pair? (network-interfaces)) identity)
   ("adopt-socket" (lambda () (pair SOCK_STREAM)) (a b) (port? (adopt-socket a))
    identity)
   ("own-descriptor" (lambda ()
                       (match (pair SOCK_STREAM)
                         ((a b) (list a b (list 'fdes (dup->fdes a))))))
    (a b number) (own-descriptor (second number)) closed)
   ("multicast-hops" new-udp (sock) (multicast-hops sock) identity)
   ("set-multicast-hops!" new-udp (sock) (set-multicast-hops! sock 3) identity)
   ("multicast-loop?" new-udp (sock) (multicast-loop? sock) identity)
   ("set-multicast-loop!" new-udp (sock) (set-multicast-loop! sock #f) identity)
   ("multicast-interface" new-udp (sock) (multicast-interface sock) identity)
   ("multicast-join!" new-udp (sock)
    (multicast-join! sock "239.1.2.3" #:interface "lo") identity)
   ("open-netlink" (const '()) () (open-netlink NETLINK_ROUTE) closed)
   ("wait-process" (lambda ()
                     (receive (from to pids) (pipeline '(("true")))
                       (list (car pids) from to)))
    (pid from to) (wait-process pid) status:exit-val)
   ("listen-on" (const '()) () (listen-on "127.0.0.1:0")
    (lambda (listeners) (for-each close-port listeners) 'closed))
   ("getaddrinfo" (const '()) () (getaddrinfo "localhost" "80") looked-up)
   ("gethost" (const '()) () (vector? (gethost "localhost")) identity)
   ("getproto" (const '()) () (vector? (getproto "tcp")) identity)
   ("connect-to" (lambda () (list (tcp-listener))) (listener)
    (connect-to (string-append "localhost:"
                               (number->string
                                (sockaddr:port (getsockname listener)))))
    closed)
   ("run-tasks" (const '()) () (run-tasks (lambda () 'done)) identity)
   ("join" (const '()) ()
    (run-tasks (lambda () (join (spawn-task (lambda () (sleep 1/1000) 'done)))))
    identity)
   ("with-deadline" (const '()) ()
    (with-deadline 1/1000 (lambda () (sleep 1)) (const 'late)) identity)))

(define (call-with-situation before proc)
  (let ((things (before)))
    (dynamic-wind
      (const #t)
      (lambda () (proc things))
      (lambda ()
        (for-each (match-lambda
                    (('fdes number)     ; its owner, if any, has closed it
                     (false-if-exception (close-fdes number)))
                    (thing
                     (when (and (port? thing) (not (port-closed? thing)))
                       (close-port thing))))
                  things)))))

(define (settled settle outcome)
  "OUTCOME as a datum: a list of one, or an error."
  (match outcome
    ((value) (list (settle value)))
    (error error)))

(define (usual-of before call settle)
  "The usual outcome and the system calls."
  (call-with-situation before
    (lambda (things)
      (receive (outcome calls) (calls-of (lambda () (apply call things)))
        (values (settled settle outcome) calls)))))

(define (places calls)
  "Up to twelve indices in CALLS: the first eight, and others at random."
  (let ((count (length calls)))
    (if (<= count 12)
        (iota count)
        (append (iota 8)
                (map (lambda (i) (+ 8 (random (- count 8)))) (iota 4))))))

(define (wrong-outcomes row errors wrapped times wanted?)
  "Each outcome that WANTED? does not allow, with what had failed."
  (match row
    ((name before call settle)
     (receive (usual calls) (usual-of before (wrapped call) settle)
       (append-map
        (lambda (index)
          (filter-map
           (lambda (errno)
             (call-with-situation before
               (lambda (things)
                 (let* ((thunk (lambda () (apply (wrapped call) things)))
                        (outcome (settled settle
                                          (with-fault index errno thunk times))))
                   (and (not (wanted? (list-ref calls index) errno outcome
                                      usual (lambda () (settled settle (list (thunk))))))
                        (list (list-ref calls index) index (strerror errno)
                              outcome 'usually usual))))))
           errors))
        (places calls))))))

(define (plainly call) call)
(define (in-task call)
  (lambda things (run-tasks (lambda () (apply call things)))))

(define (same call errno outcome usual again)
  (equal? outcome usual))

;; Nothing had been done by what was told to have failed.
(define (told-or-same call errno outcome usual again)
  (define (wanting? e) (eqv? e errno))
  (match outcome
    ;; Modes are changed in place, which needs nothing.
    (_ (=> next) (if (member call '("fcntl" "fcntl64")) #t (next)))
    ((or ('system-error (? wanting?) _)
         ((0 (? wanting?)))             ; how batch-send! tells it
         ('getaddrinfo-error . _))
     (equal? (again) usual))
    (_ (equal? outcome usual))))

(define waiting
  '("recvfrom" "sendto" "recvmsg" "sendmsg" "recvmmsg" "sendmmsg" "accept4"
    "sendfile" "sendfile64" "splice"))

(define (same-if-waiting call errno outcome usual again)
  (or (not (member call waiting))
      (equal? outcome usual)))

(define wanting (list EMFILE ENFILE ENOBUFS ENOMEM))

(test-begin "fault")

(for-each
 (match-lambda
   ((name . rest)
    (let ((row (cons name rest)) (before ((@@ (harness) descriptors))))
      (test-case name
        (test-equal "interrupted" '()
          (wrong-outcomes row (list EINTR) plainly 1 same))
        (test-equal "interrupted twice, in a task" '()
          (wrong-outcomes row (list EINTR)
                          (if (member name '("run-tasks" "join")) plainly in-task)
                          2 same))
        (test-equal "something is wanting" '()
          (wrong-outcomes row wanting plainly 1 told-or-same))
        (test-equal "a call has to wait" '()
          (wrong-outcomes row (list EAGAIN) plainly 1 same-if-waiting))
        (test-equal "a call of a task has to wait" '()
          (wrong-outcomes row (list EAGAIN)
                          (if (member name '("run-tasks" "join")) plainly in-task)
                          1 same-if-waiting))
        ;; A look-up that was given up goes on in its thread, with its descriptors.
        (wait-until (lambda () (null? ((@@ (harness) leaks) before))))))))
 quick)

(test-end "fault")
