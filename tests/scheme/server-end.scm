;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How servers end, where they listen, and their workers.

(use-modules (harness)
             (harness process)
             (harness server)
             (harness socket)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport channel))

(test-begin "server-end")

(define (refused? server)
  (catch 'system-error
    (lambda () (close-port (client server)) #f)
    (lambda args (= ECONNREFUSED (system-error-errno args)))))

(test-case "stopping: nobody new, and time for the others"
  (call-with-server echo
    (lambda (server)
      (let ((sock (client server)))
        (say sock "x")
        (stop-server! server)
        (wait-for-task (lambda () (refused? server)))
        (test-equal "still served" "y" (say sock "y"))
        (close-port sock)
        (wait-for-task (lambda () (zero? (server-connections server))))))
    #:grace-seconds #f))

(test-case "stopping: the grace period ends"
  (call-with-server echo
    (lambda (server)
      (let-ports ((sock (client server)))
        (say sock "x")
        (stop-server! server)
        ;; Before the ten seconds that there are otherwise.
        (test-equal "not at once" 'served
          (with-deadline 1/50 (lambda () (end-of sock)) (const 'served)))
        (test-equal "ended" 0
          (with-deadline 5 (lambda () (end-of sock)) (const 'late)))))
    #:grace-seconds 1))

(test-case "SIGTERM, and what handled it before"
  (let ((before (car (sigaction SIGTERM))))
    (serve "127.0.0.1:0" echo
           #:on-listen (lambda (server) (kill (getpid) SIGTERM)))
    (test-equal "as before" before (car (sigaction SIGTERM)))))

(test-case "servers that end in the order in which they began"
  (let ((before (car (sigaction SIGTERM))))
    (run-tasks
     (lambda ()
       (define (start)
         "Start a server: the server, and the task that runs it."
         (let* ((box (make-channel 1))
                (task (spawn-task
                       (lambda ()
                         (serve "127.0.0.1:0" echo
                                #:on-listen (lambda (server)
                                              (channel-put box server)))))))
           (cons (channel-get box) task)))
       (let* ((one (start)) (two (start)))
         (stop-server! (car one))
         (join (cdr one))
         (test-assert "the signal is still the second one's"
           (not (eq? before (car (sigaction SIGTERM)))))
         (kill (getpid) SIGTERM)
         (join (cdr two)))))
    (test-equal "and then as before" before (car (sigaction SIGTERM)))))

(test-case "one signal stops all servers"
  (run-tasks
   (lambda ()
     (let ((tasks (map (lambda (i)
                         (let ((box (make-channel 1)))
                           (let ((task (spawn-task
                                        (lambda ()
                                          (serve "127.0.0.1:0" echo
                                                 #:on-listen
                                                 (lambda (server)
                                                   (channel-put box #t)))))))
                             (channel-get box)
                             task)))
                       '(1 2 3))))
       (kill (getpid) SIGTERM)
       (for-each join tasks))))
  (test-assert "ended" #t))

(test-case "a signal stops a server when the thread of another has ended"
  (define (start)
    (let* ((box (make-channel 1))
           (thread (call-with-new-thread
                    (lambda ()
                      (serve "127.0.0.1:0" echo
                             #:on-listen (lambda (server)
                                           (channel-put box server)))
                      'ended))))
      (cons (channel-get box) thread)))
  (test-equal "SIGTERM" '(ended ended)
    (let* ((one (start)) (two (start)))
      (stop-server! (car one))
      (let ((first (join-thread (cdr one))))
        (kill (getpid) SIGTERM)
        (wait-until (lambda () (thread-exited? (cdr two))))
        (stop-server! (car two))
        (list first (join-thread (cdr two)))))))

(test-case "a handler that was set meanwhile stays"
  (let ((before (sigaction SIGTERM)) (mine (lambda (signal) #t)))
    (serve "127.0.0.1:0" echo
           #:on-listen (lambda (server)
                         (sigaction SIGTERM mine)
                         (stop-server! server)))
    (test-eq "mine" mine (car (sigaction SIGTERM)))
    (sigaction SIGTERM (car before) (cdr before))))

(test-case "a name that was given relatively goes, wherever the process is then"
  (with-temporary-directory
    (lambda (directory)
      (let ((here (getcwd)))
        (dynamic-wind
          (lambda () (chdir directory))
          (lambda ()
            (serve "unix:sock" echo
                   #:on-listen (lambda (server)
                                 (test-assert "bound" (file-exists? "sock"))
                                 (chdir "/")
                                 (stop-server! server))))
          (lambda () (chdir here))))
      (test-assert "gone"
        (not (file-exists? (string-append directory "/sock")))))))

(test-case "a signal while the server sleeps, and a second one"
  (define server #f)
  (define thread
    (in-thread
     (lambda ()
       (wait-until (lambda () server))
       (let ((sock (client server)))
         (send sock "x")
         (recv! sock (make-string 1))
         (kill (getpid) SIGTERM)
         (wait-until (lambda () (refused? server)))
         (kill (getpid) SIGTERM)
         (let ((end (end-of sock)))
           (close-port sock)
           end)))))
  (serve "127.0.0.1:0" echo #:grace-seconds #f
         #:on-listen (lambda (made) (set! server made)))
  (test-equal "cancelled" 0 (join-thread thread)))

(test-case "a name in the file system goes with the server"
  (with-temporary-directory
    (lambda (directory)
      (let ((path (string-append directory "/sock")))
        (serve (string-append "unix:" path) echo #:mode #o600
               #:on-listen (lambda (server)
                             (test-assert "there" (file-exists? path))
                             (stop-server! server)))
        (test-assert "gone" (not (file-exists? path)))))))

(test-case "several addresses, and a socket that listens already"
  (let* ((given (tcp-listener)) (address (getsockname given)))
    (serve (list "127.0.0.1:0" given) echo
           #:on-listen
           (lambda (server)
             (test-equal "both" 2 (length (server-addresses server)))
             (test-equal "the given one" address
               (cadr (server-addresses server)))
             (stop-server! server)))
    (test-assert "it was closed" (port-closed? given))))

(test-case "workers"
  (define seen (make-hash-table))
  (define lock (make-mutex))
  (define server #f)
  (define thread
    (in-thread
     (lambda ()
       (wait-until (lambda () server))
       (let ((socks (map (lambda (i) (client server)) (iota 64))))
         (for-each (lambda (sock)
                     (send sock "x")
                     (recv! sock (make-string 1)))
                   socks)
         (for-each close-port socks)
         (stop-server! server)))))
  (serve "127.0.0.1:0"
         (lambda (sock peer)
           (with-mutex lock (hashv-set! seen (current-worker) #t))
           (echo sock peer))
         #:workers 2
         #:on-listen (lambda (made) (set! server made)))
  (join-thread thread)
  (test-equal "each had some" '(0 1)
    (sort (hash-map->list (lambda (worker _) worker) seen) <)))

(test-case "an address in use is an error of serve"
  (let-ports ((taken (tcp-listener)))
    (test-error* "in use" `(system-error ,EADDRINUSE "serve")
      (serve (getsockname taken) echo))))

(test-case "bad arguments, before anything is opened"
  (test-error* "no handler" '(wrong-type-arg 2 "serve") (serve "127.0.0.1:0" 5))
  (test-error* "no address" '(wrong-type-arg 1 "serve") (serve 'here echo))
  (for-each
   (match-lambda
     ((key . options)
      (test-error* (list key options) (list key)
        (apply serve "127.0.0.1:0" echo options))))
   '((out-of-range #:workers 0) (out-of-range #:workers -1)
     (wrong-type-arg #:workers 1.5) (out-of-range #:connections 0)
     (wrong-type-arg #:connections "many") (out-of-range #:idle-seconds -1)
     (wrong-type-arg #:idle-seconds 1+i) (out-of-range #:grace-seconds +nan.0)
     (wrong-type-arg #:connection-seconds soon)
     (out-of-range #:backlog -2) (out-of-range #:backlog 1180591620717411303424)
     (keyword-argument-error #:no-such-option 1))))

(test-end "server-end")
