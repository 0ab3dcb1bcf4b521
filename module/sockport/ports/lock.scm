;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Keeping threads apart for a few steps.

(define-module (sockport ports lock)
  #:use-module ((ice-9 threads) #:select (join-thread with-mutex))
  #:export (join-ending
            with-lock))

;;; An async may raise an exception, or go on with another fiber of this thread, just
;;; when `with-mutex' has locked MUTEX and knows nothing of it yet.
(define-syntax-rule (with-lock mutex expr ...)
  "Evaluate EXPR, which does not wait, while no other thread has MUTEX."
  (call-with-blocked-asyncs
   (lambda () (with-mutex mutex expr ...))))

(define (join-ending thread)
  "Wait for THREAD, which is about to end.  Left by an async, `join-thread' would leave a
mutex of Guile's locked that THREAD needs to end."
  (call-with-blocked-asyncs (lambda () (join-thread thread))))
