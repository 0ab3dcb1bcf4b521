;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; An echo server: one task per connection, in direct style.
;;;
;;;   ./dev run examples/echo-server.scm PORT
;;;
;;; serves on 127.0.0.1:PORT until SIGTERM, 10,000 connections at a time and more
;;; if the limit of descriptors (ulimit -n) allows.

(use-modules (ice-9 exceptions)
             (rnrs bytevectors)
             (sockport))

;; Not a loop inside: Guile compiles a procedure to machine code when it has been
;; called often, but each loop that was begun before anew.
(define (echo sock buffer)
  (let ((n (recv! sock buffer)))
    (when (positive? n)
      (send sock buffer 0 0 n)
      (echo sock buffer))))

;; Not 4096 bytes: thousands of such buffers would begin at the same place of a
;; page, and so contend for a few lines of the processor's cache.
(define buffer-size 1000)

(define (start-connection sock)
  (setsockopt sock IPPROTO_TCP TCP_NODELAY 1)
  (spawn-task (lambda () (echo sock (make-bytevector buffer-size)))
              #:on-end (lambda (exception)
                         (close-port sock)
                         ;; A peer that goes away in the middle is no error of ours.
                         (and exception
                              (eq? (exception-kind exception) 'system-error)))))

(define (accept-all listener)
  (start-connection (car (accept listener)))
  (accept-all listener))

(define (listen-on port)
  (let ((listener (socket AF_INET SOCK_STREAM 0)))
    (setsockopt listener SOL_SOCKET SO_REUSEADDR 1)
    (bind listener AF_INET INADDR_LOOPBACK port)
    (listen listener SOMAXCONN)
    listener))

(define (raise-descriptor-limit)
  (call-with-values (lambda () (getrlimit 'nofile))
    (lambda (soft hard) (setrlimit 'nofile hard hard))))

(define (main port)
  (raise-descriptor-limit)
  (let ((listener (listen-on port)))
    (format #t "serving on ~a~%" (sockaddr:port (getsockname listener)))
    (force-output)
    (let ((server (spawn-task (lambda () (accept-all listener)))))
      (wait-signal SIGTERM)
      (close-port listener)
      (exit 0))))

(run-tasks (lambda () (main (string->number (cadr (command-line))))))
