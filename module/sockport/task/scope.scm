;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Scopes: what can end a task's waiting before it is over.  A task is in a chain
;;; of them, its own outermost.  A scope that is triggered interrupts the task
;;; each time it has to wait inside, unless a shield is between.

(define-module (sockport task scope)
  #:use-module (srfi srfi-9)
  #:use-module (sockport task loop)
  #:export (make-scope
            scope-parent
            scope-group
            scope-shield?
            scope-deadline
            scope-outermost
            trigger!
            update-interrupt!
            call-in-scope))

;;; TRIGGER is the exception that interrupts, or #f.  GROUP is the task group
;;; whose body the scope is, DEADLINE a time, or #f.
(define-record-type <scope>
  (make-scope parent group shield? deadline trigger)
  scope?
  (parent scope-parent)
  (group scope-group)
  (shield? scope-shield?)
  (deadline scope-deadline)
  (trigger scope-trigger set-scope-trigger!))

(define (scope-outermost scope)
  (let ((parent (scope-parent scope)))
    (if parent (scope-outermost parent) scope)))

(define (interruption scope found)
  "Return what interrupts in SCOPE: the trigger of the outermost triggered scope
within the nearest shield, or FOUND."
  (cond ((not scope) found)
        ((scope-shield? scope) found)
        (else (interruption (scope-parent scope)
                            (or (scope-trigger scope) found)))))

(define (update-interrupt! task)
  "Have TASK interrupted by what its scopes say, or not.  Asyncs are off: one that triggered
a scope between the look at it and what that leads to would be forgotten."
  (interrupt! task (interruption (task-scope task) #f)))

(define (trigger! task scope exception)
  "Trigger SCOPE of TASK with EXCEPTION, unless it was before.  In the task's own
thread."
  (unless (scope-trigger scope)
    (set-scope-trigger! scope exception)
    (unless (task-ended? task)
      (without-asyncs (update-interrupt! task)))))

(define (call-in-scope task scope thunk)
  "Call THUNK with SCOPE, whose parent is the present one, as TASK's innermost."
  (define (update)
    (without-asyncs (update-interrupt! task)))
  (winding-scopes task scope update (scope-parent scope) update thunk))
