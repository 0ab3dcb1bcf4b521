;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; An echo server: one task per connection, in direct style.
;;;
;;;   ./dev run examples/echo-server.scm PORT
;;;
;;; serves on 127.0.0.1:PORT until SIGTERM, 10,000 connections at a time and more
;;; if the limit of descriptors (ulimit -n) allows.

(use-modules (rnrs bytevectors)
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

(raise-descriptor-limit)
(serve (string-append "127.0.0.1:" (cadr (command-line))) echo
       #:grace-seconds 0
       #:on-listen announce)
