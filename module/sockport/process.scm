;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Waiting for child processes, without a thread or a signal for each.

(define-module (sockport process)
  #:use-module (sockport task operation)
  #:use-module (sockport primitive)
  #:use-module (sockport task)
  #:use-module (sockport io close)
  #:use-module (sockport io wait)
  #:export (wait-process
            process-operation))

(define (reap pid)
  (cdr (waitpid pid)))

(define (wait-process pid)
  "Wait until PID, a child of this process, has ended; return its status, as
@code{waitpid} does in its second value."
  (let ((port (%process-port pid #f)))
    (call-with-cleanup (lambda ()
                         (wait-readable port 'wait-process)
                         (reap pid))
                       (lambda () (close-port port)))))

(define (process-operation pid)
  "An operation that waits until PID, a child of this process, has ended, and
returns its status.  Whether or not it is done, it can be used once."
  (operation-map (readable-operation (%process-port pid #t))
                 (lambda (port)
                   (close-port port)
                   (reap pid))))
