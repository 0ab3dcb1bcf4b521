;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What programs see of choices among operations (task/operation.scm), and the
;;; operations that they define.

(define-module (sockport operation)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module ((sockport task operation) #:hide (make-operation))
  #:use-module ((sockport task operation)
                #:select ((make-operation . %make-operation)))
  #:use-module ((sockport task waiter) #:select (call-before-suspending))
  #:use-module ((sockport task waiter)
                #:select ((waiter-over? . task:waiter-over?)))
  #:export (make-operation
            waiter?
            waiter-claim!
            waiters-claim!
            waiter-over?)
  #:re-export (wait-first
               operation?
               operation-map
               readable-operation
               writable-operation
               sleep-operation
               join-operation))

;;; A waiter as programs see it knows for which operation it waits.
(define-record-type <waiter>
  (make-waiter waiter operation)
  waiter?
  (waiter waiter-waiter)
  (operation waiter-operation))

(set-record-type-printer! <waiter>
  (lambda (waiter port)
    (format port "#<waiter~a>" (if (waiter-over? waiter) " over" ""))))

(define (check predicate object expected position who)
  (unless (predicate object)
    (refuse-type who position expected object)))

(define (values-thunk results)
  (lambda () (apply values results)))

(define (waiter-over? waiter)
  "Is the wait of WAITER over, because something was there or because it was given up?"
  (check waiter? waiter "waiter" 1 "waiter-over?")
  (task:waiter-over? (waiter-waiter waiter)))

(define (waiter-claim! waiter . results)
  "End the wait of WAITER with RESULTS as its values; #f if it was over already."
  (check waiter? waiter "waiter" 1 "waiter-claim!")
  (%claim (waiter-waiter waiter) (values-thunk results)
          (waiter-operation waiter)))

(define (waiters-claim! waiter results other other-results)
  "End the waits of WAITER and OTHER, with the lists RESULTS and OTHER-RESULTS as their
values; or neither, if one of them was over or both are one, and return #f."
  (check waiter? waiter "waiter" 1 "waiters-claim!")
  (check list? results "list" 2 "waiters-claim!")
  (check waiter? other "waiter" 3 "waiters-claim!")
  (check list? other-results "list" 4 "waiters-claim!")
  (%claim-both (waiter-waiter waiter) (values-thunk results)
               (waiter-operation waiter)
               (waiter-waiter other) (values-thunk other-results)
               (waiter-operation other)))

(define (make-operation try start)
  "An operation that waits for what the program knows.  (TRY) returns a list of values
if they are there, else #f.  (START waiter) arranges that `waiter-claim!' is called when
they are, and looks once more; it returns a thunk that undoes this, or #f."
  (check-procedure try 1 "make-operation")
  (check-procedure start 2 "make-operation")
  (%make-operation
   (lambda ()
     (let ((results (try)))
       (and results (list (values-thunk results)))))
   (lambda (waiter operation)
     (call-before-suspending
      (lambda ()
        (let ((undo (start (make-waiter waiter operation))))
          (and (procedure? undo)
               (lambda ()
                 (call-before-suspending (lambda () (undo) #f) list)))))
      (lambda (exception)
        (%claim waiter (lambda () (raise-exception exception)) operation)
        #f)))
   (lambda (thunk) (thunk))
   #f))
