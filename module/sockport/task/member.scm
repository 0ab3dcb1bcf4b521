;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The members of a group: a circle of tasks, the latest last, and of a pair that
;;; stands for the group, whose car is the first of them.  Tasks come and go in
;;; guile/task/member.c.

(define-module (sockport task member)
  #:use-module (sockport task record)
  #:export (no-members
            no-members?
            for-each-member))

(define (no-members)
  "Return the members of a group that has none."
  (let ((members (cons #f #f)))
    (set-car! members members)
    (set-cdr! members members)
    members))

(define (no-members? members)
  (eq? (car members) members))

(define (for-each-member proc members)
  "Call PROC, which may take its argument out, with each of MEMBERS, in their order."
  (let next ((task (car members)))
    (unless (pair? task)
      (let ((after (task-next task)))
        (proc task)
        (next after)))))
