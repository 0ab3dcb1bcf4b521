;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Deadlines around any piece of code, in tasks and in plain threads.  Nothing
;;; here is called until something has to wait.

(define-module (sockport task deadline)
  #:use-module (ice-9 control)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 suspendable-ports)
  #:use-module (sockport io argument)
  #:use-module (sockport task exception)
  #:use-module (sockport task loop)
  #:use-module (sockport io binary)
  #:use-module (sockport ports fibers)
  #:use-module (sockport ports guile)
  #:use-module (sockport primitive)
  #:use-module (sockport task scope)
  #:use-module (sockport task timer)
  #:use-module (sockport task waiter)
  #:use-module (sockport io wait)
  #:export (with-deadline
            deadline-left
            shielded
            seconds->ns
            prepare-ports!
            thread-limit)
  #:re-export (&deadline-exceeded
               deadline-exceeded?))

(define ns-per-second 1000000000)

;;; More than eighteen years is for ever.
(define longest (ash 1 59))

(define (seconds->ns seconds position who)
  "Return SECONDS, a real number from 0 on, in nanoseconds, never less than were
asked for; #f if that is more than a clock can tell."
  (cond ((not (real? seconds))
         (refuse-type who position "real number" seconds))
        ((not (>= seconds 0))
         (refuse-range who position "0 seconds or more" seconds))
        (else
         (let ((ns (* seconds ns-per-second)))
           (cond ((>= ns longest) #f)
                 ((exact-integer? ns) ns)
                 (else (inexact->exact (ceiling ns))))))))

;;; In a task.

(define (task-deadline task ns thunk on-expired)
  (let* ((timers (loop-timers (task-loop task)))
         (time (+ (monotonic-ns) ns))
         (scope (make-scope (task-scope task) #f #f time #f))
         (timer #f))
    (define (expire)
      (trigger! task scope (make-deadline-exceeded scope)))
    (define (enter)
      (without-asyncs
       (if (zero? ns)
           (expire)
           (set! timer (timer-add! timers time expire)))
       (update-interrupt! task)))
    (define (leave)
      (without-asyncs
       (when timer
         (timer-cancel! timers timer))
       (update-interrupt! task)))
    (catching scope on-expired
      (lambda ()
        (winding-scopes task scope enter (scope-parent scope) leave thunk)))))

(define (scopes-limit scope)
  "Return when the earliest deadline of SCOPE and those around it ends, or #f."
  (let earliest ((scope scope) (time #f))
    (if (and scope (not (scope-shield? scope)))
        (let ((its (scope-deadline scope)))
          (earliest (scope-parent scope)
                    (if (and time its) (min time its) (or time its))))
        time)))

;;; For what waits below C code: the loop's timers do not run meanwhile.
(define (expire-now task)
  (let ((now (monotonic-ns)))
    (let trigger ((scope (task-scope task)))
      (when scope
        (when (and (scope-deadline scope) (<= (scope-deadline scope) now))
          (trigger! task scope (make-deadline-exceeded scope)))
        (trigger (scope-parent scope))))))

(set-time-limit! (lambda (task) (scopes-limit (task-scope task))) expire-now)

(define (catching scope on-expired thunk)
  "Call THUNK; if SCOPE expires and ON-EXPIRED is not #f, call that instead."
  (if (not on-expired)
      (thunk)
      (let ((tag (make-prompt-tag "deadline")))
        (call-with-prompt tag
          (lambda ()
            (with-exception-handler
                (lambda (exception)
                  (if (and (deadline-exceeded? exception)
                           (eq? (interruption-scope exception) scope))
                      (abort-to-prompt tag)
                      (raise-exception exception #:continuable? #t)))
              thunk))
          (lambda (k) (on-expired))))))

;;; In a thread that runs no tasks.  Its scopes are kept in a fluid; only the
;;; earliest matters.

(define thread-scope (make-thread-local-fluid #f))

(define (expired scope)
  (raise-exception (make-deadline-exceeded scope)))

(define (make-thread-waiter wait-fd events)
  (thread-waiter
   (lambda (port)
     (let ((scope (fluid-ref thread-scope))
           (what (if (or (file-port? port) (layered? port))
                     port
                     (wait-fd port))))
       (unless (%wait what events (and scope (scope-deadline scope)) 'wait)
         (expired scope))))))

(define thread-read-waiter
  (make-thread-waiter port-read-wait-fd POLLIN))
(define thread-write-waiter
  (make-thread-waiter port-write-wait-fd POLLOUT))

(define (thread-limit)
  "Return the scope of the deadline that holds for this thread, or #f."
  (fluid-ref thread-scope))

(define (raise-deadline)
  "Raise the exception of the thread's own deadline, which has passed."
  (expired (fluid-ref thread-scope)))

(set-thread-limit! (lambda () (scopes-limit (fluid-ref thread-scope)))
                   raise-deadline)

;;; A scheduler that is not ours cannot be told to give up, but for Fibers'; a deadline
;;; that has passed is noticed before and after each wait.
(define (checking waiter write?)
  (define (left)
    (let ((scope (fluid-ref thread-scope)))
      (and scope
           (let ((left (- (scope-deadline scope) (monotonic-ns))))
             (if (positive? left) left (expired scope))))))
  (lambda (port)
    (let ((ns (left)))
      (if (and ns (fibers-waiter? waiter) (fibers-running?))
          (fibers-wait port write? ns)
          (waiter port)))
    (left)))

(define (thread-deadline ns thunk on-expired)
  (let* ((outer (fluid-ref thread-scope))
         (time (+ (monotonic-ns) ns))
         (mine (make-scope outer #f #f time #f))
         (foreign? (scheduler?)))
    (catching mine on-expired
      (lambda ()
        (with-fluids ((thread-scope
                       (if (and outer (<= (scope-deadline outer) time))
                           outer
                           mine)))
          (parameterize ((current-read-waiter
                          (if foreign?
                              (checking (current-read-waiter) #f)
                              thread-read-waiter))
                         (current-write-waiter
                          (if foreign?
                              (checking (current-write-waiter) #t)
                              thread-write-waiter)))
            (thunk)))))))

;;; Both.

(define* (with-deadline seconds thunk #:optional on-expired)
  "Call THUNK and return its values.  What waits in it SECONDS from now or later
raises @code{&deadline-exceeded}; if ON-EXPIRED is a procedure, it is called
instead and its values are returned.  0 lets nothing wait, #f sets no deadline.
Whatever is waited for in an outer deadline ends with that one at the latest."
  (define ns (and seconds (seconds->ns seconds 1 "with-deadline")))
  (check-procedure thunk 2 "with-deadline")
  (check-that (or (not on-expired) (procedure? on-expired)) on-expired 3
              "procedure or #f" "with-deadline")
  (let ((task (current-task)))
    (prepare-ports!)
    (cond ((not ns) (thunk))
          (task (task-deadline task ns thunk on-expired))
          (else (thread-deadline ns thunk on-expired)))))

(define (interruptible?)
  "May what waits here be ended: by a deadline or, in a task, by cancel! as well?"
  (or (in-task?) (and (fluid-ref thread-scope) #t)))

;;; libguile's own procedures in C, display say, wait in poll.
(define (wait-for-c port direction)
  (cond ((fluid-ref sleeper)
         (wait-below-c port direction)
         #t)
        ((eq? (current-write-waiter) thread-write-waiter)
         (thread-write-waiter port)
         #t)
        (else #f)))

;;; Where it is not known whether such a procedure calls, that is asked each time.
(define (waiting-for-c try direction)
  (if known?
      try
      (lambda (port buffer start count)
        (let again ()
          (or (try port buffer start count)
              (and (current-task)
                   (not (suspendable-continuation? task-tag))
                   (begin
                     (wait-below-c port direction)
                     (again))))))))

(define (prepare-ports!)
  (use-suspendable-ports! interruptible? wait-for-c waiting-for-c task-read-waiter
                          quick-procedures))

(define (deadline-left)
  "Return the seconds until the nearest deadline around here, 0 if it has passed,
or #f if there is none."
  (let* ((task (current-task))
         (time (scopes-limit (if task
                                 (task-scope task)
                                 (fluid-ref thread-scope)))))
    (and time
         (/ (max 0 (- time (monotonic-ns))) (* 1.0 ns-per-second)))))

(define (shielded thunk)
  "Call THUNK, whose waiting is not ended by deadlines and cancellations from
outside of it; deadlines inside work.  For cleaning up."
  (check-procedure thunk 1 "shielded")
  (let ((task (current-task)))
    (if task
        (call-in-scope task (make-scope (task-scope task) #f #t #f #f) thunk)
        (with-fluids ((thread-scope #f))
          (thunk)))))
