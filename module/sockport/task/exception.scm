;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The exceptions of tasks and deadlines.  Each is also a throw to a key, for
;;; programs that use `catch', and stays what it is when they throw it again: its
;;; scope is in the arguments too.

(define-module (sockport task exception)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (sockport io argument)
  #:export (&deadline-exceeded
            deadline-exceeded?
            deadline-exceeded-scope
            make-deadline-exceeded
            &task-cancelled
            task-cancelled?
            task-cancelled-scope
            make-task-cancelled
            &task-errors
            task-errors?
            make-task-errors
            task-errors-others))

(define-exception-type &deadline-exceeded &error
  %make-deadline-exceeded %deadline-exceeded?
  (scope %deadline-exceeded-scope))

(define-exception-type &task-cancelled &exception
  %make-task-cancelled %task-cancelled?
  (scope %task-cancelled-scope))

(define-exception-type &task-errors &exception
  make-task-errors task-errors?
  (others others-of))

(define task-errors-others
  (record-reader others-of task-errors? "exception with others attached"
                 'task-errors-others))

(define (thrown scope key message . irritants)
  "Return the exception that (throw KEY …) raises, for Guile's `catch'."
  (make-exception-from-throw key (list #f message irritants (list scope))))

(define (thrown-again? exception key)
  (and (exception? exception)
       (eq? (exception-kind exception) key)
       (match (exception-args exception)
         ((_ _ _ (scope)) #t)
         (_ #f))))

(define (thrown-scope exception)
  (car (list-ref (exception-args exception) 3)))

(define (make-deadline-exceeded scope)
  (make-exception (%make-deadline-exceeded scope)
                  (thrown scope 'deadline-exceeded
                          "the deadline has passed")))

(define (deadline-exceeded? object)
  "Is OBJECT the exception of a deadline that has passed?"
  (or (%deadline-exceeded? object)
      (thrown-again? object 'deadline-exceeded)))

(define (deadline-exceeded-scope exception)
  (if (%deadline-exceeded? exception)
      (%deadline-exceeded-scope exception)
      (thrown-scope exception)))

(define (make-task-cancelled scope who)
  (make-exception (%make-task-cancelled scope)
                  (thrown scope 'task-cancelled "cancelled: ~A" who)))

(define (task-cancelled? object)
  "Is OBJECT the exception of a task that was cancelled?"
  (or (%task-cancelled? object)
      (thrown-again? object 'task-cancelled)))

(define (task-cancelled-scope exception)
  (if (%task-cancelled? exception)
      (%task-cancelled-scope exception)
      (thrown-scope exception)))

(define (print-thrown port key args default)
  (let ((message (cadr args)) (irritants (caddr args)))
    (display (apply simple-format #f message irritants) port)))

(set-exception-printer! 'deadline-exceeded print-thrown)
(set-exception-printer! 'task-cancelled print-thrown)
