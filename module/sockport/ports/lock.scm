;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Keeping threads apart for a few steps.

(define-module (sockport ports lock)
  #:use-module ((ice-9 threads) #:select (with-mutex))
  #:export (with-lock))

;;; An async may raise an exception, or go on with another fiber of this thread, just
;;; when `with-mutex' has locked MUTEX and knows nothing of it yet.
(define-syntax-rule (with-lock mutex expr ...)
  "Evaluate EXPR, which does not wait, while no other thread has MUTEX."
  (call-with-blocked-asyncs
   (lambda () (with-mutex mutex expr ...))))
