;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Workers that are left or ended while they begin, and while the first waits for the
;;; others; what is left of a choice; and of scopes that an async leaves.

(use-modules (harness)
             (harness socket)
             (harness task)
             (ice-9 control)
             (ice-9 threads)
             (sockport)
             (sockport channel)
             (sockport operation))

(test-begin "task-workers")

(define (within-case thunk)
  (with-deadline (* 1/2 (case-seconds)) thunk (const 'late)))

;; What run-tasks and the others find in (ice-9 threads).
(define threads (resolve-module '(ice-9 threads)))

(define (with-threads-made-by make thunk)
  "Call THUNK; what calls call-with-new-thread meanwhile calls (MAKE real thunk)."
  (let ((real (module-ref threads 'call-with-new-thread)))
    (dynamic-wind
      (lambda ()
        (module-set! threads 'call-with-new-thread
                     (lambda (thunk . _) (make real thunk))))
      thunk
      (lambda () (module-set! threads 'call-with-new-thread real)))))

(test-case "workers when the first has ended"
  (test-eq "the deadline holds for the others" 'late
    (with-deadline 0.01
      (lambda ()
        (run-tasks (lambda () (when (= 1 (current-worker)) (sleep 1000)))
                   #:workers 2))
      (const 'late)))
  (test-equal "which clean up before it returns" '(late cleaned)
    (let* ((cleaned #f)
           (value
            (with-deadline 0.01
              (lambda ()
                (run-tasks (lambda ()
                             (when (= 1 (current-worker))
                               (call-with-cleanup
                                (lambda () (sleep 1000))
                                (lambda ()
                                  (shielded (lambda () (sleep 0.1)))
                                  (set! cleaned 'cleaned)))))
                           #:workers 2))
              (const 'late))))
      (list value cleaned)))
  (test-equal "who leaves while they are waited for ends them" '(left ended)
    (let* ((ended (make-event))
           (main (current-thread))
           (value
            (let/ec leave
              (run-tasks
               (lambda ()
                 (when (= 1 (current-worker))
                   (call-with-cleanup
                    (lambda ()
                      (wait-until-asleep (list main))
                      (system-async-mark (lambda () (leave 'left)) main)
                      (sleep 1000))
                    (lambda () (event-set! ended)))))
               #:workers 2))))
      (list value (within-case (lambda () (event-wait ended) 'ended))))))

(test-case "workers that have not all begun"
  (let ((main (current-thread)) (ran? #f) (made '()))
    (define (note! thread) (set! made (cons thread made)) thread)
    (test-eq "what is raised meanwhile ends them" 'now
      (raised
       (lambda ()
         (with-threads-made-by
          (lambda (real thunk)
            (note! (real (lambda ()
                           (wait-until-asleep (list main))
                           (system-async-mark (lambda () (raise-exception 'now)) main)
                           (usleep 20000)
                           (thunk)))))
          (lambda ()
            (run-tasks (lambda () (set! ran? #t)) #:workers 2))))))
    (test-assert "none has run" (not ran?))
    (set! made '())
    (test-eq "so does a thread that cannot be made" 'none
      (raised
       (lambda ()
         (with-threads-made-by
          (lambda (real thunk)
            (if (null? made)
                (note! (real thunk))
                (raise-exception 'none)))
          (lambda ()
            (run-tasks (lambda () (set! ran? #t)) #:workers 3))))))
    (test-assert "the one that was there has ended"
      (within-case
       (lambda ()
         (call-in-thread (lambda () (for-each join-thread made) (not ran?))))))))

(test-case "a choice that is to look again when its loop has been left"
  (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
         (port (car pair))
         (other (fdopen (fileno port) "r+0")))
    (test-eq "does not" 'left
      (let/ec leave
       (in-tasks
        (spawn-task (lambda ()
                      (wait-first (readable-operation port)
                                  (sleep-operation 1000))))
        (spawn-task (lambda ()
                      (recv! other bytes)
                      (leave 'left)))
        (sleep 1/100)
        (send (cdr pair) "abc")
        (sleep 1000))))
    (test-eq "and there can be others" 'others
      (in-tasks (sleep 1/1000) 'others))
    (set-port-revealed! other 1)
    (close-port port)
    (close-port (cdr pair))))

;; A mutex of Guile's that the thread needs to end would stay locked.
(test-case "a handler that raises an exception while a thread is waited for"
  (let ((real (module-ref threads 'join-thread)) (waited-for #f))
    (module-set! threads 'join-thread
                 (lambda (thread . rest)
                   (module-set! threads 'join-thread real)
                   (system-async-mark (lambda () (throw 'by-async)))
                   (set! waited-for thread)
                   (apply real thread rest)))
    (test-eq "that of a watchdog" 'raised
      (catch 'by-async
        (lambda ()
          (with-threads-made-by
           (lambda (real thunk)
             (real (lambda ()
                     (thunk)
                     (wait-until (lambda () waited-for)))))
           (lambda () (run-tasks (const #t) #:watchdog 10))))
        (const 'raised)))
    (test-assert "which ends"
      (wait-until (lambda () (thread-exited? waited-for))))))

(define (raising-when-called module name thunk)
  "Call THUNK; an async that raises an exception is due when NAME, of MODULE, has been
called first."
  (let* ((module (resolve-module module))
         (real (module-ref module name)))
    (module-set! module name
                 (lambda args
                   (module-set! module name real)
                   (let ((value (apply real args)))
                     (system-async-mark (lambda () (throw 'by-async)))
                     value)))
    (catch 'by-async thunk (const 'raised))))

(test-case "a handler that raises an exception as a scope begins"
  (define (begun-and-left proc)
    (in-tasks
     (let ((how (raising-when-called '(sockport task loop) 'interrupt! proc)))
       (sleep 0.03)
       how)))
  (test-eq "leaves no deadline" 'raised
    (begun-and-left (lambda () (with-deadline 0.01 (lambda () (sleep 1000))))))
  (test-eq "nor a group" 'raised
    (in-tasks
     (let* ((kept #f)
            (how (raising-when-called '(sockport task loop) 'interrupt!
                   (lambda ()
                     (with-task-group
                      (lambda (group)
                        (set! kept group)
                        (sleep 1000)))))))
       (when kept (cancel! kept))
       (sleep 0.001)
       how))))

(test-end "task-workers")
