;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Tasks and channels at work: usage: channel.scm sockport|fibers ROW THREADS; for each
;;; line that is read, works for a tenth of a second and prints the nanoseconds for each
;;; hop, leaf, choice or task.  With fibers, whichever Fibers is first on the load path.

(use-modules (ice-9 match)
             (ice-9 rdelim))

(define-values (library row threads)
  (match (command-line)
    ((_ library row threads)
     (values (string->symbol library) (string->symbol row)
             (string->number threads)))))

(define (of module name)
  (module-ref (resolve-interface module) name))

(define fibers? (eq? library 'fibers))
(define make-channel
  (of (if fibers? '(fibers channels) '(sockport channel)) 'make-channel))
(define put
  (if fibers? (of '(fibers channels) 'put-message) (of '(sockport channel) 'channel-put)))
(define get
  (if fibers? (of '(fibers channels) 'get-message) (of '(sockport channel) 'channel-get)))
(define get-operation
  (of (if fibers? '(fibers channels) '(sockport channel)) 'get-operation))
(define sleep-operation
  (of (if fibers? '(fibers timers) '(sockport operation)) 'sleep-operation))
(define first-of
  (if fibers?
      (let ((perform (of '(fibers operations) 'perform-operation))
            (choice (of '(fibers operations) 'choice-operation)))
        (lambda operations (perform (apply choice operations))))
      (of '(sockport operation) 'wait-first)))
(define spawn
  (of (if fibers? '(fibers) '(sockport task)) (if fibers? 'spawn-fiber 'spawn-task)))

;;; Elsewhere, the peers take turns; they are known once all have begun.
(define turn 0)
(define all-loops
  (and (not fibers?)
       (eval '(lambda () (loop-peers (current-loop)))
             (resolve-module '(sockport task record)))))
(define (spawn-elsewhere thunk)
  (cond ((= threads 1) (spawn thunk))
        (fibers? (spawn thunk #:parallel? #t))
        (else
         (let ((peers (all-loops)))
           (set! turn (modulo (+ turn 1) (vector-length peers)))
           (spawn thunk #:loop (vector-ref peers turn))))))

(define-syntax-rule (times count expr ...)
  (let loop ((left count))
    (unless (zero? left)
      expr ...
      (loop (- left 1)))))

(define (wait-for-all done count)
  (times count (get done)))

;;; Each row returns how many of what it counts it has done.

(define (ping-pong)
  (let ((done (make-channel)))
    (times 10
      (let ((to (make-channel)) (from (make-channel)))
        (spawn-elsewhere (lambda ()
                           (times 2000 (put to 1) (get from))
                           (put done #t)))
        (spawn-elsewhere (lambda () (times 2000 (get to) (put from 2))))))
    (wait-for-all done 10)
    40000))

(define (chain)
  (let ((first (make-channel)))
    (define (link from left)
      (if (zero? left)
          from
          (let ((to (make-channel)))
            (spawn-elsewhere (lambda () (times 2000 (put to (get from)))))
            (link to (- left 1)))))
    (let ((last (link first 10)))
      (spawn-elsewhere (lambda () (times 2000 (put first 1))))
      (times 2000 (get last))
      22000)))

(define (diagonal)
  (let ((first (make-channel)) (last (make-channel)))
    (times 10
      (spawn-elsewhere (lambda () (times 1000 (put last (get first))))))
    (spawn-elsewhere (lambda () (times 10000 (put first 1))))
    (times 10000 (get last))
    20000))

(define (fan-out)
  (let ((channel (make-channel)) (done (make-channel)))
    (times 10
      (spawn-elsewhere (lambda ()
                         (times 2000 (get channel))
                         (put done #t))))
    (times 20000 (put channel 1))
    (wait-for-all done 10)
    20000))

(define (sieve)
  (define (numbers)
    (let ((channel (make-channel)))
      (spawn (lambda ()
               (let loop ((n 2))
                 (put channel n)
                 (loop (+ n 1)))))
      channel))
  (define (without prime from)
    (let ((to (make-channel)))
      (spawn (lambda ()
               (let loop ((n (get from)))
                 (unless (zero? (modulo n prime))
                   (put to n))
                 (loop (get from)))))
      to))
  (let loop ((left 100) (from (numbers)))
    (if (zero? left)
        100
        (loop (- left 1) (without (get from) from)))))

(define (skynet)
  (define (leaf-or-branch to number size)
    (if (= size 1)
        (put to number)
        (let ((from (make-channel)) (part (quotient size 10)))
          (let loop ((i 0))
            (when (< i 10)
              (spawn (lambda () (leaf-or-branch from (+ number (* i part)) part)))
              (loop (+ i 1))))
          (let loop ((i 0) (sum 0))
            (if (= i 10)
                (put to sum)
                (loop (+ i 1) (+ sum (get from))))))))
  (let ((channel (make-channel)))
    (spawn (lambda () (leaf-or-branch channel 0 10000)))
    (get channel)
    10000))

(define (choice)
  (let ((a (make-channel)) (b (make-channel)))
    (spawn (lambda () (times 5000 (put a 1) (put b 2))))
    (times 10000
      (first-of (get-operation a) (get-operation b) (sleep-operation 60)))
    10000))

(define (start)
  (let ((done (make-channel)))
    (times 20000 (spawn (lambda () (put done #t))))
    (wait-for-all done 20000)
    20000))

(define (measured thunk)
  (let ((start (get-internal-real-time))
        (enough (quotient internal-time-units-per-second 10)))
    (let loop ((count (thunk)))
      (let ((passed (- (get-internal-real-time) start)))
        (if (< passed enough)
            (loop (+ count (thunk)))
            (/ (* passed (/ 1e9 internal-time-units-per-second)) count))))))

(define (run)
  (define thunk (primitive-eval row))
  (thunk)                               ; once, to warm up
  (let loop ()
    (unless (eof-object? (read-line))
      (display (measured thunk))
      (newline)
      (force-output)
      (loop)))
  ;; The others may wait for ever.
  (primitive-_exit 0))

(if fibers?
    ((of '(fibers) 'run-fibers) run #:parallelism threads #:hz 0)
    ((of '(sockport task) 'run-tasks)
     (lambda ()
       (when (zero? ((of '(sockport task) 'current-worker)))
         (run))
       ((of '(sockport task) 'sleep) 3600))
     #:workers threads))
