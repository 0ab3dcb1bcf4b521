;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' interface on Sockport's tasks (fibers/, which is first on the load path
;;; here): running, channels, conditions and operations.

(use-modules (harness)
             (fibers)
             (fibers channels)
             (fibers conditions)
             (fibers operations)
             ((fibers scheduler)
              #:select (current-scheduler make-scheduler run-scheduler schedule-task))
             ((fibers timers) #:select (sleep-operation timer-operation))
             (ice-9 atomic)
             (ice-9 match)
             (ice-9 textual-ports)
             (ice-9 threads)
             ((sockport deadline) #:select (with-deadline))
             ((sockport task)
              #:select (run-tasks spawn-task join cancel! task-cancelled?))
             (srfi srfi-1))

;; The pipe that a thread sleeps by stays.
(with-deadline 0 (lambda () ((@ (sockport task) sleep) 1)) (const #f))

(test-begin "fibers-interface")

(define-syntax-rule (fibers body ...)
  (run-fibers (lambda () body ...) #:parallelism 1 #:hz 0))

(define (values-of thunk)
  (call-with-values thunk list))

(define (printed thunk)
  "Return what THUNK writes on the current error port."
  (call-with-output-string
    (lambda (port)
      (parameterize ((current-error-port port)) (thunk)))))

(test-case "run-fibers"
  (test-equal "has the values of the first" '(1 2)
    (values-of (lambda () (fibers (values 1 2)))))
  (test-eq "does not wait for the others" 'done
    (fibers
     (spawn-fiber (lambda () (get-message (make-channel))))
     (spawn-fiber (lambda () (sleep 1000)))
     'done))
  (test-equal "with drain?, it does for those that are ready or sleep" '(3 2 1)
    (let ((seen '()))
      (run-fibers (lambda ()
                    (spawn-fiber (lambda ()
                                   (set! seen (cons 1 seen))
                                   (sleep 0.001)
                                   (set! seen (cons 2 seen))
                                   (spawn-fiber
                                    (lambda () (set! seen (cons 3 seen)))))))
                  #:drain? #t #:parallelism 1)
      seen))
  (test-error* "needs a thunk" '(misc-error) (run-fibers))
  (test-equal "with #:hz below 0, that no clock can tell, and without an end"
      '(never seldom always)
    (map (lambda (hz result)
           (run-fibers (const result) #:hz hz #:parallelism 1))
         '(-1 1e-30 +inf.0)
         '(never seldom always)))
  (test-error* "raises what its first fiber does" '(mine) (fibers (throw 'mine)))
  (test-eq "be that #f" #f
    (with-exception-handler identity
      (lambda () (fibers (raise-exception #f)) 'nothing)
      #:unwind? #t))
  (test-eqv "inside another" 3 (fibers (+ 1 (fibers 2))))
  (test-error* "without it no fiber is spawned" '(misc-error)
    (spawn-fiber (const #t))))

;;; As with Fibers, which gives each the dynamic state of the one that spawned it.
(define (seen-by spawn)
  "Return what a fiber that SPAWN makes sees of a parameter that was set before, changed
once it was spawned, and what it leaves behind of its own."
  (define setting (make-parameter 0))
  (run-fibers
   (lambda ()
     (let ((seen (make-channel)))
       (setting 1)
       (spawn (lambda ()
                (put-message seen (setting))
                (setting 3)
                (sleep 0)
                (put-message seen (setting))))
       (setting 2)
       (let* ((first (get-message seen)) (second (get-message seen)))
         (list first second (setting)))))
   #:parallelism 2 #:hz 0))

(test-case "parameters"
  (test-equal "of the one that spawned it, and its own" '(1 3 2)
    (seen-by spawn-fiber))
  (test-equal "with a scheduler" '(1 3 2)
    (seen-by (lambda (thunk) (spawn-fiber thunk (current-scheduler)))))
  (test-equal "anywhere" '(1 3 2)
    (seen-by (lambda (thunk) (spawn-fiber thunk #:parallel? #t))))
  (test-equal "from a thread" '(1 3 2)
    (seen-by (lambda (thunk)
               (let ((scheduler (current-scheduler)))
                 (join-thread
                  (call-with-new-thread
                   (lambda () (spawn-fiber thunk scheduler)))))))))

(test-case "an error of a fiber is printed, and the others go on"
  (let ((text (printed
               (lambda ()
                 (test-eq "go on" 'well
                   (fibers
                    (spawn-fiber (lambda () (throw 'mine "what happened")))
                    (spawn-fiber (lambda () (exit 3)))
                    (sleep 0.001)
                    'well))))))
    (test-assert "is printed" (string-contains text "what happened"))
    (test-assert "as uncaught" (string-contains text "Uncaught exception in task")))
  (test-equal "nothing of one that returns, though it is the only one" ""
    (printed
     (lambda ()
       (let ((scheduler (make-scheduler)) (ran? #f))
         (schedule-task scheduler (lambda () (set! ran? #t)))
         (run-scheduler scheduler (lambda () ran?)))))))

(test-case "who waits for a port that is closed is not heard of"
  (test-equal "nothing" ""
    (printed
     (lambda ()
       (fibers
        (let ((sock (socket AF_INET SOCK_STREAM 0)))
          (bind sock AF_INET INADDR_LOOPBACK 0)
          (listen sock 1)
          (fcntl sock F_SETFL (logior O_NONBLOCK (fcntl sock F_GETFL)))
          (spawn-fiber (lambda () (accept sock)))
          (sleep 0.001)
          ((@ (sockport socket) close-port) sock)
          (sleep 0.001)))))))

(test-case "channels"
  (test-equal "carry values" (iota 10)
    (fibers
     (let ((channel (make-channel)))
       (spawn-fiber (lambda ()
                      (for-each (lambda (i) (put-message channel i)) (iota 10))))
       (map (lambda (_) (get-message channel)) (iota 10)))))
  (test-equal "putting has no values" '()
    (fibers
     (let ((channel (make-channel)))
       (spawn-fiber (lambda () (get-message channel)))
       (values-of (lambda () (put-message channel 1))))))
  (test-equal "with threads" '(1 (2))
    (let* ((channel (make-channel))
           (thread (call-with-new-thread
                    (lambda ()
                      (put-message channel 1)
                      (list (perform-operation (get-operation channel)))))))
      (fibers
       (let ((first (get-message channel)))
         (perform-operation (put-operation channel 2))
         (list first (join-thread thread))))))
  (test-eqv "between threads of one run-fibers" 45
    (run-fibers
     (lambda ()
       (let ((channel (make-channel)))
         (for-each (lambda (i)
                     (spawn-fiber (lambda () (put-message channel i)) #:parallel? #t))
                   (iota 10))
         (apply + (map (lambda (_) (get-message channel)) (iota 10)))))
     #:parallelism 3)))

(test-case "conditions"
  (test-equal "are signalled once" '(#t #f ())
    (let* ((condition (make-condition))
           (first (signal-condition! condition)))
      (list first (signal-condition! condition)
            (values-of (lambda () (wait condition))))))
  (test-eqv "for all who wait" 5
    (fibers
     (let ((condition (make-condition)) (count 0) (done (make-channel)))
       (for-each (lambda (_)
                   (spawn-fiber (lambda ()
                                  (perform-operation (wait-operation condition))
                                  (set! count (+ count 1))
                                  (put-message done #t))))
                 (iota 5))
       (sleep 0)
       (signal-condition! condition)
       (for-each (lambda (_) (get-message done)) (iota 5))
       count))))

(test-case "choices"
  (test-assert "are fair"
    (fibers
     (let ((condition (make-condition)))
       (define (ready value)
         (wrap-operation (wait-operation condition) (lambda () value)))
       (signal-condition! condition)
       (let ((firsts (count (lambda (_)
                              (eqv? 1 (perform-operation
                                       (choice-operation (ready 1) (ready 2)))))
                            (iota 200))))
         (< 50 firsts 150)))))
  (test-equal "of choices, wrapped" '(late 7)
    (fibers
     (values-of
      (lambda ()
        (perform-operation
         (wrap-operation
          (choice-operation
           (get-operation (make-channel))
           (choice-operation (get-operation (make-channel))
                             (wrap-operation (sleep-operation 0.001)
                                             (lambda () 'late))))
          (lambda (value) (values value 7))))))))
  (test-eq "in a thread" 'late
    (perform-operation
     (choice-operation (get-operation (make-channel))
                       (wrap-operation (timer-operation (get-internal-real-time))
                                       (const 'late))))))

;;; An operation as programs write them for Fibers: a promise.
(define (promise-operation cell)
  (make-base-operation
   #f
   (lambda ()
     (match (atomic-box-ref cell)
       (('value . value) (lambda () value))
       (_ #f)))
   (lambda (flag scheduler resume)
     (let add ((before (atomic-box-ref cell)))
       (match before
         (('value . value)
          (when (eq? 'W (atomic-box-compare-and-swap! flag 'W 'S))
            (resume (lambda () value))))
         (_ (let ((now (atomic-box-compare-and-swap!
                        cell before (acons flag resume before))))
              (unless (eq? now before) (add now))))))
     (values))))

(define (fulfil! cell value)
  (for-each (match-lambda
              ((flag . resume)
               (when (eq? 'W (atomic-box-compare-and-swap! flag 'W 'S))
                 (resume (lambda () value)))))
            (atomic-box-swap! cell (cons 'value value))))

(test-case "operations that programs define"
  (define (choose cell)
    (perform-operation
     (choice-operation (sleep-operation 60) (promise-operation cell))))
  (test-equal "in fibers, and in a thread" '(kept kept kept)
    (let* ((cell (make-atomic-box '()))
           (thread (call-with-new-thread (lambda () (perform-operation (promise-operation cell))))))
      (fibers
       (let ((got (make-channel)))
         (for-each (lambda (_)
                     (spawn-fiber (lambda () (put-message got (choose cell)))))
                   '(1 2))
         (wait-until (lambda () (= 3 (length (begin (sleep 0.001) (atomic-box-ref cell))))))
         (fulfil! cell 'kept)
         (list (get-message got) (get-message got) (join-thread thread))))))
  (test-eq "at once" 'kept
    (fibers (choose (make-atomic-box '(value . kept)))))
  (test-equal "what was not chosen is told, and by which scheduler" '(#t)
    (fibers
     (let* ((seen '()) (cell (make-atomic-box '()))
            (note (lambda (scheduler)
                    (set! seen (cons (eq? scheduler (current-scheduler)) seen))))
            ;; Nothing is chosen before this waits.
            (block (lambda (flag scheduler resume)
                     (spawn-fiber (lambda () (fulfil! cell 'kept))))))
       (perform-operation
        (choice-operation
         (make-base-operation/internal #f (const #f) block note)
         (promise-operation cell)))
       seen)))
  (test-error* "an error in one" '(mine)
    (fibers
     (perform-operation
      (make-base-operation #f (const #f) (lambda _ (throw 'mine)))))))

(test-case "deadlines and cancel! end what is performed"
  (test-eq "a deadline" 'late
    (fibers
     (with-deadline 0.001
       (lambda () (perform-operation (promise-operation (make-atomic-box '()))))
       (const 'late))))
  (test-eq "cancel!" 'cancelled
    (run-tasks
     (lambda ()
       (let ((task (spawn-task
                    (lambda () (get-message (make-channel))))))
         (cancel! task)
         (catch 'task-cancelled
           (lambda () (join task))
           (const 'cancelled)))))))

(test-end "fibers-interface")
