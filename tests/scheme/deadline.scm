;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Deadlines, in plain threads and in tasks: on whatever waits, exact, nested,
;;; never confused with anything else, and without loss.

(use-modules (harness)
             (harness socket)
             (ice-9 binary-ports)
             (ice-9 control)
             (ice-9 exceptions)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 suspendable-ports)
             (ice-9 textual-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (sockport channel)
             (sockport operation)
             ((sockport task loop) #:select (loop-timers))
             ((sockport task timer) #:select (timers-count)))

(test-begin "deadline")

;;; Each case runs in a plain thread and in a task.
(define-syntax-rule (test-both name body ...)
  (begin
    (test-case (string-append name ", in a thread") body ...)
    (test-case (string-append name ", in a task")
      (run-tasks (lambda () body ...)))))

(define (ends-after? seconds thunk)
  "Did the deadline of SECONDS end THUNK, which would wait for hours, and not too early?"
  (let* ((start (get-internal-real-time))
         (outcome (with-deadline seconds (lambda () (thunk) 'ended)
                                 (const 'expired))))
    ;; Each reading of Guile's clock is off by up to one unit, of 1 ms on 32 bits.
    (and (eq? outcome 'expired)
         (>= (- (+ (get-internal-real-time) 1) start)
             (* seconds internal-time-units-per-second)))))

(define bytes (make-bytevector 16))

(define (fill! sock)
  (when (catch 'system-error
          (lambda () (send sock (make-bytevector 65536) MSG_DONTWAIT))
          (const #f))
    (fill! sock)))

(define (full-listener)
  (let ((server (unix-listener 0)))
    server))

(define (connect-full server)
  (let loop ((clients '()))
    (let ((client (socket AF_UNIX SOCK_STREAM 0)))
      (catch #t
        (lambda ()
          (connect client (getsockname server))
          (loop (cons client clients)))
        (lambda args
          (for-each close-port (cons client clients))
          (apply throw args))))))

(define ways
  (list
   (list "accept" unix-listener accept)
   (list "connect" full-listener connect-full)
   (list "recv!" unix-pair (lambda (s) (recv! (car s) bytes)))
   (list "recvfrom!" unix-pair (lambda (s) (recvfrom! (car s) bytes)))
   (list "send" (lambda () (let ((s (unix-pair))) (fill! (car s)) s))
         (lambda (s) (send (car s) (make-bytevector 1000000))))
   (list "read-line" unix-pair (lambda (s) (read-line (car s))))
   (list "get-line" unix-pair (lambda (s) (get-line (car s))))
   (list "get-u8" unix-pair (lambda (s) (get-u8 (car s))))
   (list "get-bytevector-n" unix-pair (lambda (s) (get-bytevector-n (car s) 9)))
   (list "put-bytevector" unix-pair
         (lambda (s) (put-bytevector (car s) (make-bytevector 4000000))))
   (list "sleep" unix-pair (lambda (s) (sleep 3600)))
   (list "event-wait" unix-pair (lambda (s) (event-wait (make-event))))
   (list "channel-get" unix-pair (lambda (s) (channel-get (make-channel))))
   (list "channel-put" unix-pair (lambda (s) (channel-put (make-channel) 1)))
   (list "wait-first" unix-pair
         (lambda (s) (wait-first (readable-operation (car s))
                                 (sleep-operation 3600))))))

(for-each
 (match-lambda
   ((name make wait)
    (test-both (string-append name " ends at its deadline")
      (let-ports ((s (make)))
        (test-assert "soon"
          (ends-after? 0.03 (lambda () (wait s))))
        (test-assert "at once"
          (ends-after? 0 (lambda () (wait s))))))))
 ways)

(test-both "the condition is its own"
  (let-ports ((s (unix-pair)))
    (define (condition)
      (with-exception-handler identity
        (lambda () (with-deadline 0 (lambda () (recv! (car s) bytes))))
        #:unwind? #t))
    (test-assert "deadline-exceeded?" (deadline-exceeded? (condition)))
    (test-assert "of its own type"
      ((exception-predicate &deadline-exceeded) (condition)))
    (test-assert "an error" (error? (condition)))
    (test-eq "not a system-error" 'deadline-exceeded
      (exception-kind (condition)))
    (test-eq "for catch" 'caught
      (catch 'deadline-exceeded
        (lambda () (with-deadline 0 (lambda () (recv! (car s) bytes))))
        (const 'caught)))
    (send (cdr s) "x")
    (test-equal "0 polls" 1
      (with-deadline 0 (lambda () (recv! (car s) bytes))))
    (shutdown (cdr s) 1)
    (test-equal "end of file is none" 0
      (with-deadline 0 (lambda () (recv! (car s) bytes))))))

(test-both "values and errors pass"
  (test-equal "values" '(1 2)
    (call-with-values (lambda () (with-deadline 5 (lambda () (values 1 2))))
      list))
  (for-each (lambda (seconds)
              (test-equal (list "as good as for ever" seconds) 'slept
                (with-deadline seconds (lambda () (sleep 1/1000) 'slept)
                               (const 'expired))))
            (list #f (expt 10 30) +inf.0))
  (test-error* "an error" '(misc-error)
    (with-deadline 5 (lambda () (error "no")) (const 'expired)))
  (test-equal "an escape" 'out
    (call/ec (lambda (k) (with-deadline 5 (lambda () (k 'out)))))))

(test-both "what is no time is refused"
  (for-each
   (match-lambda
     ((seconds . error)
      (test-error* seconds error (with-deadline seconds (const 1)))))
   '((-1 out-of-range 1 "with-deadline")
     (-0.5 out-of-range 1 "with-deadline")
     (-inf.0 out-of-range 1 "with-deadline")
     (+nan.0 out-of-range 1 "with-deadline")
     (1+2i wrong-type-arg 1 "with-deadline")
     ("1" wrong-type-arg 1 "with-deadline")
     (one wrong-type-arg 1 "with-deadline")))
  (test-error* "sleep" '(out-of-range 1 "sleep") (sleep -1)))

(test-both "they nest"
  (let-ports ((s (unix-pair)))
    (test-assert "the inner does not extend the outer"
      (ends-after? 0.03 (lambda ()
                          (with-deadline 3600
                            (lambda () (recv! (car s) bytes))
                            (const 'inner)))))
    (test-equal "the inner is over first" '(inner outer)
      (with-deadline 5
        (lambda ()
          (list (with-deadline 0.02 (lambda () (recv! (car s) bytes))
                               (const 'inner))
                'outer))))
    (test-eq "of two that have passed, the outer ends both" 'outer
      (with-deadline 0
        (lambda () (with-deadline 0 (lambda () (recv! (car s) bytes)) (const 'inner)))
        (const 'outer)))
    (test-equal "the inner's end is not the outer's" 1
      (with-deadline 5
        (lambda ()
          (with-deadline 0 (lambda () (recv! (car s) bytes)) (const #f))
          (send (cdr s) "x")
          (recv! (car s) bytes))))
    (test-assert "deadline-left"
      (with-deadline 7200
        (lambda ()
          (with-deadline 3600
            (lambda ()
              (and (<= 1800 (deadline-left) 3600)
                   (shielded (lambda () (not (deadline-left))))))))))
    (test-equal "none" #f (deadline-left))))

(test-both "shielded code has its own time"
  (let-ports ((s (unix-pair)))
    (test-equal "received" 1
      (with-deadline 0
        (lambda ()
          (shielded
           (lambda ()
             (send (cdr s) "x")
             (sleep 0.01)
             (recv! (car s) bytes))))))
    (test-eq "a deadline inside works" 'inner
      (with-deadline 5
        (lambda ()
          (shielded
           (lambda ()
             (with-deadline 0.01 (lambda () (recv! (car s) bytes))
                            (const 'inner)))))))))

(define (buffered-pair mode)
  (let ((s (unix-pair)))
    (setvbuf (car s) mode)
    s))

;;; A line, a count of bytes and delimited text, each in two halves with a
;;; deadline between.
(for-each
 (lambda (mode)
   (test-both (format #f "no byte is lost, buffering ~a" mode)
     (let-ports ((s (buffered-pair mode)))
       (define (halves read first second)
         (send (cdr s) first)
         (let ((late (with-deadline 0.02 (lambda () (read (car s)))
                                    (const 'late))))
           (send (cdr s) second)
           (list late (with-deadline 60 (lambda () (read (car s)))))))
       (define long (make-string 9000 #\a))
       (test-equal "read-line" '(late "one two")
         (halves read-line "one" " two\n"))
       (test-equal "a long line" (list 'late (string-append long "b"))
         (halves read-line long "b\n"))
       (test-equal "get-line" '(late "drei") (halves get-line "dr" "ei\n"))
       (test-equal "get-bytevector-n" (list 'late #vu8(97 98 99 100))
         (halves (lambda (port) (get-bytevector-n port 4)) "ab" "cd"))
       (test-equal "read-delimited" '(late "a;b")
         (halves (lambda (port) (read-delimited "." port)) "a;" "b."))
       (test-equal "nothing is left over" 'late
         (with-deadline 0.01 (lambda () (read-line (car s)))
                        (const 'late))))))
 '(none line block))

(test-case "in a scheduler that is not ours it is noticed once a wait has ended"
  (let-ports ((s (unix-pair)))
    (parameterize ((current-read-waiter (lambda (port) (usleep 1000))))
      (test-eq "while the waits end early" 'late
        (with-deadline 0.01 (lambda () (recv! (car s) bytes)) (const 'late)))
      (test-eq "before one begins" 'late
        (with-deadline 0 (lambda () (recv! (car s) bytes)) (const 'late))))))

(test-case "a thread that a deadline's thread starts is free"
  (let-ports ((s (unix-pair)))
    (test-equal "received" 1
      (let ((thread (with-deadline 0.01
                      (lambda ()
                        (call-with-new-thread
                         (lambda () (recv! (car s) bytes)))))))
        (usleep 30000)
        (send (cdr s) "x")
        (join-thread thread)))))

;;; A deadline that is left by a continuation, and entered again.

(define (left-and-entered wait)
  "Return what comes of a deadline that is left after WAIT, and is entered again to wait."
  (run-tasks
   (lambda ()
     (let* ((tag (make-prompt-tag))
            (again (call-with-prompt tag
                     (lambda ()
                       (with-deadline 0.01
                         (lambda ()
                           (wait)
                           (abort-to-prompt tag)
                           (sleep (case-seconds)))
                         (const 'late)))
                     identity)))
       (test-eqv "what is left holds nothing" 0 (sleep 0.02))
       (again)))))

(test-case "a deadline that is entered again"
  (test-eq "before it has passed" 'late (left-and-entered (const #t)))
  (test-eq "after that" 'late
    (left-and-entered
     (lambda ()
       (catch 'deadline-exceeded (lambda () (sleep 1000)) (const #t))))))

(test-case "no timer is left of deadlines that have not passed"
  (define (timers)
    (timers-count (loop-timers (current-loop))))
  (test-eqv "of a thousand" 0
    (run-tasks
     (lambda ()
       (for-each (lambda (i) (with-deadline 1000 (lambda () (task-yield)))) (iota 1000))
       (timers)))))

(test-case "thousands at once"
  (test-equal "all in time" 5000
    (run-tasks
     (lambda ()
       (define count 0)
       (with-task-group
        (lambda (group)
          (do ((i 0 (1+ i))) ((= i 5000))
            (spawn-task (lambda ()
                          (with-deadline (/ (modulo (* i 7919) 100) 1000)
                            (lambda () (sleep 1000))
                            (lambda () (set! count (1+ count)))))))))
       count))))

(test-end "deadline")
