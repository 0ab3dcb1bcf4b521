;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Programs that are started: their ports, their listeners, what is refused.

(use-modules (harness) (harness process) (harness socket) (ice-9 match) (ice-9 rdelim)
             (ice-9 textual-ports) (sockport) (sockport operation))

(define (exit-code pid) (status:exit-val (wait-process pid)))

(define (sh script . rest)
  (apply start-process "sh" (list "-c" script) rest))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "process-start")

(test-case "a program, its arguments and its end"
  (test-equal "found in PATH" 0 (exit-code (start-process "true")))
  (test-equal "by its name" 3 (exit-code (start-process "/bin/sh" '("-c" "exit 3"))))
  (test-equal "several arguments" 2
    (exit-code (start-process "sh" '("-c" "exit $#" "sh" "one two" "three")))))

(test-case "a socket as all three"
  (let-ports ((pair (unix-pair)))
    (match pair
      ((ours . theirs)
       (let ((pid (sh "read line; echo \"got $line\"; echo error >&2"
                      #:input theirs #:output theirs #:error theirs)))
         (close-port theirs)
         (send ours "words\n")
         (test-equal "what it writes" "got words\nerror\n"
           (get-string-all ours))
         (test-equal "its end" 0 (exit-code pid)))))))

(test-case "in tasks"
  (test-equal '(0 1 2)
    (run-tasks
     (lambda ()
       (map join
            (map (lambda (code)
                   (spawn-task
                    (lambda () (exit-code (sh (format #f "exit ~a" code))))))
                 '(0 1 2)))))))

(test-case "as an operation"
  (run-tasks
   (lambda ()
     (test-equal "its status" 5
       (status:exit-val (wait-first (process-operation (sh "exit 5")))))
     (test-error* "which has been taken" (list 'system-error ECHILD) (waitpid -1)))))

(test-case "run to its end"
  (test-equal "its status" 3
    (status:exit-val (run-process "sh" '("-c" "exit 3"))))
  (let-ports ((pair (unix-pair)))
    (match pair
      ((ours . theirs)
       (define (pid-of-the-ended seconds)
         "Return its number; one that is ended before it has said that is started anew."
         (test-equal "a deadline ends it" 'late
           (with-deadline seconds
             (lambda ()
               (run-process "sh" '("-c" "echo $$; exec sleep 1000") #:output theirs))
             (const 'late)))
         (match (select (list ours) '() '() 0)
           ((() . _) (pid-of-the-ended (* 2 seconds)))
           (_ (string->number (read-line ours)))))
       (test-error* "for good" (list 'system-error ESRCH)
         (kill (pid-of-the-ended 1/10) 0)))))
  (test-error* "what cannot be started" (list 'system-error ENOENT "run-process")
    (run-process "/nonexistent/program")))

(test-case "nothing else is left open there"
  (let-ports ((other (tcp-listener)) (pair (unix-pair)))
    (match pair
      ((ours . theirs)
       (let ((pid (sh "ls /proc/self/fd" #:output theirs)))
         (close-port theirs)
         ;; 3 is the directory.
         (test-equal '("0" "1" "2" "3")
           (string-tokenize (get-string-all ours)))
         (wait-process pid))))))

(test-case "the environment"
  (test-equal "its own" 0
    (exit-code (sh "test \"$A\" = b && test -z \"$HOME\""
                   #:environment '("A=b" "PATH=/usr/bin:/bin"))))
  (test-equal "some of its own" 0
    (exit-code (sh "test \"$HOME\" = /nowhere && test -n \"$PATH\""
                   #:variables '("HOME=/nowhere"))))
  (test-equal "what is set anew is there once" 0
    (exit-code (sh "test $(tr '\\0' '\\n' </proc/$$/environ | grep -c ^HOME=) = 1"
                   #:variables '("HOME=/nowhere")
                   #:environment '("HOME=/" "PATH=/usr/bin:/bin")))))

(test-case "listeners are what listen-fds returns there"
  (let-ports ((a (tcp-listener)) (b (unix-listener)) (pair (unix-pair)))
    (match pair
      ((ours . theirs)
       (let ((pid (start-process
                   "guile"
                   (list "--no-auto-compile" "-c"
                         "(use-modules (sockport))
                          (write (map (lambda (one)
                                        (cons (car one)
                                              (getsockname (cdr one))))
                                      (listen-fds)))")
                   #:output theirs
                   #:environment (cons "LISTEN_PID=1" (environ))
                   #:listeners `(("web" . ,a) ("admin" . ,b)))))
         (close-port theirs)
         (test-equal (list (cons "web" (getsockname a))
                           (cons "admin" (getsockname b)))
           (read ours))
         (test-equal "its end" 0 (exit-code pid)))))))

(define (ended-by seconds script)
  "Start SCRIPT, whose first line says that it has begun; end it."
  (let-ports ((pair (unix-pair)))
    (match pair
      ((ours . theirs)
       (let ((pid (sh script #:output theirs)))
         (close-port theirs)
         (read-line ours)
         (end-process pid seconds))))))

(test-case "ending one"
  (for-each
   (lambda (wrap)
     (test-equal "that does as it is asked" SIGTERM
       (status:term-sig (wrap (lambda () (ended-by 60 "echo begun; exec sleep 1000")))))
     (test-equal "that has something to do first" 4
       (status:exit-val
        (wrap (lambda ()
                (ended-by 60 "trap 'exit 4' TERM; echo begun
while :; do :; done")))))
     (test-equal "that does not hear" SIGKILL
       (status:term-sig
        (wrap (lambda ()
                (ended-by 1/10 "trap '' TERM; echo begun; exec sleep 1000"))))))
   (list (lambda (thunk) (thunk)) run-tasks))
  (test-error* "no child of ours" (list 'system-error ECHILD "end-process")
    (end-process 1))
  (test-error* "no time" '(out-of-range 2 "end-process") (end-process 1 -1)))

;;; As many as this process needs, but none more for the child.
(test-case "a child that is short of descriptors is not started, and says so"
  (define (start more)
    (with-descriptors more
      (lambda ()
        (catch 'system-error
          (lambda () (start-process "true"))
          (lambda args (list (system-error-errno args)))))))
  (let ((outcomes (map (match-lambda
                         ((errno) errno)
                         (pid (list 'ends (exit-code pid))))
                       (map start (iota 12)))))
    (test-equal "it is started, or one descriptor too few is told" '()
      (filter (lambda (outcome)
                (not (member outcome (list EMFILE '(ends 0)))))
              outcomes))
    (test-assert "both are met"
      (and (member EMFILE outcomes) (member '(ends 0) outcomes)))))

(test-case "what cannot be started"
  (test-error* "no such program" (list 'system-error ENOENT "start-process")
    (start-process "/nonexistent/program"))
  (test-error* "not to be run" (list 'system-error EACCES) (start-process "/"))
  (test-error* "no name" '(wrong-type-arg 1 "start-process") (start-process 1))
  (test-error* "a NUL" '(wrong-type-arg 1 "start-process")
    (start-process "true\x00;"))
  (test-error* "no list" '(wrong-type-arg 2 "start-process")
    (start-process "true" "x"))
  (test-error* "no string" '(wrong-type-arg 2 "start-process")
    (start-process "true" '(1)))
  (for-each (lambda (variable)
              (test-error* (list "no variable" variable)
                           '(out-of-range #:variables "start-process")
                (start-process "true" '() #:variables (list variable))))
            '("" "HOME" "=/"))
  (test-error* "a closed port" '(wrong-type-arg #:input "start-process")
    (let ((port (socket AF_UNIX SOCK_STREAM 0)))
      (close-port port)
      (start-process "true" '() #:input port)))
  (test-error* "a name with a colon" '(out-of-range #:listeners "start-process")
    (let-ports ((a (tcp-listener)))
      (start-process "true" '() #:listeners `(("a:b" . ,a)))))
  (test-error* "no listener" '(wrong-type-arg #:listeners "start-process")
    (start-process "true" '() #:listeners '("a"))))

(test-end "process-start")
