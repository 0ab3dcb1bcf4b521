;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; greet.scm [ADDRESS]: a server as a service manager likes it.  It listens at what
;;; the manager passed, or else at ADDRESS; says when it is ready, that it lives, and
;;; that it stops; has the manager keep what it listens at; and at SIGHUP starts
;;; anew, its program and all, while everybody who connects is served.

(use-modules (sockport) (ice-9 exceptions) (ice-9 match) (srfi srfi-1))

(define (greet sock peer)
  (format sock "good morning from ~a~%" (getpid)))

(define (find-listeners where)
  "Return an alist from names to sockets that listen."
  (match (listen-fds)
    (()
     (let ((listeners (map (lambda (sock) (cons "greet" sock))
                           (listen-on where))))
       (notify-manager #:store listeners)
       listeners))
    (found found)))

(define (say-that-it-lives)
  (let ((seconds (watchdog-seconds)))
    (when seconds
      (let next ()
        (notify-manager #:watchdog? #t)
        (sleep (/ seconds 2))
        (next)))))

(define (start-anew-at-hangup server listeners)
  (wait-signal SIGHUP)
  (catch #t
    (lambda ()
      (with-deadline 30 (lambda () (hand-over listeners)))
      (stop-server! server))
    (lambda (key . args)
      (print-exception (current-error-port) #f key args)
      ;; Serve on as before.
      (start-anew-at-hangup server listeners))))

(define (run where)
  (define listeners (find-listeners where))
  (watch-signal! SIGHUP)
  (with-task-group
   (lambda (group)
     (define (begin! server)
       (spawn-task say-that-it-lives #:group group)
       (spawn-task (lambda () (start-anew-at-hangup server listeners))
                   #:group group)
       (for-each (lambda (address)
                   (format #t "listening on ~a~%"
                           (socket-address->string address)))
                 (server-addresses server))
       (force-output)
       (notify-manager #:ready? #t #:status "greeting everybody"))
     (serve (map cdr listeners) greet #:on-listen begin!)
     (notify-manager #:stopping? #t)
     (cancel! group))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_) (run-tasks (lambda () (run "127.0.0.1:7000"))))
    ((_ where) (run-tasks (lambda () (run where))))
    (_
     (display "usage: greet.scm [ADDRESS]\n" (current-error-port))
     (exit 2))))
