;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The run loop of one thread: which task runs next, and which waits for what.
;;; A task is a procedure whose continuation is taken when it has to wait.  What
;;; tasks mean to each other (groups, deadlines, channels) is decided elsewhere.

(define-module (sockport task loop)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 control)
  #:use-module (ice-9 threads)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport primitive)
  #:use-module (sockport task timer)
  #:export (make-loop loop? loop-timers loop-current loop-inside? set-loop-inside! loop-worker
            loop-peers loop-turns loop-thread loop-root set-loop-root!
            loop-poller loop-events loop-failed loop-slots set-loop-slots!
            set-loop-drowsy! loop-read-waiter set-loop-read-waiter!
            loop-fluid loop-tag task-tag
            loop-here? loop-post! enqueue! run-batch! run-inbox!
            current-loop current-task in-task?
            make-task task? task-name task-loop task-interrupt
            set-task-interrupt! task-scope set-task-scope! task-state
            set-task-state! task-ended? task-result set-task-result! task-group task-node
            set-task-node! task-watchers task-on-end task-parked
            task-forget! task-start! task-ready! leave! suspend! winding check-interrupt can-wait?
            check-can-wait pause!
            set-task-parked! wake-entry! add-entry! remove-entry!
            set-entry-methods!))

(define event-size 8)
(define events-at-once 256)

;;; CURRENT is the task that runs.  INSIDE? is true while its own code does, and
;;; false in the loop and while a continuation is taken or put back.  DROWSY? is
;;; true from before the loop looks whether it may sleep until it has.  SLOTS has
;;; for descriptor N what waits to read (2N) and to write (2N+1): #f nothing; #t
;;; nothing, and an edge was seen; a task, another entry, or a list of them.  The
;;; tasks that are ready are in a queue of the poller.  The first seven fields are
;;; known in guile/poller.h.
(define-record-type <loop>
  (%make-loop current turns poller thread slots events inside? timers inbox
              worker peers failed ended root drowsy? read-waiter)
  loop?
  (current loop-current set-loop-current!)
  (turns loop-turns set-loop-turns!)
  (poller loop-poller)
  (thread loop-thread)
  (slots loop-slots set-loop-slots!)
  (events loop-events)
  (inside? loop-inside? set-loop-inside!)
  (timers loop-timers)
  (inbox loop-inbox)
  (worker loop-worker)
  (peers loop-peers)
  (failed loop-failed)
  (ended loop-ended)
  (root loop-root set-loop-root!)
  (drowsy? loop-drowsy? set-loop-drowsy!)
  (read-waiter loop-read-waiter set-loop-read-waiter!))

;;; CONTINUATION is the thunk that goes on with the task.  PARKED says what it
;;; waits for: a slot's number, a timer, another entry, or #f.  INTERRUPT is the
;;; exception that it gets when it has to wait, or #f.  PORT is what it waited for
;;; last, WANTED where it would have received.  These five are known in
;;; guile/poller.h.
(define-record-type <task>
  (%make-task continuation parked interrupt port wanted name loop group scope state result
              node watchers on-end)
  task?
  (continuation task-continuation set-task-continuation!)
  (parked task-parked set-task-parked!)
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
  (%make-loop #f 0 (%poller-open) (current-thread) (make-vector 128 #f)
              (make-bytevector (* event-size events-at-once)) #f (make-timers)
              (make-atomic-box '()) worker peers failed ended #f #f #f))

(define (loop-here? loop)
  "Is this the thread of LOOP?"
  (eq? (current-thread) (loop-thread loop)))

;;; The tasks that are ready.

(define (enqueue! loop task)
  (%task-push! (loop-poller loop) task)
  ;; A signal's handler came in after the loop had found nothing to run.
  (when (loop-drowsy? loop)
    (%poller-wake (loop-poller loop))))

(define (run-batch! loop)
  "Run the tasks that are ready now."
  (let ((poller (loop-poller loop)))
    (%tasks-begin! poller)
    (let next ((task (%task-pop! poller)))
      (when task
        (run-task! loop task)
        (next (%task-pop! poller))))))

;;; Calls from elsewhere.

(define (loop-post! loop thunk)
  "Have LOOP call THUNK, outside of tasks.  From any thread, at any time."
  (let* ((inbox (loop-inbox loop))
         (old (atomic-box-ref inbox)))
    (if (eq? old (atomic-box-compare-and-swap! inbox old (cons thunk old)))
        (%poller-wake (loop-poller loop))
        (loop-post! loop thunk))))

(define (run-inbox! loop)
  (unless (null? (atomic-box-ref (loop-inbox loop)))
    (for-each (lambda (thunk) (thunk))
              (reverse (atomic-box-swap! (loop-inbox loop) '())))))

;;; Tasks.

(define (make-task loop name thunk group scope watchers on-end)
  "Return a task of LOOP that will call THUNK."
  (%make-task (lambda ()
                (let ((task (loop-current loop)))
                  (set-loop-inside! loop #t)
                  (call-with-values thunk
                    (lambda results
                      (check-same task)
                      ((loop-ended loop) task 'done results)))))
              #f #f #f #f name loop group scope 'ready #f #f watchers on-end))

(define (check-same task)
  (unless (eq? task (current-task))
    (error "a continuation captured in one task was called in another:" task)))

(define (task-ended? task)
  (and (memq (task-state task) '(done failed cancelled)) #t))

(define (task-forget! task)
  "Let go of what TASK, which has ended, needed to go on."
  (set-task-continuation! task #f)
  (set-task-port! task #f))

(define (task-start! task)
  (enqueue! (task-loop task) task))

;;; K is a continuation whose whole stack begins at the prompt here, so calling
;;; it as the thunk spares a closure for each turn.  When the prompt is left, the
;;; task that runs may be another one than TASK.
(define (run-task! loop task)
  (set-loop-current! loop task)
  (set-loop-turns! loop (+ (loop-turns loop) 1))
  (call-with-prompt task-tag (task-continuation task)
    (lambda (k failure)
      (cond (failure
             (set-loop-inside! loop #f)
             ((loop-ended loop) (loop-current loop) 'failed failure))
            (k (set-task-continuation! (loop-current loop) k)))))
  (set-loop-inside! loop #f)
  (set-loop-current! loop #f))

;;; Leave the running task until PORT may be ready, or until something else wakes
;;; it if DIRECTION is #f.  A task is taken up again outside of itself: when this returns
;;; inside, the task was not left, because it takes more to wait for PORT.
;;;
;;; Not to be inlined: what comes after the abort is the caller's, and so the
;;; frame of this procedure is all that %task-wait has to leave out.  When that has
;;; gone on with another task it does not return until this one goes on; else it has
;;; filled the continuation of this one anew, and the abort takes none, or it has
;;; done nothing.
(define leave! #f)
(set! leave!
      (lambda (loop port direction)
        (when (%task-wait loop port direction)
          (abort-to-prompt task-tag #f))))

(define winder #f)
(set! winder
      (lambda (loop thunk)
        (lambda ()
          (when (loop-inside? loop) (thunk)))))

(define (winding loop in thunk out)
  "As `dynamic-wind', but IN and OUT are not called when a task of LOOP is
suspended and resumed in THUNK."
  (dynamic-wind (winder loop in) thunk (winder loop out)))

;;; Neither inlined, so that all winders have the code of this one.
(%task-init! <task> task-tag leave! (winder #f #f))

(define-inlinable (suspend! loop)
  "Take the continuation of the running task and leave it."
  (leave! loop #f #f)
  (set-loop-inside! loop #t))

(define-inlinable (check-interrupt task)
  (when (task-interrupt task)
    (raise-exception (task-interrupt task))))

(define (can-wait?)
  "Can what runs here wait?  A task cannot below a procedure in C."
  (or (not (current-task))
      (suspendable-continuation? task-tag)))

(define (check-can-wait who)
  (unless (can-wait?)
    (error (string-append who ": a task cannot wait inside a procedure that is"
                          " written in C, string-for-each or sort say, nor in"
                          " a signal's handler"))))

(define (pause! loop task parked)
  "Suspend TASK, which runs, until it is made ready; PARKED is what it waits for.
The caller looks at the interrupt."
  (set-task-parked! task parked)
  (suspend! loop))

(define (task-ready! task)
  "Let TASK, which waits or will in a moment, go on.  From any thread."
  (let ((loop (task-loop task)))
    (define (ready)
      (set-task-parked! task #f)
      (enqueue! loop task))
    (if (loop-here? loop)
        (ready)
        (loop-post! loop ready))))

;;; What waits for a descriptor.

;;; Entries other than tasks: (WAKE entry) is #f if it was not waiting any more.
(define entry-wake (lambda (entry) #f))

(define (set-entry-methods! wake)
  (set! entry-wake wake))

(define (wake-entry! loop entry)
  (cond ((task? entry)
         (set-task-parked! entry #f)
         (enqueue! loop entry)
         #t)
        ((pair? entry)
         (let ((first? (wake-entry! loop (car entry))))
           (or (wake-entry! loop (cdr entry)) first?)))
        ((null? entry) #f)
        (else (entry-wake entry))))

(define (add-entry! loop slot entry)
  (let* ((slots (loop-slots loop))
         (old (vector-ref slots slot)))
    (vector-set! slots slot
                 (cond ((or (not old) (eq? old #t)) entry)
                       ((or (pair? old) (null? old)) (cons entry old))
                       (else (list entry old))))))

(define (remove-entry! loop slot entry)
  (let* ((slots (loop-slots loop))
         (old (vector-ref slots slot)))
    (vector-set! slots slot
                 (cond ((eq? old entry) #f)
                       ((pair? old)
                        (let ((rest (delq entry old)))
                          (and (pair? rest) rest)))
                       (else old)))))
