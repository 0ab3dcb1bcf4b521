;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The exceptions of tasks and deadlines.  Each is also a throw to a key, for
;;; programs that use `catch'.

(define-module (sockport condition)
  #:use-module (ice-9 exceptions)
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
            task-errors-others
            with-others))

(define-exception-type &deadline-exceeded &error
  %make-deadline-exceeded deadline-exceeded?
  (scope deadline-exceeded-scope))

(define-exception-type &task-cancelled &exception
  %make-task-cancelled task-cancelled?
  (scope task-cancelled-scope))

(define-exception-type &task-errors &exception
  make-task-errors task-errors?
  (others task-errors-others))

(define (thrown key message . irritants)
  "Return the exception that (throw KEY …) raises, for Guile's `catch'."
  (make-exception-from-throw key (list #f message irritants #f)))

(define (make-deadline-exceeded scope)
  (make-exception (%make-deadline-exceeded scope)
                  (thrown 'deadline-exceeded "the deadline has passed")))

(define (make-task-cancelled scope who)
  (make-exception (%make-task-cancelled scope)
                  (thrown 'task-cancelled "cancelled: ~A" who)))

(define (with-others exception others)
  "Return EXCEPTION with the exceptions OTHERS attached, if there are any."
  (if (null? others)
      exception
      (make-exception exception (make-task-errors others))))

(define (print-thrown port key args default)
  (let ((message (cadr args)) (irritants (caddr args)))
    (display (apply simple-format #f message irritants) port)
    (newline port)))

(set-exception-printer! 'deadline-exceeded print-thrown)
(set-exception-printer! 'task-cancelled print-thrown)
