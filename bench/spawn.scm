;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a task costs: to start and join one, and to let another run; beside
;;; Guile's threads, Go's goroutines, the fibers of Fibers where it is found
;;; (FIBERS_PREFIX), and Python's tasks.

(use-modules (bench harness)
             ((ice-9 threads) #:select (call-with-new-thread join-thread))
             (sockport))

(define (per count thunk)
  (lambda () (/ (elapsed-ns thunk) count 1.)))

(define-syntax-rule (times count expr ...)
  (let loop ((i 0))
    (when (< i count)
      expr ...
      (loop (+ i 1)))))

(define (spawn-tasks)
  (run-tasks (lambda () (times 20000 (join (spawn-task (const #t)))))))

(define (start-threads)
  (times 500 (join-thread (call-with-new-thread (const #t)))))

(define (yield-tasks)
  (run-tasks
   (lambda ()
     (times 50 (spawn-task (lambda () (times 2000 (task-yield))))))))

(define (python program)
  (lambda ()
    (command-number "python3" "-c"
                    (string-append "import asyncio, time\n" program))))

(define python-spawn (python "
async def nothing(): pass
async def main(n):
    start = time.perf_counter_ns()
    for i in range(n): await asyncio.create_task(nothing())
    print((time.perf_counter_ns() - start) / n)
asyncio.run(main(20000))"))

(define python-yield (python "
async def rounds(n):
    for i in range(n): await asyncio.sleep(0)
async def main(tasks, n):
    start = time.perf_counter_ns()
    await asyncio.gather(*(rounds(n) for i in range(tasks)))
    print((time.perf_counter_ns() - start) / (tasks * n))
asyncio.run(main(50, 2000))"))

;; Built where Go is installed.
(define (go work)
  (let ((program (string-append (getenv "SOCKPORT_BUILD") "/bench/spawn-go")))
    (if (file-exists? program)
        (list (cons "Go" (lambda () (command-number program work))))
        '())))

(define (fibers work)
  (if (getenv "FIBERS_PREFIX")
      (list (cons "Fibers"
                  (lambda ()
                    (apply command-number
                           (with-fibers
                            (list "guile" "--no-auto-compile" "-s"
                                  (string-append (getenv "SOCKPORT_SOURCE")
                                                 "/bench/peers/spawn-fibers.scm")
                                  work))))))
      '()))

(pin! 0)
(bench "spawn" #:title "Cost of a task" #:unit "ns" #:rounds 7
       #:cases
       (list `("start and join"
               ("Sockport" . ,(per 20000 spawn-tasks))
               ,@(go "start")
               ,@(fibers "start")
               ("Guile thread" . ,(per 500 start-threads))
               ("asyncio" . ,python-spawn))
             `("let another run"
               ("Sockport" . ,(per 100000 yield-tasks))
               ,@(go "yield")
               ,@(fibers "yield")
               ("asyncio" . ,python-yield))))
