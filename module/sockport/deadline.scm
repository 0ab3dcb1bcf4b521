;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What programs see of deadlines (task/deadline.scm).

(define-module (sockport deadline)
  #:use-module (sockport task exception)
  #:use-module (sockport task deadline)
  #:re-export (with-deadline
               deadline-left
               shielded
               &deadline-exceeded
               deadline-exceeded?))
