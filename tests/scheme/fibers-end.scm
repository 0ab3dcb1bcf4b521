;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' interface on Sockport's tasks (fibers/, which is first on the load path
;;; here): fibers that are left, and such as are interrupted where others end.

(use-modules (harness)
             ((harness socket) #:select (wait-until-asleep))
             (fibers)
             (fibers channels)
             (fibers operations)
             ((fibers scheduler) #:select (current-scheduler make-scheduler run-scheduler))
             ((fibers timers) #:select (sleep-operation))
             (ice-9 atomic)
             (ice-9 threads)
             ((sockport deadline) #:select (with-deadline))
             ((sockport task) #:select (cancel! current-task join spawn-task))
             ((sockport task loop) #:select (current-loop))
             ((sockport web-client) #:select (close-http-pool make-http-pool)))

;; The pipe that a thread sleeps by stays.
(with-deadline 0 (lambda () ((@ (sockport task) sleep) 1)) (const #f))

(test-begin "fibers-end")

(define-syntax-rule (fibers body ...)
  (run-fibers (lambda () body ...) #:parallelism 1 #:hz 0))

(test-case "what is given is not for fibers whose scheduler has ended"
  (define channel (make-channel))
  (fibers
   (spawn-fiber (lambda () (get-message channel)))
   (spawn-fiber (lambda ()
                  (perform-operation
                   (choice-operation (get-operation channel)
                                     (sleep-operation 1000)))))
   (sleep 0.01))
  (call-with-new-thread (lambda () (put-message channel 'value)))
  (test-eq "a value" 'value
    (with-deadline (* 1/2 (case-seconds))
      (lambda () (get-message channel))
      (const 'late))))

(define interruption (@@ (fibers) interrupt))

(define (interrupting module name arg moment thunk)
  "Call THUNK; the fiber that is the first to call NAME, of MODULE, with ARG is interrupted
at MOMENT, before or after."
  (let* ((module (resolve-module module))
         (real (module-ref module name))
         (due moment))
    (define (interrupt-if now args)
      (when (and (eq? due now) (eq? arg (car args)))
        (set! due #f)
        (system-async-mark (interruption (current-loop) (make-atomic-box #t)))))
    (define (instead . args)
      (interrupt-if 'before args)
      (let ((value (apply real args)))
        (interrupt-if 'after args)
        value))
    (module-set! module name instead)
    (let ((value (thunk)))
      (module-set! module name real)
      value)))

(test-case "a fiber that is interrupted where it begins to wait"
  (test-eq "for the end of another, which ends meanwhile" 'value
    (fibers
     (let ((task (spawn-task (const 'value))))
       (spawn-fiber (lambda ()
                      (sleep (* 1/2 (case-seconds)))
                      (cancel! task)))
       (interrupting '(sockport task loop) 'begin-wait! (current-task) 'before
                     (lambda () (join task)))))))

(define pool-lock (@@ (sockport client pool) pool-lock))

(test-case "a fiber that is interrupted where it has locked what all use for a moment"
  (test-equal "a pool of connections" '(closed closed)
    (fibers
     (let ((pool (make-http-pool)))
       (define (close)
         (close-http-pool pool)
         'closed)
       (interrupting '(ice-9 threads) 'lock-mutex (pool-lock pool) 'after
         (lambda ()
           (map join (list (spawn-task close) (spawn-task close)))))))))

(test-case "what is raised where no fiber runs"
  (test-error* "by a handler" '(handled)
    (fibers
     (let ((main (current-thread)))
       (call-with-new-thread
        (lambda ()
          (wait-until-asleep (list main))
          (system-async-mark (lambda () (throw 'handled)) main))))
     (sleep (* 1/2 (case-seconds)))))
  (test-eqv "by what tells whether a scheduler has finished" 1
    (let ((asked 0))
      (catch 'asked
        (lambda ()
          (run-scheduler (make-scheduler)
                         (lambda ()
                           (set! asked (+ asked 1))
                           (or (> asked 5) (throw 'asked)))))
        (const #t))
      asked))
  (test-eq "others can be run" 'value
    (fibers (sleep 0.001) 'value)))

;; What it would have run with is closed, as the case's own check of descriptors sees.
(test-case "a scheduler that runs already"
  (test-error* "cannot be run here" '(misc-error)
    (fibers (run-scheduler (current-scheduler) (const #t)))))

(test-case "an exception while the threads of the others are being made"
  (let* ((module (resolve-module '(ice-9 threads)))
         (real (module-ref module 'call-with-new-thread))
         (made '()))
    (module-set! module 'call-with-new-thread
                 (lambda (thunk . _)
                   (unless (null? made) (throw 'no-thread))
                   (set! made (list (real thunk)))
                   (car made)))
    (test-error* "is raised" '(no-thread)
      (run-fibers (const #t) #:parallelism 3 #:hz 0))
    (module-set! module 'call-with-new-thread real)
    (test-assert "those that were made end"
      (wait-until (lambda () (thread-exited? (car made)))))))

(test-end "fibers-end")
