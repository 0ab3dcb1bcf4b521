;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Look-ups that take long, with a name server that answers when the test lets it.

(use-modules (harness) (harness dns) (harness process) (harness socket)
             (ice-9 ftw) (ice-9 match)
             (ice-9 threads) (srfi srfi-1) (sockport))

(define own-network? (in-own-network))

(define (expired thunk)
  "Call THUNK with a deadline that comes while it waits."
  (catch #t
    (lambda () (with-deadline 0.05 thunk) 'no-error)
    (lambda (key . args)
      (if (eq? key 'deadline-exceeded) 'expired (cons key args)))))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "resolve-name")

(test-case "other tasks run meanwhile"
  (require-network)
  (let-ports ((server (name-server)))
    (test-equal "and the answer comes" (list address)
      (run-tasks
       (lambda ()
         (let ((task (spawn-task (lambda () (look-up "one.test")))))
           ;; It would never get here if the look-up stopped the loop.
           (let ((query (next-query server)))
             (test-equal "the question" "one.test" (car query))
             (reply! server query address))
           (join task)))))))

(test-case "in a thread, handlers of signals run"
  (require-network)
  (let-ports ((server (name-server)))
    (let* ((seen #f)
           (old (sigaction SIGUSR1 (lambda (signal) (set! seen #t))))
           (thread (begin-thread
                    (let ((query (next-query server)))
                      (kill (getpid) SIGUSR1)
                      (wait-until (lambda () seen))
                      (reply! server query address)
                      seen))))
      (test-equal "the answer" (list address) (look-up "two.test"))
      (test-assert "before it" (join-thread thread))
      (sigaction SIGUSR1 (car old) (cdr old)))))

(test-case "a deadline ends it"
  (require-network)
  (let-ports ((server (name-server)))
    (let ((before (thread-count)))
      (test-equal "in a thread" 'expired
        (expired (lambda () (look-up "three.test"))))
      (test-equal "in a task" 'expired
        (run-tasks
         (lambda () (expired (lambda () (look-up "four.test"))))))
      (test-assert "no thread is left" (reply-until server before)))))

(test-case "cancel! ends it"
  (require-network)
  (let-ports ((server (name-server)))
    (let ((before (thread-count)))
      (test-equal 'cancelled
        (run-tasks
         (lambda ()
           (let ((task (spawn-task (lambda () (look-up "five.test")))))
             (let ((query (next-query server)))
               (cancel! task)
               (false-if-exception (join task))
               (reply! server query address)
               (task-state task))))))
      (test-assert "no thread is left" (reply-until server before)))))

;; It would wait for as long as the name server may take.
(test-case "who exits does not wait for a look-up"
  (require-network)
  (let-ports ((server (name-server)))
    (for-each
     (match-lambda
       ((where program)
        (call-with-peer
         (list "guile" "--no-auto-compile" "-c"
               (format #f "(use-modules (ice-9 threads) (sockport))
(define (look-up) (getaddrinfo \"exit.test\" \"80\" 0 AF_INET))
~s" program))
         (lambda (peer)
           (test-equal "it is asked for" "exit.test" (car (next-query server)))
           (test-equal where 7 (status:exit-val (peer-status peer)))))))
     '(("in a thread" (begin (call-with-new-thread look-up) (read-char) (exit 7)))
       ("in a task"
        (run-tasks (lambda () (spawn-task look-up) (read-char) (exit 7))))
       ("by a handler"
        (begin (sigaction SIGCHLD (lambda (signal) (exit 7)))
               (call-with-new-thread
                (lambda () (read-char) (kill (getpid) SIGCHLD)))
               (look-up)))))))

(test-case "equal look-ups share one question, and numbers need none"
  (require-network)
  (let-ports ((server (name-server)))
    (test-equal (make-list 20 (list address))
      (run-tasks
       (lambda ()
         (let* ((tasks (map (lambda (i)
                              (spawn-task (lambda () (look-up "six.test"))))
                            (iota 20)))
                (query (next-query server)))
           (test-equal "beside it" (list INADDR_LOOPBACK) (look-up "127.0.0.1"))
           (reply! server query address)
           (map join tasks)))))
    (set-nonblocking! server #t)
    (test-error* "no other question" (list 'system-error EAGAIN)
      (next-query server))))

(test-case "no more than 32 at once"
  (require-network)
  (let-ports ((server (name-server)))
    (setsockopt server SOL_SOCKET SO_RCVBUF 1000000)
    (let ((before (thread-count)) (most 0))
      (run-tasks
       (lambda ()
         (let ((tasks (map (lambda (i)
                             (spawn-task
                              (lambda ()
                                (look-up (format #f "n~a.test" i)))))
                           (iota 100))))
           (let answer ((left 100))
             (unless (zero? left)
               (let ((query (next-query server)))
                 (set! most (max most (- (thread-count) before)))
                 (reply! server query address)
                 (answer (- left 1)))))
           (test-equal "each has its answer" (make-list 100 (list address))
             (map join tasks)))))
      (test-assert "the bound" (<= 1 most 32))
      (test-assert "no thread is left" (reply-until server before)))))

(test-case "a name in other letters, whatever the locale"
  (require-network)
  (define before (setlocale LC_ALL))
  (let-ports ((server (name-server)))
    (for-each
     (lambda (locale)
       (setlocale LC_ALL locale)
       (let* ((thread (begin-thread (look-up "bücher.test")))
              (query (next-query server)))
         (reply! server query address)
         (test-equal (list locale "asks for") "xn--bcher-kva.test" (car query))
         (test-equal locale (list address) (join-thread thread))))
     (list "C" before))))

(define (test-fork)
  (let-ports ((server (name-server)))
    (let* ((thread (begin-thread (look-up "seven.test")))
           (query (next-query server))
           (pid (primitive-fork)))
      (when (zero? pid)
        (alarm 15)
        (primitive-_exit
         (if (equal? (look-up "localhost") (list INADDR_LOOPBACK)) 0 1)))
      (test-equal "the child's" 0
        (status:exit-val (cdr (waitpid pid))))
      (reply! server query address)
      (test-equal "the parent's" (list address) (join-thread thread)))))

;; Not a case: Guile itself closes descriptors of its own to fork.
(when own-network?
  (alarm 60)
  (parameterize ((current-warning-port (%make-void-port "w")))
    (test-fork))
  (alarm 0))

(test-end "resolve-name")
