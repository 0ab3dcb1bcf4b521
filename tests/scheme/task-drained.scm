;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a task receives after it has read all that there was, by Sockport's procedures
;;; and by Guile's own of ports.

(use-modules (harness)
             (harness socket)
             (harness task)
             (ice-9 binary-ports)
             (ice-9 control)
             (ice-9 suspendable-ports)
             (ice-9 textual-ports)
             (ice-9 threads)
             ((rnrs bytevectors) #:select (bytevector-length))
             (sockport))

(test-begin "task-drained")

;;; After a short read a TCP socket counts as empty until the poller says more.
(define (recv-count sock)
  (recv! sock bytes))

(define (port-count sock)
  (let ((some (get-bytevector-some sock)))
    (if (eof-object? some) 0 (bytevector-length some))))

(define (test-after-short-reads receive)
  (define (received . acts)
    "Do ACTS, each after a receive; return what the receives gave."
    (let-ports ((s (tcp-pair)))
      (define counts '())
      (define (after so-many act)
        (if (< (length counts) so-many)
            (begin (sleep 0.001) (after so-many act))
            (act (cdr s))))
      (setvbuf (car s) 'block)
      (in-tasks
       (send (cdr s) "first")
       (spawn-task (lambda () (for-each after (iota (length acts) 1) acts)))
       (do () ((> (length counts) (length acts)))
         (let ((count (receive (car s))))
           (set! counts (cons count counts))))
       (reverse counts))))
  (define (end sock) (shutdown sock 1))
  (test-equal "data" '(5 3 2)
    (received (lambda (s) (send s "abc")) (lambda (s) (send s "de"))))
  (test-equal "data and an end" '(5 3 0)
    (received (lambda (s) (send s "abc") (end s)) (const #f)))
  (test-equal "an end" '(5 0) (received end))
  (test-equal "urgent data, and more after it" '(5 2 2)
    (received (lambda (s) (send s "abX" MSG_OOB) (send s "de")) (const #f)))
  (let-ports ((s (tcp-pair)))
    (setvbuf (car s) 'block)
    (in-tasks
     (define (poll)
       (with-deadline 0 (lambda () (receive (car s))) (const 'late)))
     (send (cdr s) "first")
     (receive (car s))
     (test-eq "nothing" 'late (poll))
     (send (cdr s) "x")
     (receive (car s))
     (test-eq "nothing after a read" 'late (poll))
     (send (cdr s) "xy")
     ;; No turn of the loop since: the poller has not told.
     (test-equal "0 asks the kernel" 2 (poll)))))

(test-case "what comes after a short read is not missed"
  (test-after-short-reads recv-count)
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

(test-case "nor by what reads the port"
  (test-after-short-reads port-count)
  (let-ports ((s (tcp-pair)))
    (setvbuf (car s) 'block)
    (in-tasks
     (define count #f)
     (with-deadline 0.01 (lambda () (port-count (car s))) (const 'late))
     (send (cdr s) "x")
     (port-count (car s))
     (send (cdr s) "xyz")
     (string-for-each (lambda (_) (set! count (port-count (car s)))) "x")
     (test-equal "below a procedure in C, which waits with the loop" 3 count)
     (send (cdr s) "ab")
     ;; Which is called once where the turn is over.
     (test-equal "for a waiter of the program's own" 2
       (let/ec fail
         (define calls 0)
         (define (wait port)
           (set! calls (+ calls 1))
           (when (= calls 2) (fail #f)))
         (parameterize ((current-read-waiter wait))
           (port-count (car s))))))))

;;; Asyncs are off while tasks change, and what raises then shall not cost what came.
(test-case "an async that raises where a task goes on takes nothing that has come"
  (let-ports ((s (tcp-pair)))
    (define receiving? #f)
    (define exception #f)
    (define count #f)
    (define (receive)
      (set! receiving? #t)
      (set! count (recv-count (cdr s)))
      (set! receiving? #f))
    (in-tasks
     (let ((receiver (spawn-task
                      (lambda ()
                        (set! exception (raised receive))
                        (unless count
                          (set! count (recv-count (cdr s))))))))
       (define (raise-there)
         (when (and receiving? (eq? receiver (current-task)))
           (set! receiving? #f)
           (raise-exception 'raised)))
       (task-yield)
       (send (car s) "abc")
       (let leave ()
         (when (eq? 'ready (task-state receiver))
           ((@ (guile) dynamic-wind)
            (const #t)
            task-yield
            (lambda () (system-async-mark raise-there (current-thread))))
           (leave)))))
    (test-equal "received" 3 count)
    (when in-order?
      (test-eq "raised" 'raised exception))))

(test-end "task-drained")
