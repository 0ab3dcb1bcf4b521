;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How a procedure waits, and the only place that knows it.  A primitive tries
;;; once; when it returns #f, the caller comes here and then tries again.
;;;
;;; `current-read-waiter' and `current-write-waiter' of (ice-9 suspendable-ports)
;;; are the whole contract with schedulers.  While they are Guile's own, the
;;; thread waits by itself, outside Guile mode.

(define-module (sockport io wait)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 suspendable-ports)
  #:use-module (sockport ports fibers)
  #:use-module (sockport ports guile)
  #:use-module (sockport primitive)
  #:export (POLLIN
            POLLOUT
            wait-readable
            wait-until-readable
            wait-writable
            wait-shortly
            sleeper
            with-task-waiters
            task-read-waiter
            goes-on!
            look-again-waiter
            make-patience
            retrying
            scheduler?
            waits-alone?
            fiber?
            plain-nonblocking?
            thread-waiter
            below-c?
            wait-below-c
            set-can-wait!
            check-open
            raise-errno)
  #:re-export (monotonic-ns))

;;; guile/wait.c compares them with those of the system.
(define POLLIN 1)
(define POLLOUT 4)

(define read-waiter (parameter-fluid current-read-waiter))
(define write-waiter (parameter-fluid current-write-waiter))

(define (raise-errno who errno)
  "Raise the system-error of WHO, a symbol, with ERRNO in its data."
  (scm-error 'system-error (symbol->string who) "~A"
             (list (strerror errno)) (list errno)))

(define-inlinable (check-open port who)
  "Raise EBADF for WHO if PORT was closed while WHO was waiting for it, else #t."
  (when (port-closed? port)
    (scm-error 'system-error (symbol->string who)
               "the port was closed while waiting" '() (list EBADF)))
  #t)

;;; What runs in this thread sleeps by (SLEEP port direction), until PORT may be read
;;; (DIRECTION 0) or written (1), and says that it goes on by `goes-on!'.  #f where
;;; no loop runs, also if the waiters below were inherited from one.
(define sleeper (make-thread-local-fluid #f))

(define-inlinable (goes-on!)
  (let ((interrupt (%task-goes-on)))
    (when interrupt
      (raise-exception interrupt))))

;;; (CAN-WAIT?) is about the task that runs here, if one does (task/loop).
(define can-wait? (const #t))
(define (set-can-wait! proc)
  (set! can-wait? proc))

(define (wait-below-c port direction)
  "Wait for PORT in a task that a procedure in C keeps from being left."
  ((fluid-ref sleeper) port direction)
  (goes-on!))

(define (below-c?)
  "Is this a task or a fiber that cannot be left here, because of a procedure in C?"
  (or (not (can-wait?))
      (and (fiber?) (not (fiber-can-wait?)))))

;;; Guile's own port procedures have tried before they come here, and others may
;;; not have; a wait of theirs has the kernel look whether PORT is ready now.
(define (task-waiter direction wait-fd plain)
  (lambda (port)
    (let ((sleep (fluid-ref sleeper)))
      (cond ((not sleep) (plain port))
            ((layered? port)
             (sleep port direction)
             (goes-on!))
            ((file-port? port)
             (unless (%tried? port direction)
               (%renew port))
             (sleep port direction)
             (goes-on!))
            (else
             (sleep (wait-fd port) direction)
             (goes-on!))))))

(define task-read-waiter (task-waiter 0 port-read-wait-fd plain-read-waiter))
(define task-write-waiter (task-waiter 1 port-write-wait-fd plain-write-waiter))

(define (with-task-waiters thunk)
  (parameterize ((current-read-waiter task-read-waiter)
                 (current-write-waiter task-write-waiter))
    (thunk)))

;;; The waiter of a scheduler that was met before and is not one of Fibers.
(define known-waiter #f)

(define (wait waiter plain ours port events who patience)
  (cond ((or (eq? waiter plain)
             (and (eq? waiter ours) (not (fluid-ref sleeper))))
         (if patience
             (%block port events who
                     (patience-limit patience port events who))
             (%block port events who)))
        ((eq? waiter ours)
         ((fluid-ref sleeper) port (if (eqv? events POLLIN) 0 1))
         (goes-on!)
         (check-open port who))
        ((layered? port)
         (wait-below waiter port events who))
        ((and (not (eq? waiter known-waiter))
              (fibers-waiter? waiter))
         (wait-in-fiber port events who))
        (else
         (set! known-waiter waiter)
         (let ((ready (waiter port)))
           (check-open port who)
           ;; What %wait returns, if the waiter is made of it.
           (not (eq? ready 'errors))))))

;;; What a port over a socket waits for need not be what it was asked to do.
(define (wait-below waiter port events who)
  (let ((below (bottom-port port))
        (write? (%awaits-writing? port (if (eqv? events POLLIN) 0 1))))
    (if (fibers-waiter? waiter)
        ;; Guile's own ports keep the thread waiting below C.
        (if (fiber-can-wait?)
            (wait-in-fiber below (if write? POLLOUT POLLIN) who)
            (%wait below (if write? POLLOUT POLLIN) #f who))
        ((if write? (fluid-ref write-waiter) (fluid-ref read-waiter)) below))
    (check-open port who)))

(define (wait-in-fiber port events who)
  (cond ((fibers-running?)
         (fibers-wait port (eqv? events POLLOUT))
         (check-open port who))
        ;; A thread that inherited the waiter from a fiber.
        (else (%wait port events #f who))))

(define-syntax-rule (wait-shortly port who otherwise (n on) done again)
  "DONE when PORT is readable, N being a count or #f, from ON, which does what
`goes-on!' does as well; AGAIN if something else came first; OTHERWISE if that is not
for a task of ours to wait for.  The shortest way: what is on the stack is copied each
time it is suspended."
  (let ((sleep (fluid-ref sleeper)))
    (if (and sleep (eq? (fluid-ref read-waiter) task-read-waiter))
        (begin
          (sleep port 0)
          (let ((n on))
            (cond ((or (not n) (exact-integer? n)) done)
                  ((eq? n #t)
                   (check-open port who)
                   again)
                  (else (raise-exception n)))))
        otherwise)))

(define* (wait-readable port who #:optional (patience #f))
  "Wait until PORT is readable.  WHO, a symbol, is named by errors: EAGAIN when
no scheduler is running and PORT is in non-blocking mode, EBADF when PORT is
closed meanwhile.  #f means that nothing but an error ended the wait, which may be
one in the queue of errors.  All waits of one call share their PATIENCE."
  (wait (fluid-ref read-waiter) plain-read-waiter task-read-waiter
        port POLLIN who patience))

(define (wait-until-readable port who)
  "As `wait-readable', for a caller that does not try again: a wait may end early, where
PORT has the descriptor of one that was just closed, say."
  (wait-readable port who)
  (unless (%wait port POLLIN 0 who)
    (wait-until-readable port who)))

(define* (wait-writable port who #:optional (patience #f))
  "Wait until PORT is writable, as @code{wait-readable}."
  (wait (fluid-ref write-waiter) plain-write-waiter task-write-waiter
        port POLLOUT who patience))

;;; SO_RCVTIMEO and SO_SNDTIMEO count from the first wait of a call, not anew from
;;; each of them: #t is not yet known, #f no limit.
(define (make-patience) (list #t))

(define (patience-limit patience port events who)
  (when (eq? #t (car patience))
    (set-car! patience (%block-deadline port events who)))
  (car patience))

;;; EXPR stands here once: of two calls of a primitive the compiler would make a
;;; procedure.
(define-syntax-rule (retrying (wait port who) expr)
  "The value of EXPR, once it is not #f; before it is tried again, PORT is
waited for."
  (let loop ((wait-again #f))
    (or expr
        (let ((wait-again (or wait-again (retry-waiter wait port who))))
          (wait-again)
          (loop wait-again)))))

(define (retry-waiter wait port who)
  (define patience (make-patience))
  (let ((ready? #t) (pause #f))
    (lambda ()
      ;; A queue of errors that is not empty ends every wait at once.
      (set! pause (and (not ready?)
                       (or pause (look-again-waiter port who wait patience))))
      (when pause (pause))
      (set! ready? (wait port who patience)))))

(define (wait-awhile port who ns)
  "Let NS nanoseconds pass, or fewer if PORT is closed."
  (if (waits-alone?)
      (%wait port 0 (+ (monotonic-ns) ns) who)
      ;; A timer that is a port is something every scheduler can wait for.
      (let ((timer (%timer-port ns)))
        ;; Not dynamic-wind, which would close it when the task is suspended.
        (catch #t
          (lambda () ((fluid-ref read-waiter) timer))
          (lambda args
            (%close-port timer)
            (apply throw args)))
        (%close-port timer)
        (check-open port who))))

(define millisecond 1000000)

(define* (look-again-waiter port who #:optional (wait wait-writable)
                            (patience (make-patience)))
  "Return a thunk that lets some time pass, more each time it is called, and none
the first time, when it may have been a task's turn that was over: the way
to wait for what no event reports, a UNIX socket whose queue is full.  It raises
EAGAIN when PORT must not wait or its SO_SNDTIMEO, of wait-readable its SO_RCVTIMEO,
has passed."
  (let ((limit (and (waits-alone?)
                    (patience-limit patience port
                                    (if (eq? wait wait-readable)
                                        POLLIN
                                        POLLOUT)
                                    who)))
        (pause 0))
    (lambda ()
      (when (and limit (>= (monotonic-ns) limit))
        (raise-errno who EAGAIN))
      (unless (zero? pause)
        (wait-awhile port who pause))
      (set! pause (max millisecond
                       (min (* 2 pause) (* 64 millisecond)))))))

;;; Waiters that end a thread's wait early, at a deadline say, without being a
;;; scheduler: nothing else can run in that thread meanwhile.
(define thread-waiters (make-weak-key-hash-table))

(define (thread-waiter waiter)
  "Return WAITER, known from now on to wait in its own thread."
  (hashq-set! thread-waiters waiter #t)
  waiter)

(define (thread-waiter? waiter)
  (or (hashq-ref thread-waiters waiter)
      (and (not (eq? waiter known-waiter))
           (fibers-waiter? waiter)
           (not (fibers-running?)))))

(define (scheduler?)
  "Is a scheduler running here, one that suspends what waits?"
  (not (or (waits-alone?)
           (thread-waiter? (fluid-ref read-waiter)))))

(define (waits-alone?)
  "Is there neither a scheduler nor a deadline here?"
  (let ((waiter (fluid-ref read-waiter)))
    (or (eq? waiter plain-read-waiter)
        (and (eq? waiter task-read-waiter)
             (not (fluid-ref sleeper))))))

(define (fiber?)
  "Is this a fiber of Fibers?"
  (and (fibers-waiter? (fluid-ref read-waiter)) (fibers-running?)))

(define (plain-nonblocking? port)
  "Must a procedure return instead of waiting for PORT?"
  (and (waits-alone?)
       ;; One that was closed meanwhile is refused by what would wait.
       (not (port-closed? port))
       (nonblocking? (bottom-port port))))
