;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The workers of run-tasks: loops, each with its first task, in as many threads.

(define-module (sockport task worker)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module ((sockport io wait) #:select (with-task-waiters))
  #:use-module (sockport ports lock)
  #:use-module (sockport primitive)
  #:use-module (sockport task deadline)
  #:use-module (sockport task group)
  #:use-module (sockport task join)
  #:use-module (sockport task loop)
  #:use-module (sockport task origin)
  #:use-module ((sockport task record) #:select (make-loop))
  #:use-module (sockport task run)
  #:use-module (sockport task scope)
  #:use-module (sockport task timer)
  #:use-module (sockport task exception)
  #:use-module (sockport task waiter)
  #:use-module (srfi srfi-1)
  #:export (cancelled-thread
            run-alone
            run-workers))

(define (run-worker thunk worker peers limit ready)
  "Run THUNK as the first task of a loop, until LIMIT; return that task, and a list of
the exception the loop ended with, or #f."
  (define group #f)
  (define loop
    (make-loop (lambda (exception) (group-fail! group exception))
               group-ended #:worker worker #:peers peers))
  (set! group (make-root-group loop (lambda () (set-loop-root! loop #f))))
  (set-loop-root! loop group)
  (with-exception-handler
      (lambda (exception)
        (loop-close! loop)
        (raise-exception exception))
    (lambda () (ready loop))
    #:unwind? #t)
  (let ((main (spawn-task thunk #:loop loop #:name 'main)))
    ;; An escape may leave it before all have ended.
    (dynamic-wind
     (const #t)
     (lambda ()
       (when limit (limit-loop! loop group limit))
       (loop-run! loop))
     (lambda () (loop-left! loop group)))
    (values main
            (and (pair? (group-failures group))
                 (list (group-exception group))))))

(define (limit-here)
  "Return when the deadline around here ends, and its exception, in a pair; or #f."
  (and=> (thread-limit)
         (lambda (scope)
           (cons (scope-deadline scope) (make-deadline-exceeded scope)))))

(define (limit-loop! loop group limit)
  "Have the deadline LIMIT end the tasks of GROUP, which is LOOP's."
  ;; Not before the first task has run: what can be done at once is done.
  (loop-post! loop
    (lambda ()
      (timer-add! (loop-timers loop) (car limit)
                  (lambda () (group-fail! group (cdr limit)))))))

(define (run-alone thunk)
  (call-with-values
      (lambda () (run-worker thunk 0 (vector #f) (limit-here) (const #t)))
    (lambda (main exception)
      (match exception
        ((exception) (raise-failure exception))
        (#f (task-values main))))))

;;; What is raised of a thread that cancel-thread has ended.
(define cancelled-thread
  (make-exception-from-throw
   'misc-error (list #f "a thread that was waited for was cancelled" '() #f)))

(define (cancel-loops! peers)
  "Cancel the tasks of the loops among PEERS that are not over."
  (for-each (lambda (loop)
              (when (loop? loop)
                (loop-post! loop
                  (lambda ()
                    (when (loop-root loop)
                      (group-cancel! (loop-root loop)))))))
            (vector->list peers)))

;;; RESULTS are pairs of a worker's first task and a list of its exception, or #f.
(define (values-of results)
  (let ((failures (delete-duplicates
                   (append-map (lambda (result) (or (cdr result) '())) results)
                   eq?)))
    (when (pair? failures)
      (raise-failure (with-others (car failures) (cdr failures))))
    (task-values (caar results))))

;;; The deadline ends the tasks, which may have to clean up.  A fiber of another
;;; scheduler keeps its thread, as it does for a loop: what winds here would take it for
;;; left.
(define (get-in-thread core)
  "Return what CORE, of a channel, gives, once it does."
  (with-task-waiters
   (lambda ()
     (shielded (lambda () (core-get core "run-tasks"))))))

(define (start work)
  "Call WORK in a new thread; return what waits for its result."
  (let* ((ended (%make-channel-core 1 #f))
         (thread (call-with-new-thread
                  (lambda ()
                    (dynamic-wind
                     (const #t)
                     (lambda () (%channel-put ended (work)))
                     ;; The first counts.
                     (lambda () (%channel-put ended (list #f cancelled-thread))))))))
    (lambda ()
      (let ((result (get-in-thread ended)))
        (join-ending thread)
        result))))

;;; The loops are made one after the other, each in its thread, before any runs.
;;; PEERS has each worker's loop; FAILURE is a list of what keeps all from beginning.
(define (run-workers thunk count)
  (define peers (make-vector count #f))
  (define lock (make-mutex))
  (define begun (%make-channel-core 0 #t))
  (define limit (limit-here))
  (define failure #f)
  (define (begin! worker loop)
    (with-lock lock
      (vector-set! peers worker loop)
      (unless (memq #f (vector->list peers)) (%channel-close begun)))
    (get-in-thread begun)
    (when failure (raise-exception (car failure))))
  ;; A worker whose loop cannot be made, for want of descriptors say, ends the others,
  ;; and so does one that is left by an escape, or cancelled.
  (define (stop! exception)
    (call-with-blocked-asyncs
     (lambda ()
       (set! failure (or failure (list exception)))
       (%channel-close begun)
       (cancel-loops! peers))))
  (define (stopping-if-left thunk)
    (let ((over? #f))
      (dynamic-wind
       (const #t)
       (lambda () (let ((result (thunk))) (set! over? #t) result))
       (lambda () (unless over? (stop! cancelled-thread))))))
  (define (work worker)
    (stopping-if-left
     (lambda ()
       (with-exception-handler
           (lambda (exception) (stop! exception) (cons #f (list exception)))
         (lambda () (run worker))
         #:unwind? #t))))
  (define (first-task)
    (with-exception-handler
        (lambda (exception)
          (cancel-loops! peers)
          (raise-exception exception #:continuable? #t))
      thunk))
  (define (run worker)
    (call-with-values
        (lambda () (run-worker first-task worker peers limit
                               (lambda (loop) (begin! worker loop))))
      (lambda (main exception)
        (when exception (cancel-loops! peers))
        (cons main exception))))
  (values-of
   (stopping-if-left
    (lambda ()
      (let* ((results (map (lambda (worker) (start (lambda () (work worker))))
                           (cdr (iota count))))
             (first-result (work 0)))
        (cons first-result (map (lambda (result) (result)) results)))))))
