;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What programs see of deadlines (limit.scm).

(define-module (sockport deadline)
  #:use-module (sockport task exception)
  #:use-module (sockport task limit)
  #:re-export (with-deadline
               deadline-left
               shielded
               &deadline-exceeded
               deadline-exceeded?))
