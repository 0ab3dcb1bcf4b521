;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the tasks of a loop wait for on descriptors, and the turns of the loop
;;; in which they are woken.

(define-module (sockport task slot)
  #:use-module (ice-9 control)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport task loop)
  #:use-module (sockport primitive)
  #:use-module (sockport task timer)
  #:export (wait-for
            wait-here
            port-slot
            loop-forget!
            loop-run-until!
            loop-close!
            loop-ours?))

(define POLLIN 1)
(define POLLOUT 4)
(define event-size 8)

;;; For what %poller-wait leaves, more than one task say.
(define (edge! loop slot)
  (let* ((slots (loop-slots loop))
         (entry (vector-ref slots slot)))
    (vector-set! slots slot #f)
    (unless (and entry (not (eq? entry #t))
                 (wake-entry! loop entry))
      (vector-set! slots slot #t))))

(define (grow-slots! loop size)
  (let* ((old (loop-slots loop))
         (new (make-vector (max size (* 2 (vector-length old))) #f)))
    (vector-move-left! old 0 (vector-length old) new 0)
    (set-loop-slots! loop new)))

(define (wake-slots! loop fd)
  "Wake whatever waits on FD; nothing is known about it any more."
  (let ((slots (loop-slots loop)) (slot (* 2 fd)))
    (when (< slot (vector-length slots))
      (for-each (lambda (slot)
                  (let ((entry (vector-ref slots slot)))
                    (vector-set! slots slot #f)
                    (when (and entry (not (eq? entry #t)))
                      (wake-entry! loop entry))))
                (list slot (+ slot 1))))))

(define (loop-forget! loop port)
  "Wake whatever waits on PORT, which is about to be closed.  From any thread."
  (let ((fd (%poller-forget (loop-poller loop) port)))
    (cond ((not fd) #f)
          ((loop-here? loop) (wake-slots! loop fd))
          (else (loop-post! loop (lambda () (wake-slots! loop fd)))))))

(define (armed loop answer direction)
  "Return the slot of a descriptor, from the ANSWER of its being watched."
  (if (>= answer 0)
      (+ answer answer direction)
      (let* ((fd (- -1 answer)) (slot (* 2 fd)))
        (when (<= (vector-length (loop-slots loop)) (+ slot 1))
          (grow-slots! loop (* 2 (+ slot 2))))
        (wake-slots! loop fd)
        (+ slot direction))))

(define (port-slot loop port direction)
  "Watch PORT; return the slot for waiting on it, or #f if it is ready."
  (let ((answer (%poller-arm (loop-poller loop) port)))
    (cond ((eq? answer #t)
           (armed loop
                  (%poller-arm-fd (loop-poller loop)
                                  (if (zero? direction)
                                      (port-read-wait-fd port)
                                      (port-write-wait-fd port))
                                  port)
                  direction))
          (answer (armed loop answer direction))
          (else #f))))

;;; A signal's handler may wait where no task runs, or one is being put back.
(define-inlinable (wait-here loop port direction)
  "As wait-for, in the thread of LOOP."
  (let ((task (and (loop-inside? loop) (loop-current loop))))
    (when task
      (leave! loop port direction))
    (cond ((or (not task) (loop-inside? loop))
           (wait-in-full loop port direction))
          (else
           (set-loop-inside! loop #t)
           (check-interrupt task)))))

(define (wait-for loop port direction)
  "Suspend the task that runs until PORT can be read (DIRECTION 0) or written (1),
or is worth another attempt.  What it answers is 'errors where %wait does."
  (if (eq? loop (current-loop))
      (wait-here loop port direction)
      (wait-in-full loop port direction)))

(define (wait-in-full loop port direction)
  (let ((task (loop-current loop)))
    (cond ((not (and task (loop-here? loop)
                     (suspendable-continuation? task-tag)))
           ;; Another thread, a signal's handler, or below C code.
           (unless (%poller-doubt port)
             (%wait port (if (zero? direction) POLLIN POLLOUT) #f 'wait)))
          ((task-interrupt task)
           (unless (%poller-doubt port)
             (check-interrupt task)))
          ;; It may be readable: nothing would tell.
          ((%turn-was-over?)
           (enqueue! loop task)
           (suspend! loop)
           (check-interrupt task))
          (else
           (let ((slot (port-slot loop port direction)))
             (when slot
               (park! loop task slot)))))))

(define (park! loop task slot)
  (let* ((slots (loop-slots loop))
         (entry (vector-ref slots slot)))
    (if (eq? entry #t)
        (vector-set! slots slot #f)
        (begin
          (if entry
              (add-entry! loop slot task)
              (vector-set! slots slot task))
          (set-task-parked! task slot)
          (suspend! loop)
          (check-interrupt task)))))

;;; The loop.

(define (dispatch-events! loop count)
  (let ((events (loop-events loop)))
    (let next ((at 0) (left count))
      (when (positive? left)
        (let ((slot (* 2 (bytevector-s32-native-ref events at)))
              (ready (bytevector-u32-native-ref events (+ at 4))))
          (when (odd? ready) (edge! loop slot))
          (when (logtest 2 ready) (edge! loop (+ slot 1))))
        (next (+ at event-size) (- left 1))))))

(define (timeout-ns loop)
  (let ((next (timers-next (loop-timers loop))))
    (cond ((positive? (%tasks-ready (loop-poller loop))) 0)
          (next (max 0 (- next (monotonic-ns))))
          (else -1))))

(define (turn! loop)
  (run-batch! loop)
  (run-inbox! loop)
  (when (loop-root loop)
    (set-loop-drowsy! loop #t)
    (let ((count (%poller-wait loop (timeout-ns loop))))
      (set-loop-drowsy! loop #f)
      (dispatch-events! loop count))
    (when (timers-next (loop-timers loop))
      (timers-expire! (loop-timers loop) (monotonic-ns)))))

(define (turns! loop)
  (when (loop-root loop)
    (turn! loop)
    (turns! loop)))

(define (loop-run-until! loop)
  "Run LOOP until its root is set to #f."
  (define (caught exception)
    (if (loop-inside? loop)
        (abort-to-prompt task-tag exception)
        (abort-to-prompt loop-tag exception)))
  (with-fluids ((loop-fluid loop))
    (let again ()
      (call-with-prompt loop-tag
        (lambda ()
          (with-exception-handler caught (lambda () (turns! loop))))
        (lambda (k exception)
          ((loop-failed loop) exception)))
      (when (loop-root loop) (again)))))

(define (loop-close! loop)
  (%poller-close (loop-poller loop)))

(define (loop-ours? loop)
  "Was LOOP made by this process, not by its parent?"
  (%poller-ours? (loop-poller loop)))
