;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; udp-limiter.scm PORT RATE: an echo server for datagrams on 127.0.0.1 that
;;; answers each sender at most RATE times a second, and RATE times at once; what
;;; is too much is dropped.  At the end, on SIGTERM, it tells how much that was.

(use-modules (sockport) (ice-9 exceptions) (ice-9 match) (rnrs bytevectors))

;;; From a sender's host to a pair of what it may still send and when that was.
(define allowances (make-hash-table))

(define (now)
  (/ (get-internal-real-time) (* 1. internal-time-units-per-second)))

(define (allowance host rate time)
  (match (hashv-ref allowances host)
    (#f rate)
    ((left . before) (min rate (+ left (* rate (- time before)))))))

(define (allowed? host rate)
  (let* ((time (now)) (left (allowance host rate time)))
    (hashv-set! allowances host (cons (if (>= left 1) (- left 1) left) time))
    (>= left 1)))

;;; Who has been quiet for long enough is as good as new, so the table stays small.
(define (forget-the-quiet rate)
  (sleep 1)
  (let ((time (now)))
    (hash-for-each-handle
     (lambda (handle)
       (when (>= (allowance (car handle) rate time) rate)
         (hashv-remove! allowances (car handle))))
     (hash-copy allowances)))
  (forget-the-quiet rate))

(define (hash-copy table)
  (let ((copy (make-hash-table)))
    (hash-for-each (lambda (key value) (hashv-set! copy key value)) table)
    copy))

(define (positive-real? x)
  (and (real? x) (positive? x)))

(define dropped 0)

(define (answer sock rate)
  (define buffer (make-bytevector 65536))
  (let next ()
    (match (recvfrom! sock buffer)
      ((count . sender)
       (if (allowed? (sockaddr:addr sender) rate)
           (sendto sock buffer sender 0 0 count)
           (set! dropped (+ dropped 1)))
       (next)))))

(define (main port rate)
  (let ((sock (socket AF_INET SOCK_DGRAM 0)))
    (bind sock AF_INET INADDR_LOOPBACK port)
    (format #t "at port ~a~%" (sockaddr:port (getsockname sock)))
    (force-output)
    (with-task-group
     (lambda (group)
       (spawn-task (lambda () (answer sock rate)) #:group group)
       (spawn-task (lambda () (forget-the-quiet rate)) #:group group)
       (wait-signal SIGTERM)
       (cancel! group)))
    (close-port sock)
    (format #t "dropped ~a~%" dropped)))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ (= string->number (? exact-integer? port))
        (= string->number (? positive-real? rate)))
     (run-tasks (lambda () (main port rate))))
    (_
     (display "usage: udp-limiter.scm PORT RATE\n" (current-error-port))
     (exit 2))))
