;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How tasks, and threads that run none, wait for what others give: with a waiter
;;; that whoever claims it first wakes with a value (guile/task/claim.c).

(define-module (sockport task waiter)
  #:use-module (ice-9 atomic)
  #:use-module (srfi srfi-9)
  #:use-module (sockport io close)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport task loop)
  #:use-module ((sockport task record)
                #:select (loop-inside? loop-poller set-loop-inside!))
  #:export (nothing
            entered
            sleep-entered
            waiter?
            waiter-flag
            waiter-value
            waiter-chosen
            waiter-over?
            wait-for
            call-before-suspending
            core-get
            set-thread-limit!))

;;; What is got where there is nothing, and what a waiter has before it is claimed.
(define nothing (%nothing))

;;; What is got where there is nothing, and the task that runs here was entered as who
;;; waits for it.
(define entered (%entered))

;;; FLAG is an atomic box: W, C or S.  CHOSEN is which of several operations VALUE
;;; is of.  SLEEPER is a task, POLLER then being that of its loop, or what wakes
;;; another thread.  The fields are known in guile/task/claim.h.
(define-record-type <waiter>
  (%make-waiter flag value chosen sleeper poller)
  waiter?
  (flag waiter-flag)
  (value waiter-value)
  (chosen waiter-chosen)
  (sleeper waiter-sleeper)
  (poller waiter-poller))

(define-inlinable (make-waiter sleeper poller)
  (%make-waiter (make-atomic-box 'W) nothing #f sleeper poller))

(define-inlinable (waiter-over? waiter)
  "Was WAITER claimed or withdrawn?"
  (eq? 'S (atomic-box-ref (waiter-flag waiter))))

;;; One wait.  (ENTER waiter) has it claimed when there is something, and returns true
;;; if its wait is over by that; (LEAVE), unless it is #f, undoes the rest.  Both are
;;; called with asyncs off, and neither raises nor waits.

(define (wait-for enter leave who)
  "Wait, and return the waiter when it was claimed."
  (let ((task (current-task)))
    (cond (task (wait-in-task task enter leave who))
          ((current-loop) (cannot-wait who))
          ((scheduler?) (wait-in-scheduler enter leave))
          (else (wait-in-thread enter leave)))))

;;; What a program does when it is about to wait: it cannot wait for something else.

(define (call-before-suspending thunk failed)
  "Return the value of THUNK; if it raises an exception, that of (FAILED exception)."
  (let* ((loop (current-loop)) (inside? (and loop (loop-inside? loop))))
    (when loop (set-loop-inside! loop #f))
    (let ((result (with-exception-handler failed thunk #:unwind? #t)))
      (when loop (set-loop-inside! loop inside?))
      result)))

(define (abandon-waiter task)
  (%withdraw (task-place task)))

;; Those that C makes are as this one, for one wait of one task, which is most of them.
(%waiter-init! (make-waiter #f #f) abandon-waiter)

(define (sleep-entered)
  "Sleep, having been entered, and return what is got."
  (let ((loop (current-loop)))
    (leave! loop #f #f)
    (let* ((waiter (task-place (loop-current loop)))
           (interrupt (%task-goes-on))
           (value (waiter-value waiter)))
      (when (eq? value nothing)
        (raise-exception interrupt))
      value)))

(define (wait-in-task task enter leave who)
  (begin-wait! task who)
  (let ((waiter (make-waiter task (loop-poller (task-loop task)))))
    (if (enter waiter)
        (begin
          (when leave (leave))
          (%asyncs-on))
        (let ((interrupt (suspend! task abandon-waiter waiter
                         (when leave (leave)))))
          (when (eq? nothing (waiter-value waiter))
            (raise-exception interrupt))))
    waiter))

;;; In a thread.  It withdraws before it runs asyncs, which may leave from here.

(define bell-fluid (make-thread-local-fluid #f))

(define (thread-bell)
  (unless (fluid-ref bell-fluid)
    (fluid-set! bell-fluid (%make-bell)))
  (fluid-ref bell-fluid))

;;; (TIME-LIMIT) is when the deadline of this thread ends, or #f; (EXPIRE) raises it.
(define time-limit (const #f))
(define expire #f)
(define (set-thread-limit! limit expire-now)
  (set! time-limit limit)
  (set! expire expire-now))

(define (sleep-until-rung bell)
  "Sleep until BELL is rung, which will be soon, whatever asyncs are due."
  (unless (%sleep-until-rung bell #f)
    (sleep-until-rung bell)))

(define (wait-in-thread enter leave)
  (let ((bell (thread-bell)) (limit (time-limit)))
    (%asyncs-off)
    (%reset-bell! bell)
    (let* ((waiter (make-waiter bell #f))
           (given? (or (enter waiter)
                       (%sleep-until-rung bell limit)
                       (and (not (%withdraw waiter))
                            (begin
                              (sleep-until-rung bell)
                              #t)))))
      (when leave (leave))
      (%asyncs-on)
      (cond (given? waiter)
            ((and limit (>= (monotonic-ns) limit)) (expire))
            ;; The asyncs run on the way.
            (else (wait-in-thread enter leave))))))

;;; In another scheduler's thread: a socket is something that it can wait for.

(define AF_UNIX 1)
(define SOCK_STREAM 1)

(define (wait-in-scheduler enter leave)
  (let* ((ends (%socketpair AF_UNIX SOCK_STREAM 0 #f))
         (waiter (make-waiter (cdr ends) #f)))
    (define (end)
      (when leave (without-asyncs (leave)))
      (close-port (car ends))
      (close-port (cdr ends)))
    (define (leave-by exception)
      (when (%withdraw waiter)
        (end)
        (raise-exception exception))
      ;; A value comes, and counts.
      (%wait (car ends) POLLIN #f 'wait))
    (unless (without-asyncs (enter waiter))
      (with-exception-handler leave-by
        (lambda () (wait-until-readable (car ends) 'wait))
        #:unwind? #t))
    (end)
    waiter))

;;; What other threads give, seldom, comes by the core of a channel (channel.c).

(define-inlinable (core-get core who)
  "Return the next value of CORE, waiting for one if there is none."
  (let ((value (%get-or-enter core)))
    (cond ((eq? value entered) (sleep-entered))
          ((eq? value nothing)
           (waiter-value
            (wait-for (lambda (waiter) (%enter-getter core waiter #f)) #f who)))
          (else value))))
