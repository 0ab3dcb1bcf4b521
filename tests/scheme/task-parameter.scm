;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a task sets, parameters and fluids, is its own: its children begin with it,
;;; its siblings and what comes after do not see it.

(use-modules (harness)
             (ice-9 control)
             (srfi srfi-1)
             (sockport)
             (sockport task))

(test-begin "task-parameter")

(define-syntax-rule (in-tasks body ...)
  (run-tasks (lambda () body ...)))

(define p (make-parameter 'default))

(define (values-of . thunks)
  "Run THUNKS in tasks of their own; return their values."
  (in-tasks (map join (map (lambda (thunk) (spawn-task thunk)) thunks))))

(define (yields n)
  (unless (zero? n)
    (task-yield)
    (yields (- n 1))))

(test-case "a setting is the task's own"
  (test-equal "not its siblings'" '((42) default default)
    (values-of (lambda () (p 42) (yields 3) (list (p)))
               (lambda () (yields 2) (p))
               (lambda () (p))))
  (test-eq "over with run-tasks" 'default (p))
  (in-tasks (p 43))
  (test-eq "the main task's as well" 'default (p))
  (test-equal "each has its own" (iota 20)
    (apply values-of
           (map (lambda (n) (lambda () (p n) (yields 5) (p))) (iota 20))))
  (test-equal "however often it is set" '(3 9 default)
    (values-of (lambda () (p 1) (yields 1) (p 2) (p 3) (yields 2) (p))
               (lambda () (p 8) (yields 1) (p 'default) (yields 1) (p 9) (yields 1)
                       (p))
               (lambda () (p 7) (p 'default) (yields 1) (p))))
  (test-equal "over a sleep" '(1 default)
    (values-of (lambda () (p 1) (sleep 0.001) (p))
               (lambda () (sleep 0.0005) (p)))))

(test-case "children begin with it"
  (test-equal "and have their own from then on" '(1 1 2 3 1)
    (in-tasks
     (p 1)
     (let* ((child (spawn-task (lambda ()
                                 (let ((first (p)))
                                   (p 2)
                                   (yields 2)
                                   (list first (p))))))
            (other (spawn-task (lambda () (p 3) (yields 1) (p)))))
       (yields 1)
       (append (list (p)) (join child) (list (join other) (p))))))
  (test-equal "not with what is set later" '(default 5)
    (in-tasks
     (let ((child (spawn-task (lambda () (p)))))
       (p 5)
       (list (join child) (p)))))
  (test-equal "with several" '(1 2 bound)
    (let ((q (make-parameter 'default)) (r (make-parameter 'default)))
      (in-tasks
       (p 1)
       (q 2)
       (parameterize ((r 'bound))
         (join (spawn-task (lambda () (list (p) (q) (r)))))))))
  (test-equal "what is bound counts more" '(bound 6)
    (in-tasks
     (p 6)
     (list (parameterize ((p 'bound))
             (join (spawn-task (lambda () (p)))))
           (join (spawn-task (lambda () (p))))))))

(test-case "set where it is bound"
  (test-equal "the binding's, as ever" '(inside outside default)
    (values-of (lambda ()
                 (parameterize ((p 'bound))
                   (p 'inside)
                   (yields 2)
                   (p)))
               (lambda ()
                 (p 'outside)
                 (parameterize ((p 'bound)) (yields 2))
                 (p))
               (lambda () (yields 1) (p)))))

(test-case "more than are at hand at a time"
  (define many (map (lambda (n) (make-parameter (- n))) (iota 100)))
  (define (all) (map (lambda (p) (p)) many))
  (test-equal "every task has its hundred" (make-list 5 #t)
    (apply values-of
           (map (lambda (k)
                  (lambda ()
                    (define mine (map (lambda (n) (+ (* 1000 (+ 1 k)) n))
                                      (iota 100)))
                    (let again ((n 4))
                      (for-each (lambda (p value) (p value)) many mine)
                      (task-yield)
                      (when (= n 2) (gc))
                      (and (equal? (all) mine)
                           (or (zero? n) (again (- n 1)))))))
                (iota 5))))
  (test-equal "some of many" '(#t #t)
    (values-of (lambda ()
                 ((list-ref many 50) 'set)
                 (yields 1)
                 (all)
                 (yields 1)
                 (eq? 'set ((list-ref many 50))))
               (lambda ()
                 (all)
                 (yields 1)
                 (equal? (all) (map - (iota 100))))))
  (test-equal "nothing of it is left" (map - (iota 100)) (all)))

(test-case "fluids, and the current ports"
  (define fluid (make-fluid 'default))
  (define unbound (make-unbound-fluid))
  (define local (make-thread-local-fluid 'default))
  (define text
    (call-with-output-string
      (lambda (port)
        (test-equal "each" '(1 default)
          (values-of (lambda () (fluid-set! fluid 1) (yields 2) (fluid-ref fluid))
                     (lambda () (yields 1) (fluid-ref fluid))))
        (test-equal "one that has no value" '(1 #f)
          (values-of (lambda () (fluid-set! unbound 1) (yields 2)
                             (fluid-ref unbound))
                     (lambda () (yields 1) (fluid-bound? unbound))))
        (test-eqv "nor afterwards" #f (fluid-bound? unbound))
        (test-equal "the thread's own stay the thread's" '(1 1)
          (values-of (lambda () (fluid-set! local 1) (yields 2) (fluid-ref local))
                     (lambda () (yields 1) (fluid-ref local))))
        (let ((before (current-output-port)))
          (values-of (lambda ()
                       (set-current-output-port port)
                       (yields 2)
                       (display "here"))
                     (lambda ()
                       (yields 1)
                       (unless (eq? before (current-output-port))
                         (display "not here" port))))
          (test-eq "the port is what it was" before (current-output-port))))))
  (test-equal "written by the one task" "here" text))

(test-case "whatever way it ends"
  (test-eq "an error" 'default
    (begin
      (false-if-exception (in-tasks (p 1) (yields 1) (error "bad")))
      (p)))
  (test-eq "cancelled" 'default
    (begin
      (in-tasks (cancel! (spawn-task (lambda () (p 1) (sleep 1000))))
                (task-yield))
      (p)))
  (test-eq "a handler that escapes from run-tasks" 'default
    (begin
      (let/ec k
        (sigaction SIGALRM (lambda _ (p 2) (k #t)))
        (in-tasks
         (p 1)
         (setitimer ITIMER_REAL 0 0 0 1000)
         (sleep 1000)))
      (p)))
  (sigaction SIGALRM SIG_DFL)
  (test-eq "nothing is left of it" 'default (p))
  (test-equal "in other threads" '(default 1 default)
    (let ((before (p)))
      (list before
            (run-tasks (lambda () (p 1) (yields 2) (p)) #:workers 2)
            (p)))))

(test-case "what is handled is handled where it was"
  (test-equal "a handler around the spawner is not the child's" '(key default)
    (in-tasks
     (p 1)
     (list
      (with-task-group
       (lambda (group)
         (catch 'key
           (lambda ()
             (let ((task (spawn-task (lambda () (yields 1) (p 2) (throw 'key))
                                     #:on-end (const #t))))
               (join task)))
           (lambda (key) key))))
      (begin (p 'default) (p))))))

(test-end "task-parameter")
