;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Every constant of the core's list, defined and exported.

(define-module (sockport constant)
  #:use-module (sockport primitive))

(define-syntax define-constants
  (lambda (form)
    (syntax-case form ()
      ((define-constants)
       (with-syntax ((((name . value) ...)
                      (map (lambda (pair)
                             (cons (datum->syntax form (car pair)) (cdr pair)))
                           (%constants))))
         #'(begin
             (define name value) ...
             (export! name) ...))))))

(define-syntax-rule (export! name)
  (module-export! (current-module) '(name) #:replace? #t))

(define-constants)
