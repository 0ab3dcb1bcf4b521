;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers: a task for each connection, how many there may be and for how long,
;;; what to do when the system has no more to give, and how to end.  What a
;;; connection is for is the handler's matter.

(define-module (sockport serve run)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 suspendable-ports)
  #:use-module (sockport task exception)
  #:use-module (sockport constant)
  #:use-module (sockport io answer)
  #:use-module (sockport io called)
  #:use-module (sockport io secure)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport deadline)
  #:use-module (sockport listener)
  #:use-module (sockport log)
  #:use-module ((sockport task group) #:select (start-task!))
  #:use-module ((sockport task inherit) #:select (inheriter))
  #:use-module (sockport task loop)
  #:use-module ((sockport serve failure) #:select (say))
  #:use-module (sockport serve judge)
  #:use-module (sockport serve handshake)
  #:use-module (sockport serve listeners)
  #:use-module (sockport serve stop-signal)
  #:use-module (sockport serve site)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:export (serve-as))

;;; Connections.

(define (limited waiter sock seconds)
  (lambda (port)
    (if (eq? port sock)
        (with-deadline seconds (lambda () (waiter port)))
        (waiter port))))

(define (in-time server sock thunk)
  (define (never-idle)
    (let ((seconds (server-idle-seconds server)))
      (if seconds
          (parameterize ((current-read-waiter
                          (limited (current-read-waiter) sock seconds))
                         (current-write-waiter
                          (limited (current-write-waiter) sock seconds)))
            (thunk))
          (thunk))))
  (with-deadline (server-connection-seconds server) never-idle))

;;; What a peer does not take must not keep the socket from being closed.
(define (discard-output! sock)
  (let ((buffer (port-write-buffer sock)))
    (set-port-buffer-cur! buffer (port-buffer-end buffer))))

;;; What has not ended well is not to look as if it had.
(define (abandon! port)
  (when (and (layered? port) (not (port-closed? port)))
    (false-if-exception (shutdown (bottom-port port) SHUT_RDWR))
    (discard-output! port)
    (%close-port port)))

;;; What is on the stack here is copied each time a connection waits, so what has to
;;; be done at its end is done outside of it.
(define (conversation server sock peer place)
  (let ((handler (server-handler server)) (prepare (server-prepare server)))
    (define (converse-plainly)
      (handler sock peer)
      (unless (port-closed? sock)
        (close-port sock)))
    (define (converse-when-prepared)
      (call-with-values (lambda () (prepare sock peer))
        (lambda (port peer)
          (set-car! place port)
          (handler port peer)
          (unless (port-closed? port)
            (close-port port)))))
    (define converse
      (if prepare converse-when-prepared converse-plainly))
    (if (or (server-idle-seconds server) (server-connection-seconds server))
        (lambda () (in-time server sock converse))
        converse)))

(define (conversation-ended site sock peer place)
  (lambda (exception)
    (when (pair? place)
      (abandon! (car place)))
    (unless (port-closed? sock)
      (discard-output! sock)
      (close-port sock))
    (connection-ended! site)
    (judge site peer exception)))

;;; Accepting.

;;; accept(2): errors of the connection that was pending, not of the listener.
(define of-the-connection
  (list ECONNABORTED EPROTO EINTR ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET
        EHOSTUNREACH ENETUNREACH ETIMEDOUT EPERM))

(define of-the-system
  (list EMFILE ENFILE ENOBUFS ENOMEM))

(define (error-number listener thunk)
  "The value of THUNK, or the number of an error that does not end the listening."
  (catch 'system-error
    thunk
    (lambda args
      (let ((errno (system-error-errno args)))
        (if (or (memv errno of-the-connection) (memv errno of-the-system)
                (port-closed? listener))
            errno
            (apply throw args))))))

(define address-length 3)

(define first-pause 1/100)
(define longest-pause 1)

(define (rest! site pause)
  "Let PAUSE seconds pass, or fewer if a connection ends."
  (let* ((count (site-count site))
         (server (site-server site)))
    (with-deadline pause
      (lambda ()
        (await-fewer site (lambda ()
                            (or (stopping server) (< (site-count site) count)))))
      (const #f))))

(define (say-short! site errno)
  (unless (site-short? site)
    (set-site-short! site #t)
    (say (server-log (site-server site))
         (format #f "cannot accept: ~a; trying again" (strerror errno)))))

(define (say-enough! site)
  (when (site-short? site)
    (set-site-short! site #f)
    (say (server-log (site-server site)) "accepting again")))

(define (begin-conversation site inherit sock peer)
  (let* ((server (site-server site))
         (place (and (server-prepare server) (list sock))))
    ;; What spawn-task does, without its keywords.
    (start-task! (current-loop) (site-group site)
                 (inherit (conversation server sock peer place))
                 peer (conversation-ended site sock peer place))))

;;; An accept4 that finds nobody has made a socket in vain, and costs as much as ten
;;; polls.  So it is called at once only if the poller has said that somebody waits.
;;; That one is served before the queue is looked at: who connects anew when the
;;; connection has ended is there by then, or the look was made while nobody waited.
;;; And errors are caught around many connections, because that costs as well.
(define (accept-connections site listener)
  (define server (site-server site))
  (define inherit (inheriter (current-task)))
  (define pause first-pause)
  (define reserved? #f)
  (define (accept-all)
    "Begin a conversation for each connection; #f when SITE is to end."
    (let next ((accept %accept))
      (cond ((or (stopping server) (port-closed? listener)) #f)
            ((not (reserve! server))
             (await-room site)
             (next %accept-next))
            (else
             (set! reserved? #t)
             (let ((accepted (answering address-length pair
                               (accept pair listener SOCK_NONBLOCK))))
               (set! reserved? #f)
               (cond (accepted
                      (say-enough! site)
                      (set! pause first-pause)
                      (set-site-count! site (+ (site-count site) 1))
                      (begin-conversation site inherit (car accepted) (cdr accepted))
                      (when (eq? accept %accept-now)
                        (task-yield))
                      (next %accept-next))
                     (else
                      (release! server)
                      (wait-readable listener 'accept)
                      (next %accept-now))))))))
  (let again ()
    (let ((errno (error-number listener accept-all)))
      (when errno
        (when reserved?
          (set! reserved? #f)
          (release! server))
        (when (memv errno of-the-system)
          (say-short! site errno))
        (rest! site pause)
        (set! pause (min longest-pause (* 2 pause)))
        (again)))))

;;; From the beginning to the end.

(define (run-site server listeners)
  (with-task-group
   (lambda (group)
     (define site (make-site server group))
     (add-site! server site)
     (call-with-cleanup
      (lambda ()
        (for-each (lambda (listener)
                    (spawn-task (lambda () (accept-connections site listener))
                                #:group group #:name listener))
                  listeners)
        (await-site site (lambda () (stopping server))))
      (lambda () (for-each close-listener listeners)))
     ((server-on-stop server) server)
     (with-deadline (server-grace-seconds server)
       (lambda ()
         (await-fewer site (lambda ()
                             (or (zero? (site-count site))
                                 (eq? 'now (stopping server))))))
       (const #f))
     (cancel! group))))

(define (call-with-signals server signals thunk)
  (for-each (lambda (signal) (stop-on! signal server)) signals)
  (call-with-cleanup
   thunk
   (lambda ()
     (for-each (lambda (signal) (stop-no-more! signal server)) signals))))

;;; WHO, serve or serve-http, is who was called; the arguments were checked.
(define* (serve-as who where handler #:key connections idle-seconds
                   connection-seconds (grace-seconds 10)
                   (signals (list SIGTERM)) (workers 1)
                   (on-listen (const #t)) (on-stop (const #t)) (log log-line)
                   (backlog SOMAXCONN) (no-delay? #t) v6-only? mode owner group
                   prologue tls (handshake-seconds 10))
  (when (and (in-task?) (> workers 1))
    (scm-error 'misc-error who "in a task there is one worker, not ~A"
               (list workers) #f))
  (define (server-at listeners)
    (make-server handler (map getsockname listeners)
                 connections (make-atomic-box 0)
                 idle-seconds connection-seconds grace-seconds log on-stop
                 (make-atomic-box #f) (make-atomic-box '())
                 (and (or prologue tls)
                      (preparing prologue tls handshake-seconds))))
  (let ((sets (raising-as who '("listen-on")
                (open-listeners where workers #:backlog backlog
                                #:no-delay? no-delay? #:v6-only? v6-only?
                                #:mode mode #:owner owner #:group group))))
    (call-with-cleanup
     (lambda ()
       (let ((server (server-at (car sets))))
         (define (work)
           (run-site server (list-ref sets (if (> workers 1) (current-worker) 0))))
         (call-with-signals server signals
           (lambda ()
             (on-listen server)
             (if (in-task?)
                 (work)
                 (run-tasks work #:workers workers))))))
     (lambda ()
       (for-each (lambda (listeners) (for-each close-listener listeners))
                 sets)))
    *unspecified*))
