;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Every exported procedure refuses what it cannot take by its own name, not by that
;;; of something inside of it.

(use-modules (harness)
             (harness exported)
             (ice-9 match)
             (srfi srfi-1)
             (sockport)
             (sockport channel)
             (sockport operation))

(test-begin "arguments-named")

(define exported (exported-procedures))

;;; Nothing takes this.
(define (nothing-useful) (delay 1))

;;; Records of the core's structures hold what they are given; and what is asked what
;;; it knows of an object knows nothing of this one.
(define (takes-anything? name)
  (or (memq name '(make-control-message connect-failures display-task-failure
                    response-invalid-headers response-trailers))
      (let ((text (symbol->string name)))
        (and (string-prefix? "make-" text)
             (assq (string->symbol (substring text 5))
                   ((@ (sockport primitive) %structures)))))))

(define (question? name)
  (string-suffix? "?" (symbol->string name)))

(define (required procedure)
  (match (procedure-minimum-arity procedure)
    ((required optional rest)
     (if (and (zero? required) rest) 1 required))
    (_ 0)))

(define (outcome name procedure args)
  "Return fine, or what was raised instead of an error of NAME."
  (catch #t
    (lambda ()
      (let ((value (apply procedure args)))
        (if (or (takes-anything? name) (and (question? name) (not value)))
            'fine
            (list 'returned value))))
    (match-lambda*
      (((or 'wrong-type-arg 'out-of-range 'misc-error 'keyword-argument-error)
        who . _)
       (=> other)
       (if (equal? (if (symbol? who) (symbol->string who) who)
                   (symbol->string name))
           'fine
           (other)))
      ;; Too few for a constructor that takes each field, or none.
      (('wrong-number-of-args . _) (=> other)
       (if (takes-anything? name) 'fine (other)))
      (error error))))

(test-case "what is of no use anywhere"
  (for-each
   (match-lambda
     ((name . procedure)
      (let ((count (required procedure)))
        (unless (zero? count)
          (test-equal (symbol->string name) 'fine
            (outcome name procedure (list-tabulate count
                                                   (lambda (_) (nothing-useful)))))))))
   exported))

;;; Each position of those that take procedures, tasks, channels and seconds: NAME,
;;; good values, and at which positions anything will do.
(define-syntax-rule (rows (procedure (good ...) any-position ...) ...)
  (list (list 'procedure procedure (lambda () (list good ...))
              '(any-position ...))
        ...))

(define thunk (const #t))

(define table
  (rows
   (run-tasks (thunk))
   (spawn-task (thunk))
   (with-task-group (thunk))
   (call-in-thread (thunk))
   (call-with-cleanup (thunk thunk))
   (dynamic-wind (thunk thunk thunk))
   (with-deadline (1 thunk thunk))
   (shielded (thunk))
   (sleep (0))
   (join ((run-tasks (lambda () (spawn-task thunk)))))
   (cancel! ((run-tasks (lambda () (spawn-task thunk)))))
   (make-channel (1))
   (channel-get ((let ((channel (make-channel))) (channel-close! channel) channel)))
   (channel-put ((make-channel 1) 1) 2)
   (channel-try-get ((make-channel 1) 1) 2)
   (channel-try-put ((make-channel 1) 1) 2)
   (channel-close! ((make-channel 1)))
   (get-operation ((make-channel 1)))
   (put-operation ((make-channel 1) 1) 2)
   (event-set! ((make-event)))
   (event-clear! ((make-event)))
   (event-operation ((make-event)))
   (make-semaphore (1))
   (semaphore-acquire! ((make-semaphore 1)))
   (semaphore-try-acquire! ((make-semaphore 1)))
   (semaphore-release! ((make-semaphore 1)))
   (call-with-semaphore ((make-semaphore 1) thunk))
   (operation-map ((sleep-operation 0) thunk))
   (sleep-operation (0))
   (join-operation ((run-tasks (lambda () (spawn-task thunk)))))
   (wait-first ((sleep-operation 0) (sleep-operation 0) (sleep-operation 0)))
   (watch-signal! (SIGUSR2))
   (unwatch-signal! (SIGUSR2))
   (signal-operation (SIGUSR2))
   (wait-signal (SIGUSR2 SIGUSR2))))

(define (refused-at name procedure args)
  (catch #t
    (lambda () (apply procedure args) 'nothing)
    (lambda (key . args)
      (match (describe-error key args)
        ((key position (? (lambda (who) (equal? who (symbol->string name)))))
         (list key position))
        (other other)))))

(for-each
 (match-lambda
   ((name procedure good any)
    (test-case (format #f "each position of ~a" name)
      (for-each
       (lambda (position)
         (unless (memv position any)
           (test-equal (format #f "~a" position) (list 'wrong-type-arg position)
             (let ((args (good)))
               (list-set! args (- position 1) (nothing-useful))
               (refused-at name procedure args)))))
       (iota (length (good)) 1)))))
 table)

(test-end "arguments-named")
