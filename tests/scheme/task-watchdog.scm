;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The watchdog: whom it tells of, how often, and that it ends.

(use-modules (harness)
             (ice-9 atomic)
             (ice-9 match)
             (ice-9 threads)
             (sockport)
             (sockport channel)
             (system base compile)
             (system vm frame))

(test-begin "task-watchdog")

(test-case "the watchdog tells who does not wait"
  (let ((told '()))
    (run-tasks
     (lambda ()
       (define over (make-event))
       (spawn-task (lambda () (event-wait over)) #:name 'sleeper)
       (join (spawn-task (lambda ()
                           (let spin ((i 0))
                             (unless (or (memq 'hog told) (> i 10000000000))
                               (spin (1+ i)))))
                         #:name 'hog))
       (event-set! over))
     #:watchdog 0.02
     #:on-stuck (lambda (task stack) (set! told (cons (task-name task) told))))
    (test-assert "its name" (memq 'hog told))
    (test-eq "not who waits" #f (memq 'sleeper told)))
  (test-equal "it ends at once" 1
    (run-tasks (lambda () (sleep 0.1) 1)
               #:watchdog 1000
               #:on-stuck (lambda (task stack) (error "told" task))))
  (test-equal "before it has begun, too" 1
    (run-tasks (const 1) #:watchdog 1000))
  (test-error* "no time" '(out-of-range) (run-tasks (const 1) #:watchdog -1)))

(define keep-running
  (compile '(letrec ((keep-running (lambda (over)
                                     (unless (atomic-box-ref over)
                                       (keep-running over)))))
              keep-running)
           #:env (current-module)))

(test-case "the stack begins with what the task runs"
  (define (innermost)
    (let ((over (make-atomic-box #f)))
      (run-tasks (lambda () (keep-running over))
                 #:watchdog 0.02
                 #:on-stuck (lambda (task stack)
                              (atomic-box-set! over (or stack 'none))))
      (match (atomic-box-ref over)
        ;; On a busy machine the task may not have come to it.
        ('none (innermost))
        (stack (frame-procedure-name (stack-ref stack 0))))))
  (test-eq 'keep-running (innermost)))

(test-case "it tells once each time"
  (let ((told 0))
    (run-tasks
     (lambda ()
       (wait-until (lambda () (positive? told)))
       ;; Many times as long as the watchdog waits.
       (usleep 1)
       (let ((start (get-internal-real-time)))
         (let spin ()
           (when (< (- (get-internal-real-time) start)
                    (quotient internal-time-units-per-second 5))
             (spin)))))
     #:watchdog 0.02
     #:on-stuck (lambda (task stack) (set! told (+ told 1))))
    (test-equal "of one that never waits" 1 told)))

(test-case "a loop in which all wait is not told of"
  (let ((told '()))
    (run-tasks (lambda () (sleep 0.1))
               #:watchdog 0.02
               #:on-stuck (lambda (task stack) (set! told (cons task told))))
    (test-equal "no task" #f (memq #f told))))

(test-case "it ends by an error, too"
  (let ((before (length (all-threads))))
    (test-error* "raised" '(misc-error)
      (run-tasks (lambda () (error "no")) #:watchdog 1000))
    ;; Guile lists one that was joined for a moment more.
    (test-assert "its thread"
      (wait-until (lambda () (= before (length (all-threads))))))))

(test-end "task-watchdog")
