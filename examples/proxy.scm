;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; proxy.scm ADDRESS TARGET: passes each connection to ADDRESS on to TARGET, and
;;; bytes both ways, until both sides have said all.  Either may be TCP or UNIX:
;;;
;;;   proxy.scm 127.0.0.1:6380 unix:/run/redis.sock

(use-modules (sockport) (ice-9 exceptions) (ice-9 match))

(define (call-with-connection address proc)
  (let ((sock (socket (sockaddr:fam address) SOCK_STREAM 0)))
    (call-with-cleanup
     (lambda ()
       (with-deadline 10 (lambda () (connect sock address)))
       (proc sock))
     (lambda () (close-port sock)))))

(define (address text)
  (or (string->socket-address text)
      (error "This is no address (HOST:PORT in numbers, or unix:NAME):" text)))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ where target)
     (serve where
            (let ((target (address target)))
              (lambda (client peer)
                (call-with-connection target
                  (lambda (server) (relay client server)))))
            #:grace-seconds 1
            #:on-listen
            (lambda (server)
              (format #t "passing ~a on to ~a~%"
                      (socket-address->string (car (server-addresses server)))
                      target)
              (force-output))))
    (_
     (display "usage: proxy.scm ADDRESS TARGET\n" (current-error-port))
     (exit 2))))
