;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Things to wait for as values, and waiting for the first of several.

(define-module (sockport task choice)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport task limit)
  #:use-module (sockport task group)
  #:use-module (sockport task loop)
  #:use-module (sockport task ring)
  #:use-module (sockport primitive)
  #:use-module (sockport task slot)
  #:use-module (sockport task sync)
  #:use-module (sockport task)
  #:use-module (sockport task timer)
  #:export (wait-first
            operation?
            operation-map
            readable-operation
            writable-operation
            sleep-operation
            join-operation
            perform
            make-operation
            entry-claim!
            ring-claim!))

(define POLLIN 1)
(define POLLOUT 4)

;;; (LOOK) is called before anything else and may take its time, (TRY) under the
;;; lock; each answers a list of one value if there is nothing to wait for, else
;;; #f.  (START entry) has ENTRY claimed when there is, and answers a thunk that
;;; takes it back; it is called under the lock.  (FINISH value) makes the result.
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

;;; What an operation leaves where it waits: the waiter of all operations of the
;;; call, and which one it is.
(define-record-type <entry>
  (make-entry waiter operation)
  entry?
  (waiter entry-waiter)
  (operation entry-operation))

(define (entry-claim! entry value)
  "Have ENTRY's operation be the one, with VALUE; #f if another is already.  The
lock is held."
  (claim! (entry-waiter entry) (cons (entry-operation entry) value)))

(define (ring-claim! ring value)
  "Claim the first entry of RING, pairs of an entry and something, that can be,
with VALUE; return a list of that something, or #f.  The lock is held."
  (match (ring-first ring)
    (#f #f)
    (node
     (ring-remove! node)
     (match (node-value node)
       ((entry . load)
        (if (entry-claim! entry value)
            (list load)
            (ring-claim! ring value)))))))

;;; Waiting.

(define (first-answer ask operations)
  (any (lambda (operation)
         (match (ask operation)
           ((value) (cons operation value))
           (#f #f)))
       operations))

(define (start-all waiter operations)
  (map (lambda (operation)
         ((operation-start operation) (make-entry waiter operation)))
       operations))

(define (await-first operations)
  (let* ((waiter (make-waiter))
         (able? (can-wait?))
         (takes-back '())
         (now (with-lock
               (or (first-answer (lambda (o) ((operation-try o))) operations)
                   (and able?
                        (begin
                          (set! takes-back (start-all waiter operations))
                          #f))))))
    (define (take-back)
      (with-lock (for-each (lambda (take-back) (take-back)) takes-back)))
    (or now
        (begin
          (check-can-wait "wait")
          (call-with-cleanup (lambda () (await! waiter)) take-back)))))

(define (perform operations)
  (match (or (first-answer (lambda (o) ((operation-look o))) operations)
             (await-first operations))
    ((operation . value)
     ((operation-finish operation) value))))

(define (wait-first . operations)
  "Wait until one of OPERATIONS is done, and return its values; the others are as
if they had not been tried.  Of several that are ready, the first is done."
  (if (in-task?)
      (perform operations)
      ;; The deadline is the thread's, not that of the task that waits for it.
      (let ((left (deadline-left)))
        (run-tasks
         (lambda ()
           (with-deadline left
                          (lambda () (perform operations))
                          raise-deadline))))))

;;; Operations on what the loop itself knows.

(define (port-operation port events direction)
  (make-operation
   ;; What could fail is done here, not under the lock.
   #:look (lambda ()
            (and (or (port-closed? port)
                     (not (port-slot (current-loop) port direction))
                     (%wait port events 0 'wait-first))
                 (list port)))
   #:start (lambda (entry)
             (let* ((loop (current-loop))
                    (wake (lambda () (with-lock (entry-claim! entry port))))
                    (slot (port-slot loop port direction)))
               (if slot
                   (add-entry! loop slot wake)
                   (entry-claim! entry port))
               (lambda ()
                 (when slot (remove-entry! loop slot wake)))))))

(set-entry-methods! (lambda (wake) (wake)))

(define (readable-operation port)
  "An operation that waits until PORT can be read, and returns PORT."
  (port-operation port POLLIN 0))

(define (writable-operation port)
  "An operation that waits until PORT can be written, and returns PORT."
  (port-operation port POLLOUT 1))

(define (sleep-operation seconds)
  "An operation that takes SECONDS, and returns 0."
  (let ((ns (seconds->ns seconds 1 "sleep-operation")))
    (make-operation
     #:start (lambda (entry)
               (let* ((timers (loop-timers (current-loop)))
                      (timer (and ns
                                  (timer-add! timers (+ (monotonic-ns) ns)
                                              (lambda ()
                                                (with-lock
                                                 (entry-claim! entry 0)))))))
                 (lambda ()
                   (when timer (timer-cancel! timers timer))))))))

(define (join-operation task)
  "An operation that waits until TASK has ended, and returns its values or raises
its exception."
  (make-operation
   #:try (lambda () (and (task-ended? task) '(#t)))
   #:start (lambda (entry)
             (let ((node (ring-add! (task-watchers task)
                                   (lambda () (entry-claim! entry #t)))))
               (lambda () (ring-remove! node))))
   #:finish (lambda (_) (task-values task))))
