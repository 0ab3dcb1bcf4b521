;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; tls-echo.scm ADDRESS CERTIFICATE KEY AUTHORITY: an echo server for clients that
;;; have a certificate of AUTHORITY, a file of certificates.  SIGHUP has it read all
;;; files again, for connections from then on.
;;;
;;;   tls-echo.scm 127.0.0.1:7000 server.pem server.key clients-authority.pem

(use-modules (sockport) (sockport tls) (ice-9 exceptions) (ice-9 match)
             (rnrs bytevectors))

(define (echo port peer)
  (define buffer (make-bytevector 16384))
  (let next ()
    (let ((count (recv! port buffer)))
      (unless (zero? count)
        (send port buffer 0 0 count)
        (next)))))

(define (reload-on-hangup! context)
  (sigaction SIGHUP
    (lambda (signal)
      ;; A file that is no good yet changes nothing.
      (guard (e (#t (format (current-error-port) "as before: ~a ~s~%"
                            (exception-kind e) (exception-args e))))
        (tls-reload! context)))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error tls-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ where certificate key authority)
     (let ((context (tls-context #:certificate certificate #:key key
                                 #:trust authority
                                 #:client-certificates 'require)))
       (reload-on-hangup! context)
       (serve where echo #:tls context #:grace-seconds 1
              #:on-listen
              (lambda (server)
                (format #t "echoing at ~a~%"
                        (socket-address->string (car (server-addresses server))))
                (force-output)))))
    (_
     (display "usage: tls-echo.scm ADDRESS CERTIFICATE KEY AUTHORITY\n"
              (current-error-port))
     (exit 2))))
