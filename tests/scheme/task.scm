;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Tasks: that they run, end, fail and are cancelled as the manual says, in
;;; every state, in numbers, and from other threads.

(use-modules (harness)
             (harness socket)
             (harness task)
             (ice-9 binary-ports)
             (ice-9 exceptions)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (sockport channel)
             (sockport operation)
             ((sockport task timer) #:prefix heap:)
             (srfi srfi-1))

(test-begin "task")

;;; Running.

(test-case "run-tasks"
  (test-equal "values" '(1 2)
    (call-with-values (lambda () (in-tasks (values 1 2))) list))
  (test-equal "waits for all" '(b a)
    (let ((seen '()))
      (in-tasks (spawn-task (lambda () (sleep 0.02) (set! seen (cons 'b seen))))
                (set! seen (cons 'a seen)))
      seen))
  (test-error* "nested" '(misc-error) (in-tasks (in-tasks 1)))
  (test-error* "workers" '(out-of-range) (run-tasks (const 1) #:workers 0))
  (test-equal "again" 1 (in-tasks 1))
  (test-equal "outside" '(#f #f #f)
    (list (current-task) (current-loop) (current-worker)))
  (test-equal "inside" '(#t 0)
    (in-tasks (list (task? (current-task)) (current-worker))))
  (test-error* "spawn-task outside" '(misc-error) (spawn-task (const 1)))
  (test-error* "group outside" '(misc-error) (with-task-group (const 1)))
  (test-error* "no procedure" '(wrong-type-arg 1 "spawn-task")
    (in-tasks (spawn-task 1))))

(test-case "spawn-task and join"
  (in-tasks
   (let ((task (spawn-task (lambda () (task-yield) (values 1 2)) #:name 'pair)))
     (test-equal "name" 'pair (task-name task))
     (test-equal "values" '(1 2)
       (call-with-values (lambda () (join task)) list))
     (test-eq "state" 'done (task-state task))
     (test-equal "again" 1 (join task)))
   (test-equal "in turn" '(3 2 1)
     (let ((seen '()) (sorted (if in-order? identity (lambda (l) (sort l >)))))
       (for-each join
                 (map (lambda (i)
                        (spawn-task (lambda () (task-yield) (set! seen (cons i seen)))))
                      '(1 2 3)))
       (sorted seen)))))

(test-case "errors are raised, whole and once"
  (test-error* "from a task" '(misc-error)
    (in-tasks (spawn-task (lambda () (error "no"))) (sleep 1000)))
  (test-error* "from the first" '(system-error 9)
    (in-tasks (scm-error 'system-error "x" "~a" '("y") '(9))))
  (test-error* "from a group" '(misc-error)
    (in-tasks (with-task-group
               (lambda (group)
                 (spawn-task (lambda () (error "no")))
                 (sleep 1000)))))
  (test-equal "the others are attached" '("first" ("second"))
    (let ((e (raised
              (lambda ()
                (in-tasks
                 (spawn-task (lambda ()
                               (call-with-cleanup
                                (lambda () (sleep 1000))
                                (lambda () (sleep 0.01) (error "no" "second")))))
                 (task-yield)
                 (error "no" "first"))))))
      ;; The last: where `error' is compiled, the message is none of them.
      (list (last (exception-irritants e))
            (map (lambda (e) (last (exception-irritants e)))
                 (task-errors-others e)))))
  (test-assert "of its own type"
    ((exception-predicate &task-errors)
     (make-exception (make-error)
                     ((record-constructor &task-errors) '()))))
  (test-assert "none attached"
    (not (task-errors? (raised (lambda () (in-tasks (error "only")))))))
  (test-assert "nor what another raised, by who joined it"
    (not (task-errors?
          (raised (lambda ()
                    (in-tasks (join (spawn-task (lambda () (error "only"))))))))))
  (test-equal "caught in the task" 'caught
    (in-tasks (join (spawn-task (lambda ()
                                  (guard (e (#t 'caught)) (error "no")))))))
  (test-equal "continuable" 43
    (in-tasks (join (spawn-task
                     (lambda ()
                       (with-exception-handler (const 42)
                         (lambda ()
                           (+ 1 (raise-exception 'x #:continuable? #t))))))))))

(test-case "what is called at a task's end"
  (test-equal "values, an error that is dealt with, a cancellation"
    '(#f misc-error task-cancelled)
    (let ((seen '()))
      (define (note exception)
        (set! seen (cons (and exception (exception-kind exception)) seen))
        #t)
      (in-tasks
       (join (spawn-task (const 1) #:on-end note))
       (spawn-task (lambda () (error "no")) #:on-end note)
       (let ((task (spawn-task (lambda () (sleep 1000)) #:on-end note)))
         (task-yield)
         (cancel! task)))
      (reverse seen)))
  (test-error* "an error that is not" '(misc-error)
    (in-tasks (spawn-task (lambda () (error "no")) #:on-end (const #f))
              (sleep 1000)))
  (test-error* "an error of its own" '(system-error 5)
    (in-tasks (spawn-task (lambda () (error "no"))
                          #:on-end (lambda (exception)
                                     (scm-error 'system-error "x" "~a" '("y")
                                                '(5))))
              (sleep 1000))))

(test-case "groups"
  (in-tasks
   (test-equal "values" '(1 2)
     (call-with-values
         (lambda () (with-task-group (lambda (group) (values 1 2))))
       list))
   (test-equal "waits" 3
     (let ((count 0))
       (with-task-group
        (lambda (group)
          (do ((i 0 (1+ i))) ((= i 3))
            (spawn-task (lambda () (sleep 0.01) (set! count (1+ count)))))))
       count))
   (test-equal "the siblings are cancelled" 'cancelled
     (let ((sibling #f))
       (guard (e (#t (task-state sibling)))
         (with-task-group
          (lambda (group)
            (set! sibling (spawn-task (lambda () (sleep 1000))))
            (task-yield)
            (spawn-task (lambda () (error "no"))))))))
   (test-equal "cancelled from inside" #f
     (with-task-group
      (lambda (group)
        (spawn-task (lambda () (cancel! group)))
        (sleep 1000))))
   (test-eq "what another was cancelled with is raised" 'raised
     (let ((other (spawn-task (lambda () (sleep 1000)))))
       (cancel! other)
       (guard (e ((task-cancelled? e) 'raised))
         (with-task-group (lambda (group) (join other))))))
   (test-eq "an explicit group" 'done
     (with-task-group
      (lambda (outer)
        (with-task-group
         (lambda (inner)
           (let ((task (spawn-task (const 1) #:group outer)))
             (test-assert "task-group?" (task-group? inner))
             (join task)
             (task-state task)))))))
   (test-error* "one that has ended takes no tasks" '(misc-error)
     (spawn-task (const 1) #:group (with-task-group identity)))
   (test-eq "a deadline around a group ends it" 'late
     (with-deadline 0.02
       (lambda ()
         (with-task-group (lambda (group) (spawn-task (lambda () (sleep 1000))))))
       (const 'late)))))

;;; Cancelling: each state is a name and what brings a task into it.

(define (states s)
  (list (cons 'not-started (const #f))
        (cons 'ready task-yield)
        (cons 'sleeping (lambda () (sleep 1000)))
        (cons 'receiving (lambda () (recv! (car s) bytes)))
        (cons 'reading (lambda () (read-line (car s))))
        (cons 'getting (lambda () (channel-get (make-channel))))
        (cons 'putting (lambda () (channel-put (make-channel) 1)))
        (cons 'joining (lambda () (join (spawn-task (lambda () (sleep 1000))))))
        (cons 'choosing
              (lambda () (wait-first (readable-operation (car s))
                                     (sleep-operation 1000)
                                     (get-operation (make-channel)))))
        (cons 'hosting
              (lambda ()
                (with-task-group
                 (lambda (group) (spawn-task (lambda () (sleep 1000)))))))))

(test-case "cancel in every state"
  (let-ports ((s (unix-pair)))
    (for-each
     (match-lambda
       ((name . wait)
        (test-equal name '(cancelled #t)
          (in-tasks
           (with-task-group
            (lambda (group)
              (let* ((left? #f)
                     (task (spawn-task
                            (lambda ()
                              (dynamic-wind
                                (const #f)
                                (lambda () (wait) (sleep 1000))
                                (lambda () (set! left? #t)))))))
                (unless (eq? name 'not-started)
                  (task-yield)
                  (set! left? #f))
                (cancel! task)
                (cancel! task)
                (guard (e ((task-cancelled? e) #f))
                  (join task))
                (when (eq? name 'not-started) (set! left? #t))
                (cancel! group)
                (list (task-state task) left?))))))))
     (states s))))

(test-case "cancelling"
  (in-tasks
   (test-equal "each wait is refused" '(1 2)
     (let* ((seen '())
            (note (lambda (i)
                    (guard (e ((task-cancelled? e) (set! seen (cons i seen))))
                      (sleep 1000))))
            (task (spawn-task (lambda () (note 1) (note 2)))))
       (task-yield)
       (cancel! task)
       (join task)
       (reverse seen)))
   (test-equal "of its own type, and no error" '(#t #f task-cancelled)
     (let ((task (spawn-task (lambda () (sleep 1000)))))
       (cancel! task)
       (guard (e (#t (list ((exception-predicate &task-cancelled) e)
                           (error? e)
                           (exception-kind e))))
         (join task))))
   (test-equal "shielded" 'cleaned
     (let* ((state #f)
            (task (spawn-task (lambda ()
                                (call-with-cleanup
                                 (lambda () (sleep 1000))
                                 (lambda ()
                                   (sleep 0.01)
                                   (set! state 'cleaned)))))))
       (task-yield)
       (cancel! task)
       (guard (e ((task-cancelled? e) state)) (join task))))
   (test-equal "one that has ended" 1
     (let ((task (spawn-task (const 1))))
       (join task)
       (cancel! task)
       (join task)))))

(test-case "who joins one that was cancelled has failed"
  (test-equal "it was not cancelled itself" '(raised failed)
    (let* ((joiner #f)
           (how (guard (e ((task-cancelled? e) 'raised))
                  (in-tasks
                   (let ((other (spawn-task (lambda () (sleep 1000)))))
                     (cancel! other)
                     (set! joiner (spawn-task (lambda () (join other)))))))))
      (list how (task-state joiner)))))

(test-case "dynamic-wind runs when a task really enters and leaves"
  (test-equal "once each" '(in out)
    (let ((seen '()))
      (in-tasks
       (spawn-task (lambda ()
                     (dynamic-wind
                       (lambda () (set! seen (cons 'in seen)))
                       (lambda () (task-yield) (sleep 0.01) (task-yield))
                       (lambda () (set! seen (cons 'out seen)))))))
      (reverse seen))))

(test-case "a continuation of another task is refused"
  (test-error* "refused" '(misc-error)
    (in-tasks
     (let ((k #f))
       (with-task-group
        (lambda (group)
          (spawn-task (lambda ()
                        (call-with-current-continuation
                         (lambda (c) (set! k c)))
                        'first))
          (task-yield)
          (spawn-task (lambda () (k 'again)))))))))

(test-end "task")
