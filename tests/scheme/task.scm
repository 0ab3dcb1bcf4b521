;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Tasks: that they run, end, fail and are cancelled as the manual says, in
;;; every state, in numbers, and from other threads.

(use-modules (harness)
             (harness socket)
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
             ((sockport timer) #:prefix heap:)
             (srfi srfi-1))

(test-begin "task")

(define bytes (make-bytevector 16))

(define-syntax-rule (in-tasks body ...)
  (run-tasks (lambda () body ...)))

(define (raised thunk)
  (with-exception-handler identity
    (lambda () (thunk) 'nothing)
    #:unwind? #t))

;;; Running.

(test-case "run-tasks"
  (test-equal "values" '(1 2)
    (call-with-values (lambda () (in-tasks (values 1 2))) list))
  (test-equal "waits for all" '(b a)
    (let ((seen '()))
      (in-tasks (spawn (lambda () (sleep 0.02) (set! seen (cons 'b seen))))
                (set! seen (cons 'a seen)))
      seen))
  (test-error* "nested" '(misc-error) (in-tasks (in-tasks 1)))
  (test-error* "workers" '(out-of-range) (run-tasks (const 1) #:workers 0))
  (test-equal "again" 1 (in-tasks 1))
  (test-equal "outside" '(#f #f #f)
    (list (current-task) (current-loop) (current-worker)))
  (test-equal "inside" '(#t 0)
    (in-tasks (list (task? (current-task)) (current-worker))))
  (test-error* "spawn outside" '(misc-error) (spawn (const 1)))
  (test-error* "group outside" '(misc-error) (with-task-group (const 1)))
  (test-error* "no procedure" '(wrong-type-arg 1 "spawn")
    (in-tasks (spawn 1))))

(test-case "spawn and join"
  (in-tasks
   (let ((task (spawn (lambda () (task-yield) (values 1 2)) #:name 'pair)))
     (test-equal "name" 'pair (task-name task))
     (test-equal "values" '(1 2)
       (call-with-values (lambda () (join task)) list))
     (test-eq "state" 'done (task-state task))
     (test-equal "again" 1 (join task)))
   (test-equal "in turn" '(3 2 1)
     (let ((seen '()))
       (for-each join
                 (map (lambda (i)
                        (spawn (lambda () (task-yield) (set! seen (cons i seen)))))
                      '(1 2 3)))
       seen))))

(test-case "errors are raised, whole and once"
  (test-error* "from a task" '(misc-error)
    (in-tasks (spawn (lambda () (error "no"))) (sleep 10)))
  (test-error* "from the first" '(system-error 9)
    (in-tasks (scm-error 'system-error "x" "~a" '("y") '(9))))
  (test-error* "from a group" '(misc-error)
    (in-tasks (with-task-group
               (lambda (group)
                 (spawn (lambda () (error "no")))
                 (sleep 10)))))
  (test-equal "the others are attached" '("first" ("second"))
    (let ((e (raised
              (lambda ()
                (in-tasks
                 (spawn (lambda ()
                          (call-with-cleanup
                           (lambda () (sleep 10))
                           (lambda () (sleep 0.01) (error "second")))))
                 (task-yield)
                 (error "first"))))))
      (list (car (exception-irritants e))
            (map (lambda (e) (car (exception-irritants e)))
                 (task-errors-others e)))))
  (test-assert "of its own type"
    ((exception-predicate &task-errors)
     (make-exception (make-error)
                     ((record-constructor &task-errors) '()))))
  (test-assert "none attached"
    (not (task-errors? (raised (lambda () (in-tasks (error "only")))))))
  (test-equal "caught in the task" 'caught
    (in-tasks (join (spawn (lambda ()
                             (guard (e (#t 'caught)) (error "no")))))))
  (test-equal "continuable" 43
    (in-tasks (join (spawn
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
       (spawn (const 1) #:on-end note)
       (spawn (lambda () (error "no")) #:on-end note)
       (let ((task (spawn (lambda () (sleep 10)) #:on-end note)))
         (task-yield)
         (cancel! task)))
      (reverse seen)))
  (test-error* "an error that is not" '(misc-error)
    (in-tasks (spawn (lambda () (error "no")) #:on-end (const #f))
              (sleep 10)))
  (test-error* "an error of its own" '(system-error 5)
    (in-tasks (spawn (lambda () (error "no"))
                     #:on-end (lambda (exception)
                                (scm-error 'system-error "x" "~a" '("y")
                                           '(5))))
              (sleep 10))))

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
            (spawn (lambda () (sleep 0.01) (set! count (1+ count)))))))
       count))
   (test-equal "the siblings are cancelled" 'cancelled
     (let ((sibling #f))
       (guard (e (#t (task-state sibling)))
         (with-task-group
          (lambda (group)
            (set! sibling (spawn (lambda () (sleep 10))))
            (task-yield)
            (spawn (lambda () (error "no"))))))))
   (test-equal "cancelled from inside" #f
     (with-task-group
      (lambda (group)
        (spawn (lambda () (cancel! group)))
        (sleep 10))))
   (test-eq "an explicit group" 'done
     (with-task-group
      (lambda (outer)
        (with-task-group
         (lambda (inner)
           (let ((task (spawn (const 1) #:group outer)))
             (test-assert "task-group?" (task-group? inner))
             (join task)
             (task-state task)))))))
   (test-eq "a deadline around a group ends it" 'late
     (with-deadline 0.02
       (lambda ()
         (with-task-group (lambda (group) (spawn (lambda () (sleep 10))))))
       (const 'late)))))

;;; Cancelling: each state is a name and what brings a task into it.

(define (states s)
  (list (cons 'not-started (const #f))
        (cons 'ready task-yield)
        (cons 'sleeping (lambda () (sleep 10)))
        (cons 'receiving (lambda () (recv! (car s) bytes)))
        (cons 'reading (lambda () (read-line (car s))))
        (cons 'getting (lambda () (channel-get (make-channel))))
        (cons 'putting (lambda () (channel-put (make-channel) 1)))
        (cons 'joining (lambda () (join (spawn (lambda () (sleep 10))))))
        (cons 'choosing
              (lambda () (wait-first (readable-operation (car s))
                                     (sleep-operation 10)
                                     (get-operation (make-channel)))))
        (cons 'hosting
              (lambda ()
                (with-task-group
                 (lambda (group) (spawn (lambda () (sleep 10)))))))))

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
                     (task (spawn
                            (lambda ()
                              (dynamic-wind
                                (const #f)
                                (lambda () (wait) (sleep 10))
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
                      (sleep 10))))
            (task (spawn (lambda () (note 1) (note 2)))))
       (task-yield)
       (cancel! task)
       (join task)
       (reverse seen)))
   (test-assert "of its own type"
     (let ((task (spawn (lambda () (sleep 10)))))
       (cancel! task)
       (guard (e (#t ((exception-predicate &task-cancelled) e)))
         (join task))))
   (test-equal "shielded" 'cleaned
     (let* ((state #f)
            (task (spawn (lambda ()
                           (call-with-cleanup
                            (lambda () (sleep 10))
                            (lambda ()
                              (sleep 0.01)
                              (set! state 'cleaned)))))))
       (task-yield)
       (cancel! task)
       (guard (e ((task-cancelled? e) state)) (join task))))
   (test-equal "one that has ended" 1
     (let ((task (spawn (const 1))))
       (join task)
       (cancel! task)
       (join task)))))

(test-case "dynamic-wind runs when a task really enters and leaves"
  (test-equal "once each" '(in out)
    (let ((seen '()))
      (in-tasks
       (spawn (lambda ()
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
          (spawn (lambda ()
                   (call-with-current-continuation
                    (lambda (c) (set! k c)))
                   'first))
          (task-yield)
          (spawn (lambda () (k 'again)))))))))

;;; Descriptors.

(test-case "closing a port wakes its task"
  (for-each
   (match-lambda
     ((name make wait)
      (let-ports ((s (make)))
        (test-error* name '(system-error 9)
          (in-tasks
           (let ((task (spawn (lambda () (wait s)))))
             (task-yield)
             (close-port (if (pair? s) (car s) s))
             (join task)))))))
   (list (list "accept" unix-listener accept)
         (list "recv!" unix-pair (lambda (s) (recv! (car s) bytes))))))

(test-case "ports of either mode suspend"
  (for-each
   (lambda (pair)
     (test-equal "a line" "one two"
       (in-tasks
        (spawn (lambda ()
                 (sleep 0.01)
                 (put-string (cdr pair) "one ")
                 (force-output (cdr pair))
                 (sleep 0.01)
                 (put-string (cdr pair) "two\n")
                 (force-output (cdr pair))))
        (get-line (car pair))))
     (test-equal "the rest" #vu8(97 98)
       (in-tasks
        (spawn (lambda ()
                 (put-string (cdr pair) "ab")
                 (sleep 0.01)
                 (close-port (cdr pair))))
        (get-bytevector-all (car pair))))
     (close-port (car pair)))
   (list (unix-pair) (pipe))))

;;; After a short read a TCP socket counts as empty until the poller says more.
(test-case "what comes after a short read is not missed"
  (define (received . acts)
    "Do ACTS, each followed by a receive; return what the receives gave."
    (let-ports ((s (tcp-pair)))
      (in-tasks
       (send (cdr s) "first")
       (spawn (lambda ()
                (for-each (lambda (act) (sleep 0.01) (act (cdr s))) acts)))
       (let loop ((counts '()) (left (1+ (length acts))))
         (if (zero? left)
             (reverse counts)
             (loop (cons (recv! (car s) bytes) counts) (1- left)))))))
  (define (end sock) (shutdown sock 1))
  (test-equal "data" '(5 3 2)
    (received (lambda (s) (send s "abc")) (lambda (s) (send s "de"))))
  (test-equal "data and an end" '(5 3 0)
    (received (lambda (s) (send s "abc") (end s)) (const #f)))
  (test-equal "an end" '(5 0) (received end))
  (test-equal "urgent data, and more after it" '(5 2 2)
    (received (lambda (s) (send s "abX" MSG_OOB) (send s "de")) (const #f)))
  (let-ports ((s (tcp-pair)))
    (in-tasks
     (define (poll)
       (with-deadline 0 (lambda () (recv! (car s) bytes)) (const 'late)))
     (send (cdr s) "first")
     (recv! (car s) bytes)
     (test-eq "nothing" 'late (poll))
     (send (cdr s) "x")
     (recv! (car s) bytes)
     (test-eq "nothing after a read" 'late (poll))
     (send (cdr s) "xy")
     ;; No turn of the loop since: the poller has not told.
     (test-equal "0 asks the kernel" 2 (poll))))
  (let-ports ((s (tcp-pair)))
    (in-tasks
     (send (cdr s) "x")
     (recv! (car s) bytes)
     (send (cdr s) "line\n")
     (test-equal "a port procedure" "line" (get-line (car s)))
     (let ((thread (call-with-new-thread
                    (lambda () (recv! (car s) bytes)))))
       (send (cdr s) "xyz")
       (wait-until (lambda () (thread-exited? thread)))
       (test-equal "another thread" 3 (join-thread thread))))))

(test-case "many wait on one port"
  (let-ports ((server (unix-listener)))
    (test-equal "all accept" 20
      (in-tasks
       (define count 0)
       (with-task-group
        (lambda (group)
          (do ((i 0 (1+ i))) ((= i 20))
            (spawn (lambda ()
                     (close-port (car (accept server)))
                     (set! count (1+ count)))))
          (task-yield)
          (do ((i 0 (1+ i))) ((= i 20))
            (let ((client (socket AF_UNIX SOCK_STREAM 0)))
              (connect client (getsockname server))
              (close-port client)
              (task-yield)))))
       count))))

(test-case "a descriptor closed behind our back and used again"
  (test-equal "received" 50
    (in-tasks
     (let loop ((i 0) (sum 0))
       (if (= i 50)
           sum
           (let* ((s (unix-pair))
                  (task (spawn (lambda () (recv! (car s) bytes)))))
             (task-yield)
             (send (cdr s) "x")
             (let ((sum (+ sum (join task))))
               ;; Guile's own, which tells nobody.
               ((@ (guile) close-port) (car s))
               ((@ (guile) close-port) (cdr s))
               (loop (1+ i) sum))))))))

;;; Watching.

(test-case "the watchdog tells who does not wait"
  (let ((told #f))
    (run-tasks
     (lambda ()
       (join (spawn (lambda ()
                      (wait-until (lambda () told) 5)
                      (let spin ((i 0))
                        (unless (or told (> i 100000000)) (spin (1+ i)))))
                    #:name 'hog)))
     #:watchdog 0.02
     #:on-stuck (lambda (task stack) (set! told (task-name task))))
    (test-eq "its name" 'hog told))
  (test-equal "nothing to tell" 1
    (run-tasks (lambda () (sleep 0.1) 1)
               #:watchdog 0.02
               #:on-stuck (lambda (task stack) (error "told" task))))
  (test-error* "no time" '(out-of-range) (run-tasks (const 1) #:watchdog -1)))

;;; In numbers.

(test-case "a hundred thousand tasks"
  (test-equal "joined" 4999950000
    (in-tasks
     (fold (lambda (task sum) (+ sum (join task))) 0
           (map (lambda (i) (spawn (const i))) (iota 100000))))))

(test-case "a million timers set and cancelled"
  (let ((timers (heap:make-timers)) (fired 0))
    (define (add! i)
      (heap:timer-add! timers (modulo (* i 7919) 100003)
                       (lambda () (set! fired (1+ fired)))))
    (do ((i 0 (1+ i))) ((= i 100))
      (let ((all (map add! (iota 10000))))
        (for-each (lambda (timer) (heap:timer-cancel! timers timer)) all)))
    (test-equal "none left" 0 (heap:timers-count timers))
    (let ((all (map add! (iota 10000))))
      (for-each (lambda (timer i)
                  (when (odd? i) (heap:timer-cancel! timers timer)))
                all (iota 10000)))
    (heap:timers-expire! timers 100003)
    (test-equal "the others fired" 5000 fired)))

(test-case "collections and signals under load"
  (test-equal "rounds" 2000
    (let ((before (sigaction SIGUSR2)) (count 0))
      (sigaction SIGUSR2 (lambda (signum) (gc)))
      (in-tasks
       (let-ports ((s (unix-pair)))
         (spawn (lambda ()
                  (do ((i 0 (1+ i))) ((= i 2000))
                    (when (zero? (modulo i 50)) (kill (getpid) SIGUSR2))
                    (send (cdr s) "x")
                    (task-yield))))
         (do () ((= count 2000))
           (set! count (+ count (recv! (car s) bytes))))))
      (sigaction SIGUSR2 (car before) (cdr before))
      count)))

;;; Threads.

(test-case "a handler of a signal can end it all"
  (test-error* "raised" '(stop)
    (let ((before (sigaction SIGUSR2)))
      (sigaction SIGUSR2 (lambda (signum) (throw 'stop)))
      (dynamic-wind
        (const #f)
        (lambda ()
          (in-tasks
           (spawn (lambda () (sleep 0.02) (kill (getpid) SIGUSR2)))
           (sleep 10)))
        (lambda () (sigaction SIGUSR2 (car before) (cdr before)))))))

(test-case "from other threads"
  (in-tasks
   (let* ((loop (current-loop))
          (gate (make-channel))
          (sleeper (spawn (lambda () (sleep 10))))
          (thread (call-with-new-thread
                   (lambda ()
                     (let ((task (spawn (lambda () (channel-put gate 'in))
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
                 (if (= 1 (current-worker)) (error "no") (sleep 10)))
               #:workers 2))
  (test-equal "channels cross over" 5000
    (let ((channel (make-channel 4)))
      (run-tasks
       (lambda ()
         (if (zero? (current-worker))
             (let loop ((count 0))
               (if (eof-object? (channel-get channel))
                   count
                   (loop (1+ count))))
             (begin
               (do ((i 0 (1+ i))) ((= i 5000))
                 (channel-put channel i))
               (channel-close! channel))))
       #:workers 2))))

(test-case "outside of tasks a signal ends a sleep of whole seconds, as Guile's"
  (test-assert "some are left"
    (positive? (interrupted-after 0.02 (const #t) (lambda () (sleep 3))))))

(test-end "task")
