;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Telling which task keeps its loop from the others, and where.

(define-module (sockport task watchdog)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 threads)
  #:use-module (sockport ports lock)
  #:use-module (sockport primitive)
  #:use-module (sockport task deadline)
  #:use-module (sockport task loop)
  #:use-module (sockport task origin)
  #:use-module (sockport task waiter)
  #:export (with-watchdog
            print-stuck))

(define (print-stuck task stack)
  "Tell of TASK on the current error port, with its STACK unless that is #f."
  (let ((port (current-error-port)))
    (simple-format port "~A has not waited for a long time\n" task)
    (when stack
      (print-frames (stack-frames stack) port))))

;;; The stack is taken by an async in the loop's own thread.  One that runs C code
;;; does not come to it, and one that sleeps there would be woken by it; then there is
;;; no stack to show.  The three innermost frames are the async's, and are left out: what
;;; is shown begins with the task's own procedures.
(define (ask-for-stack loop)
  (let ((answer (make-atomic-box #f)))
    (unless (%thread-sleeps? (loop-thread loop))
      (system-async-mark
       ;; It may have waited by now.
       (lambda ()
         (when (and (loop-current loop) (loop-inside? loop))
           (atomic-box-set! answer (make-stack #t 3 task-tag))))
       (loop-thread loop)))
    answer))

;;; In seconds: more than a clock can tell is for ever.
(define longest (ash 1 29))

(define (start-thread loop seconds on-stuck)
  "Watch LOOP from a new thread; return a thunk that ends it."
  (define lock (make-mutex))
  (define wake (make-condition-variable))
  (define over? #f)
  (define ended (%make-channel-core 0 #t))
  (define (rest)
    (let* ((us (inexact->exact (ceiling (* (min seconds longest) 500000))))
           (now (gettimeofday))
           (then (+ us (cdr now))))
      (with-mutex lock
        (unless over?
          (wait-condition-variable wake lock
                                   (cons (+ (car now) (quotient then 1000000))
                                         (remainder then 1000000)))))))
  ;; A loop that was left by an escape tells nobody.
  (define (ended?)
    (or over? (not (loop-root loop))))
  (define (watch turn told)
    (rest)
    (unless (ended?)
      (let ((task (loop-current loop)) (now (loop-turns loop)))
        (cond ((not (and task (= now turn) (not (eqv? told now))))
               (watch now told))
              (else
               (let ((answer (ask-for-stack loop)))
                 (rest)
                 (unless (ended?)
                   (on-stuck task (atomic-box-ref answer))
                   (watch now now))))))))
  (let ((thread (call-with-new-thread
                 (lambda ()
                   (dynamic-wind (const #t)
                                 (lambda () (watch -1 #f))
                                 (lambda () (%channel-close ended)))))))
    (lambda ()
      (with-lock lock
        (set! over? #t)
        (signal-condition-variable wake))
      ;; ON-STUCK may wait for another task of this loop.
      (shielded (lambda () (core-get ended "run-tasks")))
      (join-ending thread))))

(define (with-watchdog seconds on-stuck thunk)
  "Call THUNK, the first task of its loop, and watch the loop until it returns."
  (let ((end (start-thread (current-loop) seconds on-stuck)))
    (call-noting
     (lambda ()
       (call-with-values thunk
         (lambda results
           (end)
           (apply values results))))
     (lambda (exception)
       (end)
       (raise-exception exception)))))
