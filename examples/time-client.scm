;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; time-client.scm HOST PORT: asks a server of RFC 868 for the time over UDP and
;;; prints it.  A datagram can be lost, so the client asks again each second, three
;;; times at each address of HOST; if there is no answer, it exits with 1.

(use-modules (sockport) (ice-9 exceptions) (ice-9 match) (rnrs bytevectors))

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

(define (ask-at address)
  "Return the answer of the server at ADDRESS, or #f."
  (define sock (socket (sockaddr:fam address) SOCK_DGRAM 0))
  (define (complain what)
    (format (current-error-port) "~a: ~a~%" (socket-address->string address)
            what)
    #f)
  (define answer
    (catch 'system-error
      (lambda ()
        ;; A connected datagram socket hears nobody but that server, and is told
        ;; when nothing listens there.
        (connect sock address)
        (setsockopt sock SOL_SOCKET SO_RCVTIMEO '(1 . 0))
        (or (ask sock) (ask sock) (ask sock)
            (complain "no answer")))
      (lambda error
        (complain (strerror (system-error-errno error))))))
  (close-port sock)
  answer)

(define (addresses host port)
  (map addrinfo:addr (getaddrinfo host port 0 AF_UNSPEC SOCK_DGRAM)))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ host port)
     (let ((answer (or-map ask-at (addresses host port))))
       (unless answer
         (exit 1))
       (display (strftime "%Y-%m-%d %H:%M:%S UTC\n"
                          (gmtime (seconds-since-1970 answer))))))
    (_
     (display "usage: time-client.scm HOST PORT\n" (current-error-port))
     (exit 2))))
