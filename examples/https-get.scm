;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; https-get.scm HOST PORT PATH [AUTHORITIES]: reads a page by HTTPS and writes it, its
;;; headers first, and to the standard error by what it came.  AUTHORITIES is a file of
;;; certificates to trust, in place of the system's.

(use-modules (sockport) (sockport tls) (ice-9 binary-ports) (ice-9 exceptions)
             (ice-9 match))

(define (context authorities)
  (if authorities
      (tls-context #:trust authorities #:alpn '("http/1.1"))
      (tls-context #:alpn '("http/1.1"))))

(define (copy-all from to)
  (let ((bytes (get-bytevector-some from)))
    (unless (eof-object? bytes)
      (put-bytevector to bytes)
      (copy-all from to))))

(define* (get host port path #:optional authorities)
  (let ((tls (connect-to host #:port port #:tls (context authorities))))
    (format (current-error-port) "~a, ~a~%" (tls-protocol tls) (tls-cipher tls))
    ;; The end of the connection is the end of the page, and TLS tells it from a cut.
    (format tls "GET ~a HTTP/1.0\r\nHost: ~a\r\n\r\n" path host)
    (force-output tls)
    (copy-all tls (current-output-port))
    (close-port tls)))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error tls-error
                   wrong-type-arg deadline-exceeded))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((or (_ _ _ _) (_ _ _ _ _))
     (with-deadline 30 (lambda () (apply get (cdr (command-line))))))
    (_
     (display "usage: https-get.scm HOST PORT PATH [AUTHORITIES]\n"
              (current-error-port))
     (exit 2))))
