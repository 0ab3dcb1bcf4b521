;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Loops among other loops, threads, signals and processes: none hangs because
;;; another ends, lacks something or was forked.

(use-modules (harness)
             (harness apart))

(test-begin "runtime-faults-loop")

;;; Other loops.

(test-case "spawning into a loop that is ending"
  (test-equal "a task that has ended, or an error" (rounds 200)
    (apart
     (define (round i)
       (define box (make-atomic-box #f))
       (define runner
         (call-with-new-thread
          (lambda ()
            (in-tasks
             (atomic-box-set! box (current-loop))
             (spin (* 5 (modulo (* i 37) 300)))))))
       (let wait () (unless (atomic-box-ref box) (wait)))
       (spin (* 3 (modulo (* i 53) 500)))
       (let ((how (error-key
                   (lambda ()
                     (join (spawn-task (const 1) #:loop (atomic-box-ref box)))))))
         (join-thread runner)
         (unless (memq how '(nothing misc-error task-cancelled))
           (throw 'unexpected how))
         how))
     (length (map round (iota (rounds 200))))))
  (test-equal "from a task of another loop" (rounds 100)
    (apart
     (define (round i)
       (define box (make-atomic-box #f))
       (define runner
         (call-with-new-thread
          (lambda ()
            (in-tasks
             (atomic-box-set! box (current-loop))
             (spin (* 5 (modulo (* i 37) 300)))))))
       (let wait () (unless (atomic-box-ref box) (wait)))
       (let ((how (in-tasks
                   (error-key
                    (lambda ()
                      (join (spawn-task (const 1)
                                        #:loop (atomic-box-ref box))))))))
         (join-thread runner)
         (unless (memq how '(nothing misc-error task-cancelled))
           (throw 'unexpected how))
         how))
     (length (map round (iota (rounds 100)))))))

;; Guile itself aborts where it has none for a new thread.
(test-case "workers without descriptors do not hang"
  (for-each
   (lambda (free)
     (test-equal (list free 'free) '(24 1)
       (one-of
        '((24 1) (nothing 1) (ended 6 ""))
        (run-apart
         `((setrlimit 'nofile 40 40)
           (define spare
             (let loop ((fds '()))
               (match (false-if-exception (open-fdes "/dev/null" O_RDONLY))
                 (#f fds)
                 (fd (loop (cons fd fds))))))
           (for-each close-fdes (list-head spare ,free))
           (let ((how (error-key (lambda () (run-tasks (const 1) #:workers 2)))))
             (for-each close-fdes (list-tail spare ,free))
             (list how (run-tasks (const 1)))))))))
   (iota 10)))

;;; Signals.

(test-case "no signal is lost"
  (test-equal "one after the other, to another thread" (rounds 300)
    (apart
     (define got (make-atomic-box 0))
     (watch-signal! SIGUSR1)
     (define waiter
       (call-with-new-thread
        (lambda ()
          (let loop ((n 0))
            (unless (= n (rounds 300))
              (wait-signal SIGUSR1)
              (atomic-box-set! got (+ n 1))
              (loop (+ n 1)))))))
     (let loop ((n 0))
       (unless (= n (rounds 300))
         (kill (getpid) SIGUSR1)
         (let wait ()
           (unless (> (atomic-box-ref got) n)
             (spin 10)
             (wait)))
         (loop (+ n 1))))
     (join-thread waiter)
     (atomic-box-ref got)))
  (test-equal "to a task" (rounds 300)
    (apart
     (watch-signal! SIGUSR1)
     (in-tasks
      (let ((got 0))
        (spawn-task (lambda ()
                      (let loop ()
                        (unless (= got (rounds 300))
                          (wait-signal SIGUSR1)
                          (set! got (+ got 1))
                          (loop)))))
        (let loop ((n 0))
          (unless (= n (rounds 300))
            (spin (* 7 (modulo (* n 37) 100)))
            (kill (getpid) SIGUSR1)
            (let wait () (unless (> got n) (task-yield) (wait)))
            (loop (+ n 1))))
        got)))))

(test-case "the watchdog"
  (test-equal "leaves usleep alone" 0
    (apart
     (run-tasks (lambda () (usleep 300000))
                #:watchdog 0.05 #:on-stuck (const #t))))
  (test-equal "prints where the task is" '(#t #t #t)
    (apart
     (define print-stuck (@@ (sockport task watchdog) print-stuck))
     (define told #f)
     (define (busy-with-something)
       (let loop ((n 0)) (if told n (loop (+ n 1)))))
     (define (text-after seconds)
       (set! told #f)
       (call-with-output-string
         (lambda (port)
           (run-tasks
            (lambda () (+ 1 (busy-with-something)))
            #:watchdog seconds
            #:on-stuck
            (lambda (task stack)
              (parameterize ((current-error-port port))
                (print-stuck task stack))
              (set! told #t))))))
     ;; All frames, to the innermost, if the loop's thread runs in half of that time.
     (let again ((seconds 0.05))
       (let* ((text (text-after seconds))
              (whole? (->bool (string-contains text " 0 ("))))
         (if (or whole? (> seconds 10))
             (list (string-prefix? "#<task main ready> has not waited" text) whole?
                   (not (string-contains text "In procedure")))
             (again (* 4 seconds)))))))
  (test-equal "and what it can of frames that an async has left half-way" #t
    (apart
     (define print-stuck (@@ (sockport task watchdog) print-stuck))
     (define stack #f)
     (system-async-mark (lambda () (set! stack (make-stack #t 0))))
     (let wait ()
       (unless stack (wait)))
     (->bool
      (string-contains
       (call-with-output-string
         (lambda (port)
           (parameterize ((current-error-port port))
             (print-stuck 'task stack))))
       " 0 (")))))

;;; Forks.

(test-case "after a fork"
  (test-equal "the child's descriptors are its own" 'kept
    (apart
     (define pair (unix-pair))
     ;; So that there is something to be inherited.
     (define (exchange pair)
       (let ((thread (call-with-new-thread
                      (lambda () (usleep 20000) (send (cdr pair) "x")))))
         (recv! (car pair) (make-bytevector 1))
         (join-thread thread)))
     (exchange pair)
     (in-tasks (spawn-task (lambda () (usleep 1000) (send (cdr pair) "x")))
               (recv! (car pair) (make-bytevector 1)))
     (match (primitive-fork)
       (0
        ;; As a daemon would.
        (do ((fd 3 (+ fd 1))) ((= fd 64))
          (false-if-exception (close-fdes fd)))
        (let ((own (map (lambda (_) (open-fdes "/dev/null" O_RDONLY))
                        (iota 40)))
              (pair (unix-pair)))
          (in-tasks
           (spawn-task (lambda () (sleep 0.01) (send (cdr pair) "x")))
           (recv! (car pair) (make-bytevector 1)))
          (let ((kept? (every (lambda (fd)
                                (false-if-exception (fcntl fd F_GETFD)))
                              own)))
            (primitive-_exit (if kept? 0 1)))))
       (pid (match (status:exit-val (cdr (waitpid pid)))
              (0 'kept)
              (status status))))))
  (test-equal "no lock is held by who is not there" (rounds 50)
    (apart
     ;; Guile's own thread for finalizers, woken by a collection in the middle of a
     ;; fork, can wait for a lock that the fork holds until that thread has ended.
     (gc-disable)
     (define over? (make-atomic-box #f))
     ;; What makes a procedure while it runs can meet a lock of Guile's interpreter.
     (define (pass! channel times)
       (unless (zero? times)
         (channel-put channel 1)
         (channel-get channel)
         (pass! channel (- times 1))))
     (define (pass-on)
       (unless (atomic-box-ref over?)
         (pass! (make-channel 1) 100)
         (pass-on)))
     ;; Channels share locks: so many of them use each.  No handler: Guile makes a thread
     ;; for signals then, which can meet a lock of its own that another thread held.
     (define (pass-each channels)
       (unless (zero? channels)
         (pass! (make-channel 1) 1)
         (pass-each (- channels 1))))
     (define (passes? pid limit! end)
       (if (eqv? pid 0)
           (begin (limit! 5) (pass-each 500) (end 0))
           (eqv? 0 (status:exit-val (cdr (waitpid pid))))))
     (define limit! alarm)
     (define end primitive-_exit)
     ;; Names are looked up, under a lock of Guile's, where they are met first: here.
     (passes? 0 identity identity)
     (let* ((threads (map (lambda (_) (call-with-new-thread pass-on)) '(1 2)))
            (passed (let loop ((n 0))
                      (if (and (< n (rounds 50))
                               (passes? (parameterize ((current-warning-port
                                                        (%make-void-port "w")))
                                          (primitive-fork))
                                        limit! end))
                          (loop (+ n 1))
                          n))))
       (atomic-box-set! over? #t)
       (for-each join-thread threads)
       passed))))

;;; Threads and deadlines.

(test-case "a thread begun in a task waits for itself"
  (test-equal "its deadline ends its wait" 'deadline-exceeded
    (apart
     (define pair (unix-pair))
     (in-tasks
      (let ((thread
             (call-with-new-thread
              (lambda ()
                (error-key
                 (lambda ()
                   (with-deadline 0.05
                     (lambda () (recv! (car pair) (make-bytevector 1))))))))))
        (let wait ()
          (unless (thread-exited? thread) (sleep 0.01) (wait)))
        (join-thread thread)))))
  (test-equal "its sockets are a plain thread's" 0
    (apart
     (in-tasks
      (let ((thread
             (call-with-new-thread
              (lambda ()
                (logand O_NONBLOCK
                        (fcntl (socket AF_UNIX SOCK_STREAM 0) F_GETFL))))))
        (let wait ()
          (unless (thread-exited? thread) (sleep 0.01) (wait)))
        (join-thread thread))))))

(test-case "deadlines of every length, everywhere"
  (test-equal "0 lets be done what need not wait" 100
    (apart
     (define pair (unix-pair))
     (send (cdr pair) (make-bytevector 100))
     (in-tasks
      (let loop ((i 0))
        (if (= i 100)
            i
            (begin
              (with-deadline 0
                (lambda () (recv! (car pair) (make-bytevector 1))))
              (loop (+ i 1))))))))
  (test-equal "a century" '(1 1)
    (apart
     (in-tasks
      (list (with-deadline 3e9 (lambda () (sleep 0.001) 1))
            (with-deadline 4e9 (lambda () (sleep 0.001) 1))))))
  (test-equal "a thread's holds for the tasks that it runs" 'expired
    (apart
     (with-deadline 0.05
       (lambda () (in-tasks (sleep 1000)))
       (lambda () 'expired))))
  (test-equal "and for a server" 'expired
    (apart
     (with-deadline 0.05
       (lambda ()
         (serve "127.0.0.1:0" (lambda (sock peer) (sleep 1000))))
       (lambda () 'expired)))))

(test-end "runtime-faults-loop")
