;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the tests of tasks share.

(define-module (harness task)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:export (bytes in-order? in-tasks raised))

(define bytes (make-bytevector 16))

(define-syntax-rule (in-tasks body ...)
  (run-tasks (lambda () body ...)))

(define (raised thunk)
  (with-exception-handler identity
    (lambda () (thunk) 'nothing)
    #:unwind? #t))

;;; In chaos, tasks that are ready begin in any order.
(define in-order? (not (getenv "SOCKPORT_CHAOS")))
