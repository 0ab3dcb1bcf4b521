;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What waits in a plain thread: it lets the others run, lets the handlers of
;;; signals run at once and escape, ends when its port is closed or its limit has
;;; passed, and loses no data by any of it.

(use-modules (harness)
             (harness socket)
             (harness waiting)
             (ice-9 control)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             ((sockport io wait) #:select (wait-readable))
             (srfi srfi-1)
             ((system foreign) #:select (long sizeof)))

(test-begin "wait")

(define-syntax-rule (for-each-way (title name a b wait! end!) body ...)
  (for-each
   (match-lambda
     ((name make waiting ending)
      (test-case (format #f "~a ~a" name title)
        (let-ports ((pair (make)))
          (let* ((a (car pair))
                 (b (cdr pair))
                 (wait! (lambda () (waiting a b)))
                 (end! (lambda () (ending a b))))
            body ...))
        (close-queued!)
        (gc))))
   ways))

(for-each-way ("lets other threads and the collector run" name a b wait! end!)
  (let ((thread (in-waiting-thread wait!)))
    (gc)
    (test-assert "it waits" (not (thread-exited? thread)))
    (end!)
    (test-equal "and ends" 'done (join-thread thread (+ 10 (current-time)) 'late))))

(for-each-way ("lets a signal's handler run at once" name a b wait! end!)
  (let ((ran #f))
    (test-equal "it goes on" 'done
      (interrupted-after 0.05 (lambda () (set! ran #t) (end!)) wait!))
    (test-assert "the handler ran" ran)))

(for-each-way ("lets a handler escape" name a b wait! end!)
  (test-equal "out of the call" 'escaped
    (let/ec escape
      (interrupted-after 0.05 (lambda () (escape 'escaped)) wait!)))
  (test-equal "by an exception, whatever its key"
    '(system-error 7 "handler")
    (catch 'system-error
      (lambda ()
        (interrupted-after 0.05
          (lambda () (scm-error 'system-error "handler" "x" '() '(7)))
          wait!))
      (lambda (key . args) (describe-error key args))))
  (end!)
  (test-equal "and nothing is lost" 'done (wait!)))

(for-each-way ("uses no processor while it waits" name a b wait! end!)
  (test-assert "less than a tenth of the time"
    (> 0.05
       (cpu-seconds
        (lambda ()
          (let/ec escape
            (interrupted-after 0.5 (lambda () (escape 'escaped)) wait!)))))))

(for-each-way ("ends when another thread closes its port" name a b wait! end!)
  (let ((thread (in-waiting-thread wait!)))
    (close-port a)
    (test-equal "EBADF" (list 'system-error EBADF (symbol->string name))
      (match (join-thread thread (+ 10 (current-time)) 'late)
        ((key errno who) (list key errno (if (symbol? who) (symbol->string who) who)))
        (other other)))))

(for-each-way ("ends when its thread is cancelled" name a b wait! end!)
  (let ((thread (in-waiting-thread wait!)))
    (cancel-thread thread 'cancelled)
    (test-equal 'cancelled
      (join-thread thread (+ 10 (current-time)) 'late))))

(for-each-way ("raises EAGAIN where it must not wait" name a b wait! end!)
  (set-nonblocking! a #t)
  (if (eq? name 'accept)
      (test-equal "or answers #f" #f (accept a))
      (test-error* "at once" (list 'system-error EAGAIN (symbol->string name))
        (wait!)))
  (test-assert "still" (nonblocking? a)))

(for-each-way ("raises EAGAIN when its limit has passed" name a b wait! end!)
  (setsockopt a SOL_SOCKET
              (if (memq name '(accept recv! recvfrom!)) SO_RCVTIMEO SO_SNDTIMEO)
              '(0 . 100000))
  (let ((seconds (seconds-of
                  (lambda ()
                    (test-error* "no sooner"
                        (list 'system-error EAGAIN (symbol->string name))
                      (wait!))))))
    (test-assert "not before" (>= seconds 0.09))))

;; As far as the system can tell, where it does not count that many seconds.
(define centuries (min (expt 2 33) (- (expt 2 (- (* 8 (sizeof long)) 1)) 1)))

(for-each-way ("has no limit when that is centuries away" name a b wait! end!)
  (setsockopt a SOL_SOCKET
              (if (memq name '(accept recv! recvfrom!)) SO_RCVTIMEO SO_SNDTIMEO)
              (cons centuries 0))
  (test-equal 'escaped
    (let/ec escape
      (interrupted-after 0.05 (lambda () (escape 'escaped)) wait!))))

(test-case "MSG_DONTWAIT never waits"
  (let-ports ((pair (full-pair)))
    (test-error* "send" (list 'system-error EAGAIN "send")
      (send (car pair) byte MSG_DONTWAIT))
    (test-error* "recv!" (list 'system-error EAGAIN "recv!")
      (recv! (car pair) (make-bytevector 1) MSG_DONTWAIT))
    (test-error* "recvfrom!" (list 'system-error EAGAIN "recvfrom!")
      (recvfrom! (car pair) (make-bytevector 1) MSG_DONTWAIT))
    (test-assert "the socket still would" (not (nonblocking? (car pair))))))

(test-case "urgent data and the error queue are never waited for"
  (let-ports ((pair (tcp-pair))
              (datagrams (socket AF_INET SOCK_DGRAM 0)))
    (bind datagrams AF_INET INADDR_LOOPBACK 0)
    (sendto datagrams byte (getsockname datagrams))
    (for-each
     (lambda (receive! name)
       (test-error* (list name 'errors) (list 'system-error EAGAIN name)
         (receive! datagrams (make-bytevector 1) MSG_ERRQUEUE))
       (test-error* (list name 'urgent) (list 'system-error EINVAL name)
         (receive! (car pair) (make-bytevector 1) MSG_OOB)))
     (list recv! recvfrom! recvmsg!)
     '("recv!" "recvfrom!" "recvmsg!"))))

(test-case "what cannot be waited for"
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (close-port sock)
    (test-error* "a port that is closed" (list 'system-error EBADF "recv!")
      (wait-readable sock 'recv!)))
  (test-error* "a port without a descriptor" '(wrong-type-arg 1 "recv!")
    (wait-readable (open-input-string "") 'recv!)))

(test-end "wait")
