;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The exceptions of tasks and deadlines.  Each is also a throw to a key, for
;;; programs that use `catch', and stays what it is when they throw it again: its
;;; scope is in the arguments too.

(define-module (sockport task exception)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module ((srfi srfi-1) #:select (remove))
  #:use-module (sockport io argument)
  #:export (&deadline-exceeded
            deadline-exceeded?
            make-deadline-exceeded
            interruption-scope
            &task-cancelled
            task-cancelled?
            make-task-cancelled
            &task-errors
            task-errors?
            make-task-errors
            task-errors-others))

;;; The scope is in the arguments of the throw alone.
(define-exception-type &deadline-exceeded &error
  %make-deadline-exceeded %deadline-exceeded?)

(define-exception-type &task-cancelled &exception
  %make-task-cancelled %task-cancelled?)

(define-exception-type &task-errors &exception
  make-task-errors task-errors?
  (others others-of))

(define task-errors-others
  (record-reader others-of task-errors? "exception with others attached"
                 'task-errors-others))

(define (thrown exception scope key message . irritants)
  "Return EXCEPTION and, with SCOPE, that which (throw KEY …) raises."
  ;; Guile takes whatever is thrown to a key of a program's own for an error.
  (apply make-exception exception
         (remove error?
                 (simple-exceptions
                  (make-exception-from-throw
                   key (list #f message irritants (list scope)))))))

(define (interruption-scope exception)
  "Return the scope of EXCEPTION, of a deadline or a cancellation, or #f."
  (match (exception-args exception)
    ((_ _ _ (scope)) scope)
    (_ #f)))

(define (thrown-again? exception key)
  (and (exception? exception)
       (eq? (exception-kind exception) key)
       (interruption-scope exception)
       #t))

(define (make-deadline-exceeded scope)
  (thrown (%make-deadline-exceeded) scope 'deadline-exceeded
          "the deadline has passed"))

(define (deadline-exceeded? object)
  "Is OBJECT the exception of a deadline that has passed?"
  (or (%deadline-exceeded? object)
      (thrown-again? object 'deadline-exceeded)))

(define (make-task-cancelled scope who)
  (thrown (%make-task-cancelled) scope 'task-cancelled "cancelled: ~A" who))

(define (task-cancelled? object)
  "Is OBJECT the exception of a task that was cancelled?"
  (or (%task-cancelled? object)
      (thrown-again? object 'task-cancelled)))

(define (print-thrown port key args default)
  (match args
    ((_ (? string? message) (irritants ...) (_))
     (display (apply simple-format #f message irritants) port))
    (_ (default))))

(set-exception-printer! 'deadline-exceeded print-thrown)
(set-exception-printer! 'task-cancelled print-thrown)
