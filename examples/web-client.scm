;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; web-client.scm HOST PORT PATH: reads a page from an HTTP server and writes it,
;;; its headers first.  HOST is a name or an address; when it has several, whichever
;;; answers first is asked.  Exits with 1 if none does.

(use-modules (sockport) (ice-9 binary-ports) (ice-9 exceptions) (ice-9 match)
             (rnrs bytevectors))

(define (ask sock host path)
  ;; A server of HTTP 1.0 closes the connection after the page, so that the end
  ;; of the stream is the end of the page.
  (send sock (string->utf8 (string-append "GET " path " HTTP/1.0\r\n"
                                          "Host: " host "\r\n\r\n"))))

(define (copy-all sock port)
  (let ((buffer (make-bytevector 65536)))
    (let loop ((size (recv! sock buffer)))
      (unless (zero? size)
        (put-bytevector port buffer 0 size)
        (loop (recv! sock buffer))))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ host port path)
     (let ((sock (connect-to host #:port port)))
       (ask sock host path)
       (copy-all sock (current-output-port))
       (close-port sock)))
    (_
     (display "usage: web-client.scm HOST PORT PATH\n" (current-error-port))
     (exit 2))))
