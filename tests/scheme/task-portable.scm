;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The tests of tasks where Guile takes and calls every continuation, as it does
;;; with another release of Guile than the one that this was built for.

(setenv "SOCKPORT_PLAIN_TASKS" "1")

(load "task.scm")
