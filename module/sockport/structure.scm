;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A record type for every structure of the core's table, made by a loop when
;;; the module is loaded: for the structure `ucred' the constructor make-ucred,
;;; the predicate ucred? and an accessor for each field, ucred-pid and so on.

(define-module (sockport structure)
  #:use-module (ice-9 match)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:re-export (structure->bytevector
               bytevector->structure))

(define (define-exported name value)
  (module-define! (current-module) name value)
  (module-export! (current-module) (list name)))

(define define-structure
  (match-lambda
    ((name . fields)
     (let* ((type (make-record-type name fields))
            (is-one? (record-predicate type)))
       (define-exported (symbol-append 'make- name) (record-constructor type))
       (define-exported (symbol-append name '?) is-one?)
       (for-each (lambda (field)
                   (let ((who (symbol-append name '- field)))
                     (define-exported who
                       (record-reader (record-accessor type field) is-one?
                               (symbol->string name) who))))
                 fields)
       (%set-structure-type! name type)))))

(for-each define-structure (%structures))
