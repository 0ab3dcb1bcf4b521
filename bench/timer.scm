;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a deadline costs that does not pass: around code that does not wait, alone
;;; and with 10,000 others set; beside Python's.

(use-modules (bench harness)
             (sockport))

(define count 50000)

(define (set-and-cancel)
  (/ (elapsed-ns
      (lambda ()
        (let loop ((i 0))
          (when (< i count)
            (with-deadline 60 (const #t))
            (loop (+ i 1))))))
     count 1.))

(define (among others)
  (lambda ()
    (run-tasks
     (lambda ()
       (with-task-group
        (lambda (group)
          (let loop ((i 0))
            (when (< i others)
              (spawn-task (lambda () (sleep 3600)))
              (loop (+ i 1))))
          (sleep 0)
          (let ((ns (set-and-cancel)))
            (throw 'measured ns))))))))

;; The sleeping tasks are cancelled by the throw.
(define (measured thunk)
  (lambda () (catch 'measured thunk (lambda (key ns) ns))))

(define (python others)
  (lambda ()
    (command-number "python3" "-c" (format #f "
import asyncio, time
async def main(others, n):
    loop = asyncio.get_running_loop()
    kept = [loop.call_later(3600, print) for i in range(others)]
    start = time.perf_counter_ns()
    for i in range(n):
        try:
            async with asyncio.timeout(60): pass
        except AttributeError:
            loop.call_later(60, print).cancel()
    print((time.perf_counter_ns() - start) / n)
asyncio.run(main(~a, ~a))" others count))))

(define (timer-case name others)
  (list name
        (cons "Sockport" (measured (among others)))
        (cons "asyncio" (python others))))

(pin! 0)
(bench "timer" #:title "Cost of a deadline" #:unit "ns" #:rounds 7
       #:cases (list (timer-case "alone" 0)
                     (timer-case "among 10,000" 10000)))
