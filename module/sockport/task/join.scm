;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The end of a task, waiting for it, and the end of those whose loop was left.

(define-module (sockport task join)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module (sockport task group)
  #:use-module (sockport task loop)
  #:use-module (sockport task member)
  #:use-module (sockport task origin)
  #:use-module ((sockport task record) #:select (loop-groups task-abandon))
  #:use-module (sockport task waiter)
  #:export (task-values
            wait-for-end
            check-task
            loop-left!))

(define (check-task object who)
  (check-that (task? object) object 1 "task" who))

(define (abandon-join joiner)
  (let* ((task (task-place joiner)) (joiners (task-joiners task)))
    (and (memq joiner joiners)
         (begin
           (set-task-joiners! task (delq joiner joiners))
           #t))))

(define (wait-for-end task who)
  "Wait until TASK has ended, which it has not yet."
  (let ((joiner (current-task)))
    (when (eq? joiner task)
      (scm-error 'misc-error who "a task cannot wait for its own end" '() #f))
    (if (and joiner (eq? (task-loop joiner) (task-loop task)))
        (begin
          (begin-wait! joiner who)
          (if (task-ended? task)
              ;; While the fiber that runs here was interrupted.
              (%asyncs-on)
              (begin
                (set-task-joiners! task (cons joiner (task-joiners task)))
                (let ((interrupt (suspend! joiner abandon-join task)))
                  (unless (task-ended? task)
                    (raise-exception interrupt))))))
        (core-get (%task-end task) who))))

(define (task-values task)
  (if (eq? (task-state task) 'done)
      (apply values (task-result task))
      (raise-failure (task-result task))))

;;; What `join' raises of a task that will never go on.
(define left
  (make-exception-from-throw
   'misc-error (list "run-tasks" "the loop of this task was left" '() #f)))

(define (loop-left! loop root)
  "End the tasks of LOOP, whose own group is ROOT, and which has been left."
  (define (leave! task)
    ;; What is given from now on is for others.
    (when (task-abandon task)
      ((task-abandon task) task))
    (set-task-joiners! task '())
    (%task-ended! task 'failed left)
    (%task-forget! task))
  (define (leave-all! group)
    (for-each-member leave! (group-members group)))
  (without-asyncs
   (leave-all! root)
   (hash-for-each (lambda (group _) (leave-all! group)) (loop-groups loop))))
