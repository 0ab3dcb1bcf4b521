;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Tasks and the descriptors that they wait for.

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

(test-begin "task-port")

;;; Descriptors.

(test-case "closing a port wakes its task"
  (for-each
   (match-lambda
     ((name make wait)
      (let-ports ((s (make)))
        (test-error* name '(system-error 9)
          (in-tasks
           (let ((task (spawn-task (lambda () (wait s)))))
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
        (spawn-task (lambda ()
                      (sleep 0.01)
                      (put-string (cdr pair) "one ")
                      (force-output (cdr pair))
                      (sleep 0.01)
                      (put-string (cdr pair) "two\n")
                      (force-output (cdr pair))))
        (get-line (car pair))))
     (test-equal "the rest" #vu8(97 98)
       (in-tasks
        (spawn-task (lambda ()
                      (put-string (cdr pair) "ab")
                      (sleep 0.01)
                      (close-port (cdr pair))))
        (get-bytevector-all (car pair))))
     (close-port (car pair)))
   (list (unix-pair) (pipe))))

(test-case "many wait on one port"
  (let-ports ((server (unix-listener)))
    (test-equal "all accept" 20
      (in-tasks
       (define count 0)
       (with-task-group
        (lambda (group)
          (do ((i 0 (1+ i))) ((= i 20))
            (spawn-task (lambda ()
                          (close-port (car (accept server)))
                          (set! count (1+ count)))))
          (task-yield)
          (do ((i 0 (1+ i))) ((= i 20))
            (let ((client (socket AF_UNIX SOCK_STREAM 0)))
              (connect client (getsockname server))
              (close-port client)
              (task-yield)))))
       count))))

(test-case "who leaves a port leaves the others that wait for it"
  (let-ports ((pair (unix-pair)))
    (test-equal "each of them" '(1 1 cancelled)
      (in-tasks
       (let ((tasks (map (lambda (_)
                           (spawn-task
                            (lambda ()
                              (guard (e ((task-cancelled? e) 'cancelled))
                                (recv! (car pair) (make-bytevector 1))))))
                         (iota 3))))
         (do ((i 0 (+ i 1))) ((= i 5)) (task-yield))
         (cancel! (third tasks))
         (task-yield)
         (send (cdr pair) "ab")
         (map join tasks))))))

(test-case "a port whose output nobody takes is closed all the same"
  ;; In tasks, under a deadline, and in a thread once either was used.
  (for-each
   (match-lambda
     ((name call)
      (let ((pair (unix-pair)))
        (setvbuf (car pair) 'block 1000)
        (put-string (car pair) "not sent")
        (close-port (cdr pair))
        (test-error* (list name "says so") `(system-error ,EPIPE)
          (call (lambda () (close-port (car pair)))))
        (test-assert (list name "is closed") (port-closed? (car pair))))))
   `(("a task" ,run-tasks)
     ("a deadline" ,(lambda (thunk) (with-deadline 5 thunk)))
     ("a thread" ,(lambda (thunk) (thunk)))
     ("close" ,(lambda (thunk) (thunk))))))

(test-case "a descriptor closed behind our back and used again"
  (test-equal "received" 50
    (in-tasks
     (let loop ((i 0) (sum 0))
       (if (= i 50)
           sum
           (let* ((s (unix-pair))
                  (task (spawn-task (lambda () (recv! (car s) bytes)))))
             (task-yield)
             (send (cdr s) "x")
             (let ((sum (+ sum (join task))))
               ;; Guile's own, which tells nobody.
               ((@ (guile) close-port) (car s))
               ((@ (guile) close-port) (cdr s))
               (loop (1+ i) sum))))))))

;;; On TCP, what the last read has left is known, and no system call made for it.
(test-case "a deadline that has passed lets what has come be received"
  (let-ports ((pair (tcp-pair)))
    (let ((bytes (make-bytevector 9)))
      (test-equal "at once" 3
        (in-tasks
         (spawn-task (lambda () (task-yield) (send (cdr pair) "drained")))
         (recv! (car pair) bytes)
         (send (cdr pair) "new")
         (with-deadline 0 (lambda () (recv! (car pair) bytes)) (const 'late)))))))

;; On a release that is not known, nothing tells that C code is between.
(test-case "what is written by C ends at a deadline"
  (when (equal? (getenv "SOCKPORT_PLAIN_TASKS") "2")
    (skip "nothing is known of this Guile"))
  (for-each
   (match-lambda
     (((name . write) (where . call))
      (let-ports ((pair (unix-pair)))
        (setvbuf (car pair) 'block 65536)
        (test-equal (string-append name ", to who takes nothing, in " where) 'late
          (call (lambda ()
                  (with-deadline 1/5 (lambda () (write (car pair)))
                                 (const 'late)))))
        ;; What is buffered is not waited for again.
        (close-port (cdr pair))
        (false-if-exception (close-port (car pair))))))
   (let ((text (make-string 3000000 #\a)))
     (append-map
      (lambda (writing)
        (list (list writing (cons "a task" (lambda (thunk) (in-tasks (thunk)))))
              (list writing (cons "a thread" (lambda (thunk) (thunk))))))
      `(("display" . ,(lambda (port) (display text port)))
        ("write" . ,(lambda (port) (write text port)))
        ("simple-format" . ,(lambda (port) (simple-format port "~a" text))))))))

(test-case "below C code, a deadline ends what it is around"
  (let-ports ((pair (unix-pair)))
    (define (receive-below-c)
      (string-for-each (lambda (_) (recv! (car pair) bytes)) "x"))
    (test-equal "and not what is around it" '(inner 1)
      (in-tasks
       (with-deadline 1000
         (lambda ()
           (let ((which (with-deadline 1/50 receive-below-c (const 'inner))))
             (spawn-task (lambda () (send (cdr pair) "x")))
             (list which (recv! (car pair) bytes))))
         (const 'outer)))))
  (let-ports ((pair (unix-pair)))
    (test-equal "a task that was cancelled does not wait there" '(cancelled cancelled)
      (in-tasks
       (let* ((cancelled (lambda (wait)
                           (guard (e ((task-cancelled? e) 'cancelled)) (wait))))
              (task (spawn-task
                     (lambda ()
                       (let* ((first (cancelled (lambda () (sleep 1000))))
                              (second (cancelled
                                       (lambda ()
                                         (string-for-each
                                          (lambda (_) (recv! (car pair) bytes)) "x")))))
                         (list first second))))))
         (task-yield)
         (cancel! task)
         (join task))))))

(test-case "what is written by C goes on"
  (let-ports ((pair (unix-pair)))
    (setvbuf (car pair) 'block 65536)
    (test-equal "display, when there is room" 3000000
      (in-tasks
       (let ((reader (call-with-new-thread
                      (lambda ()
                        (let loop ((total 0) (buffer (make-bytevector 65536)))
                          (let ((count (recv! (cdr pair) buffer)))
                            (if (zero? count)
                                total
                                (loop (+ total count) buffer))))))))
         (display (make-string 3000000 #\a) (car pair))
         (force-output (car pair))
         (shutdown (car pair) 1)
         (join-thread reader))))))

;; One that kept its thread would wait for ever for what another task sends.
(test-case "what reads in C lets the other tasks go on"
  (define (read-into text proc)
    (proc text)
    text)
  (for-each
   (match-lambda
     ((name read expected)
      (let-ports ((pair (unix-pair)))
        (test-equal name expected
          (in-tasks
           (let ((reader (spawn-task (lambda () (read (car pair))))))
             (for-each (lambda (part)
                         (task-yield)
                         (send (cdr pair) part))
                       '("(a" "b\n" "c) d"))
             (shutdown (cdr pair) SHUT_WR)
             (join reader)))))))
   `(("get-string-n" ,(lambda (port) (get-string-n port 4)) "(ab\n")
     ("get-string-n!"
      ,(lambda (port)
         (read-into (make-string 5 #\x)
                    (lambda (text) (get-string-n! port text 0 4))))
      "(ab\nx")
     ("get-string-all" ,get-string-all "(ab\nc) d")
     ("get-line" ,get-line "(ab")
     ("get-char" ,get-char #\()
     ("get-bytevector-n" ,(lambda (port) (utf8->string (get-bytevector-n port 4)))
      "(ab\n")
     ("get-bytevector-all" ,(lambda (port) (utf8->string (get-bytevector-all port)))
      "(ab\nc) d")
     ("read" ,read (ab c))
     ("read-line" ,read-line "(ab")
     ("read-string" ,read-string "(ab\nc) d")
     ("read-delimited" ,(lambda (port) (read-delimited ")" port)) "(ab\nc")
     ("read-delimited!"
      ,(lambda (port)
         (read-into (make-string 9 #\x)
                    (lambda (text) (read-delimited! ")" text port))))
      "(ab\ncxxxx"))))

(define SOF_TIMESTAMPING_TX_SOFTWARE 2)
(define SOF_TIMESTAMPING_SOFTWARE 16)

(test-case "below C code, a queue of errors that is not empty does not spin"
  (let-ports ((pair (cons (socket AF_INET SOCK_DGRAM 0)
                          (socket AF_INET SOCK_DGRAM 0))))
    (bind (car pair) AF_INET INADDR_LOOPBACK 0)
    (bind (cdr pair) AF_INET INADDR_LOOPBACK 0)
    (setsockopt (car pair) SOL_SOCKET SO_TIMESTAMPING
                (logior SOF_TIMESTAMPING_TX_SOFTWARE SOF_TIMESTAMPING_SOFTWARE))
    ;; When it was sent is in the queue.
    (sendto (car pair) "x" (getsockname (cdr pair)))
    (let ((sender (in-thread (lambda ()
                               (usleep 300000)
                               (sendto (cdr pair) "y"
                                       (getsockname (car pair)))))))
      (test-assert "little work"
        (< (cpu-seconds
            (lambda ()
              (in-tasks
               (string-for-each (lambda (char)
                                  (recv! (car pair) (make-bytevector 9)))
                                "x"))))
           0.15))
      (join-thread sender))))

(test-case "output that nobody takes is met once"
  (let-ports ((pair (unix-pair)))
    (setvbuf (car pair) 'block 100)
    (in-tasks
     (put-string (car pair) "abc")
     (close-port (cdr pair))
     (test-error* "by the first call" (list 'system-error EPIPE "fport_write")
       (force-output (car pair)))
     (test-equal "not by the next" #t
       (begin (force-output (car pair)) #t)))))

(test-end "task-port")
