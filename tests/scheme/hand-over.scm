;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A server that starts anew: nobody who connects meanwhile is refused or cut off,
;;; and what the service manager keeps for it comes back.  The server is
;;; examples/service/greet.scm, the manager a socket.

(use-modules (harness) (harness process) (harness socket) (ice-9 match)
             (ice-9 rdelim) (ice-9 receive) (ice-9 textual-ports)
             (rnrs bytevectors) (srfi srfi-1) (sockport) (sockport operation))

(define program
  (string-append (getenv "SOCKPORT_SOURCE") "/examples/service/greet.scm"))

(define (greet-command . arguments)
  (cons* "--no-auto-compile" "-s" program arguments))

(define (pid-of line)
  "Return the number in a greeting; LINE itself, if it is none."
  (match (and (string? line) (string-tokenize line))
    (("good" "morning" "from" pid) (string->number pid))
    (_ line)))

(define (ask where)
  "Return who answers at WHERE, or what went wrong."
  (catch 'system-error
    (lambda ()
      (let-ports ((sock (connect-to where)))
        (pid-of (read-line sock))))
    (lambda args (strerror (system-error-errno args)))))

(define (end! pid where)
  "End the server PID, which is not our child, and wait until it listens no more."
  (kill pid SIGTERM)
  (test-assert "it ends"
    (wait-until (lambda () (equal? (ask where) (strerror ECONNREFUSED))))))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "hand-over")

;;; All that were started here, and by one another.
(define started '())

(define clients 8)
(define generations 3)

(define (load-until-replaced where first-pid)
  "Ask at WHERE all the time, in several tasks, and have whoever serves there start
anew, until some have; return all answers."
  (define answers '())
  (define seen (list first-pid))
  (define (enough?) (> (length seen) generations))
  (define (note! answer)
    (set! answers (cons answer answers))
    (when (and (number? answer) (not (memv answer seen)))
      (set! seen (cons answer seen))
      (set! started (cons answer started))
      (unless (enough?) (kill answer SIGHUP))))
  (define (client)
    (let next ()
      (unless (enough?)
        (note! (ask where))
        (next))))
  (kill first-pid SIGHUP)
  (run-tasks
   (lambda ()
     (for-each join (map (lambda (i) (spawn-task client)) (iota clients)))))
  (values answers seen))

(define (end-started!)
  (for-each (lambda (pid) (false-if-exception (kill pid SIGKILL))) started)
  (set! started '()))

(define (test-under-load)
  (match (socketpair AF_UNIX SOCK_STREAM 0)
    ((ours . theirs)
     (let* ((pid (start-process "guile" (greet-command "127.0.0.1:0")
                                #:output theirs))
            (where (begin
                     (close-port theirs)
                     (last (string-tokenize (read-line ours))))))
       (test-equal "it serves" pid (ask where))
       (receive (answers seen) (load-until-replaced where pid)
         (test-equal "what went wrong" '()
           (delete-duplicates (remove number? answers)))
         (test-equal "all that were started" '()
           (lset-difference eqv? (delete-duplicates answers) seen))
         (test-assert "several" (= (length seen) (+ 1 generations)))
         (test-equal "the first one ended well" 0
           (status:exit-val (wait-process pid)))
         (end! (car seen) where))
       (close-port ours)))))

(test-case "under load, nobody is refused or cut off"
  (dynamic-wind (const #t) test-under-load end-started!))

(test-case "one that does not begin leaves everything as it was"
  (let-ports ((listener (tcp-listener)))
    (test-error* "it ends" '(misc-error) (hand-over (list listener) '("false")))
    (test-error* "there is none" (list 'system-error ENOENT)
      (hand-over (list listener) '("/nonexistent")))
    (test-equal "it takes too long" 'too-long
      (with-deadline 0.1
        (lambda () (hand-over (list listener) '("sleep" "1000")))
        (lambda () 'too-long)))
    (test-error* "no child is left" (list 'system-error ECHILD) (waitpid -1))
    (let-ports ((client (connect-to (getsockname listener))))
      (test-assert "the listener listens"
        (match (accept listener)
          ((sock . _) (close-port sock)))))
    (test-error* "no listeners" '(wrong-type-arg 1 "hand-over")
      (hand-over listener))
    (test-error* "no command" '(wrong-type-arg 2 "hand-over")
      (hand-over (list listener) '()))))

;; Its copies would start copies, too.
(test-case "a program that does nothing else"
  (call-with-peer '("timeout" "20" "sh" "-c" "exec guile --no-auto-compile -c \"$1\" 2>&1"
                    "sh" "(use-modules (sockport hand-over)) (hand-over '())")
    (lambda (peer)
      (let ((said (get-string-all (peer-output peer))))
        (test-assert "the copy says why it does not"
          (string-contains said "has not taken over"))
        (test-assert "and the first that it has ended"
          (string-contains said "ended before it was ready"))
        (test-equal "with an error" 1 (status:exit-val (peer-status peer)))))))

;; Both are known to the waiter at once, and either may be looked at first.
(test-case "one that ends as soon as it is ready was ready"
  (let-ports ((bell (socket AF_UNIX SOCK_DGRAM 0)) (said (socket AF_UNIX SOCK_DGRAM 0)))
    (bind bell AF_UNIX "")
    (setsockopt bell SOL_SOCKET SO_PASSCRED 1)
    (let ((child (start-process "true" '())))
      (let-ports ((end ((@@ (sockport hand-over) %process-port) child #f)))
        (wait-first (readable-operation end))
        (test-equal "each of 100 times" (make-list 100 #t)
          (map (lambda (i)
                 (sendto said "READY=1" (getsockname bell))
                 ((@@ (sockport hand-over) await-ready) bell end (getpid)))
               (iota 100)))
        (test-error* "one that said nothing ended" '(misc-error)
          ((@@ (sockport hand-over) await-ready) bell end child))))))

;;; The manager.

(define (next-message sock)
  "Return the first line of the next datagram, and the ports that came with it."
  (let ((buffer (make-bytevector 4096)))
    (receive (ports message) (recv-ports sock buffer)
      (let ((bytes (make-bytevector (message-length message))))
        (bytevector-copy! buffer 0 bytes 0 (message-length message))
        (values (string-split (utf8->string bytes) #\newline) ports)))))

(test-case "what the manager keeps comes back after a crash"
  (let-ports ((manager (socket AF_UNIX SOCK_DGRAM 0))
              (nowhere (open-output-file "/dev/null")))
    (bind manager AF_UNIX "")
    (define environment
      (cons (string-append "NOTIFY_SOCKET="
                           (substring (socket-address->string
                                       (getsockname manager))
                                      5))
            (environ)))
    (define (start . options)
      (apply start-process "guile" (greet-command "127.0.0.1:0")
             #:environment environment #:output nowhere
             options))
    (let ((pid (start)))
      (receive (lines ports) (next-message manager)
        (test-equal "to be kept" '("FDSTORE=1" "FDNAME=greet") lines)
        (test-equal "ready" '("READY=1" "STATUS=greeting everybody")
          (next-message manager))
        (match ports
          ((kept)
           (let ((where (getsockname kept)))
             (kill pid SIGKILL)
             (wait-process pid)
             ;; Nobody serves, but nobody is refused either.
             (let-ports ((early (connect-to where)))
               (let ((again (start #:listeners `(("greet" . ,kept)))))
                 (close-port kept)
                 (test-equal "who connected meanwhile is served" again
                   (pid-of (read-line early)))
                 (test-equal "ready again" "READY=1"
                   (car (next-message manager)))
                 (kill again SIGTERM)
                 (test-equal "it stops" 0
                   (status:exit-val (wait-process again)))
                 (test-equal "and says so" '("STOPPING=1")
                   (next-message manager)))))))))))

(test-case "the manager learns the new main process"
  (let-ports ((manager (socket AF_UNIX SOCK_DGRAM 0)) (listener (tcp-listener)))
    (bind manager AF_UNIX "")
    (setenv "NOTIFY_SOCKET"
            (substring (socket-address->string (getsockname manager)) 5))
    ;; What it says is no line of TAP.
    (let ((pid (hand-over (list listener)
                          (cons* "sh" "-c" "exec \"$@\" >&2" "sh" "guile"
                                 (greet-command "127.0.0.1:0")))))
      (test-equal '("READY=1" "STATUS=greeting everybody")
        (next-message manager))
      (test-equal (list (format #f "MAINPID=~a" pid)) (next-message manager))
      (test-equal "it hears no more of the old one" #f
        (notify-manager #:stopping? #t))
      (kill pid SIGTERM)
      (test-equal "but of the new one" '("STOPPING=1") (next-message manager))
      (test-equal "it ends" 0 (status:exit-val (wait-process pid))))))

;; Without this the manager would end the new process for being silent.
(test-case "the new process has to say that it lives if the old one had"
  (define program "(use-modules (sockport))
(display (watchdog-seconds) (current-error-port))
(notify-manager #:ready? #t)")
  (define (seconds-there pid)
    (setenv "WATCHDOG_USEC" "2000000")
    (setenv "WATCHDOG_PID" (number->string pid))
    (with-temporary-directory
     (lambda (directory)
       (define file (string-append directory "/seconds"))
       (let-ports ((listener (tcp-listener)))
         (wait-process
          (hand-over (list listener)
                     (list "sh" "-c" "exec guile --no-auto-compile -c \"$1\" 2>\"$2\""
                           "sh" program file)))
         (call-with-input-file file get-string-all)))))
  (test-equal "it had" "2" (seconds-there (getpid)))
  (test-equal "another has" "#f" (seconds-there 1))
  (unsetenv "WATCHDOG_USEC")
  (unsetenv "WATCHDOG_PID"))

;;; It passes no variable on that it is not told.
(define (variables . names)
  (append-map (lambda (name)
                (match (getenv name)
                  (#f '())
                  (value (list "-E" (string-append name "=" value)))))
              names))

(test-case "activated by systemd's own program"
  (require-program "systemd-socket-activate")
  (with-temporary-directory
   (lambda (directory)
     (define name (string-append directory "/greet"))
     (define (answer)
       (let ((answer (ask (string-append "unix:" name))))
         (and (number? answer) answer)))
     (call-with-peer
      (append `("systemd-socket-activate" "-l" ,name "--fdname=greet")
              (variables "GUILE_LOAD_PATH" "GUILE_LOAD_COMPILED_PATH"
                         "GUILE_AUTO_COMPILE" "LC_ALL")
              (list (in-path "guile"))
              (greet-command))
      (lambda (peer)
        (test-equal "it serves what it was passed" (peer-pid peer)
          (wait-until answer))
        (kill (peer-pid peer) SIGTERM)
        (test-equal "and ends" 0 (status:exit-val (peer-status peer))))))))

(test-end "hand-over")
