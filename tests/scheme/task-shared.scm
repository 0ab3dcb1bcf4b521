;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What tasks share with each other and with threads: semaphores, call-in-thread,
;;; ports of which a deadline must lose nothing.

(use-modules (harness)
             (harness socket)
             (harness task)
             (ice-9 binary-ports)
             (ice-9 control)
             (ice-9 exceptions)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (sockport channel)
             (sockport operation)
             ((sockport task loop) #:select (task-interrupt))
             (srfi srfi-1))

(test-begin "task-shared")

(define (errno-of thunk)
  (catch 'system-error thunk
    (lambda args (system-error-errno args))))

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
  (test-equal "given back by who fails, and not by who escapes" '(#t #f)
    (map (lambda (leave)
           (let ((semaphore (make-semaphore)))
             (leave semaphore)
             (semaphore-try-acquire! semaphore)))
         (list (lambda (semaphore)
                 (false-if-exception
                  (call-with-semaphore semaphore (lambda () (error "no")))))
               (lambda (semaphore)
                 (let/ec out
                   (call-with-semaphore semaphore (lambda () (out #f))))))))
  (test-equal "who leaves is not given it" #t
    (let ((semaphore (make-semaphore 0)))
      (in-tasks
       (let ((waiter (spawn-task (lambda () (semaphore-acquire! semaphore)))))
         (task-yield)
         (cancel! waiter)
         (semaphore-release! semaphore)
         (semaphore-try-acquire! semaphore)))))
  (test-equal "it is handed on, so that nobody comes in between" '(#f had)
    (let ((semaphore (make-semaphore 0)))
      (in-tasks
       (let ((waiter (spawn-task (lambda () (semaphore-acquire! semaphore) 'had))))
         (do ((i 0 (+ i 1))) ((= i 5)) (task-yield))
         (semaphore-release! semaphore)
         (let ((between (semaphore-try-acquire! semaphore)))
           (list between (join waiter)))))))
  (test-equal "an error gives it back" '(misc-error #t)
    (let ((semaphore (make-semaphore)))
      (list (catch 'misc-error
              (lambda () (call-with-semaphore semaphore (lambda () (error "no"))))
              (lambda (key . args) key))
            (semaphore-try-acquire! semaphore))))
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

;; A task and what it waits in are changed by the thread of its loop alone.
(test-case "what another thread asks of a loop is done in its turn"
  (test-equal "cancel!" '(#f #t)
    (in-tasks
     (let ((sleeper (spawn-task (lambda () (sleep 1000)))))
       (task-yield)
       (join-thread (call-with-new-thread (lambda () (cancel! sleeper))))
       (let ((at-once (task-interrupt sleeper)))
         (list at-once
               (guard (e ((task-cancelled? e) #t)) (join sleeper)))))))
  (test-error* "a group of its tasks is not for others" '(misc-error)
    (in-tasks
     (with-task-group
      (lambda (group)
        (call-in-thread
         (lambda () (in-tasks (spawn-task (const 1) #:group group)))))))))

(test-case "a loop that ends answers all who ask something of it"
  (test-equal "each is told" '(misc-error misc-error misc-error)
    (map join-thread
         (in-tasks
          (let* ((loop (current-loop))
                 (ask (lambda (_)
                        (call-with-new-thread
                         (lambda ()
                           (catch #t
                             (lambda () (join (spawn-task (const 1) #:loop loop)))
                             (lambda (key . args) key))))))
                 (threads (map ask (iota 3))))
            ;; It takes what they ask for when it looks for events, and so not any more.
            (wait-until-asleep threads)
            threads)))))

;;; What was there before an interruption counts; the next wait meets that.
(define (given-then-cancelled wait give)
  "Have a task WAIT for what (GIVE) gives it, and cancel it before it goes on; return what
it got, and how its next wait ended."
  (in-tasks
   (let* ((got 'nothing)
          (task (spawn-task (lambda ()
                              (set! got (wait))
                              (guard (e ((task-cancelled? e) (list got 'cancelled)))
                                (sleep 1000))))))
     (do ((i 0 (+ i 1))) ((= i 5)) (task-yield))
     (give)
     (cancel! task)
     (join task))))

(test-case "who was given something before it was cancelled has it"
  (let ((channel (make-channel)) (event (make-event)) (gate (make-channel)))
    (test-equal "of a channel" '(value cancelled)
      (given-then-cancelled (lambda () (channel-get channel))
                            (lambda () (channel-put channel 'value))))
    (test-equal "to a channel" '(put cancelled)
      (given-then-cancelled (lambda () (channel-put channel 'value) 'put)
                            (lambda () (channel-get channel))))
    (test-equal "an event" '(#t cancelled)
      (given-then-cancelled (lambda () (event-wait event))
                            (lambda () (event-set! event))))
    (test-equal "of a choice" '(value cancelled)
      (given-then-cancelled (lambda ()
                              (wait-first (sleep-operation 1000) (get-operation channel)))
                            (lambda () (channel-put channel 'value))))
    (test-equal "the end of a task" '(ended cancelled)
      (let ((other #f))
        (given-then-cancelled
         (lambda ()
           (set! other (spawn-task (lambda () (channel-get gate) 'ended)))
           (join other))
         (lambda ()
           (channel-put gate 'go)
           (let wait ()
             (unless (eq? 'done (task-state other))
               (task-yield)
               (wait)))))))))

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

;; What is full by poll's measure can still be written to: a port procedure that took
;; an attempt for one that would block would wait for ever.
(test-case "after a loop, nothing is put off for the sake of other tasks"
  (let-ports ((pair (unix-pair)))
    (test-equal "bytes" 40
      (begin
        (in-tasks 1)
        (let ((filler (make-bytevector 60000)))
          (send (car pair) filler)
          (for-each (lambda (i) (put-u8 (car pair) 1)) (iota 40))
          (let drain ((left (bytevector-length filler)))
            (if (zero? left)
                (recv! (cdr pair) (make-bytevector 40) MSG_WAITALL)
                (drain (- left (recv! (cdr pair)
                                      (make-bytevector left)))))))))))

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

(test-case "a socket that was made in a task waits in a thread once it is told to"
  (test-equal "refused, then received" (list EAGAIN 1)
    (in-tasks
     (let-ports ((s (unix-pair)))
       (define (receive) (call-in-thread (lambda () (recv! (car s) (make-bytevector 9)))))
       (let* ((refused (catch 'system-error receive
                              (lambda args (system-error-errno args))))
              (task (begin
                      (set-nonblocking! (car s) #f)
                      (spawn-task receive))))
         (sleep 0.01)
         (send (cdr s) "x")
         (list refused (join task)))))))

(test-end "task-shared")
