;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; An echo server on Fibers and Guile's own sockets, for bench/echo.scm.

(use-modules (fibers)
             (ice-9 binary-ports)
             (rnrs bytevectors))

(define (echo sock)
  (let loop ()
    (let ((bytes (get-bytevector-some sock)))
      (unless (eof-object? bytes)
        (put-bytevector sock bytes)
        (force-output sock)
        (loop)))))

(define (serve-connection sock)
  (setvbuf sock 'block 4096)
  (setsockopt sock IPPROTO_TCP TCP_NODELAY 1)
  (false-if-exception (echo sock))
  (close-port sock))

(define (accept-all listener)
  (let ((sock (car (accept listener SOCK_NONBLOCK))))
    (spawn-fiber (lambda () (serve-connection sock)))
    (accept-all listener)))

(let ((listener (socket PF_INET (logior SOCK_STREAM SOCK_NONBLOCK) 0)))
  (setsockopt listener SOL_SOCKET SO_REUSEADDR 1)
  (bind listener AF_INET INADDR_LOOPBACK
        (string->number (cadr (command-line))))
  (listen listener 4096)
  (run-fibers (lambda () (accept-all listener)) #:parallelism 1 #:hz 0))
