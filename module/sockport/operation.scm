;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What programs see of choices among operations (choice.scm).

(define-module (sockport operation)
  #:use-module (sockport task choice)
  #:re-export (wait-first
               operation?
               operation-map
               readable-operation
               writable-operation
               sleep-operation
               join-operation))
