;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' operations, which are Sockport's; a choice is a vector of them.

(define-module (fibers operations)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-9)
  #:use-module (sockport primitive)
  #:use-module (sockport task operation)
  #:use-module (sockport task loop)
  #:use-module (sockport task waiter)
  #:use-module (fibers scheduler)
  #:export (wrap-operation
            choice-operation
            perform-operation
            make-base-operation
            make-base-operation/internal))

(define-record-type <choice>
  (make-choice operations)
  choice?
  (operations choice-operations))

(define (wrap-operation operation proc)
  "Return OPERATION with its values passed to PROC, whose values are its own."
  (if (choice? operation)
      (make-choice (vector-map (lambda (base) (wrap-operation base proc))
                               (choice-operations operation)))
      (operation-map operation proc)))

(define (vector-map proc vector)
  (list->vector (map proc (vector->list vector))))

(define (bases operation)
  (if (choice? operation)
      (vector->list (choice-operations operation))
      (list operation)))

(define (choice-operation . operations)
  "Return an operation that is done when one of OPERATIONS is."
  (match (apply append (map bases operations))
    ((operation) operation)
    (operations (make-choice (list->vector operations)))))

(define (perform-operation operation)
  "Wait until OPERATION is done, and return its values.  In a fiber or in a thread."
  (if (choice? operation)
      (perform-any (choice-operations operation) "perform-operation")
      (perform-any (vector operation) "perform-operation")))

;;; TRY returns a thunk or #f.  BLOCK is given the flag of the wait, and has moved it
;;; from W to S when it calls the procedure that resumes with a thunk.  NACK is called with
;;; the scheduler if another operation was chosen.
(define (make-base-operation wrap try block)
  "Return an operation that (TRY) does if it returns a thunk, and else (BLOCK flag
scheduler resume); WRAP, unless it is #f, is applied to its values."
  (make-base-operation/internal wrap try block #f))

(define* (make-base-operation/internal wrap try block #:optional nack)
  "As `make-base-operation'; (NACK scheduler) is called if another was chosen."
  (define (start waiter operation)
    (define (resume thunk)
      (%wake-claimed waiter thunk operation))
    (call-before-suspending
     (lambda ()
       (block (waiter-flag waiter) (current-scheduler) resume)
       #t)
     (lambda (exception)
       (%claim waiter (lambda () (raise-exception exception)) operation)))
    (and nack
         (lambda ()
           (and (not (eq? operation (waiter-chosen waiter)))
                (call-before-suspending
                 (lambda () (nack (current-scheduler)) #f)
                 list)))))
  (make-operation (lambda ()
                    (let ((thunk (try)))
                      (and thunk (list thunk))))
                  start
                  (if wrap
                      (lambda (thunk) (call-with-values thunk wrap))
                      (lambda (thunk) (thunk)))
                  #f))
