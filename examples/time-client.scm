;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; time-client.scm HOST PORT: asks a server of RFC 868 for the time over UDP and
;;; prints it.  A datagram can be lost, so the client asks again each second, and
;;; gives up after the third time with exit code 1.

(use-modules (sockport) (ice-9 match) (rnrs bytevectors))

(define seconds-1900-to-1970 2208988800)

(define (seconds-since-1970 bytes)
  (let ((seconds (- (bytevector-u32-ref bytes 0 (endianness big))
                    seconds-1900-to-1970)))
    ;; The four bytes start again from 0 in February 2036.
    (if (negative? seconds) (+ seconds (expt 2 32)) seconds)))

(define (ask sock)
  "Return the answer's bytes, or #f if none has come in time."
  (let ((answer (make-bytevector 4)))
    (send sock #vu8())
    (catch 'system-error
      (lambda ()
        (and (= 4 (recv! sock answer)) answer))
      (lambda error
        (if (= EAGAIN (system-error-errno error))
            #f
            (apply throw error))))))

(match (command-line)
  ((_ host port)
   (let* ((address (addrinfo:addr (car (getaddrinfo host port))))
          (sock (socket (sockaddr:fam address) SOCK_DGRAM 0)))
     ;; A connected datagram socket hears nobody but that server, and is told
     ;; when nothing listens there.
     (connect sock address)
     (setsockopt sock SOL_SOCKET SO_RCVTIMEO '(1 . 0))
     (let ((answer (or (ask sock) (ask sock) (ask sock))))
       (unless answer
         (display "no answer\n" (current-error-port))
         (exit 1))
       (display (strftime "%Y-%m-%d %H:%M:%S UTC\n"
                          (gmtime (seconds-since-1970 answer)))))))
  (_
   (display "usage: time-client.scm HOST PORT\n" (current-error-port))
   (exit 2)))
