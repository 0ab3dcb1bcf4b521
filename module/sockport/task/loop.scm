;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The run loop of one thread: tasks, and the one way for them to sleep and to be
;;; woken (INTERNALS, "Waiting").  A task is a procedure whose continuation is
;;; taken when it has to wait.  What tasks mean to each other (groups, deadlines,
;;; channels) is decided elsewhere.

(define-module (sockport task loop)
  #:use-module (ice-9 control)
  #:use-module (ice-9 poll)
  #:use-module (ice-9 threads)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport task timer)
  #:export (make-loop loop? loop-timers loop-current loop-worker loop-peers
            loop-turns loop-thread loop-root set-loop-root!
            loop-here? loop-ours? loop-post! loop-run! loop-close! loop-slot-enter!
            loop-slot-leave! current-loop current-task in-task?
            make-task task? task-name task-loop task-group task-on-end
            task-interrupt set-task-interrupt! task-scope set-task-scope!
            task-state set-task-state! task-ended? task-result set-task-result!
            task-node set-task-node! task-watchers task-place task-forget!
            begin-wait! suspend! resume! interrupt! yield! without-asyncs
            sleep-until! raise-if
            winding check-interrupt check-can-wait cannot-wait can-wait?
            set-time-limit! known? with-loop-handler))

;;; CURRENT is the task that runs.  INSIDE? is true while its own code does, and
;;; false in the loop and while a continuation is taken or put back.  SLOTS has for
;;; descriptor N what waits to read (2N) and to write (2N+1).  FAILED and ENDED are
;;; procedures, ROOT the group without which the loop is over.  The first six
;;; fields are known in guile/task/poller.h.
(define-record-type <loop>
  (%make-loop current turns poller thread slots inside? timers worker peers
              failed ended root)
  loop?
  (current loop-current set-loop-current!)
  (turns loop-turns set-loop-turns!)
  (poller loop-poller)
  (thread loop-thread)
  (slots loop-slots)
  (inside? loop-inside? set-loop-inside!)
  (timers loop-timers)
  (worker loop-worker)
  (peers loop-peers)
  (failed loop-failed)
  (ended loop-ended)
  (root loop-root set-loop-root!))

;;; CONTINUATION is the thunk that goes on with the task.  While it sleeps,
;;; (ABANDON task) takes it out of what it waits in, PLACE being where, and
;;; returns whether it still was there.  INTERRUPT is the exception that it gets
;;; when it has to wait, or #f.  PORT is what it waited for last, WANTED where it
;;; would have received.  These six are known in guile/task/poller.h.
(define-record-type <task>
  (%make-task continuation abandon place interrupt port wanted name loop group
              scope state result node watchers on-end)
  task?
  (continuation task-continuation set-task-continuation!)
  (abandon task-abandon set-task-abandon!)
  (place task-place set-task-place!)
  (interrupt task-interrupt set-task-interrupt!)
  (port task-port set-task-port!)
  (wanted task-wanted)
  (name task-name)
  (loop task-loop)
  (group task-group)
  (scope task-scope set-task-scope!)
  (state task-state set-task-state!)
  (result task-result set-task-result!)
  (node task-node set-task-node!)
  (watchers task-watchers)
  (on-end task-on-end))

(set-record-type-printer! <task>
  (lambda (task port)
    (format port "#<task ~a ~a>" (task-name task) (task-state task))))
(set-record-type-printer! <loop>
  (lambda (loop port)
    (format port "#<loop ~a>" (loop-worker loop))))

(define task-tag (make-prompt-tag "task"))
(define loop-tag (make-prompt-tag "loop"))

;;; Thread-local, so that a thread started by a task is not taken for the loop's.
(define loop-fluid (make-thread-local-fluid #f))

(define-inlinable (current-loop)
  "Return the loop that runs in this thread, or #f."
  (fluid-ref loop-fluid))

(define (current-task)
  "Return the task that runs, or #f outside of tasks."
  (let ((loop (fluid-ref loop-fluid)))
    (and loop (loop-current loop))))

(define (in-task?)
  (and (current-task) #t))

(define* (make-loop failed ended #:key (worker 0) (peers (vector #f)))
  "Return a loop for the calling thread.  (FAILED exception) is called when an
exception arises outside of tasks, (ENDED task state result) when a task ends."
  (notice-asyncs)
  (%make-loop #f 0 (%poller-open) (current-thread) (make-vector 128 #f) #f
              (make-timers) worker peers failed ended #f))

(define (loop-here? loop)
  "Is this the thread of LOOP?"
  (eq? (current-thread) (loop-thread loop)))

(define (loop-ours? loop)
  "Was LOOP made by this process, not by its parent?"
  (%poller-ours? (loop-poller loop)))

(define (loop-post! loop thunk)
  "Have LOOP call THUNK, outside of tasks.  From any thread, at any time; #f if the
loop has ended."
  (%make-ready (loop-poller loop) thunk))

;;; EXPR neither raises nor waits.
(define-syntax-rule (without-asyncs expr ...)
  (begin
    (%asyncs-off)
    (let ((result (let () expr ...)))
      (%asyncs-on)
      result)))

;;; Tasks.

(define-inlinable (raise-if exception)
  (when exception
    (raise-exception exception)))

(define-inlinable (check-interrupt task)
  (raise-if (task-interrupt task)))

(define (begin-wait! task who)
  "Turn asyncs off, until TASK sleeps.  Raises its interrupt if it has one, an
error of WHO if it cannot wait here."
  (let ((why (if (or known? (suspendable-continuation? task-tag))
                 (%task-begin-wait (task-loop task))
                 not-left-unable)))
    (unless (eq? why #t)
      (if (eqv? why not-left-interrupted)
          (raise-exception (task-interrupt task))
          (cannot-wait who)))))

(define (make-task loop name thunk group scope watchers on-end)
  "Return a task of LOOP that will call THUNK."
  (%make-task (lambda ()
                (let ((task (loop-current loop)))
                  (goes-on!)
                  (call-with-values thunk
                    (lambda results
                      (check-same task)
                      (leave-inside! loop)
                      ((loop-ended loop) task 'done results)))))
              #f #f #f #f #f name loop group scope 'ready #f #f watchers on-end))

(define (check-same task)
  (unless (eq? task (current-task))
    (error "a continuation captured in one task was called in another:" task)))

(define (leave-inside! loop)
  (%loop-recover loop)
  (set-loop-inside! loop #f))

(define (task-ended? task)
  (and (memq (task-state task) '(done failed cancelled)) #t))

(define (task-forget! task)
  "Let go of what TASK, which has ended, needed to go on."
  ;; Something that no other task has, lest two that have ended are `equal?'.
  (set-task-continuation! task (lambda () task))
  (set-task-abandon! task #f)
  (set-task-place! task #f)
  (set-task-port! task #f))

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
             (task-failed! loop failure))
            (k (set-task-continuation! (loop-current loop) k)))))
  (set-loop-current! loop #f))

;;; Leave the running task until PORT may be ready, or until something else wakes
;;; it if DIRECTION is #f.  A task is taken up again outside of itself, and says so
;;; with `goes-on!'.
;;;
;;; Not to be inlined: what comes after the abort is the caller's, and so the
;;; frame of this procedure is all that %task-wait has to leave out.  When that has
;;; gone on with another task it does not return until this one goes on; else it has
;;; filled the continuation of this one anew, and the abort takes none, or it has
;;; done nothing.
(define leave! #f)
(set! leave!
      (lambda (loop port direction)
        (let ((why (%task-wait loop port direction)))
          (if (eq? why #t)
              (abort-to-prompt task-tag #f)
              (not-left loop port direction why)))))

(define-inlinable (suspend! task abandon place)
  "Leave TASK, which runs, until it is resumed; asyncs are off before and on after.
Until then, (ABANDON task) takes it out of what it waits in, PLACE in the task
being where, and returns whether it still was there.  Return the exception that
interrupts the task, or #f."
  (set-task-abandon! task abandon)
  (set-task-place! task place)
  (leave! (task-loop task) #f #f)
  (%task-goes-on))

(define (resume! task)
  "Let TASK, which was taken out of what it waits in, go on.  From any thread."
  (%make-ready (loop-poller (task-loop task)) task))

(define (interrupt! task exception)
  "Have TASK get EXCEPTION when it waits, at once if it does.  In its thread."
  (without-asyncs
   (set-task-interrupt! task exception)
   (when (and exception (task-abandon task) ((task-abandon task) task))
     (resume! task))))

(define (abandon-slot task)
  (%slot-leave (task-loop task) (task-place task) task))

(define (yield! task who)
  "Let the others run.  Return the exception that interrupts TASK, or #f."
  (unless (or known? (suspendable-continuation? task-tag))
    (cannot-wait who))
  (leave! (task-loop task) #f 1)
  (%task-goes-on))

(define (abandon-timer task)
  (timer-cancel! (loop-timers (task-loop task)) (task-place task)))

(define (sleep-until! task time who)
  "Suspend TASK until TIME."
  (begin-wait! task who)
  (let ((timer (timer-add! (loop-timers (task-loop task)) time
                           (lambda () (resume! task)))))
    (raise-if (suspend! task abandon-timer timer))))

;;; What is called when a task waits for a descriptor that was not left.

(define not-left-turn 2)
(define not-left-interrupted 3)
(define not-left-closed 4)
(define not-left-unable 5)

(define (not-left loop port direction why)
  (cond ((eqv? why not-left-turn) (turn-over loop))
        ((eqv? why not-left-interrupted)
         (unless (and port (%poller-doubt port))
           (check-interrupt (loop-current loop))))
        ((eqv? why not-left-unable)
         (cond ((not port) (cannot-wait "task-yield"))
               ((or (%turn-was-over?) (%poller-doubt port)))
               (else (wait-in-thread loop port direction))))
        ((and (eqv? why not-left-closed)
              (not (integer? port))
              (not (port-closed? port)))
         ;; Being closed.
         (scm-error 'system-error "wait" "the port was closed while waiting"
                    '() (list EBADF)))
        ;; It may be ready.
        (else #t)))

(define (yield-on! task)
  "As yield!, though TASK is interrupted."
  (%asyncs-off)
  (resume! task)
  (suspend! task #f #f))

;;; What could be done at once is not refused because it is the turn that is over,
;;; if nothing has changed while the others ran.
(define (turn-over loop)
  (let* ((task (loop-current loop)) (before (task-interrupt task))
         (interrupt (if before (yield-on! task) (yield! task "wait"))))
    (unless (eq? interrupt before)
      (raise-if interrupt))))

;;; (TIME-LIMIT task) is when the earliest deadline ends, or #f; (EXPIRE task) has
;;; it end.
(define time-limit (const #f))
(define expire #f)
(define (set-time-limit! limit expire-now)
  (set! time-limit limit)
  (set! expire expire-now))

;;; Below C code the task cannot be left, and the loop waits with it, as long as the
;;; deadlines of the task allow.
(define (wait-in-thread loop port direction)
  (let ((task (loop-current loop)))
    (when (or (not (loop-inside? loop)) (%in-async?))
      (cannot-wait "wait"))
    (check-interrupt task)
    (case (if (integer? port)
              (poll-descriptor port direction (time-limit task))
              (%wait port (if (zero? direction) POLLIN POLLOUT)
                     (time-limit task) 'wait))
      ((#f)
       (expire task)
       (check-interrupt task))
      ;; A queue of errors that is not empty ends every wait at once.
      ((errors)
       (%wait port 0 (+ (monotonic-ns) pause-ns) 'wait)))))

(define pause-ns (* 10 1000 1000))

(define (poll-descriptor fd direction limit)
  (let ((set (make-empty-poll-set)))
    (poll-set-add! set fd (if (zero? direction) POLLIN POLLOUT))
    (positive?
     (poll set (if limit
                   (ceiling-quotient (max 0 (- limit (monotonic-ns))) 1000000)
                   -1)))))

(define (make-sleeper loop known?)
  "Return the procedure that what runs in LOOP waits for a descriptor with."
  (if known?
      (lambda (port direction) (leave! loop port direction))
      (lambda (port direction)
        (if (and (loop-current loop) (suspendable-continuation? task-tag))
            (leave! loop port direction)
            (not-left loop port direction not-left-unable)))))

(define winder #f)
(set! winder
      (lambda (loop thunk)
        (lambda ()
          (when (loop-inside? loop) (thunk)))))

(define (winding loop in thunk out)
  "As `dynamic-wind', but IN and OUT are not called when a task of LOOP is
suspended and resumed in THUNK."
  (dynamic-wind (winder loop in) thunk (winder loop out)))

;;; Neither inlined, so that all winders have the code of this one.  KNOWN? tells
;;; whether this release of Guile is one whose stacks are known.
(define known?
  (%task-init! <task> task-tag leave! (winder #f #f) abandon-slot))

;;; The first async of a thread shows what asyncs look like.
(define (notice-asyncs)
  (let notice ((tries 100))
    (unless (or (%async-seen?) (zero? tries))
      (notice (- tries 1)))))

(define (can-wait?)
  "Can what runs here wait?  A task cannot below a procedure in C."
  (let ((loop (current-loop)))
    (or (not loop)
        (and (loop-inside? loop)
             (suspendable-continuation? task-tag)
             (not (%in-async?))))))

(define (check-can-wait who)
  (unless (can-wait?)
    (cannot-wait who)))

(define (cannot-wait who)
  (error (string-append who ": a task cannot wait inside a procedure that is"
                        " written in C, string-for-each or sort say, nor in"
                        " a signal's handler")))

;;; What else waits for a descriptor.

(define (loop-slot-enter! loop port direction thunk)
  "Have LOOP call THUNK, once, when PORT is ready; return the slot where it waits,
#f if PORT may be ready now."
  (%slot-enter loop port direction thunk))

(define (loop-slot-leave! loop slot thunk)
  (%slot-leave loop slot thunk))

;;; The loop.

;;; As much as a time can be in C, on any machine.
(define longest-sleep (ash 1 59))

(define (timeout-ns loop ready)
  (let ((next (timers-next (loop-timers loop))))
    (cond ((positive? ready) 0)
          (next (max 0 (min longest-sleep (- next (monotonic-ns)))))
          (else -1))))

(define (run-ready! loop)
  "Run what is ready; return how much that was."
  (let* ((poller (loop-poller loop)) (count (%ready-begin! poller)))
    (let next ((entry (%ready-pop! poller)))
      (when entry
        (if (task? entry)
            (run-task! loop entry)
            (entry))
        (next (%ready-pop! poller))))
    count))

;;; Calls that came when LOOP was over see that it has no root.
(define (refuse-rest! loop)
  (let ((poller (loop-poller loop)))
    (%ready-begin! poller)
    (let next ((entry (%ready-pop! poller)))
      (when entry
        (unless (task? entry) (entry))
        (next (%ready-pop! poller))))))

;;; While tasks keep each other busy, the kernel is asked seldom.
(define most-unasked 64)

(define (turns! loop)
  (let turn ((unasked 0))
    (when (loop-root loop)
      (let* ((run (+ unasked (run-ready! loop)))
             (ready (%ready-begin! (loop-poller loop))))
        (cond ((not (loop-root loop)) #f)
              ((and (positive? ready) (< run most-unasked)) (turn run))
              (else
               (%poller-wait loop (timeout-ns loop ready))
               (when (timers-next (loop-timers loop))
                 (timers-expire! (loop-timers loop) (monotonic-ns)))
               (turn 0)))))))

(define (with-loop-handler loop thunk)
  (with-exception-handler
      (lambda (exception)
        (%loop-recover loop)
        (abort-to-prompt (if (loop-inside? loop) task-tag loop-tag) exception))
    thunk))

;;; What is raised in a task's own code leaves it by its prompt.  What a winder of
;;; Guile's own raises while the task is being left or taken up ends the task too;
;;; what else is raised here, by a signal's handler say, ends the loop.
(define (turns-until-over! loop)
  (let again ()
    (call-with-prompt loop-tag
      (lambda ()
        (with-loop-handler loop (lambda () (turns! loop))))
      (lambda (k exception)
        (cond ((loop-current loop)
               (task-failed! loop exception)
               (set-loop-current! loop #f))
              (else ((loop-failed loop) exception)))))
    (when (loop-root loop) (again))))

(define (loop-close! loop)
  "Close LOOP, which does not run."
  (%poller-close (loop-poller loop)))

(define (loop-run! loop)
  "Run LOOP until its root is set to #f."
  (with-fluids ((loop-fluid loop)
                (sleeper (make-sleeper loop known?)))
    (with-task-waiters
     (lambda ()
       (dynamic-wind
         (lambda () (%loop-enter loop))
         (lambda () (turns-until-over! loop))
         (lambda ()
           (set-loop-root! loop #f)
           (%poller-close (loop-poller loop))
           (refuse-rest! loop)
           (%loop-leave loop)))))))
