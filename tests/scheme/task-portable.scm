;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The tests of tasks where Guile takes and calls every continuation, as it does
;;; with another release of Guile than the one that this was built for.

(use-modules (sockport primitive))

(%task-init! (@@ (sockport task loop) <task>) (@@ (sockport task loop) task-tag) #f #f)

(load "task.scm")
