;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Ways to leave tasks and loops that few programs take: what is raised and is
;;; nothing, cancelled main tasks, threads that are ended, escapes from one of several
;;; workers, and what must not be left at all.

(use-modules (harness)
             (harness task)
             (ice-9 control)
             (ice-9 exceptions)
             (ice-9 threads)
             (sockport)
             (sockport channel)
             (sockport operation))

(test-begin "task-leaving")

(define (raise-false)
  (raise-exception #f))

(test-case "#f is raised as all else is"
  (for-each
   (lambda (name run)
     (test-eq name #f (raised run)))
   '(main child joined group cleanup workers)
   (list (lambda () (in-tasks (raise-false)))
         (lambda () (in-tasks (spawn-task raise-false) (sleep 1000)))
         (lambda ()
           (in-tasks (join (spawn-task raise-false #:on-end (const #t)))))
         (lambda () (in-tasks (with-task-group (lambda (group) (raise-false)))))
         (lambda () (in-tasks (call-with-cleanup raise-false (const #t))))
         (lambda () (run-tasks raise-false #:workers 2)))))

(test-case "a main task that was cancelled"
  (test-assert "is no value"
    (task-cancelled?
     (raised (lambda () (in-tasks (cancel! (current-task)) (sleep 1000))))))
  (test-assert "of one of several workers"
    (task-cancelled?
     (raised (lambda ()
               (run-tasks (lambda ()
                            (when (= 1 (current-worker))
                              (cancel! (current-task)))
                            (sleep 1000))
                          #:workers 2)))))
  (test-equal "that did not wait" 7
    (in-tasks (cancel! (current-task)) 7)))

(test-case "who throws the keys of ours has it shown"
  (for-each
   (lambda (args)
     (test-assert args
       (string-prefix? "Throw to key"
                       (call-with-output-string
                         (lambda (port)
                           (apply print-exception port #f args))))))
   '((task-cancelled ()) (task-cancelled (1 2)) (deadline-exceeded (1 2 3 4)))))

(test-case "a deadline of 0 lets be done what can be done at once"
  (test-equal "in a loop" '(ran 5)
    (let ((ran 'no))
      (with-deadline 0
        (lambda () (list (in-tasks (set! ran 'ran) ran) 5)))))
  (test-equal "in a loop, but for a wait" 'late
    (with-deadline 0 (lambda () (in-tasks (sleep 1000))) (const 'late)))
  (test-equal "in a group without tasks" 5
    (in-tasks (with-deadline 0 (lambda () (with-task-group (const 5)))))))

(test-case "a thread that is cancelled is not waited for"
  (test-error* "of call-in-thread" '(misc-error)
    (in-tasks
     (call-in-thread (lambda ()
                       (cancel-thread (current-thread))
                       (let spin () (spin))))))
  (test-error* "of a worker" '(misc-error)
    (run-tasks (lambda ()
                 (if (= 1 (current-worker))
                     (cancel-thread (current-thread)))
                 (sleep 1000))
               #:workers 3)))

(test-case "no worker goes on when the first is left"
  (let ((ended (make-channel 2)))
    (define (work leave)
      (lambda ()
        (if (zero? (current-worker))
            (begin
              (channel-get ended)
              (channel-get ended)
              (leave))
            (call-with-cleanup
             (lambda ()
               (channel-put ended 'begun)
               (sleep 1000))
             (lambda () (channel-put ended 'ended))))))
    (define (both-ended)
      (let* ((one (channel-get ended)) (other (channel-get ended)))
        (list one other)))
    (test-equal "by an escape" '(5 (ended ended))
      (let ((value (let/ec leave
                     (run-tasks (work (lambda () (leave 5))) #:workers 3))))
        (list value (both-ended))))
    (test-equal "by cancel-thread" '(ended ended)
      (let ((thread (call-with-new-thread
                     (lambda ()
                       (run-tasks
                        (work (lambda ()
                                (cancel-thread (current-thread))
                                (sleep 1000)))
                        #:workers 3)))))
        (join-thread thread)
        (both-ended)))))

(test-case "a watchdog that is asked for longer than a clock can tell"
  (for-each
   (lambda (seconds)
     (test-equal seconds 5 (run-tasks (const 5) #:watchdog seconds)))
   '(1e30 +inf.0 100000000000000000000000000)))

;; With 0 it looks as often as it can, and often comes too late.
(test-case "a watchdog that asks where a task is that has waited meanwhile"
  (define (compute n)
    (when (positive? n) (compute (- n 1))))
  (test-equal "is told nothing" 5
    (run-tasks (lambda ()
                 (let next ((n 0))
                   (when (< n (rounds 30000))
                     (compute 2000)
                     (sleep 0)
                     (next (+ n 1))))
                 5)
               #:watchdog 0 #:on-stuck (const #t))))

(test-case "a watchdog ends with a loop that was left by an escape"
  (let ((before (length (all-threads))))
    (let/ec leave
      (run-tasks (lambda () (leave #t)) #:watchdog 0.01))
    (wait-until (lambda () (= before (length (all-threads)))))
    (test-equal "threads" before (length (all-threads)))))

(test-case "the tasks of a loop that was left have failed for who waits elsewhere"
  (define tasks (make-channel 4))
  (define (tell task)
    (channel-put tasks task)
    task)
  (define (sleep-long) (sleep 1000))
  (define (leave-loop)
    (let/ec leave
      (run-tasks
       (lambda ()
         (tell (spawn-task sleep-long))
         (tell (spawn-task
                (lambda ()
                  (with-task-group
                   (lambda (group) (join (tell (spawn-task sleep-long))))))))
         (tell (spawn-task (const 'value)))
         ;; All four sleep by now, or have ended.
         (sleep 1/100)
         (leave #t)))))
  (define (outcome task)
    (catch #t
      (lambda () (join task))
      (lambda (key who . rest) (list key who (task-state task)))))
  (define expected
    '((misc-error "run-tasks" failed) (misc-error "run-tasks" failed)
      value (misc-error "run-tasks" failed)))
  (let* ((waiting (call-with-new-thread
                   (lambda ()
                     (let* ((found (map (lambda (n) (channel-get tasks)) (iota 4)))
                            (here (map outcome found)))
                       (list here (run-tasks (lambda () (map outcome found))))))))
         (leaving (call-with-new-thread leave-loop)))
    (join-thread leaving)
    (test-equal "in a thread, and in a task" (list expected expected)
      (with-deadline (* 1/2 (case-seconds))
        (lambda () (call-in-thread (lambda () (join-thread waiting))))))))

(define-syntax-rule (leaving leave body ...)
  (let/ec leave (in-tasks body ...)))

(define (within-case thunk)
  (with-deadline (* 1/2 (case-seconds)) thunk (const 'late)))

(test-case "so have those of its groups, wherever what made these is"
  (define task #f)
  (define (spawn group)
    (set! task (spawn-task (lambda () (sleep 1000)) #:group group)))
  (define (outcome)
    (within-case (lambda () (raised (lambda () (join task))) (task-state task))))
  (test-eq "it waits for them" 'failed
    (begin
      (leaving leave
        (spawn-task (lambda () (sleep 1/100) (leave #t)))
        (with-task-group spawn))
      (outcome)))
  (test-eq "it has left" 'failed
    (begin
      (leaving leave
        (with-task-group (lambda (group) (spawn group) (leave #t))))
      (outcome)))
  (test-eq "it had left the group before" 'failed
    (begin
      (leaving leave
        (let/ec leave-group
          (with-task-group (lambda (group) (spawn group) (leave-group #t))))
        (leave #t))
      (outcome)))
  (test-error* "it has others no more" '(misc-error)
    (let ((group #f))
      (leaving leave
        (with-task-group (lambda (made) (set! group made) (leave #t))))
      (spawn group))))

(test-case "what is given is not for tasks whose loop was left"
  (define channel (make-channel))
  (define semaphore (make-semaphore 0))
  (leaving leave
    (spawn-task (lambda () (channel-get channel)))
    (spawn-task (lambda () (wait-first (get-operation channel)
                                       (sleep-operation 1000))))
    (spawn-task (lambda () (semaphore-acquire! semaphore)))
    (sleep 1/100)
    (leave #t))
  (call-with-new-thread (lambda () (channel-put channel 'value)))
  (test-equal "a value" 'value (within-case (lambda () (channel-get channel))))
  (semaphore-release! semaphore)
  (test-equal "a semaphore" 'had
    (within-case (lambda () (semaphore-acquire! semaphore) 'had))))

(test-case "who is told by a watchdog may wait for another task"
  (define told (make-channel))
  (define (spin)
    (unless (event-set? telling) (spin)))
  (define telling (make-event))
  (test-equal "when the first has ended" 'ended
    (within-case
     (lambda ()
       (call-in-thread
        (lambda ()
          (run-tasks (lambda ()
                       (spawn-task (lambda ()
                                     (channel-get told)
                                     (channel-get told)))
                       (spin)
                       'ended)
                     #:watchdog 0.01
                     #:on-stuck (lambda (task stack)
                                  (event-set! telling)
                                  (usleep 50000)
                                  (channel-put told task)
                                  (channel-put told stack)))))))))

(test-case "what cleans up after a return is not ended by what ends the task"
  (test-equal "a deadline" '(value cleaned)
    (in-tasks
     (let ((cleaned #f))
       (let ((value (with-deadline 0.01
                      (lambda ()
                        (call-with-cleanup (const 'value)
                                           (lambda ()
                                             (sleep 0.02)
                                             (set! cleaned 'cleaned)))))))
         (list value cleaned))))))

(test-case "a task that lets the others run"
  (test-equal "is cancelled there" '(cancelled #f)
    (in-tasks
     (let* ((begun (make-event))
            (further? #f)
            (task (spawn-task (lambda ()
                                (event-set! begun)
                                (task-yield)
                                (set! further? #t)))))
       (spawn-task (lambda () (event-wait begun) (cancel! task)))
       (false-if-exception (join task))
       (list (task-state task) further?)))))

(test-case "a task that waits for its own end"
  (test-error* "is refused" '(misc-error #f "join")
    (run-tasks (lambda () (join (current-task))))))

(test-end "task-leaving")
