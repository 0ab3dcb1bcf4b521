;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; An echo server: one task per connection, in direct style.
;;;
;;;   ./dev run examples/echo-server.scm PORT
;;;
;;; serves on 127.0.0.1:PORT until SIGTERM, 10,000 connections at a time and more
;;; if the limit of descriptors (ulimit -n) allows.

(use-modules (ice-9 exceptions)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport))

(define (echo sock address)
  (define buffer (make-bytevector 4096))
  (let loop ()
    (let ((n (recv! sock buffer)))
      (when (positive? n)
        (send sock buffer 0 0 n)
        (loop)))))

(define (raise-descriptor-limit)
  (call-with-values (lambda () (getrlimit 'nofile))
    (lambda (soft hard) (setrlimit 'nofile hard hard))))

(define (announce server)
  (format #t "serving on ~a~%"
          (sockaddr:port (car (server-addresses server))))
  (force-output))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ (? string->number port))
     (raise-descriptor-limit)
     (serve (string-append "127.0.0.1:" port) echo
            #:grace-seconds 0
            #:on-listen announce))
    (_
     (display "usage: echo-server.scm PORT\n" (current-error-port))
     (exit 2))))
