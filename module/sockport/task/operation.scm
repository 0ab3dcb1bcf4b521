;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Things to wait for as values, and waiting for the first of several.

(define-module (sockport task operation)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport primitive)
  #:use-module (sockport task)
  #:use-module (sockport task deadline)
  #:use-module (sockport task exception)
  #:use-module (sockport task group)
  #:use-module (sockport task loop)
  #:use-module (sockport task ring)
  #:use-module (sockport task timer)
  #:use-module (sockport task waiter)
  #:export (wait-first
            operation?
            operation-map
            readable-operation
            writable-operation
            sleep-operation
            join-operation
            perform
            make-operation
            ring-operation))

(define POLLIN 1)
(define POLLOUT 4)

;;; (LOOK) is called before anything else and may take its time, (TRY) under the
;;; lock; each returns a list of one value if there is nothing to wait for, else #f.
;;; (START waiter operation) has WAITER claimed with an entry when there is, and
;;; returns a thunk that takes it back; it is called under the lock.  (FINISH value)
;;; makes the result.
(define-record-type <operation>
  (%make-operation look try start finish)
  operation?
  (look operation-look)
  (try operation-try)
  (start operation-start)
  (finish operation-finish))

(set-record-type-printer! <operation>
  (lambda (operation port) (display "#<operation>" port)))

(define* (make-operation #:key (look (const #f)) (try (const #f)) start
                         (finish identity))
  (%make-operation look try start finish))

(define (operation-map operation proc)
  "Return OPERATION with its values passed to PROC, whose values are returned."
  (let ((finish (operation-finish operation)))
    (%make-operation
     (operation-look operation)
     (operation-try operation)
     (operation-start operation)
     (lambda (value)
       (call-with-values (lambda () (finish value)) proc)))))

(define (ring-operation try ring load finish)
  "An operation that is done when an entry with LOAD in RING is claimed."
  (make-operation
   #:try try
   #:start (lambda (waiter operation)
             (let ((node (ring-add! ring (make-entry waiter operation load))))
               (lambda () (ring-remove! node))))
   #:finish finish))

;;; Waiting.

(define (start-all waiter operations)
  (let ((takes-back (map (lambda (operation)
                           ((operation-start operation) waiter operation))
                         operations)))
    (lambda ()
      (for-each (lambda (take-back) (take-back)) takes-back))))

(define (asked ask operation)
  "Return a list of OPERATION and its value if that is there, else #f."
  (match (ask)
    ((value) (list (cons operation value)))
    (#f #f)))

(define (first-there operations)
  "Return what the first of OPERATIONS that has something has, or #f."
  (any (lambda (operation)
         (or (asked (operation-look operation) operation)
             (with-lock (asked (operation-try operation) operation))))
       operations))

(define (perform operations who)
  (match (or (first-there operations)
             (list
              (await (lambda ()
                       (any (lambda (operation)
                              (asked (operation-try operation) operation))
                            operations))
                     (lambda (waiter) (start-all waiter operations))
                     who)))
    (((operation . value))
     ((operation-finish operation) value))))

(define (check-operations operations)
  (when (null? operations)
    (scm-error 'misc-error "wait-first"
               "nothing to wait for: at least one operation is needed" '() #f))
  (let check ((left operations) (position 1))
    (unless (null? left)
      (unless (operation? (car left))
        (scm-error 'wrong-type-arg "wait-first"
                   "Wrong type argument in position ~A (expecting ~A): ~S"
                   (list position "operation" (car left)) (list (car left))))
      (check (cdr left) (+ position 1)))))

(define (wait-first . operations)
  "Wait until one of OPERATIONS is done, and return its values; the others are as
if they had not been tried.  Of several that are ready, the first is done."
  (check-operations operations)
  (if (in-task?)
      (perform operations "wait-first")
      ;; The deadline is the thread's, not that of the task that waits for it.
      (let ((left (deadline-left)) (scope (thread-limit)))
        (shielded
         (lambda ()
           (run-tasks
            (lambda ()
              (with-deadline left
                             (lambda () (perform operations "wait-first"))
                             (lambda ()
                               (raise-exception
                                (make-deadline-exceeded scope)))))))))))

;;; Operations on what the loop itself knows; they are started in a task only.

(define (port-operation port events direction who)
  (unless (and (port? port) (or (port-closed? port) (file-port? port)))
    (scm-error 'wrong-type-arg who
               "Wrong type argument in position ~A (expecting ~A): ~S"
               (list 1 "file port" port) (list port)))
  ;; Also where it is closed: nothing is to be waited for.
  (define (ready?)
    (catch 'system-error
      (lambda () (%wait port events 0 'wait-first))
      (const #t)))
  (make-operation
   #:look (lambda ()
            (unless (port-closed? port)
              (loop-slot-enter! (current-loop) port direction #f))
            (and (ready?)
                 (list port)))
   #:start (lambda (waiter operation)
             (define loop (current-loop))
             (define entry (make-entry waiter operation #f))
             (define slot #f)
             ;; What wakes says that it may be ready: the number may have been
             ;; another port's, say.
             (define (enter)
               (set! slot (loop-slot-enter! loop port direction wake))
               (cond (slot #f)
                     ((ready?) (entry-claim! entry port))
                     (else (enter))))
             (define (wake)
               (set! slot #f)
               (with-lock (if (ready?)
                              (entry-claim! entry port)
                              (enter))))
             (enter)
             (lambda ()
               (when slot (loop-slot-leave! loop slot wake))))))

(define (readable-operation port)
  "An operation that waits until PORT can be read, and returns PORT."
  (port-operation port POLLIN 0 "readable-operation"))

(define (writable-operation port)
  "An operation that waits until PORT can be written, and returns PORT."
  (port-operation port POLLOUT 1 "writable-operation"))

(define (sleep-operation seconds)
  "An operation that takes SECONDS, and returns 0."
  (let ((ns (seconds->ns seconds 1 "sleep-operation")))
    (make-operation
     #:start
     (lambda (waiter operation)
       (let* ((entry (make-entry waiter operation #f))
              (timers (loop-timers (current-loop)))
              (timer (and ns
                          (timer-add! timers (+ (monotonic-ns) ns)
                                      (lambda ()
                                        (with-lock (entry-claim! entry 0)))))))
         (lambda ()
           (when timer (timer-cancel! timers timer))))))))

(define (join-operation task)
  "An operation that waits until TASK has ended, and returns its values or raises
its exception."
  (check-task task "join-operation")
  (ring-operation (lambda () (and (task-ended? task) '(#t)))
                  (task-watchers task) #f
                  (lambda (_) (task-values task))))
