;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A hundred thousand processes and forks: programs that are started with ports, waited
;;; for in tasks, ended by signals or not to be found, and children of fork that use
;;; tasks, channels and sockets themselves.

(use-modules (harness soak) (ice-9 match) (ice-9 textual-ports) (rnrs bytevectors)
             (sockport) (sockport channel))

(define total 100000)

(define (output-of pair pid)
  "What the process PID writes to the other end of PAIR; its end is waited for."
  (close-port (cdr pair))
  (let ((text (get-string-all (car pair))))
    (close-port (car pair))
    (check "a process" 0 (status:exit-val (wait-process pid)))
    text))

(define (a-program)
  (match (draw 4)
    (0 (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
              (pid (start-process "/bin/echo" '("one" "two") #:output (cdr pair))))
         (check "its output" "one two\n" (output-of pair pid))))
    (1 (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
              ;; Programs do not expect the mode that sockets have in tasks.
              (mode (set-nonblocking! (cdr pair) #f))
              (pid (start-process "/bin/cat" '() #:input (cdr pair)
                                  #:output (cdr pair))))
         (send (car pair) "through cat")
         (shutdown (car pair) SHUT_WR)
         (check "what goes through it" "through cat" (output-of pair pid))))
    (2 (check "a program that is not there" ENOENT
              (catch 'system-error
                (lambda () (start-process "/nonexistent/program"))
                (lambda args (system-error-errno args)))))
    (3 (let ((pid (start-process "/bin/sleep" '("1000"))))
         (kill pid SIGTERM)
         (check "a signal" SIGTERM (status:term-sig (wait-process pid)))))))

(define (in-the-child)
  (let ((channel (make-channel)) (pair (socketpair AF_UNIX SOCK_STREAM 0))
        (buffer (make-bytevector 3)))
    (run-tasks
     (lambda ()
       (spawn-task (lambda ()
                     (channel-put channel 7)
                     (send (car pair) "abc")))
       (if (and (eqv? 7 (channel-get channel))
                (eqv? 3 (recv! (cdr pair) buffer))
                (string=? "abc" (utf8->string buffer)))
           0
           1)))))

(define (a-fork)
  (match (primitive-fork)
    (0 (primitive-_exit (catch #t in-the-child (const 2))))
    (pid (check "a child of fork" 0 (status:exit-val (wait-process pid))))))

(define (some)
  (do ((i 0 (+ i 1))) ((= i 5)) (a-fork))
  (run-tasks
   (lambda ()
     (do ((i 0 (+ i 1))) ((= i 5)) (spawn-task a-program))))
  10)

(soak-count total "processes" some)
