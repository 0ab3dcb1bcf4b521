;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Choices that are fair, operations that programs define, and what becomes of who
;;; loses a choice.

(use-modules (harness)
             (ice-9 atomic)
             (ice-9 match)
             (ice-9 threads)
             (sockport)
             (sockport channel)
             (sockport operation)
             (srfi srfi-1))

;; The pipe that a thread sleeps by stays.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "operation")

(define-syntax-rule (in-tasks body ...)
  (run-tasks (lambda () body ...)))

(define (tally thunk count)
  "Return an alist of what THUNK returns, and how often, in COUNT calls."
  (let loop ((i 0) (counts '()))
    (if (= i count)
        counts
        (let ((value (thunk)))
          (loop (+ i 1)
                (assq-set! counts value (+ 1 (or (assq-ref counts value) 0))))))))

(test-case "of several that are ready, each is chosen"
  (let ((event (make-event)) (channel (make-channel 1000)))
    (event-set! event)
    (for-each (lambda (i) (channel-put channel i)) (iota 1000))
    (define (choose)
      (wait-first (operation-map (event-operation event) (const 'event))
                  (operation-map (get-operation channel) (const 'channel))
                  (operation-map (event-operation event) (const 'again))))
    (define (each-often? counts)
      (and (= 3 (length counts))
           (every (lambda (count) (< 200 (cdr count) 480)) counts)))
    (test-assert "in a task" (each-often? (in-tasks (tally choose 900))))
    (for-each (lambda (i) (channel-put channel i))
              (iota (- 1000 (channel-count channel))))
    (test-assert "in a thread" (each-often? (tally choose 900)))))

;;; A mailbox: what a program might make of operations of its own.

(define (make-mailbox)
  (make-atomic-box '()))                ; waiters, or (mail VALUE)

(define (mail box)
  (match (atomic-box-ref box)
    (('mail value) (list value))
    (_ #f)))

(define (mailbox-operation box)
  (make-operation
   (lambda () (mail box))
   (lambda (waiter)
     (let add ((before (atomic-box-ref box)))
       (match before
         (('mail value) (waiter-claim! waiter value) #f)
         (_ (let ((now (atomic-box-compare-and-swap! box before
                                                     (cons waiter before))))
              (if (eq? now before)
                  #f
                  (add now)))))))))

(define (mailbox-fill! box value)
  "Fill BOX, and return how many waiters got VALUE."
  (count (lambda (waiter) (waiter-claim! waiter value))
         (atomic-box-swap! box (list 'mail value))))

(test-case "an operation that a program defines"
  (in-tasks
   (let ((box (make-mailbox)))
     (define (wait)
       (wait-first (mailbox-operation box)
                   (operation-map (sleep-operation 60) (const 'late))))
     (let ((tasks (list (spawn-task wait) (spawn-task wait))))
       (task-yield)
       (test-eqv "wakes all" 2 (mailbox-fill! box 'letter))
       (test-equal "with its value" '(letter letter) (map join tasks)))
     (test-eq "is there" 'letter (wait))))
  (let ((box (make-mailbox)) (told (make-channel 2)))
    (let ((threads (map (lambda (i)
                          (call-with-new-thread
                           (lambda ()
                             (channel-put told
                                          (wait-first (mailbox-operation box))))))
                        '(1 2))))
      (wait-until (lambda () (= 2 (length (atomic-box-ref box)))))
      (mailbox-fill! box 'letter)
      (for-each join-thread threads)
      (test-equal "in threads" '(letter letter)
        (list (channel-get told) (channel-get told))))))

(test-case "more than one value, and none"
  (define (there . values)
    (make-operation (const values) (const #f)))
  (define (comes . values)
    (make-operation (const #f)
                    (lambda (waiter)
                      (apply waiter-claim! waiter values)
                      #f)))
  (in-tasks
   (for-each
    (lambda (make)
      (test-equal "two" '(1 2)
        (call-with-values (lambda () (wait-first (make 1 2))) list))
      (test-equal "none" '()
        (call-with-values (lambda () (wait-first (make))) list)))
    (list there comes))))

(test-case "who loses is told, once"
  (define undone 0)
  (define (never)
    (make-operation (const #f)
                    (lambda (waiter)
                      (lambda () (set! undone (+ undone 1))))))
  (in-tasks
   (wait-first (never) (sleep-operation 0) (never))
   (test-eqv "by the others" 2 undone)
   (let ((channel (make-channel 1)))
     (define giving
       (make-operation (const #f)
                       (lambda (waiter)
                         (channel-try-put channel 1)
                         (lambda () (set! undone (+ undone 10))))))
     (wait-first (never) giving (get-operation channel))
     (test-eqv "though nobody had to wait in the end" 13 undone))
   (set! undone 2)
   (with-deadline 0.001 (lambda () (wait-first (never))) (const #f))
   (test-eqv "when a deadline ends it" 3 undone)
   (let ((task (spawn-task (lambda () (wait-first (never) (never))))))
     (task-yield)
     (cancel! task)
     (false-if-exception (join task))
     (test-eqv "when it is cancelled" 5 undone)))
  (with-deadline 0.001 (lambda () (wait-first (never))) (const #f))
  (test-eqv "in a thread" 6 undone))

(test-case "a waiter"
  (define waiter #f)
  (define kept
    (make-operation (const #f) (lambda (its) (set! waiter its) #f)))
  (in-tasks
   (let ((task (spawn-task (lambda () (wait-first kept)))))
     (task-yield)
     (test-equal "waits" '(#t #f) (list (waiter? waiter) (waiter-over? waiter)))
     (test-equal "is claimed once" '(#t #f #t)
       (let* ((first (waiter-claim! waiter 'value))
              (second (waiter-claim! waiter 'other)))
         (list first second (waiter-over? waiter))))
     (test-eq "with what came first" 'value (join task)))
   (with-deadline 0.001 (lambda () (wait-first kept)) (const #f))
   (test-equal "that was given up is over" '(#t #f)
     (list (waiter-over? waiter) (waiter-claim! waiter 1))))
  (test-error* "nothing else is one" '(wrong-type-arg 1 "waiter-claim!")
    (waiter-claim! 'w 1))
  (test-error* "nor for two" '(wrong-type-arg 3 "waiters-claim!")
    (waiters-claim! waiter '() 'w '()))
  (test-error* "its values are a list" '(wrong-type-arg 2 "waiters-claim!")
    (waiters-claim! waiter 'w waiter '()))
  (test-error* "is it over" '(wrong-type-arg 1 "waiter-over?") (waiter-over? 'w)))

;;; Two who meet: what neither alone can end.

(define (meeting-operation place name)
  "An operation that waits at PLACE, an atomic box of who waits there, for another."
  (make-operation
   (const #f)
   (lambda (waiter)
     (let meet ((before (atomic-box-ref place)))
       (match (remove (match-lambda ((other . _) (waiter-over? other))) before)
         (((other . its-name) . _)
          (unless (waiters-claim! waiter (list its-name) other (list name))
            (unless (waiter-over? waiter)
              (meet (atomic-box-ref place)))))
         (()
          (let ((now (atomic-box-compare-and-swap! place before
                                                   (list (cons waiter name)))))
            (unless (eq? now before) (meet now))))))
     #f)))

(test-case "two waits that end together, or not at all"
  (test-equal "in tasks" '(b a)
    (in-tasks
     (let* ((place (make-atomic-box '()))
            (a (spawn-task (lambda () (wait-first (meeting-operation place 'a)))))
            (b (spawn-task (lambda () (wait-first (meeting-operation place 'b))))))
       (list (join a) (join b)))))
  (test-eq "nobody meets himself" 'late
    (in-tasks
     (let ((waiters '()))
       (define (mine)
         (make-operation (const #f)
                         (lambda (waiter)
                           (set! waiters (cons waiter waiters))
                           (match waiters
                             ((a b) (when (waiters-claim! a '(1) b '(2))
                                      (error "met himself")))
                             (_ #f))
                           #f)))
       (wait-first (mine) (mine)
                   (operation-map (sleep-operation 0.001) (const 'late))))))
  (let ((place (make-atomic-box '())) (rounds 500))
    (define (run name)
      (call-with-new-thread
       (lambda ()
         (map (lambda (i) (wait-first (meeting-operation place (cons name i))))
              (iota rounds)))))
    (let* ((a (run 'a)) (b (run 'b)))
      (test-equal "in threads, each with each" (list rounds rounds #t)
        (let ((met-by-a (join-thread a)) (met-by-b (join-thread b)))
          (list (length met-by-a) (length met-by-b)
                (and (equal? met-by-a (map (lambda (i) (cons 'b i)) (iota rounds)))
                     (equal? met-by-b
                             (map (lambda (i) (cons 'a i)) (iota rounds))))))))))

(test-case "what is wrong in a program's own procedures"
  (test-error* "try" '(wrong-type-arg 1 "make-operation") (make-operation 1 car))
  (test-error* "start" '(wrong-type-arg 2 "make-operation") (make-operation car 1))
  (define raising
    (make-operation (const #f) (lambda (waiter) (throw 'mine))))
  (in-tasks
   (test-error* "is raised where it is waited for" '(mine) (wait-first raising))
   (test-error* "among others" '(mine)
     (wait-first (sleep-operation 60) raising (sleep-operation 60)))
   (test-error* "starting must not wait" '(misc-error)
     (wait-first (make-operation (const #f) (lambda (waiter) (sleep 1)))))
   (test-eqv "and the task goes on" 0 (sleep 0)))
  (test-error* "in a thread" '(mine) (wait-first raising)))

(test-case "choices that lose leave nothing behind"
  (define idle (socketpair AF_UNIX SOCK_STREAM 0))
  (define heard (make-channel))
  (define silent (make-channel))
  ;; What is in use, not how far the heap has grown.
  (define (memory)
    (gc)
    (gc)
    (let ((stats (gc-stats)))
      (- (assq-ref stats 'heap-size) (assq-ref stats 'heap-free-size))))
  (in-tasks
   (spawn-task (lambda ()
                 (do ((i 0 (+ i 1))) ((= i 20000))
                   (channel-put heard i))))
   (define (choose count)
     (do ((i 0 (+ i 1))) ((= i count))
       (wait-first (get-operation silent) (get-operation heard)
                   (put-operation (make-channel) i) (sleep-operation 500)
                   (readable-operation (car idle)))))
   (choose 2000)
   (let ((before (memory)))
     (choose 18000)
     (test-assert "in the queues of the others"
       (< (memory) (+ before 1000000)))))
  (for-each close-port (list (car idle) (cdr idle))))

(test-case "choices that meet choices, in threads"
  (define a (make-channel))
  (define b (make-channel))
  (define count 2000)
  (define (putter from)
    (call-with-new-thread
     (lambda ()
       (do ((i 0 (+ i 1))) ((= i count))
         (wait-first (put-operation a (+ from i)) (put-operation b (+ from i)))))))
  (define (getter)
    (call-with-new-thread
     (lambda ()
       (map (lambda (i) (wait-first (get-operation b) (get-operation a)))
            (iota count)))))
  (let* ((putters (list (putter 0) (putter count)))
         (getters (list (getter) (getter)))
         (got (append-map join-thread getters)))
    (for-each join-thread putters)
    (test-equal "each value once" (iota (* 2 count)) (sort got <))))

(test-case "both ends of a channel in one choice"
  (test-eq "do not meet" 'late
    (in-tasks
     (let ((channel (make-channel)))
       (wait-first (put-operation channel 1) (get-operation channel)
                   (operation-map (sleep-operation 0.001) (const 'late))))))
  (test-assert "but those of two do"
    (in-tasks
     (let ((channel (make-channel)))
       (define (both name)
         (spawn-task
          (lambda ()
            (wait-first (operation-map (put-operation channel name) (const 'done))
                        (get-operation channel)))))
       (let* ((one (both 1)) (two (both 2)) (first (join one)))
         (member (list first (join two)) '((done 1) (2 done))))))))

(test-end "operation")
