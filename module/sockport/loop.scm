;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The run loop of one thread: which task runs next, and which waits for what.
;;; A task is a procedure whose continuation is taken when it has to wait.  What
;;; tasks mean to each other (groups, deadlines, channels) is decided elsewhere.

(define-module (sockport loop)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 control)
  #:use-module (ice-9 threads)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport primitive)
  #:use-module (sockport timer)
  #:export (make-loop loop? loop-timers loop-current loop-inside? loop-worker
            loop-peers loop-turns loop-thread loop-root set-loop-root!
            loop-poller loop-events loop-failed loop-slots set-loop-slots!
            set-loop-drowsy!
            loop-count loop-fluid loop-tag task-tag
            loop-here? loop-post! enqueue! run-batch! run-inbox!
            current-loop current-task in-task?
            make-task task? task-name task-loop task-interrupt
            set-task-interrupt! task-scope set-task-scope! task-state
            set-task-state! task-ended? task-result set-task-result! task-group task-node
            set-task-node! task-watchers task-on-end task-parked
            task-start! task-ready! suspend! check-interrupt can-wait?
            check-can-wait pause!
            set-task-parked! wake-entry! add-entry! remove-entry!
            set-entry-methods!))

(define event-size 8)
(define events-at-once 256)

;;; CURRENT is the task that runs.  INSIDE? is true while its own code does, and
;;; false in the loop and while a continuation is taken or put back.  DROWSY? is
;;; true from before the loop looks whether it may sleep until it has.  SLOTS has
;;; for descriptor N what waits to read (2N) and to write (2N+1): #f nothing; #t
;;; nothing, and an edge was seen; a task, another entry, or a list of them.
(define-record-type <loop>
  (%make-loop poller thread events timers inbox worker peers failed ended
              slots queue head count current inside? turns root drowsy?)
  loop?
  (poller loop-poller)
  (thread loop-thread)
  (events loop-events)
  (timers loop-timers)
  (inbox loop-inbox)
  (worker loop-worker)
  (peers loop-peers)
  (failed loop-failed)
  (ended loop-ended)
  (slots loop-slots set-loop-slots!)
  (queue loop-queue set-loop-queue!)
  (head loop-head set-loop-head!)
  (count loop-count set-loop-count!)
  (current loop-current set-loop-current!)
  (inside? loop-inside? set-loop-inside!)
  (turns loop-turns set-loop-turns!)
  (root loop-root set-loop-root!)
  (drowsy? loop-drowsy? set-loop-drowsy!))

;;; CONTINUATION is the thunk that goes on with the task.  PARKED says what it
;;; waits for: a slot's number, a timer, another entry, or #f.  INTERRUPT is the
;;; exception that it gets when it has to wait, or #f.
(define-record-type <task>
  (%make-task name loop continuation group parked interrupt scope state result
              node watchers on-end)
  task?
  (name task-name)
  (loop task-loop)
  (continuation task-continuation set-task-continuation!)
  (group task-group)
  (parked task-parked set-task-parked!)
  (interrupt task-interrupt set-task-interrupt!)
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

(define (current-loop)
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
  (%make-loop (%poller-open) (current-thread)
              (make-bytevector (* event-size events-at-once)) (make-timers)
              (make-atomic-box '()) worker peers failed ended
              (make-vector 128 #f) (make-vector 64 #f) 0 0 #f #f 0 #f #f))

(define (loop-here? loop)
  "Is this the thread of LOOP?"
  (eq? (current-thread) (loop-thread loop)))

;;; The run queue, a ring.

;;; A signal's handler may come in at any call, so the ring is changed between
;;; calls only.
(define (enqueue! loop task)
  (when (= (loop-count loop) (vector-length (loop-queue loop)))
    (grow-queue! loop))
  (let* ((queue (loop-queue loop))
         (count (loop-count loop))
         (mask (- (vector-length queue) 1)))
    (vector-set! queue (logand (+ (loop-head loop) count) mask) task)
    (set-loop-count! loop (+ count 1))
    ;; A handler came in after the loop had found nothing to run.
    (when (loop-drowsy? loop)
      (%poller-wake (loop-poller loop)))))

(define (grow-queue! loop)
  (let* ((old (loop-queue loop))
         (size (vector-length old))
         (new (make-vector (* 2 size) #f))
         (head (loop-head loop)))
    (vector-move-left! old head size new 0)
    (vector-move-left! old 0 head new (- size head))
    (set-loop-queue! loop new)
    (set-loop-head! loop 0)))

(define (dequeue! loop)
  (let* ((queue (loop-queue loop))
         (head (loop-head loop))
         (task (vector-ref queue head)))
    (vector-set! queue head #f)
    (set-loop-head! loop (logand (+ head 1) (- (vector-length queue) 1)))
    (set-loop-count! loop (- (loop-count loop) 1))
    task))

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
  (%make-task name loop
              (lambda ()
                (let ((task (loop-current loop)))
                  (set-loop-inside! loop #t)
                  (call-with-values thunk
                    (lambda results
                      (check-same task)
                      ((loop-ended loop) task 'done results)))))
              group #f #f scope 'ready #f #f watchers on-end))

(define (check-same task)
  (unless (eq? task (current-task))
    (error "a continuation captured in one task was called in another:" task)))

(define (task-ended? task)
  (and (memq (task-state task) '(done failed cancelled)) #t))

(define (task-start! task)
  (enqueue! (task-loop task) task))

;;; K is a continuation whose whole stack begins at the prompt here, so calling
;;; it as the thunk spares a closure for each turn.
(define (run-task! loop task)
  (set-loop-current! loop task)
  (set-loop-turns! loop (+ (loop-turns loop) 1))
  (call-with-prompt task-tag (task-continuation task)
    (lambda (k failure)
      (if failure
          (begin
            (set-loop-inside! loop #f)
            ((loop-ended loop) (loop-current loop) 'failed failure))
          (set-task-continuation! (loop-current loop) k))))
  (set-loop-inside! loop #f)
  (set-loop-current! loop #f))

(define-inlinable (suspend! loop)
  "Take the continuation of the running task and leave it."
  (set-loop-inside! loop #f)
  (abort-to-prompt task-tag #f)
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

(define (run-batch! loop count)
  (when (positive? count)
    (run-task! loop (dequeue! loop))
    (run-batch! loop (- count 1))))

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
