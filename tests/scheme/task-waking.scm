;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Whoever waits is woken, once: by what it waits for, by a close, a deadline, a
;;; cancellation; and whoever leaves a wait by another way is out of its queue.

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

(test-begin "task-waking")

(define (errno-of thunk)
  (catch 'system-error thunk
    (lambda args (system-error-errno args))))

;;; Closing.

(test-case "a close from another thread wakes a task, in every round"
  (test-equal "EBADF" (make-list 100 EBADF)
    (in-tasks
     (map (lambda (round)
            (let* ((pair (unix-pair))
                   (closer (spawn-task
                            (lambda ()
                              (task-yield)
                              (call-with-new-thread
                               (lambda () (close-port (car pair))))))))
              (let ((errno (errno-of (lambda () (recv! (car pair) bytes)))))
                (join-thread (join closer))
                (close-port (cdr pair))
                errno)))
          (iota 100)))))

(test-case "a close that has to wait wakes the others at once"
  (let-ports ((pair (unix-pair)))
    (let ((big (make-bytevector (* 2 1024 1024) 1)))
      (test-equal "EBADF, and all is sent" (list EBADF (bytevector-length big))
        (in-tasks
         (setvbuf (car pair) 'block (* 4 1024 1024))
         (put-bytevector (car pair) big)
         (let* ((reader (spawn-task
                         (lambda ()
                           (errno-of (lambda () (recv! (car pair) bytes))))))
                (closer (spawn-task (lambda ()
                                      (task-yield)
                                      (close-port (car pair)))))
                (errno (join reader))
                (there (make-bytevector 65536)))
           (let drain ((sum 0))
             (match (recv! (cdr pair) there)
               (0 (join closer) (list errno sum))
               (n (drain (+ sum n)))))))))))

(test-case "close-port may be the core's"
  (let* ((variable (module-variable (resolve-module '(guile)) 'close-port))
         (before (variable-ref variable)))
    (dynamic-wind
      (lambda () (variable-set! variable close-port))
      (lambda ()
        (let ((pair (unix-pair)))
          (test-equal "closed" '(#t #t)
            (list (close-port (car pair)) (close-port (cdr pair))))))
      (lambda () (variable-set! variable before)))))

;;; Leaving a channel.

(define (leave-by-escape channel)
  (let/ec k
    (interrupted-after 0.05 (lambda _ (k 'left))
                       (lambda () (channel-get channel)))))

(test-case "a thread that leaves channel-get is given nothing"
  (let ((channel (make-channel)))
    (test-eq "by an escape" 'left (leave-by-escape channel))
    (gc)
    (let ((getter (in-thread (lambda () (channel-get channel)))))
      (channel-put channel 'value)
      (test-eq "the next gets it" 'value (join-thread getter))))
  (let* ((channel (make-channel))
         (left (in-thread (lambda () (channel-get channel)))))
    (usleep 20000)
    (cancel-thread left)
    (join-thread left)
    (let ((getter (in-thread (lambda () (channel-get channel)))))
      (channel-put channel 'value)
      (test-eq "by cancel-thread" 'value (join-thread getter)))))

(test-case "a thread is woken by a task whose turn is over"
  (let-ports ((pair (unix-pair)))
    (let* ((channel (make-channel))
           (getter (in-thread (lambda () (channel-get channel)))))
      (usleep 20000)
      (for-each
       (lambda (count)
         (in-tasks
          (for-each (lambda (i)
                      (send (car pair) #vu8(1))
                      (recv! (cdr pair) bytes))
                    (iota count))
          (when (= count 16) (channel-put channel 'value))))
       '(15 16))
      (test-eq "value" 'value (join-thread getter)))))

(test-case "no descriptor is needed to wait for a channel"
  (test-equal "value" '(value)
    (let* ((channel (make-channel))
           (getter
            (in-thread
             (lambda ()
               (call-with-values (lambda () (getrlimit 'nofile))
                 (lambda (soft hard)
                   (dynamic-wind
                     (lambda () (setrlimit 'nofile 3 hard))
                     (lambda () (list (channel-get channel)))
                     (lambda () (setrlimit 'nofile soft hard)))))))))
      (usleep 20000)
      (channel-put channel 'value)
      (join-thread getter))))

(test-case "arguments are looked at before anything is locked"
  (test-error* "put" '(wrong-type-arg 1 "channel-put")
    (channel-put 1 (make-channel 1)))
  (test-error* "get" '(wrong-type-arg 1 "channel-get") (channel-get 1))
  (test-error* "try" '(wrong-type-arg 1 "channel-try-put") (channel-try-put 1 2))
  (test-error* "try" '(wrong-type-arg 1 "channel-try-get") (channel-try-get 1))
  (test-error* "close" '(wrong-type-arg 1 "channel-close!") (channel-close! 1))
  (test-error* "put-operation" '(wrong-type-arg 1 "put-operation")
    (put-operation 1 2))
  (test-error* "get-operation" '(wrong-type-arg 1 "get-operation")
    (get-operation 1))
  (test-error* "event-set!" '(wrong-type-arg 1 "event-set!") (event-set! 1))
  (test-error* "event-clear!" '(wrong-type-arg 1 "event-clear!") (event-clear! 1))
  (test-error* "event-wait" '(wrong-type-arg 1 "event-wait") (event-wait 1))
  (test-error* "event-operation" '(wrong-type-arg 1 "event-operation")
    (event-operation 1))
  (test-error* "join" '(wrong-type-arg 1 "join") (in-tasks (join 1)))
  (test-error* "join-operation" '(wrong-type-arg 1 "join-operation")
    (join-operation 1))
  (test-error* "cancel!" '(wrong-type-arg 1 "cancel!") (cancel! 1))
  (test-error* "readable" '(wrong-type-arg 1 "readable-operation")
    (readable-operation 1))
  (test-error* "wait-first" '(wrong-type-arg 2 "wait-first")
    (wait-first (sleep-operation 0) 2))
  (test-error* "nothing to wait for" '(misc-error) (wait-first))
  (test-error* "a signal" '(out-of-range 1 "unwatch-signal!")
    (unwatch-signal! 65))
  (let ((channel (make-channel 1)))
    (channel-put channel 1)
    (test-equal "nothing is locked" 1 (channel-get channel))))

(test-case "channels and events are equal to themselves alone"
  (test-equal "channels" '(#f #t)
    (let ((a (make-channel)) (b (make-channel)))
      (list (equal? a b) (equal? a a))))
  (test-equal "events" #f (equal? (make-event) (make-event)))
  (test-equal "tasks that have ended" #f
    (in-tasks
     (let ((a (spawn-task (const #t) #:name 'x))
           (b (spawn-task (const #t) #:name 'x)))
       (join a)
       (join b)
       (equal? a b)))))

(test-case "wait-first takes what stands first"
  (let-ports ((pair (unix-pair)))
    (send (cdr pair) #vu8(1))
    (let ((channel (make-channel 1)))
      (channel-put channel 'channel)
      (test-equal "a channel before a descriptor" 'channel
        (in-tasks (wait-first (get-operation channel)
                              (readable-operation (car pair))))))))

;;; Waiters that are called before anything was tried.

(test-case "a waiter returns when there is something left"
  (let-ports ((pair (tcp-pair)))
    (test-equal "read" 4
      (in-tasks
       (spawn-task (lambda () (task-yield) (send (cdr pair) (make-bytevector 8 1))))
       ((current-read-waiter) (car pair))
       (recv! (car pair) (make-bytevector 4))
       ((current-read-waiter) (car pair))
       (recv! (car pair) (make-bytevector 9))))
    (test-assert "write, again and again"
      (in-tasks
       (for-each (lambda (i) ((current-write-waiter) (car pair))) (iota 5))
       #t))))

(test-case "two ports on one descriptor do not wake each other for ever"
  (let-ports ((pair (unix-pair)))
    (let ((twin (fdopen (fileno (car pair)) "r+0")))
      (test-assert "little work"
        (< (cpu-seconds
            (lambda ()
              (in-tasks
               (let* ((read (lambda (port)
                              (spawn-task (lambda () (recv! port bytes)))))
                      (a (read (car pair)))
                      (b (read twin)))
                 (sleep 0.5)
                 (send (cdr pair) #vu8(1))
                 (sleep 0.05)
                 (send (cdr pair) #vu8(1))
                 (join a)
                 (join b)))))
           0.25))
      (set-port-revealed! twin 1))))

;;; The end.

(test-case "a task that is cancelled before it begins does not run"
  (test-equal "state" '(cancelled #f)
    (in-tasks
     (let* ((ran? #f)
            (task (spawn-task (lambda () (set! ran? #t)))))
       (cancel! task)
       (task-yield)
       (list (task-state task) ran?)))))

(test-case "errors that are no conditions are kept"
  (let ((exception
         (raised (lambda ()
                   (in-tasks
                    (spawn-task (lambda ()
                                  (with-exception-handler
                                      (lambda (cancelled) (raise-exception 'b))
                                    (lambda () (sleep 10))
                                    #:unwind? #t)))
                    (spawn-task (lambda () (raise-exception 'a))))))))
    (test-equal "the others" '(b) (task-errors-others exception))
    (test-equal "the first" '(a) (caddr (exception-args exception))))
  (test-equal "a list is one too" '(1 2)
    (raised (lambda ()
              (in-tasks (with-task-group (lambda (g) (raise-exception '(1 2)))))))))

(test-case "#:on-end that raises"
  (test-equal "is called once, and raised" '(1 end)
    (let* ((calls 0)
           (exception
            (raised
             (lambda ()
               (in-tasks
                (spawn-task (const #t)
                            #:on-end (lambda (exception)
                                       (set! calls (+ calls 1))
                                       (raise-exception 'end))))))))
      (list calls exception))))

(test-case "a loop that has ended takes no tasks"
  (let ((loop (in-tasks (current-loop))))
    (test-error* "from a thread" '(misc-error)
      (spawn-task (const #t) #:loop loop))
    (test-error* "from a task" '(misc-error)
      (in-tasks (spawn-task (const #t) #:loop loop)))
    (test-error* "from another thread" '(misc-error)
      (match (join-thread
              (in-thread (lambda ()
                           (catch 'misc-error
                             (lambda () (spawn-task (const #t) #:loop loop))
                             list))))
        ((key . args) (apply throw key args))))))

;;; Semaphores and threads.

(test-case "semaphores"
  (test-equal "one at a time" '(1 10)
    (let ((semaphore (make-semaphore)) (inside 0) (most 0) (done 0))
      (in-tasks
       (for-each
        (lambda (i)
          (spawn-task
           (lambda ()
             (call-with-semaphore semaphore
               (lambda ()
                 (set! inside (+ inside 1))
                 (set! most (max most inside))
                 (task-yield)
                 (set! inside (- inside 1))
                 (set! done (+ done 1)))))))
        (iota 10)))
      (list most done)))
  (test-equal "tried, released" '(#t #t #f #t)
    (let* ((semaphore (make-semaphore))
           (first (semaphore-try-acquire! semaphore))
           (second (semaphore-try-acquire! semaphore)))
      (semaphore-release! semaphore)
      (semaphore-acquire! semaphore)
      (semaphore-release! semaphore)
      (list (semaphore? semaphore) first second
            (semaphore-try-acquire! semaphore))))
  (test-equal "threads too" 'ran
    (let* ((semaphore (make-semaphore 0))
           (thread (in-thread (lambda ()
                                (call-with-semaphore semaphore (const 'ran))))))
      (semaphore-release! semaphore)
      (join-thread thread)))
  (test-equal "who leaves is not given it" #t
    (let ((semaphore (make-semaphore 0)))
      (in-tasks
       (let ((waiter (spawn-task (lambda () (semaphore-acquire! semaphore)))))
         (task-yield)
         (cancel! waiter)
         (semaphore-release! semaphore)
         (semaphore-try-acquire! semaphore)))))
  (test-error* "count" '(out-of-range 1 "make-semaphore") (make-semaphore -1))
  (test-error* "no semaphore" '(wrong-type-arg 1 "semaphore-acquire!")
    (semaphore-acquire! 1)))

(test-case "call-in-thread"
  (test-equal "others run meanwhile" '(5 (1 2))
    (in-tasks
     (let* ((ticks 0)
            (ticker (spawn-task (lambda ()
                                  (for-each (lambda (i)
                                              (sleep 0.001)
                                              (set! ticks (+ ticks 1)))
                                            (iota 5)))))
            (values (call-with-values
                        (lambda ()
                          (call-in-thread
                           (lambda ()
                             (wait-until (lambda () (= ticks 5)))
                             (values 1 2))))
                      list)))
       (list ticks values))))
  (test-eq "raises" 'it
    (raised (lambda () (in-tasks (call-in-thread (lambda () (raise-exception 'it)))))))
  (test-equal "outside of tasks" 3 (call-in-thread (const 3)))
  (test-error* "no procedure" '(wrong-type-arg 1 "call-in-thread")
    (call-in-thread 3)))

;;; Nothing is lost.

(define (in-pieces pair . pieces)
  (spawn-task (lambda ()
                (for-each (lambda (piece)
                            (send (cdr pair) piece)
                            (sleep 0.03))
                          pieces))))

(define (interrupted-then pair thunk)
  "Call THUNK with a deadline until it has not passed; return its value."
  (in-tasks
   (in-pieces pair "ab" "c\xc3" "\xa9d")
   (let again ((tries 100))
     (with-deadline 0.005 thunk
                    (lambda () (if (zero? tries) 'never (again (- tries 1))))))))

(test-case "a deadline loses nothing that was received"
  (define (with-port proc)
    (let-ports ((pair (unix-pair)))
      (set-port-encoding! (car pair) "UTF-8")
      (interrupted-then pair (lambda () (proc (car pair))))))
  (test-equal "read-string" "abcéd"
    (with-port (lambda (port) ((@ (ice-9 rdelim) read-string) port 5))))
  (test-equal "get-string-n" "abcéd"
    (with-port (lambda (port) ((@ (ice-9 textual-ports) get-string-n) port 5))))
  (test-equal "read-delimited" "abc"
    (with-port (lambda (port) ((@ (ice-9 rdelim) read-delimited) "é" port))))
  (test-equal "MSG_WAITALL" '(2 "ab")
    (let-ports ((pair (unix-pair)))
      (let ((buffer (make-bytevector 4)))
        (in-tasks
         (send (cdr pair) "ab")
         (let ((count (with-deadline 0.02
                        (lambda () (recv! (car pair) buffer MSG_WAITALL)))))
           (list count (substring (utf8->string buffer) 0 count)))))))
  (test-equal "force-output" 1000000
    (let-ports ((pair (unix-pair)))
      (in-tasks
       (setvbuf (car pair) 'block 2000000)
       (put-bytevector (car pair) (make-bytevector 1000000 1))
       (with-deadline 0.02 (lambda () (force-output (car pair))) (const 'late))
       (spawn-task (lambda () (close-port (car pair))))
       (let ((buffer (make-bytevector 65536)))
         (let drain ((sum 0))
           (match (recv! (cdr pair) buffer)
             (0 sum)
             (n (drain (+ sum n))))))))))

(test-case "another file under a watched number"
  (let-ports ((one (unix-pair)) (two (unix-pair)))
    (test-equal "what waits looks again" 1
      (in-tasks
       (let ((reader (spawn-task (lambda () (recv! (car one) bytes)))))
         (task-yield)
         (send (cdr two) #vu8(1))
         (dup2 (fileno (car two)) (fileno (car one)))
         (join reader))))))

(test-case "connect tries again after it was refused"
  (define port
    (let-ports ((listener (tcp-listener)))
      (sockaddr:port (getsockname listener))))
  (define (refusals)
    (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
      (map (lambda (i)
             (errno-of (lambda ()
                         (connect sock AF_INET INADDR_LOOPBACK port))))
           (iota 4))))
  (test-equal "in a thread" (make-list 4 ECONNREFUSED) (refusals))
  (test-equal "in a task" (make-list 4 ECONNREFUSED) (in-tasks (refusals))))

(test-end "task-waking")
