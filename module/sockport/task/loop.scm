;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The one way for tasks to sleep and to be woken (INTERNALS, "Waiting").  A task is
;;; a procedure whose continuation is taken when it has to wait.  What tasks mean to
;;; each other (groups, deadlines, channels) is decided elsewhere.

(define-module (sockport task loop)
  #:use-module (ice-9 control)
  #:use-module ((ice-9 poll) #:select (make-empty-poll-set poll-set-add! poll))
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport task record)
  #:use-module (sockport task timer)
  #:export (loop-post! make-task
            begin-wait! leave! suspend! resume! interrupt! yield! yield-on! without-asyncs
            sleep-until! raise-if winding winding-scopes check-can-wait
            cannot-wait can-wait? set-time-limit! known? task-tag leave-inside!
            make-sleeper)
  #:re-export (loop? loop-timers loop-current loop-inside? loop-worker loop-peers loop-turns
               loop-thread loop-root set-loop-root! loop-here? loop-ours?
               current-loop current-task in-task?
               task? task-name task-loop task-group task-on-end task-interrupt
               task-scope set-task-scope! task-state task-ended?
               task-result
               task-joiners set-task-joiners! task-place))

(define task-tag (make-prompt-tag "task"))

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

(define (make-task loop name thunk group scope on-end)
  "Return a task of LOOP that will call THUNK."
  (%make-task (lambda ()
                (let ((task (loop-current loop)))
                  (goes-on!)
                  (call-with-values thunk
                    (lambda results
                      (unless (%task-done! task results)
                        (check-same task)
                        (leave-inside! loop)
                        ((loop-ended loop) task 'done results))
                      ;; Not a tail call: the frame is where the next one's go.
                      (let ((next (%task-over loop)))
                        (when next (next)))))))
              #f #f #f #f #f #f #f #f 'ready #f '() on-end name loop group scope))

(define (check-same task)
  (unless (eq? task (current-task))
    (error "a continuation captured in one task was called in another:" task)))

(define (leave-inside! loop)
  (%loop-recover loop)
  (set-loop-inside! loop #f))

;;; Leave the running task until PORT may be ready, or until something else wakes
;;; it if DIRECTION is #f.  A task is taken up again outside of itself, and says so
;;; with `goes-on!'.
;;;
;;; Not to be inlined: what comes after the abort is the caller's, and so the
;;; frame of this procedure is all that %task-wait has to leave out.  When that has
;;; gone on with another task it does not return until this one goes on; else it has
;;; filled the continuation of this one anew, and the abort takes none, or it has
;;; done nothing.  A procedure is another task, which begins in the place of this one.
(define leave! #f)
(set! leave!
      (lambda (loop port direction)
        (let ((why (%task-wait loop port direction)))
          (cond ((eq? why #t) (abort-to-prompt task-tag #f))
                ((procedure? why) (why))
                (else (not-left loop port direction why))))))

(define-syntax-rule (suspend! task abandon place expr ...)
  "Leave TASK, which runs, until it is resumed; asyncs are off before and on after, and
off while EXPR is evaluated.  Until then, (ABANDON task) takes it out of what it waits
in, PLACE in the task being where, and returns whether it still was there.  Return the
exception that interrupts the task, or #f."
  (begin
    (set-task-abandon! task abandon)
    (set-task-place! task place)
    (leave! (task-loop task) #f #f)
    expr ...
    (%task-goes-on)))

(define (resume! task)
  "Let TASK, which was taken out of what it waits in, go on.  From any thread."
  (%make-ready (loop-poller (task-loop task)) task))

(define (interrupt! task exception)
  "Have TASK get EXCEPTION when it waits, at once if it does.  In its thread, asyncs
being off."
  (set-task-interrupt! task exception)
  (when (and exception (task-abandon task) ((task-abandon task) task))
    (resume! task)))

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
  "As yield!, though TASK is interrupted, and in an async."
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
      (lambda (loop task scope thunk)
        (lambda ()
          (when (loop-inside? loop)
            ;; Before anything is called, where an async may leave.
            (when task (set-task-scope! task scope))
            (thunk)))))

(define (winding loop in thunk out)
  "As `dynamic-wind', but IN and OUT are not called when a task of LOOP is
suspended and resumed in THUNK."
  (dynamic-wind (winder loop #f #f in) thunk (winder loop #f #f out)))

(define-inlinable (values-then thunk then)
  "Return the values of THUNK, once (THEN) has been called."
  (call-with-values thunk
    (lambda results
      (then)
      (apply values results))))

(define (winding-scopes task scope enter outer leave thunk)
  "Call THUNK with SCOPE as the innermost of TASK, and OUTER afterwards; then (ENTER) and
(LEAVE) are called.  An async that leaves from here leaves OUTER."
  (define loop (task-loop task))
  (%asyncs-off)
  (values-then
   (lambda ()
     (dynamic-wind
       (winder loop task scope enter)
       (lambda ()
         (%asyncs-on)
         (values-then thunk %asyncs-off))
       (winder loop task outer leave)))
   %asyncs-on))

;;; Neither inlined, so that all winders have the code of this one.  KNOWN? says
;;; whether this release of Guile is one whose stacks are known.
(define known?
  (%task-init! <task> task-tag leave! (winder #f #f #f #f) abandon-slot))

(define (can-wait?)
  "Can what runs here wait?  A task cannot below a procedure in C."
  (let ((loop (current-loop)))
    (or (not loop)
        (and (loop-inside? loop)
             (suspendable-continuation? task-tag)
             (not (%in-async?))))))

(set-can-wait! can-wait?)

(define (check-can-wait who)
  (unless (can-wait?)
    (cannot-wait who)))

(define (cannot-wait who)
  (error (string-append who ": a task cannot wait inside a procedure that is"
                        " written in C, string-for-each or sort say, nor in"
                        " a signal's handler")))
