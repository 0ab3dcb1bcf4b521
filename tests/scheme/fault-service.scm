;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; As fault.scm, what a service is handed from outside: sockets by a manager or by the
;;; process before it, what a proxy says, signals.  Run with peers/fault.c preloaded.

(use-modules (harness)
             (harness fault)
             ((harness process) #:select (require-program))
             ((harness socket) #:select (tcp-listener))
             (ice-9 match)
             (ice-9 receive)
             (sockport)
             (sockport proxy-header))

;;; The descriptors that a manager passes begin with 3, which Guile takes for itself
;;; where it is free; so this program is started anew with a socket there.
(unless (getenv "LISTEN_FDS")
  (exit (status:exit-val
         (wait-process
          (start-process "guile" (list "--no-auto-compile" "-s" (car (command-line)))
                         #:listeners (list (cons "web" (tcp-listener))))))))

(define passed
  (match (listen-fds)
    (((name . sock))
     (let ((copy (dup->fdes sock 100)))
       (close-port sock)
       copy))))

;;; It is never free for others.
(define (occupy!) (dup2 passed 3))
(occupy!)

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (passed-again)
  (for-each setenv '("LISTEN_PID" "LISTEN_FDS" "LISTEN_FDNAMES")
            (list (number->string (getpid)) "1" "web"))
  '())

;; What is dropped, a socket that could not be told for one too, would close 3 when it is
;; collected, in the middle of something else.
(define (settled-name result)
  (match result
    (((name . (? port? sock)))
     (let ((where (sockaddr:addr (getsockname sock))))
       (close-port sock)
       (occupy!)
       (list name where)))
    (((name . (? descriptor? descriptor)))
     (close-descriptor descriptor)
     (occupy!)
     (list name))
    (_ result)))

(define here (make-socket-address AF_INET INADDR_LOOPBACK 80))
(define there (make-socket-address AF_INET INADDR_LOOPBACK 443))

(define (send-header sock version)
  (send sock (proxy-header here there version))
  (send sock "more"))

(define (with-header version)
  (lambda ()
    (match (socketpair AF_UNIX SOCK_STREAM 0)
      ((a . b)
       (send-header b version)
       (list a b)))))

;;; A part of the header may be gone when one cannot go on; then it is sent anew.
(define (addresses-and-rest sock peer version)
  (catch 'system-error
    (lambda ()
      (receive (source destination) (receive-proxy-header sock)
        (list source destination (recv sock 9))))
    (lambda args
      (recv sock 999)
      (send-header peer version)
      (apply throw args))))

(define (signalled)
  (watch-signal! SIGUSR1)
  (kill (getpid) SIGUSR1)
  '())

;;; What says that it is ready, and ends.
(define successor
  '("sh" "-c" "exec socat -u - \"ABSTRACT-SENDTO:${SOCKPORT_HAND_OVER#@}\" <<end
READY=1
end"))

(define rows
  (situations
   ("listen-fds" passed-again () (listen-fds) settled-name)
   ("receive-proxy-header, text" (with-header 1) (a b)
    (addresses-and-rest a b 1) identity)
   ("receive-proxy-header" (with-header 2) (a b)
    (addresses-and-rest a b 2) identity)
   ("wait-signal" signalled () (wait-signal SIGUSR1) identity)
   ("hand-over" (lambda () (list (tcp-listener))) (listener)
    (hand-over (list listener) successor)
    (lambda (pid)
      (if (integer? pid) (status:exit-val (wait-process pid)) pid)))))

(test-begin "fault-service")
(test-case "what hands over is there" (require-program "socat"))
(test-faults rows)
(test-case "no successor is left"
  (test-error* "none" (list 'system-error ECHILD) (waitpid -1)))
(unwatch-signal! SIGUSR1)
(for-each close-fdes (list 3 passed))
(test-end "fault-service")
