;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' interface on Sockport's tasks.

(define-module (fibers)
  #:use-module (ice-9 atomic)
  #:use-module ((ice-9 control) #:select (suspendable-continuation?))
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (fibers repl)
  #:use-module (fibers scheduler)
  #:use-module (fibers timers)
  #:use-module ((sockport io wait) #:select (with-task-waiters))
  #:use-module (sockport ports lock)
  #:use-module ((sockport task) #:select (current-task call-in-thread))
  #:use-module ((sockport task group) #:select (start-task!))
  #:use-module (sockport task inherit)
  #:use-module (sockport task loop)
  #:use-module ((sockport task record) #:select (loop-inside?))
  #:use-module (sockport task run)
  #:export (run-fibers
            spawn-fiber
            %fibers-version)
  #:re-export (dynamic-wind*)
  #:re-export-and-replace (sleep))

(define %fibers-version "1.4.3")

;;; Interrupting what computes: HZ times a second, if the task is still the one that
;;; it was.  One interruption at a time is under way, and none comes into another of
;;; the same task: else, where threads wait long for a processor, they would pile up.

(define (interrupt loop marked)
  (define left '())                     ; tasks that were left in an interruption
  (lambda ()
    (atomic-box-set! marked #f)
    (let ((task (loop-current loop)))
      (when (and task
                 (loop-inside? loop)
                 (suspendable-continuation? task-tag)
                 (not (memq task left)))
        (set! left (cons task left))
        (yield-on! task)
        (set! left (delq task left))))))

(define (pause! us condition lock)
  "Wait for CONDITION, for so many microseconds at most."
  (match (gettimeofday)
    ((seconds . microseconds)
     (let ((then (+ us microseconds)))
       (wait-condition-variable condition lock
                                (cons (+ seconds (quotient then 1000000))
                                      (remainder then 1000000)))))))

(define (call-with-interrupts hz loop thunk)
  (define lock (make-mutex))
  (define wake (make-condition-variable))
  (define over? #f)
  (define marked (make-atomic-box #f))
  (define interrupted (interrupt loop marked))
  (define (watch us turns)
    (unless over?
      (pause! us wake lock)
      (let ((now (loop-turns loop)))
        (when (and (not over?)
                   (eqv? now turns)
                   (loop-current loop)
                   (not (atomic-box-ref marked)))
          (atomic-box-set! marked #t)
          (system-async-mark interrupted (loop-thread loop)))
        (watch us now))))
  (define (start)
    ;; Once in an hour at least: a clock cannot tell all times.
    (let ((us (inexact->exact (ceiling (min 3600000000 (/ 1000000 hz))))))
      (call-with-new-thread (lambda () (with-mutex lock (watch us -1))))))
  (define thread #f)
  ;; As with Fibers, below 0 is never, too.
  (if (positive? hz)
      (dynamic-wind
        (const #t)
        (lambda ()
          (set! thread (start))
          (thunk))
        (lambda ()
          (with-lock lock
            (set! over? #t)
            (signal-condition-variable wake))
          (when thread (join-ending thread))))
      (thunk)))

(define (run scheduler hz cpus finished?)
  (define (run-loop)
    (with-scheduler-loop scheduler
      (lambda (loop)
        (call-with-interrupts hz loop
          (lambda () (loop-run! loop (lambda (loop) (finished?))))))))
  (if cpus
      (let ((before (getaffinity 0)))
        (dynamic-wind
          (lambda () (setaffinity 0 cpus))
          run-loop
          (lambda () (setaffinity 0 before))))
      (run-loop)))

;;; An async may leave while the threads are being made.
(define (with-peers scheduler hz cpus thunk)
  "Call THUNK while the peers of SCHEDULER run in threads."
  (define over? #f)
  (define threads '())
  (define peers (scheduler-remote-peers scheduler))
  (define (start! peer)
    (set! threads
          (cons (call-with-new-thread
                 (lambda () (run peer hz cpus (lambda () over?))))
                threads)))
  (dynamic-wind
    (const #t)
    (lambda ()
      (for-each start! peers)
      (thunk))
    (lambda ()
      (set! over? #t)
      (for-each stop-scheduler peers)
      (for-each join-thread threads))))

(define (run-to-end init hz parallelism cpus drain?)
  (define scheduler (make-scheduler #:parallelism parallelism))
  (define end #f)                       ; a thunk
  (define (finished?)
    (and end
         (not (and drain? (scheduler-work-pending? scheduler)))))
  (define (ended exception)
    (unless end
      (set! end (lambda () (raise-exception exception))))
    #t)
  (start-fiber scheduler
               (lambda ()
                 (call-with-values init
                   (lambda results
                     (set! end (lambda () (apply values results))))))
               ended)
  (with-peers scheduler hz cpus
    (lambda () (run scheduler hz cpus finished?)))
  (end))

(define* (run-fibers #:optional init
                     #:key (hz 100) scheduler
                     (parallelism (current-processor-count)) cpus
                     (install-suspendable-ports? #t) drain?)
  "Call INIT in a fiber, and return its values when it has returned; with DRAIN?, when
nothing is ready any more and no timer runs.  PARALLELISM is how many threads run
fibers, HZ how often one that computes is interrupted in a second, CPUS where they may
run.  With SCHEDULER, run that, for ever."
  (cond ((current-task)
         (call-in-thread
          (lambda ()
            (run-fibers init #:hz hz #:scheduler scheduler
                        #:parallelism parallelism #:cpus cpus #:drain? drain?))))
        (scheduler
         (when init (spawn-fiber init scheduler))
         (run scheduler hz cpus (const #f)))
        (init (run-to-end init hz parallelism cpus drain?))
        (else (error "run-fibers: a thunk for the first fiber is needed, or\
 #:scheduler"))))

(define (with-state-of-thread thunk)
  "Return what calls THUNK, in a task, with the parameters that hold here."
  (let ((state (current-dynamic-state)))
    (lambda ()
      (with-dynamic-state state
        (lambda ()
          (with-task-waiters
           (lambda ()
             (with-loop-handler (current-loop) thunk))))))))

(define (start-here task thunk)
  "Start a fiber beside TASK, which runs."
  (let* ((loop (task-loop task)) (group (loop-root loop)))
    (when group
      (start-task! loop group (inheriting task thunk) thunk fiber-ended)))
  (values))

(define (start-elsewhere thunk scheduler parallel?)
  (let ((scheduler (or scheduler
                       (match (current-scheduler)
                         (#f (error "spawn-fiber: no scheduler runs here; use\
 run-fibers"))
                         (here (if parallel?
                                   (choose-parallel-scheduler here)
                                   here)))))
        (task (current-task)))
    (start-fiber scheduler
                 (cond ((not task) (with-state-of-thread thunk))
                       ((eq? scheduler (current-scheduler)) thunk)
                       (else (inheriting task thunk))))))

(define spawn-fiber
  (case-lambda*
    "Call THUNK in a new fiber, of SCHEDULER if there is one, else of the one that runs
here; with PARALLEL?, of that or one of its peers.  It has the parameters that hold here,
and what it sets is its own."
    ((thunk)
     (let ((task (and (current-scheduler) (current-task))))
       (if task
           (start-here task thunk)
           (start-elsewhere thunk #f #f))))
    ((thunk #:optional scheduler #:key parallel?)
     (start-elsewhere thunk scheduler parallel?))))
