;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; greeter.scm PORT: greets each client that connects over TCP and hangs up.
;;; Port 0 lets the kernel choose; where the greeter listens is printed.  Runs
;;; until it is killed.

(use-modules (sockport) (ice-9 exceptions) (ice-9 match))

(define (listen-at port)
  (let ((server (socket AF_INET SOCK_STREAM 0)))
    ;; Without it, the port stays taken for a while after the last greeter.
    (setsockopt server SOL_SOCKET SO_REUSEADDR 1)
    (bind server AF_INET INADDR_ANY port)
    (listen server SOMAXCONN)
    server))

(define (greet sock peer number)
  ;; A client that has gone already is an error of that client alone.
  (catch 'system-error
    (lambda ()
      (send sock (format #f "Hello ~a, you are client number ~a.\r\n"
                         (socket-address->string peer) number)))
    (lambda error
      (format #t "~a: ~a~%" (socket-address->string peer)
              (strerror (system-error-errno error)))))
  (close-port sock))

(define (serve server number)
  (match (accept server)
    ((sock . peer)
     (format #t "client ~a: ~a~%" number (socket-address->string peer))
     (greet sock peer number)
     (serve server (+ number 1)))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ (= string->number (? exact-integer? port)))
     (let ((server (listen-at port)))
       (setvbuf (current-output-port) 'line)
       (format #t "greeting at ~a~%" (socket-address->string (getsockname server)))
       (serve server 1)))
    (_
     (display "usage: greeter.scm PORT\n" (current-error-port))
     (exit 2))))
