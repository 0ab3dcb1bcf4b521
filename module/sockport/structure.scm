;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A record type for every structure of the core's table, made by one loop: for
;;; the structure `ucred' the constructor make-ucred, the predicate ucred? and an
;;; accessor a field, ucred-pid and so on.

(define-module (sockport structure)
  #:use-module (srfi srfi-9)
  #:use-module (sockport primitive)
  #:re-export (structure->bytevector
               bytevector->structure))

(define-syntax define-structures
  (lambda (form)
    (define (name . parts)
      (datum->syntax form (apply symbol-append parts)))
    (define (definition structure)
      (let* ((base (car structure))
             (fields (cdr structure))
             (type (name '< base '>))
             (constructor (name 'make- base))
             (predicate (name base '?))
             (accessors (map (lambda (field) (name base '- field)) fields)))
        (with-syntax (((field ...) (map name fields))
                      ((accessor ...) accessors)
                      (type type)
                      (constructor constructor)
                      (predicate predicate)
                      (base (name base)))
          #'(begin
              (define-record-type type
                (constructor field ...)
                predicate
                (field accessor) ...)
              (export constructor predicate accessor ...)
              (%set-structure-type! 'base type)))))
    (with-syntax (((definition ...) (map definition (%structures))))
      #'(begin definition ...))))

(define-structures)
