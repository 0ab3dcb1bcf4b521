;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How tasks, and threads that run none, wait for each other: a waiter that the
;;; first who claims it wakes with a value.  Waiters are changed under one lock
;;; of the process, which is held for a few steps at a time and never waits.

(define-module (sockport task sync)
  #:use-module (ice-9 threads)
  #:use-module (srfi srfi-9)
  #:use-module (sockport task loop)
  #:use-module (sockport primitive)
  #:use-module (sockport io wait)
  #:export (with-lock
            make-waiter
            waiter?
            waiter-task
            claim!
            withdraw!
            await!))

(define lock (make-mutex))

;;; A handler of a signal that ran while the lock is held might want it.
(define (call-with-lock thunk)
  (call-with-blocked-asyncs
   (lambda ()
     (lock-mutex lock)
     (let ((result (thunk)))
       (unlock-mutex lock)
       result))))

(define-syntax-rule (with-lock expr ...)
  "The one value of the last EXPR.  None may raise or wait."
  (call-with-lock (lambda () expr ...)))

;;; TASK is #f for a plain thread, which then waits for BELL, a socket.  STATE is
;;; waiting, done (VALUE is what it was woken with) or withdrawn.
(define-record-type <waiter>
  (%make-waiter task bell state value)
  waiter?
  (task waiter-task)
  (bell waiter-bell set-waiter-bell!)
  (state waiter-state set-waiter-state!)
  (value waiter-value set-waiter-value!))

(define (make-waiter)
  "Return a waiter for what runs here."
  (%make-waiter (current-task) #f 'waiting #f))

(define (claim! waiter value)
  "Wake WAITER with VALUE; #f if it was woken or withdrawn before.  The lock is
held."
  (and (eq? (waiter-state waiter) 'waiting)
       (begin
         (set-waiter-state! waiter 'done)
         (set-waiter-value! waiter value)
         (cond ((waiter-task waiter) => task-ready!)
               ((waiter-bell waiter)
                => (lambda (bell) (%send bell #vu8(1)))))
         #t)))

(define (withdraw! waiter)
  "Have WAITER claimed by nobody from now on; #f if it was."
  (with-lock
   (and (eq? (waiter-state waiter) 'waiting)
        (begin
          (set-waiter-state! waiter 'withdrawn)
          #t))))

(define AF_UNIX 1)
(define SOCK_STREAM 1)

(define (await-in-thread! waiter)
  (let* ((ends (%socketpair AF_UNIX SOCK_STREAM 0 #f))
         (close-ends (lambda ()
                       (close-port (car ends))
                       (close-port (cdr ends)))))
    (with-exception-handler
        (lambda (exception)
          (with-lock (set-waiter-bell! waiter #f))
          (close-ends)
          (when (withdraw! waiter)
            (raise-exception exception)))
      (lambda ()
        (when (with-lock
               (set-waiter-bell! waiter (cdr ends))
               (eq? (waiter-state waiter) 'waiting))
          (wait-readable (car ends) 'wait))
        (with-lock (set-waiter-bell! waiter #f))
        (close-ends))
      #:unwind? #t)))

;;; Who claims the waiter makes the task ready, even before it is suspended: then
;;; it has to be, or it would run twice.
(define (await-in-task! waiter task)
  (if (and (task-interrupt task) (withdraw! waiter))
      (check-interrupt task)
      (begin
        (pause! (task-loop task) task waiter)
        (unless (eq? (waiter-state waiter) 'done)
          (check-interrupt task)))))

(define (await! waiter)
  "Wait until WAITER is claimed, and return the value.  Raises what interrupts it,
unless it was claimed before that."
  (let ((task (waiter-task waiter)))
    (if task
        (await-in-task! waiter task)
        (await-in-thread! waiter))
    (waiter-value waiter)))
