;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Tasks, as programs use them: running loops, and what a task does to itself
;;; and to another.

(define-module (sockport task)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (sockport task exception)
  #:use-module (sockport ports fibers)
  #:use-module (sockport task deadline)
  #:use-module (sockport task group)
  #:use-module (sockport task join)
  #:use-module (sockport task loop)
  #:use-module (sockport task origin)
  #:use-module (sockport primitive)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport io close)
  #:use-module (sockport io wait)
  #:use-module (sockport task waiter)
  #:use-module (sockport task watchdog)
  #:use-module (sockport task worker)
  #:export (run-tasks
            join
            task-yield
            call-in-thread
            current-worker
            call-with-cleanup)
  #:re-export (spawn-task cancel! with-task-group
               task? task-name task-state task-group?
               current-task current-loop
               &task-cancelled task-cancelled?
               &task-errors task-errors? task-errors-others
               display-task-failure)
  #:replace (sleep dynamic-wind))

(define core-dynamic-wind (@ (guile) dynamic-wind))
(define core-sleep (@ (guile) sleep))

;;; Running.

(define-keyed (run-tasks thunk #:key (workers 1) watchdog
                         (on-stuck print-stuck))
  "Call THUNK in a task, run it and the tasks that it spawns until all have ended,
and return THUNK's values.  An exception that leaves a task cancels the others
and is raised here.  With WORKERS, that many threads each run THUNK and its tasks;
the values are those of the first.  With WATCHDOG, (ON-STUCK task stack) is called
when a task has run for so many seconds without waiting."
  (check-procedure thunk 1 "run-tasks")
  (check-integer workers 1 4096 '#:workers "run-tasks")
  (check-procedure on-stuck '#:on-stuck "run-tasks")
  (let ((loop (current-loop)))
    (when (and loop (loop-ours? loop))
      (error "run-tasks: tasks run here already; use spawn-task")))
  (when watchdog
    (seconds->ns watchdog '#:watchdog "run-tasks"))
  (prepare-ports!)
  (let ((thunk (if watchdog
                   (lambda () (with-watchdog watchdog on-stuck thunk))
                   thunk)))
    (if (= workers 1)
        (run-alone thunk)
        (run-workers thunk workers))))

(define (current-worker)
  "Return the number of the loop that runs here, from 0; #f outside of loops."
  (let ((loop (current-loop)))
    (and loop (loop-worker loop))))

;;; In a task.

;;; In seconds: what `seconds->ns' takes for a time.
(define half-of-ever (ash 1 29))

(define* (sleep seconds)
  "Let SECONDS, a real number, pass; return 0.  Suspends the task, if one runs.
Where none does, and SECONDS is an integer, it is Guile's own."
  (let ((ns (seconds->ns seconds 1 "sleep")) (task (current-task)))
    (cond ((not ns) (sleep half-of-ever) (sleep seconds))
          (task (sleep-in-task task ns) 0)
          ((and (exact-integer? seconds) (waits-alone?)) (core-sleep seconds))
          ((fiber?) (fibers-sleep (/ ns 1000000000)) 0)
          (else (sleep-in-thread (max ns 1)) 0))))

(define (sleep-in-task task ns)
  (sleep-until! task (+ (monotonic-ns) ns) "sleep"))

(define (sleep-in-thread ns)
  (let ((timer (%timer-port ns)))
    (call-with-cleanup (lambda () (wait-until-readable timer 'sleep))
                       (lambda () (close-port timer)))))

(define (task-yield)
  "Let the other tasks that can run do so first."
  (let ((task (current-task)))
    (cond (task (raise-if (yield! task "task-yield")))
          ((current-loop) (cannot-wait "task-yield"))
          (else ((@ (ice-9 threads) yield))))))

(define (join task)
  "Wait until TASK has ended, and return its values.  Raises the exception it
ended with."
  (check-task task "join")
  (unless (task-ended? task)
    (wait-for-end task "join"))
  (task-values task))

;;; What blocks.

(define (call-in-thread thunk)
  "Call THUNK in a new thread, for what would keep the other tasks from running, and
wait for it; return its values or raise its exception.  A task that is interrupted
goes on at once, and THUNK in its thread."
  (check-procedure thunk 1 "call-in-thread")
  (let ((ended (%make-channel-core 1 #f)))
    (define (end! proc values)
      (%channel-put ended (cons proc values)))
    (call-with-new-thread
     (lambda ()
       (core-dynamic-wind
        (const #t)
        (lambda ()
          (call-noting
           (lambda ()
             (call-with-values thunk (lambda results (end! values results))))
           (lambda (exception) (end! raise-failure (list exception)))))
        ;; The first counts.
        (lambda () (end! raise-failure (list cancelled-thread))))))
    (match (core-get ended "call-in-thread")
      ((proc . values) (apply proc values)))))

;;; Cleaning up.

(define (dynamic-wind in thunk out)
  "As Guile's own, but in a task IN and OUT are not called when the task is
suspended and resumed: only when THUNK is really entered and left."
  (let ((loop (and (current-task) (current-loop))))
    (check-procedure in 1 "dynamic-wind")
    (check-procedure thunk 2 "dynamic-wind")
    (check-procedure out 3 "dynamic-wind")
    (if loop
        (winding loop in thunk out)
        (core-dynamic-wind in thunk out))))

(define (call-with-cleanup thunk cleanup)
  "Call THUNK, then CLEANUP, shielded, whether THUNK returns or raises an
exception; return THUNK's values or raise its exception.  CLEANUP may wait."
  (check-procedure thunk 1 "call-with-cleanup")
  (check-procedure cleanup 2 "call-with-cleanup")
  (call-with-values
      (lambda ()
        (call-noting thunk
                     (lambda (exception)
                       (shielded cleanup)
                       (raise-exception exception))))
    (lambda results
      (shielded cleanup)
      (apply values results))))
