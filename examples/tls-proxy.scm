;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; tls-proxy.scm ADDRESS TARGET CERTIFICATE KEY: does TLS for a server that does not.
;;; Each connection to ADDRESS is passed on to TARGET in plain text, TCP or UNIX, until
;;; both sides have said all:
;;;
;;;   tls-proxy.scm 0.0.0.0:443 unix:/run/web/socket server.pem server.key

(use-modules (sockport) (sockport tls) (ice-9 exceptions) (ice-9 match))

(define (passing-on target)
  (lambda (client peer)
    (let ((server (with-deadline 10 (lambda () (connect-to target)))))
      (call-with-cleanup
       (lambda () (relay client server))
       (lambda () (close-port server))))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error tls-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ where target certificate key)
     (serve where (passing-on target)
            #:tls (tls-context #:certificate certificate #:key key)
            #:grace-seconds 1
            #:on-listen
            (lambda (server)
              (format #t "passing ~a on to ~a~%"
                      (socket-address->string (car (server-addresses server)))
                      target)
              (force-output))))
    (_
     (display "usage: tls-proxy.scm ADDRESS TARGET CERTIFICATE KEY\n"
              (current-error-port))
     (exit 2))))
