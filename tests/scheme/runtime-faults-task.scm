;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Tasks: each begins once and ends once, whatever handlers, guards and what is
;;; called at its end do.

(use-modules (harness)
             (harness apart))

(test-begin "runtime-faults-task")

;;; Handlers that raise and escape.

(test-case "a handler that raises ends run-tasks, and no task begins twice"
  (test-equal "each round" '(all)
    (apart
     (define (round i)
       (define begun (make-vector 20 0))
       (define ended (make-vector 20 0))
       (define (count! vector i)
         (vector-set! vector i (+ 1 (vector-ref vector i))))
       (define how
         (error-key
          (lambda ()
            (in-tasks
             (do ((i 0 (+ i 1))) ((= i 20))
               (spawn-task
                (lambda ()
                  (count! begun i)
                  (call-with-cleanup
                   (lambda ()
                     (let loop ((n 0))
                       (case (modulo (+ n i) 3)
                         ((0) (task-yield))
                         ((1) (sleep 0.0001))
                         (else (spin 100)))
                       (loop (+ n 1))))
                   (lambda () (count! ended i))))))
             (setitimer ITIMER_REAL 0 0 0 (+ 2000 (* 17 i)))
             (sleep 1000)))))
       (and (eq? how 'boom)
            (every (lambda (n) (<= n 1)) (vector->list begun))
            ;; It may have come before what cleans up was reached, once.
            (>= 1 (apply + (map - (vector->list begun)
                                (vector->list ended))))))
     (sigaction SIGALRM (lambda _ (throw 'boom)))
     (let loop ((i 0))
       (cond ((= i (rounds 200)) '(all))
             ((round i) (loop (+ i 1)))
             (else (list 'round i))))))
  (test-equal "while the loop sleeps" 'boom
    (apart
     (sigaction SIGALRM (lambda _ (throw 'boom)))
     (error-key
      (lambda ()
        (in-tasks
         (setitimer ITIMER_REAL 0 0 0 20000)
         (sleep 1000))))))
  (test-equal "an escape out of run-tasks, and another run after it" '(out again)
    (apart
     (list (let/ec k
             (sigaction SIGALRM (lambda _ (k 'out)))
             (in-tasks
              (setitimer ITIMER_REAL 0 0 0 20000)
              (sleep 1000)))
           (in-tasks (sleep 0.001) 'again)))))

;; What begins to cancel a group has cancelled it: another attempt does nothing.
(test-case "a handler that raises leaves no group half cancelled"
  (test-equal "all end" '(ended ended ended ended ended ended)
    (apart
     (sigaction SIGALRM (lambda _ (throw 'boom)))
     (define (round us)
       (in-tasks
        (with-task-group
         (lambda (group)
           (do ((i 0 (+ i 1))) ((= i (rounds 3000)))
             (spawn-task (lambda () (sleep 1000))))
           (task-yield)
           (catch 'boom
             (lambda ()
               (setitimer ITIMER_REAL 0 0 0 us)
               (let again () (cancel! group) (again)))
             (const #t))
           (cancel! group)))
        'ended))
     (map round '(10 100 200 400 800 1600)))))

(test-case "a guard of the core's dynamic-wind that raises"
  (test-equal "at the first suspension" '(1 misc-error)
    (apart
     (define begun 0)
     (define how
       (error-key
        (lambda ()
          (in-tasks
           (spawn-task
            (lambda ()
              (set! begun (+ begun 1))
              ((@ (guile) dynamic-wind)
               (const #t)
               (lambda () (sleep 0.01))
               (lambda () (error "out")))))
           (sleep 0.05)))))
     (list begun how)))
  (test-equal "the task is out of what it was to wait in" '(1 value)
    (apart
     (define channel (make-channel))
     (define ends 0)
     (in-tasks
      (spawn-task (lambda ()
                    ((@ (guile) dynamic-wind)
                     (const #t)
                     (lambda () (channel-get channel))
                     (lambda () (error "out"))))
                  #:on-end (lambda (_) (set! ends (+ ends 1)) #t))
      (task-yield)
      (let ((getter (spawn-task (lambda () (channel-get channel)))))
        (channel-put channel 'value)
        (list ends (join getter))))))
  (test-equal "when it goes on" '(1 misc-error)
    (apart
     (define begun 0)
     (define ins 0)
     (define how
       (error-key
        (lambda ()
          (in-tasks
           (spawn-task
            (lambda ()
              (set! begun (+ begun 1))
              ((@ (guile) dynamic-wind)
               (lambda ()
                 (set! ins (+ ins 1))
                 (when (= ins 2) (error "in")))
               (lambda () (sleep 0.01))
               (const #t))))
           (sleep 0.05)))))
     (list begun how))))

;;; Ends.

(test-case "what is called at a task's end may raise"
  (test-equal "once, and run-tasks raises it" '((1 boom) (1 boom) (1 boom))
    (apart
     (define (run ending)
       (define called 0)
       (define how
         (error-key
          (lambda ()
            (in-tasks
             (ending (lambda (exception)
                       (set! called (+ called 1))
                       (throw 'boom)))))))
       (list called how))
     (list
      ;; The last of all to end.
      (run (lambda (on-end)
             (spawn-task (lambda () (sleep 0.01)) #:on-end on-end)))
      ;; While another waits for its group.
      (run (lambda (on-end)
             (with-task-group
              (lambda (group)
                (spawn-task (lambda () (sleep 0.01)) #:on-end on-end)))))
      ;; One that failed.
      (run (lambda (on-end)
             (spawn-task (lambda () (throw 'other)) #:on-end on-end)
             (sleep 0.01)))))))

(test-case "a task that was cancelled before it began does not run"
  (test-equal "by hand" '(#f task-cancelled cancelled)
    (apart
     (define ran #f)
     (in-tasks
      (let ((task (spawn-task (lambda () (set! ran #t)))))
        (cancel! task)
        (let ((how (error-key (lambda () (join task)))))
          (list ran how (task-state task)))))))
  (test-equal "with its group" '(#f #f)
    (apart
     (define ran #f)
     (in-tasks
      (let ((value (with-task-group
                    (lambda (group)
                      (spawn-task (lambda () (set! ran #t)))
                      (cancel! group)
                      #f))))
        (list ran value)))))
  (test-equal "into a group that is cancelled" '(#f)
    (apart
     (define ran #f)
     (in-tasks
      (with-task-group
       (lambda (group)
         (cancel! group)
         (spawn-task (lambda () (set! ran #t)))))
      (list ran))))
  (test-equal "its end is told all the same" '(#f 1)
    (apart
     (define ran #f)
     (define ends 0)
     (in-tasks
      (let ((task (spawn-task (lambda () (set! ran #t))
                              #:on-end (lambda (_) (set! ends (+ ends 1))))))
        (cancel! task)
        (error-key (lambda () (join task)))))
     (list ran ends))))

(test-case "who waits for a group is woken once, by its end or a cancellation"
  (test-equal "both in one turn" 'slept
    (apart
     (define over (make-event))
     (define slept 'too-short)
     (in-tasks
      (let ((host (spawn-task
                   (lambda ()
                     (call-with-cleanup
                      (lambda ()
                        (with-task-group
                         (lambda (group) (spawn-task (lambda () (event-wait over))))))
                      (lambda ()
                        (let ((start (get-internal-real-time)))
                          (sleep 0.02)
                          (when (>= (+ 1 (- (get-internal-real-time) start))
                                    (* 0.02 internal-time-units-per-second))
                            (set! slept 'slept)))))))))
        (do ((i 0 (+ i 1))) ((= i 5)) (task-yield))
        (event-set! over)
        (cancel! host)
        (error-key (lambda () (join host)))
        slept)))))

(test-case "what is raised need not be a condition"
  (test-equal "one" 'a
    (apart
     (guard (e (#t e))
       (in-tasks (spawn-task (lambda () (raise-exception 'a)))
                 (sleep 1000)))))
  (test-equal "two, and both are there" '(a b)
    (apart
     (define (all e)
       (append (if (exception? e)
                   (delete-duplicates
                    (append (if (exception-with-irritants? e)
                                (exception-irritants e)
                                '())
                            '()))
                   (list e))
               (if (task-errors? e) (task-errors-others e) '())))
     (guard (e (#t (filter symbol? (all e))))
       (in-tasks
        (spawn-task (lambda ()
                      (call-with-cleanup (lambda () (sleep 1000))
                                         (lambda () (raise-exception 'b)))))
        (task-yield)
        (raise-exception 'a))))))

;;; More than the nanoseconds that a clock can tell.

(test-case "sleeping for a century"
  (for-each
   (lambda (seconds)
     (test-equal (list seconds 'cancelled) '(task-cancelled ready)
       (run-apart
        `((in-tasks
           (let* ((task (spawn-task (lambda () (sleep ,seconds))))
                  (state (begin (sleep 0.001) (task-state task))))
             (cancel! task)
             (list (error-key (lambda () (join task))) state))))))
     (test-equal (list seconds 'late) 'late
       (run-apart
        `((with-deadline 0.01 (lambda () (sleep ,seconds)) (const 'late))))))
   '(1e9 3e9 4000000000 1e20)))

(test-end "runtime-faults-task")
