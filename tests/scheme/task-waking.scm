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
         (left (in-waiting-thread (lambda () (channel-get channel)))))
    (cancel-thread left)
    (join-thread left)
    (let ((getter (in-thread (lambda () (channel-get channel)))))
      (channel-put channel 'value)
      (test-eq "by cancel-thread" 'value (join-thread getter)))))

(test-case "a thread is woken by a task whose turn is over"
  (let-ports ((pair (unix-pair)))
    (let* ((channel (make-channel))
           (getter (in-waiting-thread (lambda () (channel-get channel)))))
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
            (in-waiting-thread
             (lambda ()
               (call-with-values (lambda () (getrlimit 'nofile))
                 (lambda (soft hard)
                   (dynamic-wind
                     (lambda () (setrlimit 'nofile 3 hard))
                     (lambda () (list (channel-get channel)))
                     (lambda () (setrlimit 'nofile soft hard)))))))))
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

(test-case "wait-first prefers neither channels nor descriptors"
  (let-ports ((pair (unix-pair)))
    (send (cdr pair) #vu8(1))
    (let ((channel (make-channel 1)))
      (test-equal "each comes in its turn" '(#t #t)
        (let ((taken (in-tasks
                      (map (lambda (round)
                             (channel-try-put channel 'channel)
                             (wait-first (get-operation channel)
                                         (readable-operation (car pair))))
                           (iota 100)))))
          (list (and (memq 'channel taken) #t)
                (and (memq (car pair) taken) #t)))))))

;;; Waiters that are called before anything was tried.

(test-case "events are looked for after a turn in which much was moved"
  (let-ports ((through (unix-pair)) (bell (unix-pair)))
    (let ((much (make-bytevector 65536)) (heard? #f))
      (define (moved times)
        (if (or heard? (= times 400))
            times
            (let receive ((left (send (car through) much)))
              (if (positive? left)
                  (receive (- left (recv! (cdr through) much)))
                  (moved (+ times 1))))))
      (test-assert "not after 64 such turns"
        (< (in-tasks
            (spawn-task (lambda ()
                          (recv! (cdr bell) bytes)
                          (set! heard? #t)))
            (task-yield)
            (send (car bell) #vu8(1))
            (moved 0))
           ;; In chaos few turns are long enough for that.
           (if in-order? 10 400))))))

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
                                    (lambda () (sleep 1000))
                                    #:unwind? #t)))
                    (task-yield)
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

(test-end "task-waking")
