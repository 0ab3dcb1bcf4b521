;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Signals' handlers and other asyncs while tasks run, what waits below C code,
;;; threads begun in tasks, deadlines around whole loops, and forks.

(use-modules (harness)
             (harness socket)
             (harness task)
             (ice-9 atomic)
             (ice-9 binary-ports)
             (ice-9 control)
             (ice-9 match)
             (ice-9 suspendable-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (sockport channel)
             (sockport operation)
             (srfi srfi-1))

(test-begin "task-async")

(define core-dynamic-wind (@ (guile) dynamic-wind))

(define (signal-self)
  (kill (getpid) SIGUSR1))

(define (with-handler handler thunk)
  (let ((before (sigaction SIGUSR1)))
    (core-dynamic-wind
      (lambda () (sigaction SIGUSR1 handler))
      thunk
      (lambda () (sigaction SIGUSR1 (car before) (cdr before))))))

(define (async! thunk)
  (system-async-mark thunk (current-thread)))

(test-case "a handler that raises while all tasks sleep ends the loop"
  (test-eq "raised" 'raised
    (with-handler (lambda _ (raise-exception 'raised))
      (lambda ()
        (raised
         (lambda ()
           (in-tasks
            (spawn-task (lambda () (sleep 0.02) (signal-self) (sleep 1000)))
            (sleep 1000))))))))

(test-case "an async that raises leaves nothing undone"
  ;; The last is cancelled before it begins.
  (test-equal "each runs once" '(raised (1 1 0))
    (let* ((counts (make-vector 3 0))
           (exception
            (raised
             (lambda ()
               (in-tasks
                (for-each
                 (lambda (i)
                   (spawn-task
                    (lambda ()
                      (vector-set! counts i (+ 1 (vector-ref counts i)))
                      (when (= i 1)
                        (async! (lambda () (raise-exception 'raised)))
                        (task-yield)))))
                 (iota 3)))))))
      (list exception
            (match (vector->list counts)
              ;; The last began first.
              ((n 1 1) (if in-order? (list n 1 1) '(1 1 0)))
              ((0 1 n) (if in-order? (list 0 1 n) '(1 1 0)))
              (counts counts))))))

(test-case "a guard that raises when its task is left"
  (test-equal "the task has begun once" '(guard 1)
    (let* ((begun 0)
           (exception
            (raised
             (lambda ()
               (in-tasks
                (spawn-task
                 (lambda ()
                   (set! begun (+ begun 1))
                   (core-dynamic-wind
                     (const #t)
                     (lambda () (sleep 0.01))
                     (lambda () (raise-exception 'guard))))))))))
      (list exception begun))))

(test-case "cancel! in an async is never lost"
  (test-equal "cancelled" (make-list 200 'cancelled)
    (in-tasks
     (map (lambda (round)
            (let ((task (spawn-task
                         (lambda ()
                           (let ((self (current-task)))
                             (async! (lambda () (cancel! self)))
                             (let spin ((i 0))
                               (when (< i round) (spin (+ i 1))))
                             (if (even? round)
                                 (sleep 1000)
                                 (channel-get (make-channel))))))))
              (with-task-group
               (lambda (group)
                 (let wait ()
                   (when (eq? 'ready (task-state task))
                     (task-yield)
                     (wait)))))
              (task-state task)))
          (iota 200)))))

(test-case "timers survive asyncs that set others"
  (test-equal "all have passed" 300
    (in-tasks
     (let ((passed 0))
       (with-task-group
        (lambda (group)
          (for-each
           (lambda (i)
             (spawn-task
              (lambda ()
                (async! (lambda ()
                          (spawn-task (lambda ()
                                        (sleep 0.001)
                                        (set! passed (+ passed 1)))
                                      #:group group)))
                (sleep (* 0.0001 (modulo (* i 7919) 100)))
                (set! passed (+ passed 1))
                (with-deadline 10 (lambda () (set! passed (+ passed 1)))))))
           (iota 100))))
       passed))))

;; On a release that is not known, nothing tells that a handler runs.
(test-case "a handler cannot wait, and says so"
  (when (equal? (getenv "SOCKPORT_PLAIN_TASKS") "2")
    (skip "nothing is known of this Guile"))
  (define (in-handler thunk)
    (let ((result 'not-run))
      (with-handler
       (lambda _
         (set! result (catch #t thunk (lambda (key . args) key))))
       (lambda ()
         (in-tasks
          (signal-self)
          (let spin ((i 0))
            (when (and (eq? result 'not-run) (< i 100000000))
              (spin (+ i 1)))))))
      result))
  (test-eq "sleep" 'misc-error (in-handler (lambda () (sleep 0.01))))
  (test-eq "channel-get" 'misc-error
    (in-handler (lambda () (channel-get (make-channel)))))
  (test-eq "task-yield" 'misc-error (in-handler task-yield))
  (test-equal "what need not wait" 1
    (in-handler (lambda ()
                  (let ((channel (make-channel 1)))
                    (channel-put channel 1)
                    (channel-get channel))))))

(test-case "a handler may leave run-tasks"
  (test-eq "by an escape" 'left
    (let/ec k
      (with-handler (lambda _ (k 'left))
        (lambda ()
          (in-tasks (spawn-task (lambda () (sleep 0.01) (signal-self) (sleep 1000)))
                    (sleep 1000))))))
  (test-equal "and another begins" 1 (in-tasks (sleep 0.001) 1)))

;;; Below C code.

(test-case "below C code, deadlines hold"
  (let-ports ((pair (unix-pair)))
    (define table (make-hash-table))
    (hash-set! table 1 (car pair))
    (setvbuf (car pair) 'block 65536)
    (for-each
     (match-lambda
       ((name . proc)
        (test-eq name 'late
          (in-tasks
           (with-deadline 0.1
             (lambda () (hash-for-each (lambda (key port) (proc port)) table))
             (const 'late))))))
     `(("send" . ,(lambda (port) (send port (make-bytevector 4000000))))
       ("recv!" . ,(lambda (port) (recv! port bytes)))
       ;; libguile reads and writes by itself.
       ("read-char" . ,read-char)
       ("display" . ,(lambda (port) (display (make-string 400000 #\x) port)))
       ("force-output" . ,(lambda (port)
                            (put-u8 port 1)
                            (force-output port)))))
    (close-port (cdr pair))
    (false-if-exception (close-port (car pair)))))

;;; Threads.

(define (in-thread-of-task thunk)
  (in-tasks (let ((thread (call-with-new-thread
                           (lambda () (catch #t thunk list)))))
              (join-thread thread))))

(test-case "a thread begun in a task runs no tasks"
  (let-ports ((pair (unix-pair)))
    (test-eq "its deadlines hold" 'late
      (in-thread-of-task
       (lambda ()
         (with-deadline 0.05 (lambda () (recv! (car pair) bytes))
                        (const 'late)))))
    (test-eq "for channels too" 'late
      (in-thread-of-task
       (lambda ()
         (with-deadline 0.05 (lambda () (channel-get (make-channel)))
                        (const 'late)))))
    (test-equal "its sockets are blocking" 0
      (in-thread-of-task
       (lambda ()
         (let* ((sock (socket AF_INET SOCK_STREAM 0))
                (flags (fcntl sock F_GETFL)))
           (close-port sock)
           (logand flags O_NONBLOCK)))))
    (test-equal "and it can run its own" 7
      (in-thread-of-task (lambda () (run-tasks (lambda () (sleep 0.001) 7)))))))

(test-case "a thread's deadline ends the loop within"
  (test-eq "late" 'late
    (with-deadline 0.05
      (lambda () (in-tasks (spawn-task (lambda () (sleep 1000))) (sleep 1000)))
      (const 'late))))

(test-case "deadlines of a century"
  (for-each
   (lambda (seconds)
     (test-equal seconds 1
       (in-tasks (with-deadline seconds (lambda () (sleep 0.001) 1))))
     (test-equal (list seconds 'thread) 0
       (with-deadline seconds (lambda () (sleep 0.001)))))
   (list 2.4e9 1e12 (* 80 365 86400) 1e30)))

(test-case "with-deadline 0 never refuses what can be done at once"
  (let-ports ((pair (unix-pair)))
    (test-equal "100 of 100" 100
      (in-tasks
       (count (lambda (i)
                (send (cdr pair) #vu8(1))
                (with-deadline 0 (lambda () (recv! (car pair) bytes) #t)
                               (const #f)))
              (iota 100))))))

;;; Workers.

(define (limit-with free)
  "Return the limit of descriptors that leaves FREE of them."
  (let next ((fd 0) (free free))
    (if (zero? free)
        fd
        (next (+ fd 1)
              (if (catch 'system-error
                    (lambda () (fcntl fd F_GETFD) #t)
                    (const #f))
                  free
                  (- free 1))))))

;; A thread of Guile's takes two, a loop four.
(test-case "workers for which descriptors are short end with an error"
  (call-with-values (lambda () (getrlimit 'nofile))
    (lambda (soft hard)
      (core-dynamic-wind
        (lambda () (setrlimit 'nofile (limit-with 8) hard))
        (lambda ()
          (let ((begun? #f))
            (test-error* "raised" (list 'system-error EMFILE)
              (run-tasks (lambda () (set! begun? #t)) #:workers 2))
            (test-eq "none begins" #f begun?)))
        (lambda () (setrlimit 'nofile soft hard))))))

;;; Forks.  Guile ends its own thread for signals when it forks, so that descriptors
;;; cannot be counted here.

(let* ((stop? (make-atomic-box #f))
       (channel (make-channel 1))
       (busy (in-thread
              (lambda ()
                (let loop ()
                  (unless (atomic-box-ref stop?)
                    (channel-put channel 1)
                    (channel-get channel)
                    (loop)))))))
  (test-equal "in the child of a fork, channels work though others used them"
    (make-list 20 0)
    (map (lambda (round)
           (match (primitive-fork)
             (0 (let ((mine (make-channel 1)))
                  (channel-put mine 1)
                  (primitive-_exit (- (channel-get mine) 1))))
             (pid (status:exit-val (cdr (waitpid pid))))))
         (iota 20)))
  (atomic-box-set! stop? #t)
  (join-thread busy))

(test-end "task-async")
