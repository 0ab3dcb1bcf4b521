;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Slow clients, for bench/http-slow.scm: PORT COUNT.  Every other one sends its
;;; request a byte a second; the rest ask for a page of 1 MiB, and take as little.  A
;;; line says when each has begun, so that the server has no more to do for them than
;;; to wait; they go on until they are killed.

(use-modules (ice-9 match)
             (rnrs bytevectors)
             (sockport))

(define (connected port)
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (connect sock AF_INET INADDR_LOOPBACK port)
    sock))

(define head (string-append "GET /" (make-string 5000 #\x)))

(define (send-slowly sock begun)
  (let next ((at 0))
    (send sock head 0 at (+ at 1))
    (when (zero? at) (begun))
    (sleep 1)
    (next (+ at 1))))

(define (take-slowly sock begun)
  (let ((byte (make-bytevector 1)))
    (send sock "GET /1m HTTP/1.1\r\nHost: a\r\n\r\n")
    (recv! sock byte)
    (begun)
    (let next ()
      (sleep 1)
      (recv! sock byte)
      (next))))

(match (map string->number (cdr (command-line)))
  ((port count)
   (define left count)
   (define (begun)
     (set! left (- left 1))
     (when (zero? left)
       (display "begun\n")
       (force-output)))
   (run-tasks
    (lambda ()
      (for-each (lambda (i)
                  (let ((sock (connected port)))
                    (spawn-task (lambda ()
                                  ((if (even? i) send-slowly take-slowly)
                                   sock begun)))))
                (iota count))))))
