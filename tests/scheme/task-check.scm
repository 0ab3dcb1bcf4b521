;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; SOCKPORT_CHECK_TASKS: what a task is filled with, compared with what Guile takes.
;;; Not in chaos: the programs that this runs have settings of their own.

(use-modules (harness)
             (harness process)
             (sockport))

(test-begin "task-check")

(test-case "what is filled can be compared with what Guile takes"
  (define (status-with setting thunk)
    (run-program "env" "-u" "SOCKPORT_PLAIN_TASKS" "-u" "SOCKPORT_CHAOS"
                 (string-append "SOCKPORT_CHECK_TASKS=" setting)
                 "guile" "--no-auto-compile" "-c"
                 (object->string
                  `(begin
                     (use-modules (ice-9 threads) (sockport))
                     (catch #t
                       (lambda () (run-tasks ,thunk))
                       (lambda (key . args) (primitive-exit 7)))))))
  (define waiting
    '(lambda () (do ((i 0 (+ i 1))) ((= i 10)) (sleep 0))))
  ;; What a frame does not need any more is overwritten by a collection.
  (define collecting
    '(let ((over? #f))
       (define (wait i)
         (let* ((text (make-string 10 #\x)) (length (string-length text)))
           (task-yield)
           (+ length i)))
       (define (waits)
         (do ((i 0 (+ i 1))) ((= i 3000)) (wait i)))
       (define (collect)
         (unless over? (gc) (collect)))
       (lambda ()
         (let ((thread (call-with-new-thread collect)))
           (with-task-group
            (lambda (group)
              (do ((i 0 (+ i 1))) ((= i 20)) (spawn-task waits))))
           (set! over? #t)
           (call-in-thread (lambda () (join-thread thread)))))))
  (test-eqv "the same" 0 (status-with "1" waiting))
  (test-eqv "the same, while memory is collected" 0 (status-with "1" collecting))
  (test-eqv "spoilt, which is noticed" 7 (status-with "2" waiting)))

(test-end "task-check")
