;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; time-server.scm PORT: the Time Protocol of RFC 868 over UDP.  Whoever sends a
;;; datagram gets four bytes back: the seconds since 1900-01-01 00:00 UTC, most
;;; significant byte first.  Runs until it is killed.

(use-modules (sockport) (ice-9 exceptions) (ice-9 match) (rnrs bytevectors))

(define seconds-1900-to-1970 2208988800)

(define (now)
  (let ((bytes (make-bytevector 4)))
    (bytevector-u32-set! bytes 0
                         (modulo (+ (current-time) seconds-1900-to-1970)
                                 (expt 2 32))
                         (endianness big))
    bytes))

(define (answer sock)
  ;; What was asked does not matter, so there is no room for it: a datagram that
  ;; is longer than the buffer is cut.
  (match (recvfrom! sock (make-bytevector 0))
    ((_ . client)
     ;; An answer that cannot be delivered concerns nobody else.
     (catch 'system-error
       (lambda ()
         (sendto sock (now) client)
         (format #t "answered ~a~%" (socket-address->string client)))
       (const #f))))
  (answer sock))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ (= string->number (? exact-integer? port)))
     (let ((sock (socket AF_INET SOCK_DGRAM 0)))
       (bind sock AF_INET INADDR_ANY port)
       (setvbuf (current-output-port) 'line)
       (format #t "telling the time at ~a~%"
               (socket-address->string (getsockname sock)))
       (answer sock)))
    (_
     (display "usage: time-server.scm PORT\n" (current-error-port))
     (exit 2))))
