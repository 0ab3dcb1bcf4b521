;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' schedulers, which are loops of Sockport.  A scheduler can be given work
;;; before a thread runs it; then it has a list of that instead of a loop.

(define-module (fibers scheduler)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (current-thread))
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport primitive)
  #:use-module ((sockport task) #:select (task-cancelled? task-yield dynamic-wind))
  #:use-module ((sockport task deadline) #:select (prepare-ports!))
  #:use-module (sockport task group)
  #:use-module (sockport task inherit)
  #:use-module ((sockport task join) #:select (loop-left!))
  #:use-module (sockport task loop)
  #:use-module ((sockport task origin) #:select (display-task-failure))
  #:use-module ((sockport task record) #:select (make-loop loop-poller loop-inside?))
  #:use-module (sockport task run)
  #:use-module (sockport task timer)
  #:use-module (sockport task waiter)
  #:export (make-scheduler
            current-scheduler
            scheduler-runcount
            scheduler-kernel-thread
            scheduler-remote-peers
            scheduler-work-pending?
            scheduler-timers
            choose-parallel-scheduler
            run-scheduler
            destroy-scheduler

            schedule-task
            schedule-task-when-fd-readable
            schedule-task-when-fd-writable
            unschedule-task-for-fd
            schedule-task-at-time
            cancel-timer
            cancel-fd-waiter

            rewinding-for-scheduling?
            suspend-current-task
            yield-current-task
            dynamic-wind*
            %nesting-test-1?
            %nesting-test-2?

            internal-time->ns
            start-fiber fiber-ended
            stop-scheduler
            with-scheduler-loop))

;;; PLACE is an atomic box: a loop, or what was scheduled before there was one, the
;;; latest first.  FOUND has what waits for descriptors: tasks, and how to take them
;;; back.
(define-record-type <scheduler>
  (%make-scheduler place thread peers all turn found)
  scheduler?
  (place scheduler-place)
  (thread scheduler-kernel-thread set-scheduler-thread!)
  (peers scheduler-remote-peers set-scheduler-peers!)
  (all scheduler-all set-scheduler-all!)
  (turn scheduler-turn)
  (found scheduler-found))

(set-record-type-printer! <scheduler>
  (lambda (scheduler port)
    (format port "#<scheduler ~a (remote-peers: ~a)>"
            (number->string (object-address scheduler) 16)
            (map (lambda (peer) (number->string (object-address peer) 16))
                 (scheduler-remote-peers scheduler)))))

(define* (make-scheduler #:key parallelism prompt-tag)
  "Return a scheduler; with PARALLELISM, a number, one with so many peers less one."
  (let ((all (map (lambda (i)
                    (%make-scheduler (make-atomic-box '()) #f '() #f
                                     (make-atomic-box 0)
                                     (make-weak-key-hash-table)))
                  (iota (max 1 (or parallelism 1))))))
    (for-each (lambda (scheduler)
                (set-scheduler-peers! scheduler (delq scheduler all))
                (set-scheduler-all! scheduler (list->vector all)))
              all)
    (car all)))

(define scheduler-fluid (make-thread-local-fluid #f))

(define (current-scheduler)
  "Return the scheduler that runs in this thread, or #f."
  (fluid-ref scheduler-fluid))

(define (scheduler-loop scheduler)
  (let ((place (atomic-box-ref (scheduler-place scheduler))))
    (and (loop? place) place)))

(define (scheduler-runcount scheduler)
  "Return how many tasks SCHEDULER has run, modulo 2^32."
  (let ((loop (scheduler-loop scheduler)))
    (if loop (logand (loop-turns loop) #xffffffff) 0)))

(define (scheduler-timers scheduler)
  (and=> (scheduler-loop scheduler) loop-timers))

(define (scheduler-work-pending? scheduler)
  "Has SCHEDULER something that is ready, or a timer?  In its own thread."
  (let ((place (atomic-box-ref (scheduler-place scheduler))))
    (if (loop? place)
        (or (positive? (%ready-begin! (loop-poller place)))
            (positive? (timers-count (loop-timers place))))
        (pair? place))))

(define (choose-parallel-scheduler scheduler)
  "Return SCHEDULER or one of its peers, each in turn."
  (let* ((all (scheduler-all scheduler))
         (box (scheduler-turn scheduler))
         (turn (atomic-box-ref box)))
    (atomic-box-set! box (modulo (+ turn 1) (vector-length all)))
    (vector-ref all turn)))

(define (destroy-scheduler scheduler)
  "Nothing is held that has to be given back."
  *unspecified*)

;;; Fibers.

;;; As with Fibers, who waits for a port that is closed is not heard of any more.
(define (quiet? exception)
  (or (task-cancelled? exception)
      (match (cons (exception-kind exception) (exception-args exception))
        (('system-error _ "the port was closed while waiting" . _) #t)
        ;; Tried again by Guile's own accept, say.
        (('wrong-type-arg _ _ _ ((? port? port))) (port-closed? port))
        (_ #f))))

(define (print-failure exception)
  (let ((port (current-error-port)))
    (false-if-exception
     (begin
       (display "Uncaught exception in task:\n" port)
       (display-task-failure exception port)))))

(define fiber-ended
  (on-failure (lambda (exception)
                (unless (quiet? exception) (print-failure exception))
                #t)))

(define (start-in loop thunk on-end)
  (and=> (loop-root loop)
         (lambda (group)
           (start-task! loop group (inheriting (current-task) thunk) thunk on-end))))

(define* (start-fiber scheduler thunk #:optional (on-end fiber-ended))
  "Have SCHEDULER call THUNK in a task.  From any thread, at any time."
  (let* ((box (scheduler-place scheduler)) (place (atomic-box-ref box)))
    (define (start) (start-in place thunk on-end))
    (cond ((not (loop? place))
           (unless (eq? place (atomic-box-compare-and-swap!
                               box place (cons (cons thunk on-end) place)))
             (start-fiber scheduler thunk on-end)))
          ((loop-here? place) (start))
          (else (loop-post! place start))))
  (values))

(define (schedule-task scheduler task)
  "Have SCHEDULER call TASK.  From any thread."
  (start-fiber scheduler task))

;;; Running.

(define* (run-scheduler scheduler finished?)
  "Run SCHEDULER in this thread until (FINISHED?) returns true."
  (with-scheduler-loop scheduler
    (lambda (loop)
      (loop-run! loop (lambda (loop) (finished?)))))
  (values))

(define (with-scheduler-loop scheduler proc)
  "Call PROC with a new loop for SCHEDULER, which this thread runs."
  (prepare-ports!)
  (let* ((failure #f)
         (loop (make-loop (lambda (exception)
                            (set! failure (or failure (list exception)))
                            (set-loop-root! (current-loop) #f))
                          group-ended))
         (box (scheduler-place scheduler)))
    (define (begin!)
      (let ((pending (atomic-box-ref box)))
        (when (loop? pending)
          (loop-close! loop)
          (error "this scheduler runs in another thread:" scheduler))
        (cond ((eq? pending (atomic-box-compare-and-swap! box pending loop))
               (set-scheduler-thread! scheduler (current-thread))
               (for-each (match-lambda
                           ((thunk . on-end) (start-in loop thunk on-end)))
                         (reverse pending)))
              (else (begin!)))))
    (define root (make-root-group loop (const #f)))
    (define (end!)
      (set-scheduler-thread! scheduler #f)
      (atomic-box-set! box '())
      (loop-close! loop)
      (loop-left! loop root))
    (set-loop-root! loop root)
    (with-fluids ((scheduler-fluid scheduler))
      ((@ (guile) dynamic-wind) begin! (lambda () (proc loop)) end!))
    ;; Of a signal's handler, where no fiber ran.
    (when failure (raise-exception (car failure)))))

(define (stop-scheduler scheduler)
  "Have SCHEDULER, which another thread runs, stop."
  (and=> (scheduler-loop scheduler)
         (lambda (loop) (loop-post! loop (lambda () (set-loop-root! loop #f))))))

;;; Descriptors and moments.

(define (when-ready scheduler fd direction task)
  (let ((loop (scheduler-loop scheduler)) (found (scheduler-found scheduler)))
    (define slot #f)
    (define (wake)
      (hashq-remove! found task)
      (start-fiber scheduler task))
    (without-asyncs
     (set! slot (%slot-enter loop fd direction wake))
     (when slot (hashq-set! found task (lambda () (%slot-leave loop slot wake)))))
    (unless slot (start-fiber scheduler task))))

(define (schedule-task-when-fd-readable scheduler fd task)
  "Have SCHEDULER, which runs here, call TASK when the descriptor FD can be read."
  (when-ready scheduler fd 0 task))

(define (schedule-task-when-fd-writable scheduler fd task)
  "Have SCHEDULER, which runs here, call TASK when the descriptor FD can be written."
  (when-ready scheduler fd 1 task))

(define (in-thread-of scheduler proc)
  "Call (PROC loop) with the loop of SCHEDULER, in its thread."
  (let ((loop (scheduler-loop scheduler)))
    (when loop
      (if (loop-here? loop)
          (without-asyncs (proc loop))
          (loop-post! loop (lambda () (proc loop)))))))

(define (cancel-fd-waiter scheduler fd task)
  "Forget TASK, which waits for FD.  From any thread."
  (in-thread-of scheduler
    (lambda (loop)
      (let ((leave (hashq-ref (scheduler-found scheduler) task)))
        (when leave
          (hashq-remove! (scheduler-found scheduler) task)
          (leave))))))

(define unschedule-task-for-fd cancel-fd-waiter)

(define (internal-time->ns expiry)
  "Return EXPIRY, in internal time units, as a moment of the loop's clock."
  (let* ((unit (quotient 1000000000 internal-time-units-per-second))
         (ns (* unit (- expiry (get-internal-real-time)))))
    (+ (monotonic-ns) (inexact->exact (ceiling ns)))))

(define (schedule-task-at-time scheduler expiry task)
  "Have SCHEDULER, which runs here, call TASK at EXPIRY, in internal time units."
  (without-asyncs
   (timer-add! (loop-timers (scheduler-loop scheduler))
               (max 0 (internal-time->ns expiry))
               (lambda () (start-fiber scheduler task)))))

(define (cancel-timer scheduler timer)
  "Forget TIMER, which schedule-task-at-time has returned.  From any thread."
  (in-thread-of scheduler
    (lambda (loop) (timer-cancel! (loop-timers loop) timer))))

;;; In a fiber.

;; Winders see nothing of it.
(define rewinding-for-scheduling? (make-parameter #f))
(define %nesting-test-1? #f)
(define %nesting-test-2? #f)
(set! %nesting-test-1? #f)
(set! %nesting-test-2? #f)

(define dynamic-wind* dynamic-wind)

(define (suspend-current-task after-suspend)
  "Suspend this fiber, having called (AFTER-SUSPEND scheduler k); K goes on with it, and
its arguments are returned here.  Neither waits."
  (define (suspend waiter)
    (define (k . results)
      (%claim waiter (lambda () (apply values results)) #f))
    (call-before-suspending
     (lambda () (after-suspend (current-scheduler) k) #t)
     (lambda (exception)
       (%claim waiter (lambda () (raise-exception exception)) #f)))
    #f)
  ((waiter-value (wait-for suspend #f "suspend-current-task"))))

(define (yield-current-task)
  "Let the other fibers run; #f if that cannot be done here."
  (and (current-scheduler) (current-task) (can-wait?)
       (begin (task-yield) #t)))
