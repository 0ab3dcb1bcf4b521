;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Waiting that must end: by a close, a cancellation, a deadline, an escape or
;;; a value, at whatever moment each of them comes.

(use-modules (harness)
             (harness apart))

(test-begin "runtime-faults-wait")

;;; Closing.

(test-case "a port closed by another thread wakes its task, at any moment"
  (test-equal "each round" '()
    (apart
     (define lost '())
     (define (round i)
       (let* ((pair (unix-pair))
              (begun (make-atomic-box #f))
              (thread (call-with-new-thread
                       (lambda ()
                         (let wait ()
                           (unless (atomic-box-ref begun) (wait)))
                         (spin (* 7 (modulo (* i 37) 300)))
                         (close-port (car pair))))))
         (with-deadline 5
           (lambda ()
             (atomic-box-set! begun #t)
             (unless (memv (error-key
                            (lambda () (recv! (car pair) (make-bytevector 1))))
                           ;; Closed while it waited, or before.
                           (list EBADF 'wrong-type-arg))
               (set! lost (cons i lost))))
           (lambda () (set! lost (cons i lost))))
         (join-thread thread)
         (close-port (cdr pair))))
     (in-tasks
      (let loop ((i 0))
        (when (and (< i (rounds 300)) (null? lost))
          (round i)
          (loop (+ i 1)))))
     lost)))

(define-syntax-rule (closed-while-waiting close)
  (apart
   (define pair (unix-pair))
   (define woken '())
   (define (wait name thunk)
     (spawn-task (lambda ()
                   (let ((how (error-key thunk)))
                     (set! woken (cons (list name how) woken))))))
   (setvbuf (car pair) 'block 3000000)
   (put-bytevector (car pair) (make-bytevector 2000000 7))
   (let ((thread
          (call-with-new-thread
           (lambda () (error-key
                       (lambda () (recv! (car pair) (make-bytevector 1))))))))
     (in-tasks
      (wait 'recv! (lambda () (recv! (car pair) (make-bytevector 1))))
      (wait 'first (lambda () (wait-first (readable-operation (car pair)))
                           (recv! (car pair) (make-bytevector 1))))
      (do ((i 0 (+ i 1))) ((= i 10)) (task-yield))
      (let until-it-waits ()
        (unless ((@ (sockport primitive) %thread-sleeps?) thread)
          (sleep 0.001)
          (until-it-waits)))
      (spawn-task (lambda () (close (car pair))))
      (do ((i 0 (+ i 1))) ((= i 10)) (task-yield))
      (let drain ()
        (unless (eqv? 0 (recv! (cdr pair) (make-bytevector 65536)))
          (drain))))
     (list (sort woken (lambda (a b) (string<? (symbol->string (car a))
                                               (symbol->string (car b)))))
           (join-thread thread)))))

(test-case "a port that is closed wakes all, also when the close has to wait"
  (test-equal "by close-port" '(((first 9) (recv! 9)) 9)
    (closed-while-waiting close-port))
  (test-equal "by close" '(((first 9) (recv! 9)) 9)
    (closed-while-waiting close)))

;;; Cancelling, from an async and from a signal's handler.

(define-syntax-rule (cancelled-at-any-moment form ...)
  ;; FORM ... waits, in a task named `task'; PAIR, CHANNEL and EVENT are there.
  (apart
   (define (waiting pair channel event)
     form ...)
   (define (round i loop-thread)
     (let* ((pair (unix-pair)) (channel (make-channel)) (event (make-event))
            (task (spawn-task (lambda () (waiting pair channel event))))
            (thread
             (call-with-new-thread
              (lambda ()
                (spin (* 11 (modulo (* i 37) 300)))
                (system-async-mark (lambda () (cancel! task))
                                   loop-thread)))))
       (let ((how (error-key (lambda () (join task)))))
         (join-thread thread)
         (close-port (car pair))
         (close-port (cdr pair))
         how)))
   (in-tasks
    (let loop ((i 0))
      (if (= i (rounds 300))
          'all
          (let ((how (round i (current-thread))))
            (if (eq? how 'task-cancelled)
                (loop (+ i 1))
                (list i how))))))))

(test-case "a cancellation by an async arrives, at any moment"
  (test-equal "asleep" 'all
    (cancelled-at-any-moment (sleep 1000)))
  (test-equal "receiving" 'all
    (cancelled-at-any-moment (recv! (car pair) (make-bytevector 1))))
  (test-equal "getting" 'all
    (cancelled-at-any-moment (channel-get channel)))
  (test-equal "putting" 'all
    (cancelled-at-any-moment (channel-put channel 1)))
  (test-equal "waiting for an event" 'all
    (cancelled-at-any-moment (event-wait event)))
  (test-equal "joining" 'all
    (cancelled-at-any-moment
     (let ((other (spawn-task (lambda () (sleep 1000)))))
       (call-with-cleanup (lambda () (join other))
                          (lambda () (cancel! other))))))
  (test-equal "in a group" 'all
    (cancelled-at-any-moment
     (with-task-group
      (lambda (group) (spawn-task (lambda () (sleep 1000)))))))
  (test-equal "waiting for the first of several" 'all
    (cancelled-at-any-moment
     (wait-first (readable-operation (car pair)) (sleep-operation 1000)
                 (get-operation channel)))))

;;; Leaving a scope looks at all that are around it: far inside, that takes a while.

(test-case "a cancellation by an async arrives while a scope is left"
  (test-equal "each time" 'all
    (apart
     (define depth 400)
     (define (scopes n thunk)
       (if (zero? n)
           (thunk)
           (with-deadline 1000 (lambda () (scopes (- n 1) thunk)))))
     (define (round i loop-thread)
       (let* ((near (make-atomic-box #f))
              (thread (call-with-new-thread
                       (lambda ()
                         (let wait ()
                           (unless (atomic-box-ref near) (wait)))
                         (spin (modulo (* i 37) 300))
                         (system-async-mark
                          (lambda () (cancel! (atomic-box-ref near)))
                          loop-thread))))
              (task (spawn-task
                     (lambda ()
                       (scopes depth
                               (lambda ()
                                 (with-task-group
                                  (lambda (group)
                                    (atomic-box-set! near group)
                                    (with-deadline 1000 (const #f))
                                    (sleep 1000)))
                                 'left))))))
         (let ((how (join task)))
           (join-thread thread)
           how)))
     (in-tasks
      (let loop ((i 0))
        (if (= i (rounds 200))
            'all
            (let ((how (round i (current-thread))))
              (if (eq? how 'left)
                  (loop (+ i 1))
                  (list i how)))))))))

(test-case "a handler may cancel whoever sleeps, whatever else begins to"
  (test-equal "all wake" '(#t 0)
    (apart
     (define sleepers '())
     (define left 0)
     (define order '())
     (define (sleeper i)
       (spawn-task (lambda ()
                     (set! left (+ left 1))
                     (call-with-cleanup
                      (lambda () (sleep 1000))
                      (lambda () (set! left (- left 1)))))))
     (sigaction SIGALRM
       (lambda (_)
         (match sleepers
           ((first . rest) (set! sleepers rest) (cancel! first))
           (() #f))))
     (in-tasks
      (setitimer ITIMER_REAL 0 200 0 200)
      (do ((i 0 (+ i 1))) ((= i (rounds 3000)))
        (set! sleepers (append sleepers (list (sleeper i))))
        (sleep 0.00001))
      (setitimer ITIMER_REAL 0 0 0 0)
      (for-each cancel! sleepers)
      (let ((tasks (map (lambda (i)
                          (spawn-task
                           (lambda ()
                             (sleep (* 0.002 (- 50 i)))
                             (set! order (cons i order)))))
                        (iota 50))))
        (for-each join tasks)))
     (list (equal? (sort order <) (iota 50)) left))))

(test-case "who must not wait is told so"
  (test-equal "sleep and the others in a signal's handler"
    '(misc-error misc-error misc-error misc-error done)
    (apart
     (define how '())
     (define channel (make-channel))
     (define pair (unix-pair))
     (sigaction SIGUSR1
       (lambda (_)
         (set! how
               (map error-key
                    (list (lambda () (sleep 0.01))
                          (lambda () (channel-get channel))
                          (lambda () (event-wait (make-event)))
                          (lambda () (task-yield)))))))
     (let ((value (in-tasks
                   (let ((task (spawn-task (lambda () (sleep 0.05) 'done))))
                     (kill (getpid) SIGUSR1)
                     (let wait () (when (null? how) (sleep 0.001) (wait)))
                     (join task)))))
       (append how (list value)))))
  (test-equal "a handler that arrives while the loop sleeps"
    '(misc-error misc-error done)
    (apart
     (define how '())
     (sigaction SIGALRM
       (lambda (_)
         (set! how (map error-key (list (lambda () (sleep 0.01))
                                        (lambda () (task-yield)))))))
     (let ((value (in-tasks
                   (setitimer ITIMER_REAL 0 0 0 20000)
                   (let wait () (when (null? how) (sleep 0.2) (wait)))
                   'done)))
       (append how (list value)))))
  (test-equal "what need not wait can be done in a handler" '(1 #t)
    (apart
     (define channel (make-channel 1))
     (define event (make-event))
     (sigaction SIGALRM
       (lambda (_)
         (channel-put channel 1)
         (event-set! event)))
     (in-tasks
      (setitimer ITIMER_REAL 0 0 0 20000)
      (event-wait event)
      (list (channel-get channel) (event-set? event))))))

;;; Below C code.

(test-case "below C code a deadline holds, or waiting is refused"
  (test-equal "hash-for-each and a peer that does not read" 'misc-error
    (one-of
     '(misc-error deadline-exceeded)
     (apart
           (define table (make-hash-table))
           (define pair (unix-pair))
           (hash-set! table 1 (car pair))
           (in-tasks
            (error-key
             (lambda ()
               (with-deadline 0.2
                 (lambda ()
                   (hash-for-each
                    (lambda (_ port) (send port (make-bytevector 1000000)))
                    table)
                   (hash-for-each
                    (lambda (_ port) (send port (make-bytevector 1000000)))
                    table)))))))))
  (test-equal "sort and a byte that never comes" 'misc-error
    (one-of
     '(misc-error deadline-exceeded)
     (apart
           (define pair (unix-pair))
           (in-tasks
            (error-key
             (lambda ()
               (with-deadline 0.2
                 (lambda ()
                   (sort (list 1 2)
                         (lambda (a b)
                           (recv! (car pair) (make-bytevector 1))
                           #t)))))))))))

(test-end "runtime-faults-wait")
