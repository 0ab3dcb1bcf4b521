;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How a connection ends that connect has to wait for.

(use-modules (harness)
             (harness socket)
             ((harness task) #:select (in-order?))
             (harness waiting)
             (ice-9 control)
             (ice-9 match)
             (ice-9 threads)
             (sockport)
             (srfi srfi-1))

(test-begin "wait-connect")

(test-case "connect tells how it ended"
  (let-ports ((server (tcp-listener)))
    (let ((address (getsockname server)))
      (let-ports ((client (socket AF_INET SOCK_STREAM 0)))
        (test-equal "made" #t (connect client address))
        (test-assert "in blocking mode" (not (nonblocking? client))))
      (close-port server)
      (let-ports ((client (socket AF_INET SOCK_STREAM 0)))
        (test-error* "refused" (list 'system-error ECONNREFUSED "connect")
          (connect client address))
        (test-assert "in blocking mode still" (not (nonblocking? client))))
      (let-ports ((client (socket AF_INET SOCK_STREAM 0)))
        (set-nonblocking! client #t)
        (test-assert "refused, in non-blocking mode"
          (member (catch 'system-error
                    (lambda () (connect client address))
                    (lambda (key . args) (describe-error key args)))
                  `(#f (system-error ,ECONNREFUSED "connect"))))))))

(test-case "on the same machine it needs no wait, and lets others run all the same"
  (let-ports ((server (tcp-listener)))
    (define address (getsockname server))
    (define (connect-once)
      (let-ports ((client (socket AF_INET SOCK_STREAM 0)))
        (connect client address)
        (close-port (car (accept server)))))
    (run-tasks
     (lambda ()
       (define turns 0)
       (define other
         (spawn-task (lambda ()
                       (let again ()
                         (set! turns (+ turns 1))
                         (task-yield)
                         (again)))))
       (task-yield)
       (let ((before turns))
         (connect-once)
         ;; In chaos a turn may be too short for it.
         (when in-order?
           (test-equal "one" before turns)))
       (for-each (lambda (i) (connect-once)) (iota 100))
       (test-assert "a hundred" (> turns 3))
       (cancel! other)))))

;; A TCP listener whose queue is full drops what comes.
(define (full-tcp-listener)
  (let* ((server (tcp-listener 0))
         (clients (map (lambda (i)
                         (let ((client (socket AF_INET SOCK_STREAM 0)))
                           (set-nonblocking! client #t)
                           (connect client (getsockname server))
                           client))
                       (iota 4))))
    (close-later! clients)
    server))

(test-case "connect to a TCP listener whose queue is full"
  (let-ports ((server (full-tcp-listener))
              (client (socket AF_INET SOCK_STREAM 0)))
    (test-equal "a handler can escape" 'escaped
      (let/ec escape
        (interrupted-after 0.1 (lambda () (escape 'escaped))
          (lambda () (connect client (getsockname server))))))
    (test-assert "in blocking mode" (not (nonblocking? client)))
    (test-error* "it is still being made" (list 'system-error EALREADY "connect")
      (begin (set-nonblocking! client #t)
             (connect client (getsockname server))))
    (set-nonblocking! client #f)
    (let ((other (socket AF_INET SOCK_STREAM 0)))
      (define thread
        (in-waiting-thread (lambda () (connect other (getsockname server)))))
      (close-port other)
      (test-equal "closed by another thread" (list 'system-error EBADF)
        (match (join-thread thread (+ 10 (current-time)) 'late)
          ((key errno who) (list key errno))
          (other other))))
    (close-queued!)))

(test-case "connect does not spin when somebody else has read its error"
  (let-ports ((server (full-tcp-listener))
              (client (socket AF_INET SOCK_STREAM 0)))
    (let ((thread (in-waiting-thread
                   (lambda () (connect client (getsockname server))))))
      (shutdown client 2)
      (getsockopt client SOL_SOCKET SO_ERROR)
      (test-assert "an error"
        (match (join-thread thread (+ 10 (current-time)) 'late)
          (('system-error errno who) #t)
          (other (format #t "# ~s~%" other) #f))))
    (close-queued!)))

(test-case "a socket that was refused can try again, and one that is connected not"
  (let-ports ((server (socket AF_INET SOCK_STREAM 0))
              (client (socket AF_INET SOCK_STREAM 0)))
    (bind server AF_INET INADDR_LOOPBACK 0)
    (for-each (lambda (i)
                (test-error* (list "refused" i)
                  (list 'system-error ECONNREFUSED "connect")
                  (connect client (getsockname server))))
              (iota 3))
    (listen server 1)
    (test-equal "connected" #t (connect client (getsockname server)))
    (test-error* "connected already" (list 'system-error EISCONN "connect")
      (connect client (getsockname server)))))

(test-end "wait-connect")
