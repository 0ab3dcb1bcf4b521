;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Ports in tasks and deadlines: who waits is woken whatever became of the
;;; descriptor, and what was moved when a wait ends is not lost.

(use-modules (harness)
             (harness apart)
             (harness process)
             (sockport)
             (srfi srfi-1))

(test-begin "runtime-faults-port")

;;; Waiters.

(test-case "the waiters return while there is something, as Guile's do"
  (test-equal "before the first attempt" 8
    (apart
     (define pair (unix-pair))
     (send (cdr pair) (make-bytevector 8))
     (in-tasks
      ((current-read-waiter) (car pair))
      (recv! (car pair) (make-bytevector 8)))))
  (test-equal "when some was left" '(4 4)
    (apart
     (define pair (unix-pair))
     (in-tasks
      (spawn-task (lambda () (send (cdr pair) (make-bytevector 8))))
      (let ((first (recv! (car pair) (make-bytevector 4))))
        ((current-read-waiter) (car pair))
        (list first (recv! (car pair) (make-bytevector 4)))))))
  (test-equal "called a hundred times" 100
    (apart
     (define pair (unix-pair))
     (send (cdr pair) (make-bytevector 8))
     (in-tasks
      (let loop ((n 0))
        (if (= n 100)
            n
            (begin
              ((current-read-waiter) (car pair))
              ((current-write-waiter) (car pair))
              (loop (+ n 1))))))))
  (test-equal "when it came between an attempt and the wait" 'done
    (apart
     (define pair (unix-pair))
     (in-tasks
      ;; Watched, drained, and filled while nobody waits.
      (spawn-task (lambda () (send (cdr pair) "x")))
      (recv! (car pair) (make-bytevector 1))
      (send (cdr pair) "xy")
      (task-yield)
      (recv! (car pair) (make-bytevector 1))
      ((current-read-waiter) (car pair))
      ((current-read-waiter) (car pair))
      'done))))

;;; Connecting.

(define-syntax-rule (refused-again run)
  (apart
   (define nowhere
     (let ((server (socket AF_INET SOCK_STREAM 0)))
       (bind server AF_INET INADDR_LOOPBACK 0)
       (let ((address (getsockname server)))
         (close-port server)
         address)))
   (define client (socket AF_INET SOCK_STREAM 0))
   (run (map (lambda (_)
               (= ECONNREFUSED
                  (error-key (lambda () (connect client nowhere)))))
             (iota 6)))))

(test-case "connect again after it was refused"
  (test-equal "in a thread" '(#t #t #t #t #t #t) (refused-again begin))
  (test-equal "in a task" '(#t #t #t #t #t #t) (refused-again in-tasks))
  (test-equal "in a deadline" '(#t #t #t #t #t #t)
    (apart
     (define nowhere
       (let ((server (socket AF_INET SOCK_STREAM 0)))
         (bind server AF_INET INADDR_LOOPBACK 0)
         (let ((address (getsockname server)))
           (close-port server)
           address)))
     (define client (socket AF_INET SOCK_STREAM 0))
     (with-deadline 10
       (lambda ()
         (map (lambda (_)
                (= ECONNREFUSED
                   (error-key (lambda () (connect client nowhere)))))
              (iota 6)))))))

;;; Descriptors.

(test-case "close-port can stand for the core's"
  (test-equal "put into its variable" '(#t #f)
    (apart
     (module-set! (resolve-module '(guile)) 'close-port close-port)
     (define pair (unix-pair))
     (let ((first ((@ (guile) close-port) (car pair))))
       (list first ((@ (guile) close-port) (car pair))))))
  (test-equal "also in tasks" '(#t #f)
    (apart
     (module-set! (resolve-module '(guile)) 'close-port close-port)
     (define pair (unix-pair))
     (in-tasks
      (let ((first (close-port (car pair))))
        (list first (close-port (car pair))))))))

(test-case "two ports on one descriptor"
  (require-program "strace")
  (test-equal "both are woken, and nothing spins" '(done #t)
    (with-temporary-directory
     (lambda (directory)
       (define trace (string-append directory "/trace"))
       (define value
         (parameterize ((run-under (list "strace" "-f" "-qq" "-o" trace
                                         "-e" "trace=epoll_ctl,epoll_wait,epoll_pwait,epoll_pwait2,ppoll")))
           (apart
            (define pair (unix-pair))
            (define again (fdopen (fileno (car pair)) "r+0"))
            (in-tasks
             (let ((one (spawn-task
                         (lambda () (recv! (car pair) (make-bytevector 1)))))
                   (other (spawn-task
                           (lambda () (recv! again (make-bytevector 1))))))
               (sleep 0.5)
               (send (cdr pair) "xy")
               (join one)
               (join other)
               'done)))))
       (define calls
         (call-with-input-file trace
           (lambda (port)
             (let loop ((n 0))
               (if (eof-object? ((@ (ice-9 rdelim) read-line) port))
                   n
                   (loop (+ n 1)))))))
       (list value (or (< calls 400) calls)))))
  (test-equal "both are woken by close-port of one" (list EBADF EBADF)
    (apart
     (define pair (unix-pair))
     (define again (fdopen (fileno (car pair)) "r+0"))
     (in-tasks
      (let ((tasks (map (lambda (port)
                          (spawn-task
                           (lambda ()
                             (error-key
                              (lambda () (recv! port (make-bytevector 1)))))))
                        (list (car pair) again))))
        (sleep 0.05)
        (close-port (car pair))
        (map join tasks))))))

(test-case "a descriptor that became another"
  (test-equal "by dup2, before the next wait" 3
    (apart
     (define old (unix-pair))
     (define new (unix-pair))
     (in-tasks
      (spawn-task (lambda () (send (cdr old) "x")))
      (recv! (car old) (make-bytevector 1))
      (dup2 (fileno (car new)) (fileno (car old)))
      (spawn-task (lambda () (sleep 0.01) (send (cdr new) "abc")))
      (recv! (car old) (make-bytevector 3)))))
  (test-equal "by redirect-port" 3
    (apart
     (define old (unix-pair))
     (define new (unix-pair))
     (in-tasks
      (spawn-task (lambda () (send (cdr old) "x")))
      (recv! (car old) (make-bytevector 1))
      (redirect-port (car new) (car old))
      (spawn-task (lambda () (sleep 0.01) (send (cdr new) "abc")))
      (recv! (car old) (make-bytevector 3))))))

;;; Deadlines in the middle of a transfer.

(define-syntax-rule (in-both name expected form ...)
  (begin
    (test-equal (string-append name ", in a thread") expected
      (apart (define (here thunk) (thunk)) form ...))
    (test-equal (string-append name ", in a task") expected
      (apart (define (here thunk) (run-tasks thunk)) form ...))))

(test-case "what was received when a deadline came is still there"
  (in-both "get-string-all" '(expired "abcdef")
    (define pair (unix-pair))
    (here
     (lambda ()
       (display "abc" (cdr pair))
       (let* ((first (with-deadline 0.05
                       (lambda () (get-string-all (car pair)))
                       (const 'expired))))
         (display "def" (cdr pair))
         (close-port (cdr pair))
         (list first (get-string-all (car pair)))))))
  (in-both "read-string" '(expired "abcdef")
    (define pair (unix-pair))
    (here
     (lambda ()
       (display "abc" (cdr pair))
       (let* ((first (with-deadline 0.05
                       (lambda () (read-string (car pair) 6))
                       (const 'expired))))
         (display "def" (cdr pair))
         (list first (read-string (car pair) 6))))))
  (in-both "get-string-n" '(expired "abcdef")
    (define pair (unix-pair))
    (here
     (lambda ()
       (display "abc" (cdr pair))
       (let* ((first (with-deadline 0.05
                       (lambda () (get-string-n (car pair) 6))
                       (const 'expired))))
         (display "def" (cdr pair))
         (list first (get-string-n (car pair) 6))))))
  (in-both "read-line" '(expired "abcdef")
    (define pair (unix-pair))
    (here
     (lambda ()
       (display "abc" (cdr pair))
       (let* ((first (with-deadline 0.05
                       (lambda () (read-line (car pair)))
                       (const 'expired))))
         (display "def\n" (cdr pair))
         (list first (read-line (car pair)))))))
  (in-both "get-bytevector-all" '(expired 6)
    (define pair (unix-pair))
    (here
     (lambda ()
       (display "abc" (cdr pair))
       (let* ((first (with-deadline 0.05
                       (lambda () (get-bytevector-all (car pair)))
                       (const 'expired))))
         (display "def" (cdr pair))
         (close-port (cdr pair))
         (list first (bytevector-length (get-bytevector-all (car pair))))))))
  (in-both "MSG_WAITALL" 6
    (define pair (unix-pair))
    (here
     (lambda ()
       (display "abc" (cdr pair))
       (let* ((buffer (make-bytevector 6))
              (first (with-deadline 0.05
                       (lambda () (recv! (car pair) buffer MSG_WAITALL))
                       (const 0))))
         (display "def" (cdr pair))
         (+ first
            (recv! (car pair) (make-bytevector (- 6 first))
                   MSG_WAITALL)))))))

(test-case "a delimiter of any character ends a line, in a deadline"
  (in-both "read-delimited" "abc"
    (define pair (unix-pair))
    (set-port-encoding! (car pair) "UTF-8")
    (set-port-encoding! (cdr pair) "UTF-8")
    (here
     (lambda ()
       (display "abcédef" (cdr pair))
       (with-deadline 5
         (lambda () (read-delimited "é" (car pair)))
         (const 'expired)))))
  (in-both "of several" "abc"
    (define pair (unix-pair))
    (set-port-encoding! (car pair) "UTF-8")
    (set-port-encoding! (cdr pair) "UTF-8")
    (here
     (lambda ()
       (display "abc→def" (cdr pair))
       (with-deadline 5
         (lambda () (read-delimited "xé→" (car pair)))
         (const 'expired))))))

;;; Nothing is called any more for a port that was closed, but what others asked for.
(test-case "a guardian gets a port that was closed, before or after it knew it"
  (let ((guardian (make-guardian)))
    (define (drop count)
      (unless (zero? count)
        (let ((early (socket AF_UNIX SOCK_STREAM 0))
              (late (socket AF_UNIX SOCK_STREAM 0)))
          (guardian early)
          (close-port early)
          (close-port late)
          (guardian late))
        (drop (- count 1))))
    (define (collected)
      (let ((port (guardian)))
        (if port (cons port (collected)) '())))
    (drop 50)
    (let ((ports '()))
      (test-assert "all but a few"
        (wait-until (lambda ()
                      (gc)
                      (set! ports (append (collected) ports))
                      (<= 90 (length ports)))))
      (test-assert "closed" (every port-closed? ports)))))

(test-end "runtime-faults-port")
