;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Procedures of Guile's core, replaced in the whole process and put back.  A
;;; binding that others have changed meanwhile is left to them.

(define-module (sockport ports core)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (make-mutex))
  #:use-module (sockport ports lock)
  #:export (core-procedure
            replace-core!
            restore-core!))

(define (core-variable name)
  (module-variable (resolve-module '(guile)) name))

(define (core-procedure name)
  "Return the procedure that Guile's core has as NAME, or #f."
  (let ((variable (core-variable name)))
    (and variable
         (variable-bound? variable)
         (procedure? (variable-ref variable))
         (variable-ref variable))))

(define lock (make-mutex))

;;; What is replaced: lists of a variable, what it held and what it holds.
(define replaced '())

(define (replace-core! procedures)
  "Unless that was done already, have the core's names mean what PROCEDURES, an
alist, gives for them."
  (with-lock lock
    (when (null? replaced)
      (set! replaced
            (map (match-lambda
                   ((name . procedure)
                    (let ((variable (core-variable name)))
                      (list variable (variable-ref variable) procedure))))
                 procedures))
      (for-each (match-lambda
                  ((variable before after) (variable-set! variable after)))
                replaced))))

(define (restore-core!)
  "Undo what replace-core! has done."
  (with-lock lock
    (for-each (match-lambda
                ((variable before after)
                 (when (eq? (variable-ref variable) after)
                   (variable-set! variable before))))
              replaced)
    (set! replaced '())))
