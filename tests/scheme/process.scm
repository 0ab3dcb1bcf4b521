;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Child processes: waiting for them, and what a fork leaves to them of a loop.
;;; Not cases: Guile itself closes descriptors of its own to fork.

(use-modules (harness)
             (harness socket)
             (rnrs bytevectors)
             (sockport)
             (sockport channel)
             (sockport operation))

(test-begin "process")
(alarm 60)

(define bytes (make-bytevector 16))

(define-syntax-rule (in-tasks body ...)
  (run-tasks (lambda () body ...)))

(define (child seconds status)
  (let ((pid (primitive-fork)))
    (when (zero? pid)
      (usleep (inexact->exact (round (* seconds 1000000))))
      (primitive-_exit status))
    pid))

(test-equal "in a thread" 4 (status:exit-val (wait-process (child 0.01 4))))
(in-tasks
 (test-equal "several" '(1 2 3)
   (map (lambda (task) (status:exit-val (join task)))
        (map (lambda (i)
               (let ((pid (child 0.02 i)))
                 (spawn-task (lambda () (wait-process pid)))))
             '(1 2 3))))
 (test-equal "as an operation" 5
   (status:exit-val (wait-first (process-operation (child 0.01 5))
                                (sleep-operation 1000)))))
;;; There was something to read from the port whose descriptor the wait then has.
(define (test-on-descriptor-used-again wait)
  (in-tasks
   (let* ((pair (unix-pair)) (gate (pipe))
          (first (spawn-task (lambda () (recv! (car pair) bytes)))))
     (task-yield)
     (send (cdr pair) "x")
     (join first)
     (send (cdr pair) "x")
     (sleep 0.01)
     (let ((pid (start-process "sh" '("-c" "read line; exit 6") #:input (car gate))))
       (spawn-task (lambda ()
                     (sleep 0.01)
                     (close-port (cdr gate))))
       (close-port (car pair))
       (test-equal "the others run until it has ended" 6
         (status:exit-val (wait pid))))
     (close-port (car gate))
     (close-port (cdr pair)))))
(test-on-descriptor-used-again wait-process)
(test-on-descriptor-used-again (lambda (pid) (wait-first (process-operation pid))))
(for-each
 (lambda (pid)
   (test-error* (list "no child of ours" pid)
       `(system-error ,ECHILD "wait-process")
     (wait-process pid))
   (test-error* (list "nor for an operation" pid)
       `(system-error ,ECHILD "process-operation")
     (process-operation pid)))
 (list 99999999 1 (getpid) (getppid)))
(let ((pid (child 0 0)))
  (waitpid pid)
  (test-error* "nor one that was waited for"
      `(system-error ,ECHILD "wait-process")
    (wait-process pid)))
(test-error* "no process" '(out-of-range 1 "process-operation")
  (process-operation 0))
(test-error* "no process" '(out-of-range 1 "wait-process") (wait-process 0))

;;; The child of a task.

(define (child-status thunk)
  "How THUNK ends in a child: 0, 1 if it is cancelled, or 2 by another error."
  (let ((pid (primitive-fork)))
    (if (zero? pid)
        (catch #t
          (lambda () (thunk) (primitive-_exit 0))
          (lambda (key . args)
            (primitive-_exit (if (eq? key 'task-cancelled) 1 2))))
        (status:exit-val (wait-process pid)))))

(let-ports ((s (unix-pair)))
  (in-tasks
   (let ((task (spawn-task (lambda () (recv! (car s) bytes)))))
     (task-yield)
     (test-equal "a child has loops of its own" 0
       (child-status (lambda () (in-tasks (sleep 0.01)))))
     (test-equal "not its parent's" 1
       (child-status (lambda () (sleep 0.01) (sleep 0.01))))
     (send (cdr s) "x")
     (test-equal "the parent goes on" 1 (join task)))))

(test-end "process")
