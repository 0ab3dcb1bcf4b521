;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Commands of the REPL: ,scheds ,spawn-sched ,kill-sched and ,spawn-fiber.

(define-module (fibers repl)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (call-with-new-thread join-thread))
  #:use-module (srfi srfi-1)
  #:use-module (system repl command)
  #:use-module (system repl common)
  #:use-module (fibers scheduler))

;;; (NUMBER SCHEDULER . THREAD) for each that a command has made, the latest first.
(define-once schedulers '())

(define (spawn-scheduler!)
  (let* ((scheduler (make-scheduler))
         (number (match schedulers
                   (() 0)
                   (((latest . _) . _) (+ latest 1))))
         (thread (call-with-new-thread
                  (lambda () (run-scheduler scheduler (const #f))))))
    (set! schedulers (cons (cons* number scheduler thread) schedulers))
    number))

(define (numbered number)
  (or (assv number schedulers)
      (error "no scheduler has this number:" number)))

(define-meta-command ((scheds fibers) repl)
  "scheds
Show the schedulers that ,spawn-sched has made."
  (for-each (match-lambda
              ((number scheduler . thread)
               (format #t "~a ~8t~a\n" number (scheduler-kernel-thread scheduler))))
            (reverse schedulers)))

(define-meta-command ((spawn-sched fibers) repl)
  "spawn-sched
Make a scheduler, and run it in a thread of its own."
  (format #t "Scheduler ~a runs.\n" (spawn-scheduler!)))

(define-meta-command ((kill-sched fibers) repl number)
  "kill-sched NUMBER
Stop a scheduler."
  (match (numbered number)
    ((and entry (_ scheduler . thread))
     (stop-scheduler scheduler)
     (join-thread thread)
     (set! schedulers (delq entry schedulers))
     (format #t "Scheduler ~a has stopped.\n" number))))

(define-meta-command ((spawn-fiber fibers) repl (form) #:optional number)
  "spawn-fiber EXP [NUMBER]
Run EXP in a fiber of scheduler NUMBER, by default the latest."
  (let ((thunk (repl-prepare-eval-thunk repl (repl-parse repl form))))
    (when (null? schedulers)
      (spawn-scheduler!))
    (match (if number (numbered number) (first schedulers))
      ((_ scheduler . _) (start-fiber scheduler thunk)))))
