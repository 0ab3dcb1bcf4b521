;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Every constant of the core's list, defined and exported.  By a loop when the
;;; module is loaded: a thousand definitions take the compiler a minute.

(define-module (sockport constant)
  #:use-module (sockport primitive))

(define (define-constants constants)
  (for-each (lambda (constant)
              (module-define! (current-module) (car constant) (cdr constant)))
            constants)
  ;; Replacing, because Guile has some of them.
  (module-replace! (current-module) (map car constants)))

(define-constants (%constants))
