;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Things to wait for as values, and waiting for the first of several.

(define-module (sockport task operation)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io argument)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport task)
  #:use-module (sockport task deadline)
  #:use-module (sockport task exception)
  #:use-module (sockport task group)
  #:use-module (sockport task join)
  #:use-module (sockport task loop)
  #:use-module (sockport task timer)
  #:use-module (sockport task waiter)
  #:export (wait-first
            operation?
            operation-map
            readable-operation
            writable-operation
            sleep-operation
            join-operation
            descriptor-operation
            moment-operation
            perform
            perform-any
            make-operation
            channel-operation
            core-operation))

;;; (TRY) returns a list of one value if there is nothing to wait for, else #f.
;;; (START waiter operation) has WAITER claimed, for OPERATION, when there is; it
;;; returns #t if the wait is over by that and nobody wakes it, else #f or a thunk
;;; that undoes it, and returns a list of what it raised, else no pair.  Neither raises
;;; nor waits; asyncs are off.  (FINISH value)
;;; makes the result.  IN-LOOP? is true if it needs a loop.
(define-record-type <operation>
  (make-operation try start finish in-loop?)
  operation?
  (try operation-try)
  (start operation-start)
  (finish operation-finish)
  (in-loop? operation-in-loop?))

(set-record-type-printer! <operation>
  (lambda (operation port) (display "#<operation>" port)))

(define (check-operation object position who)
  (check-that (operation? object) object position "operation" who))

(define (operation-map operation proc)
  "Return OPERATION with its values passed to PROC, whose values are returned."
  (check-operation operation 1 "operation-map")
  (check-procedure proc 2 "operation-map")
  (let ((finish (operation-finish operation)))
    (make-operation
     (operation-try operation)
     (operation-start operation)
     (lambda (value)
       (call-with-values (lambda () (finish value)) proc))
     (operation-in-loop? operation))))

(define (channel-operation try enter finish)
  "An operation that tries by (TRY), which may return nothing, and waits by (ENTER
waiter operation)."
  (make-operation (lambda ()
                    (let ((value (try)))
                      (and (not (eq? value nothing))
                           (list value))))
                  enter finish #f))

(define (core-operation core finish)
  "An operation that gets from CORE, that of a channel."
  (channel-operation (lambda () (%channel-get core))
                     (lambda (waiter operation)
                       (%enter-getter core waiter operation))
                     finish))

;;; Waiting.

(define (first-there operations)
  "Return the first of OPERATIONS, a vector, that has something, counted from one that
is drawn, and that in a list; or #f and #f."
  (define count (vector-length operations))
  (let try ((left count) (i (%draw-below count)))
    (if (zero? left)
        (values #f #f)
        (let* ((operation (vector-ref operations i))
               (found ((operation-try operation))))
          (if found
              (values operation found)
              (try (- left 1)
                   (if (= (+ i 1) count) 0 (+ i 1))))))))

(define (wait-for-first operations who)
  (define undone '())
  (define (enter waiter)
    (let start ((i 0))
      (and (< i (vector-length operations))
           (let* ((operation (vector-ref operations i))
                  (started ((operation-start operation) waiter operation)))
             (when (procedure? started)
               (set! undone (cons started undone)))
             (or (eq? started #t)
                 (and (not (waiter-over? waiter))
                      (start (+ i 1))))))))
  (define failed #f)
  (define (leave)
    (for-each (lambda (undo)
                (let ((raised (undo)))
                  (when (pair? raised) (set! failed raised))))
              undone))
  (let ((waiter (wait-for enter leave who)))
    (when failed
      (raise-exception (car failed)))
    ((operation-finish (waiter-chosen waiter)) (waiter-value waiter))))

(define (perform operations who)
  "Wait for the first of OPERATIONS, a vector, and return its values."
  (call-with-values (lambda () (first-there operations))
    (lambda (operation found)
      (if found
          ((operation-finish operation) (car found))
          (wait-for-first operations who)))))

(define (check-operations operations)
  (when (null? operations)
    (scm-error 'misc-error "wait-first"
               "nothing to wait for: at least one operation is needed" '() #f))
  (for-each (lambda (operation position)
              (check-operation operation position "wait-first"))
            operations (iota (length operations) 1)))

(define (perform-in-new-loop operations who)
  ;; The deadline is the thread's, not that of the task that waits for it.
  (let ((left (deadline-left)) (scope (thread-limit)))
    (shielded
     (lambda ()
       (run-tasks
        (lambda ()
          (with-deadline left
                         (lambda () (perform operations who))
                         (lambda ()
                           (raise-exception
                            (make-deadline-exceeded scope))))))))))

(define (perform-any operations who)
  "As `perform', in a thread without a loop as well."
  (if (and (not (current-task))
           (any operation-in-loop? (vector->list operations)))
      (perform-in-new-loop operations who)
      (perform operations who)))

(define (wait-first . operations)
  "Wait until one of OPERATIONS is done, and return its values; the others are as
if they had not been tried.  Of several that are ready, any is done."
  (check-operations operations)
  (perform-any (list->vector operations) "wait-first"))

;;; Operations on what the loop itself knows; they are started in a task only.

(define (descriptor-operation place direction ready? try finish)
  "An operation that waits until (READY?) after PLACE, a file port or a descriptor, may
be read (DIRECTION 0) or written (1)."
  (define (start waiter operation)
    (define loop (current-loop))
    (define slot #f)
    ;; What wakes says that it may be ready: the number may have been another
    ;; port's, say.
    (define (enter)
      (set! slot (%slot-enter loop place direction wake))
      (cond (slot #f)
            ((ready?) (%claim waiter place operation))
            (else (enter))))
    (define (wake)
      (set! slot #f)
      (cond ((not (loop-root loop)))    ; what waits there has been left
            ((ready?) (%claim waiter place operation))
            (else (enter))))
    (enter)
    (lambda ()
      (when slot (%slot-leave loop slot wake))))
  (make-operation try start finish #t))

(define (port-operation port events direction who)
  (check-that (and (port? port) (or (port-closed? port) (file-port? port)))
              port 1 "file port" who)
  ;; Also where it is closed: nothing is to be waited for.
  (define (ready?)
    (catch 'system-error
      (lambda () (%wait port events 0 'wait-first))
      (const #t)))
  (define (try)
    (unless (port-closed? port)
      (%slot-enter (current-loop) port direction #f))
    (and (ready?)
         (list port)))
  (descriptor-operation port direction ready? try identity))

(define (readable-operation port)
  "An operation that waits until PORT can be read, and returns PORT."
  (port-operation port POLLIN 0 "readable-operation"))

(define (writable-operation port)
  "An operation that waits until PORT can be written, and returns PORT."
  (port-operation port POLLOUT 1 "writable-operation"))

(define* (moment-operation moment #:optional (past? (const #f)))
  "An operation that waits until the time that (MOMENT) returns, #f being never, unless
it is (PAST?)."
  (make-operation
   (lambda () (and (past?) '(0)))
   (lambda (waiter operation)
     (let* ((timers (loop-timers (current-loop)))
            (time (moment))
            (timer (and time
                        (timer-add! timers time
                                    (lambda ()
                                      (%claim waiter 0 operation))))))
       (and timer
            (lambda () (timer-cancel! timers timer)))))
   identity #t))

(define (sleep-operation seconds)
  "An operation that takes SECONDS, and returns 0."
  (let ((ns (seconds->ns seconds 1 "sleep-operation")))
    (moment-operation (lambda () (and ns (+ (monotonic-ns) ns))))))

(define (join-operation task)
  "An operation that waits until TASK has ended, and returns its values or raises
its exception."
  (check-task task "join-operation")
  (core-operation (%task-end task) (lambda (_) (task-values task))))
