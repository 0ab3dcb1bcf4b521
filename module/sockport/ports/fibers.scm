;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Waiting in a fiber.  Fibers' own waiter would do, but that a fiber waiting for
;;; a port that is closed never wakes, and that a thread started inside run-fibers
;;; inherits the waiter without a scheduler.  Fibers is used when a program has
;;; loaded it, and never loaded from here.

(define-module (sockport ports fibers)
  #:use-module (ice-9 control)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 threads)
  #:use-module (sockport ports lock)
  #:use-module ((sockport primitive) #:select (bottom-port))
  #:export (fibers-waiter?
            fibers-running?
            fiber-can-wait?
            fibers-sleep
            fibers-wait
            fibers-wake))

(define (lookup module name)
  (let ((module (resolve-module module #f #:ensure #f)))
    (and module (module-variable module name)
         (module-ref module name))))

(define (scheduler-procedure name)
  (or (lookup '(fibers scheduler) name)
      (scm-error 'misc-error #f "this version of Fibers lacks ~A" (list name) #f)))

(define (fibers-waiter? waiter)
  "Is WAITER one of those that run-fibers installs?"
  (or (eq? waiter (lookup '(fibers) 'wait-for-readable))
      (eq? waiter (lookup '(fibers) 'wait-for-writable))))

(define (fibers-running?)
  "Does a scheduler of Fibers run in this thread?"
  ((scheduler-procedure 'current-scheduler)))

(define (fiber-can-wait?)
  "Can what runs here be suspended?  A fiber cannot below a procedure in C."
  (let* ((scheduler (fibers-running?))
         (type (and scheduler (record? scheduler)
                    (record-type-descriptor scheduler))))
    (or (not type)
        (not (memq 'prompt-tag (record-type-fields type)))
        (suspendable-continuation?
         ((record-accessor type 'prompt-tag) scheduler)))))

(define (fibers-sleep seconds)
  ((lookup '(fibers) 'sleep) seconds))

;;; Ports that fibers wait for, and how to resume those fibers.
(define waiting (make-weak-key-hash-table))
(define waiting-lock (make-mutex))

;;; Has a fiber ever waited here?
(define used? #f)

(define (remember! port resume)
  (set! used? #t)
  (with-lock waiting-lock
    (hashq-set! waiting port (cons resume (hashq-ref waiting port '())))))

(define (forget! port resume)
  (with-lock waiting-lock
    (let ((rest (delq resume (hashq-ref waiting port '()))))
      (if (null? rest)
          (hashq-remove! waiting port)
          (hashq-set! waiting port rest)))))

(define (fibers-wake port)
  "Resume the fibers that wait for PORT, or for the socket below it."
  (when used?
    (for-each (lambda (resume) (resume))
              (with-lock waiting-lock
                (hashq-ref waiting (bottom-port port) '())))))

(define* (fibers-wait port write? #:optional (ns #f))
  "Suspend the current fiber until PORT is writable or readable, or closed, or NS
nanoseconds have passed."
  (let ((schedule (scheduler-procedure 'schedule-task))
        (schedule-when-ready
         (scheduler-procedure (if write?
                                  'schedule-task-when-fd-writable
                                  'schedule-task-when-fd-readable)))
        (descriptor (if write?
                        (port-write-wait-fd port)
                        (port-read-wait-fd port))))
    ((scheduler-procedure 'suspend-current-task)
     (lambda (scheduler continue)
       ;; Whichever comes first resumes it, once.
       (letrec* ((resumed? #f)
                 (task (lambda ()
                         (unless resumed?
                           (set! resumed? #t)
                           (forget! port resume)
                           (continue))))
                 (resume (lambda () (schedule scheduler task))))
         (remember! port resume)
         (when ns
           ((scheduler-procedure 'schedule-task-at-time)
            scheduler (time-after ns) task))
         (schedule-when-ready scheduler descriptor task))))))

(define (time-after ns)
  (+ (get-internal-real-time)
     (ceiling-quotient (* ns internal-time-units-per-second) 1000000000)))
