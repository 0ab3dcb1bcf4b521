;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A task begins with the parameters that held where it was started.

(define-module (sockport task inherit)
  #:use-module (ice-9 match)
  #:use-module (sockport primitive)
  #:use-module (sockport task loop)
  #:use-module (sockport task run)
  #:export (inheriter
            inheriting))

;;; What handles exceptions is bound in the same way, and is the spawner's own.
(define handler-fluid
  (with-exception-handler raise-exception
    (lambda ()
      (match (%task-bindings #f)
        (() #f)
        (((fluid . _) . _) fluid)))))

(define (with-bindings bindings thunk)
  (match bindings
    (() (thunk))
    (((fluid . value) . rest)
     (if (eq? fluid handler-fluid)
         (with-bindings rest thunk)
         (with-fluids ((fluid value))
           (with-bindings rest thunk))))))

;;; One that is asked for once serves for many tasks, of a spawner whose parameters do not
;;; change.
(define (inheriter spawner)
  "Return a procedure that returns, for a thunk, what calls it with the parameters that
hold now in SPAWNER, a task, or with those of the loop if that is #f."
  (cond ((not known?)
         (let ((state (and spawner (current-dynamic-state))))
           (lambda (thunk) (with-own-state state thunk))))
        (spawner (binder (%task-bindings spawner)))
        (else identity)))

(define (inheriting spawner thunk)
  "Return what calls THUNK with those parameters."
  ((inheriter spawner) thunk))

(define (with-own-state state thunk)
  (lambda ()
    (with-dynamic-state (or state (current-dynamic-state))
      (lambda ()
        (with-loop-handler (current-loop) thunk)))))

(define (binder bindings)
  (match bindings
    ((or () ((= car (? (lambda (fluid) (eq? fluid handler-fluid)))))) identity)
    (_ (lambda (thunk)
         (lambda ()
           (with-bindings bindings thunk))))))
