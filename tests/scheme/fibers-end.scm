;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' interface on Sockport's tasks (fibers/, which is first on the load path
;;; here): fibers that are left, and such as are interrupted where others end.

(use-modules (harness)
             (fibers)
             (fibers channels)
             (fibers operations)
             ((fibers timers) #:select (sleep-operation))
             (ice-9 atomic)
             (ice-9 threads)
             ((sockport deadline) #:select (with-deadline))
             ((sockport task) #:select (cancel! join spawn-task))
             ((sockport task loop) #:select (current-loop)))

;; The pipe that a thread sleeps by stays.
(with-deadline 0 (lambda () ((@ (sockport task) sleep) 1)) (const #f))

(test-begin "fibers-end")

(define-syntax-rule (fibers body ...)
  (run-fibers (lambda () body ...) #:parallelism 1 #:hz 0))

(test-case "what is given is not for fibers whose scheduler has ended"
  (define channel (make-channel))
  (fibers
   (spawn-fiber (lambda () (get-message channel)))
   (spawn-fiber (lambda ()
                  (perform-operation
                   (choice-operation (get-operation channel)
                                     (sleep-operation 1000)))))
   (sleep 0.01))
  (call-with-new-thread (lambda () (put-message channel 'value)))
  (test-eq "a value" 'value
    (with-deadline (* 1/2 (case-seconds))
      (lambda () (get-message channel))
      (const 'late))))

(define (interrupting name thunk)
  "Call THUNK; the fiber that calls NAME, of (sockport task loop), is interrupted there."
  (let* ((module (resolve-module '(sockport task loop)))
         (real (module-ref module name)))
    (dynamic-wind
      (lambda ()
        (module-set! module name
                     (lambda args
                       (system-async-mark
                        ((@@ (fibers) interrupt) (current-loop)
                         (make-atomic-box #t)))
                       (apply real args))))
      thunk
      (lambda () (module-set! module name real)))))

(test-case "a fiber that is interrupted where it begins to wait"
  (test-eq "for the end of another, which ends meanwhile" 'value
    (fibers
     (let ((task (spawn-task (const 'value))))
       (spawn-fiber (lambda ()
                      (sleep (* 1/2 (case-seconds)))
                      (cancel! task)))
       (interrupting 'begin-wait! (lambda () (join task)))))))

(test-end "fibers-end")
