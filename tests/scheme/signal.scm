;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Signals that are waited for: what becomes of those that nobody waits for, of the
;;; handlers that they had, and who is told.

(use-modules (harness)
             (harness error)
             (harness task)
             (ice-9 threads)
             (sockport)
             (sockport channel)
             (sockport operation))

(test-begin "signal")

(test-case "signals"
  (watch-signal! SIGUSR1)
  (in-tasks
   (spawn-task (lambda () (sleep 0.01) (kill (getpid) SIGUSR1)))
   (test-equal "waited for" SIGUSR1 (wait-signal SIGUSR1 SIGUSR2))
   (test-eq "none" 'late
     (with-deadline 0.01 (lambda () (wait-signal SIGUSR1)) (const 'late)))
   (spawn-task (lambda () (sleep 0.01) (kill (getpid) SIGUSR1)))
   (test-equal "as an operation" SIGUSR1
     (wait-first (signal-operation SIGUSR1) (sleep-operation 1000)))
   (test-equal "by all who wait" (list SIGUSR1 SIGUSR1)
     (let* ((first (spawn-task (lambda () (wait-signal SIGUSR1))))
            (second (spawn-task (lambda () (wait-signal SIGUSR1)))))
       (do ((i 0 (+ i 1))) ((= i 5)) (task-yield))
       (kill (getpid) SIGUSR1)
       (list (join first) (join second)))))
  (unwatch-signal! SIGUSR1)
  (unwatch-signal! SIGUSR2)
  (test-error* "no signal" '(out-of-range 1 "watch-signal!")
    (watch-signal! 65))
  (test-error* "one that cannot be caught" (list 'system-error EINVAL)
    (watch-signal! SIGKILL))
  (test-words "wait-signal: Invalid argument (this signal cannot be caught)"
    (wait-signal SIGTERM SIGSTOP))
  (unwatch-signal! SIGTERM))

(define arrived 0)
(define (arrive! signum) (set! arrived (+ arrived 1)))

(define (send-to-self!)
  "Send SIGUSR1, and wait until its handler has run."
  (let ((before arrived))
    (kill (getpid) SIGUSR1)
    (wait-until (lambda () (< before arrived)))))

(define (with-handler thunk)
  (let ((before (sigaction SIGUSR1)))
    (dynamic-wind
      (lambda () (sigaction SIGUSR1 arrive! SA_RESTART))
      thunk
      (lambda () (sigaction SIGUSR1 (car before) (cdr before))))))

(test-case "one that arrives while nobody waits is kept, but not counted"
  (with-handler
   (lambda ()
     (watch-signal! SIGUSR1)
     (send-to-self!)
     (send-to-self!)
     (test-equal "once" (list SIGUSR1 'none)
       (list (wait-signal SIGUSR1)
             (with-deadline 0.01 (lambda () (wait-signal SIGUSR1)) (const 'none))))
     (unwatch-signal! SIGUSR1))))

(test-case "one that a thread has watched that has ended"
  (let ((thread (call-with-new-thread (lambda () (watch-signal! SIGUSR1)))))
    (wait-until (lambda () (thread-exited? thread))))
  (watch-signal! SIGUSR1)
  (kill (getpid) SIGUSR1)
  (test-equal "is seen by the next that watches" SIGUSR1
    (with-deadline (* 1/2 (case-seconds))
      (lambda () (wait-signal SIGUSR1))
      (const 'none)))
  (unwatch-signal! SIGUSR1))

(test-case "a handler in Scheme that it had"
  (with-handler
   (lambda ()
     (set! arrived 0)
     (watch-signal! SIGUSR1)
     (send-to-self!)
     (test-equal "is called as well" 1 arrived)
     (unwatch-signal! SIGUSR1)
     (test-equal "is what it was, with its flags" (list #t SA_RESTART)
       (let ((now (sigaction SIGUSR1)))
         (list (eq? arrive! (car now)) (logand SA_RESTART (cdr now)))))
     (watch-signal! SIGUSR1)
     (test-equal "watched anew, nothing is left of before" 'none
       (with-deadline 0.01 (lambda () (wait-signal SIGUSR1)) (const 'none)))
     (send-to-self!)
     (test-equal "what arrives now is waited for" SIGUSR1 (wait-signal SIGUSR1))
     (unwatch-signal! SIGUSR1))))

(test-case "a signal that is given back while a task waits for it"
  (test-equal "is seen once it is watched again" SIGUSR1
    (in-tasks
     (let ((waiting (spawn-task (lambda () (wait-signal SIGUSR1)))))
       (sleep 0.001)
       (unwatch-signal! SIGUSR1)
       (watch-signal! SIGUSR1)
       (kill (getpid) SIGUSR1)
       (with-deadline (* 1/2 (case-seconds))
         (lambda () (join waiting))
         (lambda () (cancel! waiting) 'late)))))
  (unwatch-signal! SIGUSR1))

(test-case "they are seen after a choice whose operation fails as it is undone"
  (define failing
    (make-operation (const #f)
                    (lambda (waiter) (lambda () (error "undone")))))
  (define (choose)
    (let ((event (make-event)))
      (call-with-new-thread (lambda () (usleep 10000) (event-set! event)))
      (wait-first failing (event-operation event))))
  (watch-signal! SIGUSR1)
  (test-error* "the error" '(misc-error) (choose))
  (kill (getpid) SIGUSR1)
  (test-equal "in a thread" SIGUSR1
    (with-deadline 1/2 (lambda () (wait-signal SIGUSR1)) (const 'none)))
  (test-equal "and a task can wait" '(misc-error waited)
    (in-tasks
     (let ((key (catch #t choose (lambda (key . _) key))))
       (sleep 0)
       (list key 'waited))))
  (unwatch-signal! SIGUSR1))

(test-end "signal")
