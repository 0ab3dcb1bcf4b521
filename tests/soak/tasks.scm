;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Random programs of tasks, threads, channels, groups, deadlines, signals,
;;; sockets and forks, each with what must come of it counted beside; after each,
;;; the descriptors are as before, and in the long run so is the memory.

(use-modules (harness soak)
             (ice-9 atomic)
             (ice-9 exceptions)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport channel)
             (sockport operation))

(define (box-add! box value)
  (let ((old (atomic-box-ref box)))
    (unless (eq? old (atomic-box-compare-and-swap! box old (cons value old)))
      (box-add! box value))))
(define (sorted box) (sort (atomic-box-ref box) <))

(define (now)
  (get-internal-real-time))             ; in nanoseconds

(define (how thunk)
  "The key that THUNK raises, or #f."
  (catch #t (lambda () (thunk) #f) (lambda (key . args) key)))

(define (in-thread thunk)
  "Call THUNK in a thread, while the task waits."
  (let* ((over (make-event))
         (thread (call-with-new-thread
                  (lambda ()
                    (thunk)
                    (event-set! over)))))
    (event-wait over)
    (join-thread thread)))

;;; Each kind of program draws its sizes before anything runs.

(define (channels)
  "Values through a channel, from tasks and threads that are cancelled, have
deadlines, or finish: what was put is got, once, and nothing else."
  (let* ((channel (make-channel (draw 4)))
         (accepted (make-atomic-box '())) (got (make-atomic-box '()))
         (putters (+ 1 (draw 5))) (getters (+ 1 (draw 5)))
         (each (+ 1 (draw 30)))
         (victims (map (lambda (_) (draw 3)) (iota putters)))
         (getter-kinds (map (lambda (_) (draw 3)) (iota getters)))
         (pauses (map (lambda (_) (draw 300)) (iota 8))))
    (define (put-all who)
      (do ((i 0 (+ i 1))) ((= i each))
        (let ((value (+ (* 1000 who) i)))
          (channel-put channel value)
          (box-add! accepted value))))
    (define (get-all)
      (let ((value (channel-get channel)))
        (unless (eof-object? value)
          (box-add! got value)
          (get-all))))
    (define (with-cuts thunk)
      ;; A get that a deadline ends has taken nothing.
      (let loop ((n 0))
        (unless (eq? 'over
                     (with-deadline (* 1e-5 (list-ref pauses (modulo n 8)))
                       (lambda () (thunk) 'over)
                       (const 'again)))
          (loop (+ n 1)))))
    (run-tasks
     (lambda ()
       (define loop-thread (current-thread))
       (define getting
         (map (match-lambda
                (0 (spawn-task get-all))
                (1 (spawn-task (lambda () (with-cuts get-all))))
                (2 (spawn-task (lambda () (in-thread get-all)))))
              getter-kinds))
       (define putting
         (map (lambda (who kind)
                (let ((task (spawn-task
                             (lambda ()
                               (guard (e ((task-cancelled? e) #t))
                                 (put-all who))))))
                  (case kind
                    ((1) (spawn-task
                          (lambda ()
                            (sleep (* 1e-6 (list-ref pauses (modulo who 8))))
                            (cancel! task))))
                    ((2) (call-with-new-thread
                          (lambda ()
                            (usleep (list-ref pauses (modulo who 8)))
                            (system-async-mark (lambda () (cancel! task))
                                               loop-thread)))))
                  task))
              (iota putters) victims))
       (for-each (lambda (task) (how (lambda () (join task)))) putting)
       (channel-close! channel)
       (for-each join getting)))
    (check "what was put is what was got" (sorted accepted) (sorted got))))

(define (sockets)
  "Echoes; some of the sockets are closed while others wait on them."
  (let ((count (+ 1 (draw 20))) (rounds (+ 1 (draw 20)))
        (closed (draw 4)) (from-thread? (zero? (draw 2))))
    (define ends (make-atomic-box '()))
    (run-tasks
     (lambda ()
       (do ((i 0 (+ i 1))) ((= i count))
         (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
           (define (echo)
             (let ((buffer (make-bytevector 64)))
               (let loop ()
                 (let ((n (recv! (cdr pair) buffer)))
                   (unless (zero? n)
                     (send (cdr pair) buffer 0 0 n)
                     (loop))))))
           (define (ask)
             (let ((buffer (make-bytevector 64)))
               (do ((n 0 (+ n 1))) ((= n rounds))
                 (send (car pair) (make-bytevector (+ 1 (modulo n 64)) i))
                 (let receive ((left (+ 1 (modulo n 64))))
                   (unless (zero? left)
                     (let ((got (recv! (car pair) buffer)))
                       (unless (and (positive? got)
                                    (= i (bytevector-u8-ref buffer 0)))
                         (fault! "an echo" i got))
                       (receive (if (zero? got) 0 (- left got)))))))
               (close-port (car pair))))
           (if (< i closed)
               (let ((waiting
                      (spawn-task
                       (lambda ()
                         (box-add! ends
                                   (catch 'system-error
                                     (lambda ()
                                       (recv! (car pair) (make-bytevector 1)))
                                     (lambda e (system-error-errno e))))))))
                 (task-yield)
                 (let ((close (lambda ()
                                (close-port (car pair))
                                (close-port (cdr pair)))))
                   (if from-thread? (in-thread close) (close))))
               (begin
                 (spawn-task (lambda () (echo) (close-port (cdr pair))))
                 (spawn-task ask)))))))
    (check "who waits on what is closed gets EBADF"
           (make-list (min count closed) EBADF) (sorted ends))))

(define (groups)
  "A group of tasks of which some fail, are cancelled or finish."
  (let ((count (+ 1 (draw 10))) (failing (draw 3)) (deadline? (zero? (draw 3))))
    (define begun 0)
    (define ended 0)
    (define result
      (run-tasks
       (lambda ()
         (how (lambda ()
                (with-deadline (and deadline? 0.005)
                  (lambda ()
                    (with-task-group
                     (lambda (group)
                       (do ((i 0 (+ i 1))) ((= i count))
                         (spawn-task
                          (lambda ()
                            (set! begun (+ begun 1))
                            (call-with-cleanup
                             (lambda ()
                               (task-yield)
                               (cond ((< i failing) (throw 'failed))
                                     (deadline? (sleep 1000))
                                     (else (sleep 0.0001))))
                             (lambda ()
                               (task-yield)
                               (set! ended (+ ended 1))))))))))))))))
    (check "each that began has ended" begun ended)
    (check "how the group ended"
           (cond ((positive? failing) 'failed)
                 (deadline? 'deadline-exceeded)
                 (else #f))
           result)))

(define (sleepers)
  "Sleepers wake, none before its time, whatever is cancelled between."
  (let* ((count (+ 2 (draw 40)))
         (woken (make-atomic-box '()))
         (cancelled (draw count)))
    (run-tasks
     (lambda ()
       (let ((tasks (map (lambda (i)
                           (let ((ns (* 500000 (- count i))))
                             (spawn-task
                              (lambda ()
                                (let ((due (+ (now) ns)))
                                  (sleep (/ ns 1e9))
                                  (when (< (now) due)
                                    (fault! "woken early" (- due (now))))
                                  (box-add! woken i))))))
                         (iota count))))
         (cancel! (list-ref tasks cancelled))
         (for-each (lambda (task) (how (lambda () (join task)))) tasks))))
    (check "the sleepers" (delv cancelled (iota count)) (sorted woken))))

(define (signals)
  "Every signal is seen, one after the other."
  (let ((count (+ 1 (draw 20))))
    (define seen 0)
    (watch-signal! SIGUSR1)
    (run-tasks
     (lambda ()
       (spawn-task (lambda ()
                     (do () ((= seen count))
                       (wait-signal SIGUSR1)
                       (set! seen (+ seen 1)))))
       (do ((i 0 (+ i 1))) ((= i count))
         (kill (getpid) SIGUSR1)
         (do () ((> seen i)) (task-yield)))))
    (unwatch-signal! SIGUSR1)
    (check "signals" count seen)))

(define (choices)
  "Of several operations one is done, and the others take nothing."
  (let* ((channels (map (lambda (_) (make-channel 1)) (iota (+ 1 (draw 4)))))
         (count (+ 1 (draw 30)))
         (got (make-atomic-box '())))
    (run-tasks
     (lambda ()
       (define putter
         (spawn-task
          (lambda ()
            (do ((i 0 (+ i 1))) ((= i count))
              (apply wait-first
                     (map (lambda (channel) (put-operation channel i))
                          channels))))))
       (do ((n 0 (+ n 1))) ((= n count))
         (box-add! got (apply wait-first (map get-operation channels))))
       (join putter)))
    (check "of a choice" (iota count) (sorted got))))

(define (forks)
  "A child can use what it inherited the code of, and disturbs nobody."
  (match (primitive-fork)
    (0 (primitive-_exit
        (catch #t
          (lambda ()
            (let ((channel (make-channel)))
              (run-tasks
               (lambda ()
                 (spawn-task (lambda () (sleep 0.001) (channel-put channel 7)))
                 (if (eqv? 7 (channel-get channel)) 0 1)))))
          (const 2))))
    (pid (check "a child" 0
                (run-tasks (lambda () (status:exit-val (wait-process pid))))))))

(define programs
  (list channels channels sockets groups sleepers signals choices))

;;; The whole.

(soak-rounds
 (lambda ()
   (let ((program (list-ref programs (draw (length programs)))))
     (catch #t
       program
       (lambda (key . args)
         (fault! (procedure-name program) key args)))))
 ;; Before there are threads.
 (lambda () (do ((i 0 (+ i 1))) ((= i 5)) (forks))))
