;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What programs see of choices among operations (task/operation.scm).

(define-module (sockport operation)
  #:use-module (sockport task operation)
  #:re-export (wait-first
               operation?
               operation-map
               readable-operation
               writable-operation
               sleep-operation
               join-operation))
