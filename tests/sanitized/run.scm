;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Run a test of Scheme on the binding that was built with AddressSanitizer, whose
;;; file is SOCKPORT_SANITIZED: guile -s run.scm TEST

(define-module (sockport primitive))

(load-extension (getenv "SOCKPORT_SANITIZED") "scm_skp_init")

(module-replace! (current-module)
                 (module-map (lambda (name variable) name) (current-module)))

(define-module (guile-user))

(set-program-arguments (cdr (program-arguments)))
(primitive-load (car (program-arguments)))
