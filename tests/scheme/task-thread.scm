;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Tasks in numbers, with parameters, with signals and threads.

(use-modules (harness)
             (harness socket)
             (harness task)
             (ice-9 atomic)
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
             ((sockport task loop) #:select (loop-current loop-turns))
             ((sockport task timer) #:prefix heap:)
             (srfi srfi-1))

(test-begin "task-thread")

;;; What is bound.

(define level (make-parameter 0))

(test-case "a task has its parent's parameters"
  (define (levels)
    (let ((here (level)))
      (task-yield)
      (list here (level))))
  (test-equal "those of then, also later" '(1 1)
    (in-tasks
     (join (parameterize ((level 1)) (spawn-task levels)))))
  (test-equal "its children, too" '(2 2)
    (in-tasks
     (join (join (parameterize ((level 2))
                   (spawn-task (lambda () (spawn-task levels))))))))
  (test-equal "the innermost" '(4 4)
    (in-tasks
     (join (parameterize ((level 3))
             (parameterize ((level 4))
               (spawn-task levels))))))
  (test-equal "its own are its own" '((5 5) (0 0))
    (in-tasks
     (let ((one (spawn-task (lambda () (parameterize ((level 5)) (levels)))))
           (other (spawn-task levels)))
       (list (join one) (join other)))))
  (test-equal "not the handlers" 'the-group
    (with-exception-handler (const 'the-group)
      (lambda ()
        (in-tasks
         (with-exception-handler (const 'the-parent)
           (lambda ()
             (join (spawn-task (lambda () (error "no")) #:on-end (const #f))))
           #:unwind? #t
           #:unwind-for-type 'none)))
      #:unwind? #t)))

;;; In numbers.

(test-case "a hundred thousand tasks"
  (define many (rounds 100000))
  (test-equal "joined" (apply + (iota many))
    (in-tasks
     (fold (lambda (task sum) (+ sum (join task))) 0
           (map (lambda (i) (spawn-task (const i))) (iota many))))))

(test-case "a million timers set and cancelled"
  (let ((timers (heap:make-timers)) (fired '()))
    (define (add! i)
      (let ((time (modulo (* i 7919) 100003)))
        (heap:timer-add! timers time (lambda () (set! fired (cons time fired))))))
    (do ((i 0 (1+ i))) ((= i (rounds 100)))
      (let ((all (map add! (iota 10000))))
        (for-each (lambda (timer) (heap:timer-cancel! timers timer)) all)))
    (test-equal "none left" 0 (heap:timers-count timers))
    (let ((all (map add! (iota 10000))))
      (for-each (lambda (timer i)
                  (when (odd? i) (heap:timer-cancel! timers timer)))
                all (iota 10000)))
    (heap:timers-expire! timers 100003)
    (test-equal "the others fired" 5000 (length fired))
    (test-assert "the earliest first" (sorted? fired >))))

(test-case "collections and signals under load"
  (test-equal "rounds" (rounds 2000)
    (let ((before (sigaction SIGUSR2)) (count 0))
      (sigaction SIGUSR2 (lambda (signum) (gc)))
      (in-tasks
       (let-ports ((s (unix-pair)))
         (spawn-task (lambda ()
                       (do ((i 0 (1+ i))) ((= i (rounds 2000)))
                         (when (zero? (modulo i 50)) (kill (getpid) SIGUSR2))
                         (send (cdr s) "x")
                         (task-yield))))
         (do () ((= count (rounds 2000)))
           (set! count (+ count (recv! (car s) bytes))))))
      (sigaction SIGUSR2 (car before) (cdr before))
      count)))

;;; Threads.

(test-case "a handler of a signal can end it all"
  (test-error* "raised" '(stop)
    ;; Not the signal of the case before, whose last handler may run here.
    (let ((before (sigaction SIGUSR1)))
      (sigaction SIGUSR1 (lambda (signum) (throw 'stop)))
      (dynamic-wind
        (const #f)
        (lambda ()
          (in-tasks
           (spawn-task (lambda () (sleep 0.02) (kill (getpid) SIGUSR1)))
           (sleep 1000)))
        (lambda () (sigaction SIGUSR1 (car before) (cdr before)))))))

(test-case "from other threads"
  (in-tasks
   (let* ((loop (current-loop))
          (gate (make-channel))
          (sleeper (spawn-task (lambda () (sleep 1000))))
          (thread (call-with-new-thread
                   (lambda ()
                     (let ((task (spawn-task (lambda () (channel-put gate 'in))
                                             #:loop loop)))
                       (join task)
                       (cancel! sleeper)
                       (channel-put gate 'done))))))
     (test-eq "spawned" 'in (channel-get gate))
     (test-eq "joined" 'done (channel-get gate))
     (test-assert "cancelled"
       (guard (e ((task-cancelled? e) #t)) (join sleeper)))
     (wait-until (lambda () (thread-exited? thread))))))

(test-case "a thread started by a task waits as a thread"
  (let-ports ((s (unix-pair)))
    (test-equal "received" 1
      (in-tasks
       (let ((thread (call-with-new-thread
                      (lambda () (recv! (car s) bytes)))))
         (sleep 0.01)
         (send (cdr s) "x")
         (wait-until (lambda () (thread-exited? thread)))
         (join-thread thread))))))

(test-case "a loop that looks for what should come soon sees all else too"
  (let ((pair (unix-pair)) (other (unix-pair)) (before (sigaction SIGUSR1))
        (gate (make-channel 1)) (closing #f))
    (define (ask left)
      (unless (zero? left)
        (send (car pair) "x")
        (recv! (car pair) bytes)
        (ask (- left 1))))
    (define (answer)
      (unless (zero? (recv! (cdr pair) (make-bytevector 1)))
        (send (cdr pair) "x")
        (answer)))
    (define (tell . signum) (channel-put gate 'seen))
    (define answering (call-with-new-thread answer))
    (sigaction SIGUSR1 tell)
    (test-equal "a timer, a thread, a signal, a close" '(0 seen seen closed)
      (in-tasks
       (map (lambda (wait) (ask 200) (wait))
            (list (lambda () (sleep 1/1000))
                  (lambda () (call-with-new-thread tell) (channel-get gate))
                  (lambda () (kill (getpid) SIGUSR1) (channel-get gate))
                  (lambda ()
                    (set! closing (call-with-new-thread
                                   (lambda () (close-port (car other)))))
                    (guard (e (#t 'closed)) (recv! (car other) bytes)))))))
    (sigaction SIGUSR1 (car before) (cdr before))
    (close-port (car pair))
    (for-each join-thread (list answering closing))
    (for-each close-port (list (cdr pair) (cdr other)))))

(test-case "workers"
  (let ((numbers (make-channel 3)))
    (test-equal "the first's value" 0
      (run-tasks (lambda ()
                   (channel-put numbers (current-worker))
                   (current-worker))
                 #:workers 3))
    (test-equal "all ran" '(0 1 2)
      (sort (map (lambda (_) (channel-get numbers)) (iota 3)) <)))
  (test-error* "one fails" '(misc-error)
    (run-tasks (lambda ()
                 (if (= 1 (current-worker)) (error "no") (sleep 1000)))
               #:workers 2))
  (let ((error 'the-same) (met (make-channel)))
    (test-eq "one that fails them all is raised as it is" error
      (raised
       (lambda ()
         (run-tasks (lambda ()
                      (if (zero? (current-worker))
                          (channel-put met #t)
                          (channel-get met))
                      (raise-exception error))
                    #:workers 2)))))
  (test-equal "channels cross over" (rounds 5000)
    (let ((channel (make-channel 4)))
      (run-tasks
       (lambda ()
         (if (zero? (current-worker))
             (let loop ((count 0))
               (if (eof-object? (channel-get channel))
                   count
                   (loop (1+ count))))
             (begin
               (do ((i 0 (1+ i))) ((= i (rounds 5000)))
                 (channel-put channel i))
               (channel-close! channel))))
       #:workers 2))))

(test-case "outside of tasks a signal ends a sleep of whole seconds, as Guile's"
  (test-assert "some are left"
    (positive? (interrupted-after 0.02 (const #t) (lambda () (sleep 3))))))

(define (below-c proc)
  (string-for-each (lambda (char) (proc)) "x"))

(test-case "what would wait below C code is refused, and the task goes on"
  (run-tasks
   (lambda ()
     (let* ((channel (make-channel 1))
            (empty (make-channel 1))
            (task (spawn-task (lambda () (sleep 0.01) 'ended))))
       (for-each (lambda (name proc)
                   (test-equal name 'misc-error
                     (catch #t
                       (lambda () (below-c proc) 'waited)
                       (lambda (key . args) key))))
                 '("yield" "sleep" "channel" "join" "group")
                 (list task-yield
                       (lambda () (sleep 0.01))
                       (lambda () (channel-get empty))
                       (lambda () (join task))
                       (lambda () (with-task-group (lambda (group) #t)))))
       (below-c (lambda () (channel-put channel 'room)))
       (test-equal "what need not wait works" 'room (channel-get channel))
       (test-equal "the task goes on" 'ended (join task))))))

;;; Where all tasks wait, the loop sleeps in the last one's place, from that one's
;;; second wait at the same depth on.

(define (got-while-asleep around asleep?)
  "Get four values in a task, in (AROUND thunk).  A thread puts #t each time when (ASLEEP?
loop n) is true of the Nth, #f if it never is."
  (in-tasks
   (let ((channel (make-channel)) (loop (current-loop)))
     (call-with-new-thread
      (lambda ()
        (for-each
         (lambda (n)
           (channel-put channel (wait-until (lambda () (asleep? loop n)))))
         (iota 4 1))))
     (around
      (lambda ()
        (let next ((got '()))
          (if (= 4 (length got))
              got
              (next (cons (channel-get channel) got)))))))))

(test-case "what winds is called before the loop sleeps"
  (let ((times-left (make-atomic-box 0)))
    (test-equal "Guile's own" '(#t #t #t #t)
      (got-while-asleep
       (lambda (thunk)
         ((@ (guile) dynamic-wind)
           (const #t)
           thunk
           (lambda ()
             (atomic-box-set! times-left (+ 1 (atomic-box-ref times-left))))))
       (lambda (loop n) (<= n (atomic-box-ref times-left)))))))

;; The watchdog would take it for stuck.
(test-case "a loop that sleeps runs no task"
  (test-equal "none" '(#t #t #t #t)
    (got-while-asleep
     (lambda (thunk) (thunk))
     (lambda (loop n)
       (and (<= n (loop-turns loop)) (not (loop-current loop)))))))

(test-end "task-thread")
