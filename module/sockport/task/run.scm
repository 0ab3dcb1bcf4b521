;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The turns of a loop: what is ready runs, then the kernel is asked, then what is
;;; due; and what becomes of exceptions.

(define-module (sockport task run)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport task loop)
  #:use-module (sockport task origin)
  #:use-module (sockport task record)
  #:use-module (sockport task timer)
  #:export (loop-run! loop-close! with-loop-handler))

(define loop-tag (make-prompt-tag "loop"))

(define (task-failed! loop exception)
  "The task that runs ends with EXCEPTION, wherever that came from."
  (let ((task (loop-current loop)))
    (when (task-abandon task)
      ((task-abandon task) task))
    ((loop-ended loop) task 'failed exception)))

;;; K is a continuation whose whole stack begins at the prompt here, so calling
;;; it as the thunk spares a closure for each turn.  When the prompt is left, the
;;; task that runs may be another one than TASK.
(define (run-task! loop task)
  (set-loop-current! loop task)
  (set-loop-turns! loop (+ (loop-turns loop) 1))
  (call-with-prompt task-tag (task-continuation task)
    (lambda (k failure)
      (cond (failure
             (leave-inside! loop)
             (task-failed! loop (car failure)))
            (k (set-task-continuation! (loop-current loop) (%taken k))))))
  (set-loop-current! loop #f))

(define (run-ready! loop)
  (let ((poller (loop-poller loop)))
    (let next ((entry (%ready-pop! poller)))
      (when entry
        (if (task? entry)
            (run-task! loop entry)
            (entry))
        (next (%ready-pop! poller))))))

;;; Calls that came when LOOP was over see that it has no root.
(define (refuse-rest! loop)
  (let ((poller (loop-poller loop)))
    (let next ()
      (%ready-begin! poller)
      (let ((entry (%ready-pop! poller)))
        (when entry
          (unless (task? entry) (entry))
          (next))))))

;;; Most turns are made in C, where the task before is left (poller.c).
(define (turns! loop over?)
  (run-ready! loop)
  (when (and over? (loop-root loop) (over? loop))
    (set-loop-root! loop #f))
  (when (loop-root loop)
    (%poller-wait loop)
    (when (timers-next (loop-timers loop))
      (timers-expire! (loop-timers loop) (monotonic-ns)))
    (turns! loop over?)))

(define (with-loop-handler loop thunk)
  (with-exception-handler
      (lambda (exception)
        (%loop-recover loop)
        (note-origin! exception)
        ;; In a list: #f can be raised as well.
        (abort-to-prompt (if (loop-inside? loop) task-tag loop-tag)
                         (list exception)))
    thunk))

;;; What is set in THUNK, which runs the tasks of LOOP, is nobody else's; and where
;;; that is known (guile/task/setting.h), what a task sets is its own.
(define (keeping-settings loop thunk)
  (if known?
      (dynamic-wind
        (lambda () (%settings-begin loop))
        thunk
        (lambda () (%settings-end loop)))
      (with-dynamic-state (current-dynamic-state) thunk)))

;;; What is raised in a task's own code leaves it by its prompt.  What a winder of
;;; Guile's own raises while the task is being left or taken up ends the task too;
;;; what else is raised here, by a signal's handler say, ends the loop.
(define (turns-until-over! loop over?)
  (let again ()
    (call-with-prompt loop-tag
      (lambda ()
        (with-loop-handler loop
          (lambda ()
            (keeping-settings loop (lambda () (turns! loop over?))))))
      (lambda (k failure)
        (cond ((loop-current loop)
               (task-failed! loop (car failure))
               (set-loop-current! loop #f))
              (else ((loop-failed loop) (car failure))))))
    (when (loop-root loop) (again))))

(define (loop-close! loop)
  "Close LOOP, which does not run."
  (%poller-close (loop-poller loop)))

(define heap-reserve (ash 32 20))

(define* (loop-run! loop #:optional over?)
  "Run LOOP until its root is set to #f, or until (OVER? loop) returns true, which is
asked before the kernel is."
  (%reserve-heap heap-reserve)
  (with-fluids ((loop-fluid loop)
                (sleeper (make-sleeper loop known?)))
    (with-task-waiters
     (lambda ()
       (dynamic-wind
         (lambda () (%loop-enter loop (and over? #t)))
         (lambda () (turns-until-over! loop over?))
         (lambda ()
           (set-loop-root! loop #f)
           (%poller-close (loop-poller loop))
           (refuse-rest! loop)
           (%loop-leave loop)))))))
