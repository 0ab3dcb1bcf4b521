;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Channels, events and choices among operations.

(use-modules (harness)
             (harness socket)
             ((harness task) #:select (in-order?))
             (ice-9 match)
             (ice-9 suspendable-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (sockport channel)
             (sockport operation)
             ((sockport primitive) #:select (monotonic-ns))
             (srfi srfi-1))

(test-begin "channel")

(define-syntax-rule (in-tasks body ...)
  (run-tasks (lambda () body ...)))

(define (get-all channel)
  (let loop ((all '()))
    (let ((value (channel-get channel)))
      (if (eof-object? value)
          (reverse all)
          (loop (cons value all))))))

(define (put-all channel values)
  (for-each (lambda (value) (channel-put channel value)) values)
  (channel-close! channel))

(test-case "values come out as they went in"
  (for-each
   (lambda (capacity)
     (test-equal capacity (iota 100)
       (in-tasks
        (let ((channel (make-channel capacity)))
          (spawn-task (lambda () (put-all channel (iota 100))))
          (get-all channel)))))
   '(0 1 7 1000)))

(test-case "putting waits for room"
  (test-equal "in order" '(put-1 put-2 get put-3)
    (in-tasks
     (let ((channel (make-channel 2)) (seen '()))
       (define (note what) (set! seen (cons what seen)))
       (let ((task (spawn-task (lambda ()
                                 (for-each (lambda (i what)
                                             (channel-put channel i)
                                             (note what))
                                           '(1 2 3) '(put-1 put-2 put-3))))))
         (sleep 0.01)
         (test-equal "held" '(#t 2 2)
           (list (channel? channel) (channel-count channel)
                 (channel-capacity channel)))
         (note 'get)
         (channel-get channel)
         (join task)
         (reverse seen))))))

(test-case "trying never waits"
  (let ((channel (make-channel 7)))
    (test-equal "to put what there is room for" '(#t #t #t #t #t #t #t #f)
      (map (lambda (i) (channel-try-put channel i)) (iota 8)))
    (test-equal "to get what there is" '(0 1 2 3 4 5 6 none)
      (map (lambda (_) (channel-try-get channel 'none)) (iota 8)))
    (test-eq "or #f" #f (channel-try-get channel))
    (channel-close! channel)
    (test-assert "the end" (eof-object? (channel-try-get channel 'none)))
    (test-error* "to put where it is closed" '(misc-error)
      (channel-try-put channel 1))))

;; In chaos waits end with nothing there, and begin anew.
(test-case "who has waited longest is first"
  (define channel (make-channel))
  (define (in-turn proc)
    "Call PROC in five tasks, with numbers, each when those before it wait."
    (map (lambda (i)
           (let ((task (spawn-task (lambda () (proc i)))))
             (task-yield)
             task))
         (iota 5)))
  (when in-order?
    (in-tasks
     (let ((getters (in-turn (lambda (i) (channel-get channel)))))
       (for-each (lambda (i) (channel-put channel i)) (iota 5))
       (test-equal "to get" (iota 5) (map join getters)))
     (in-turn (lambda (i) (channel-put channel i)))
     (test-equal "to put" (iota 5) (map (lambda (_) (channel-get channel)) (iota 5))))))

(test-case "in a scheduler that ends waits early"
  (define (early thunk at-last)
    "Call THUNK where each wait ends at once but the fourth, before which is AT-LAST."
    (let ((waits 0))
      (parameterize ((current-read-waiter
                      (lambda (port)
                        (set! waits (+ waits 1))
                        (when (= waits 4)
                          (at-last)
                          (select (list port) '() '())))))
        (thunk))))
  (let ((channel (make-channel)))
    (test-equal "a value is waited for" 'value
      (early (lambda () (channel-get channel))
             (lambda ()
               (call-with-new-thread (lambda () (channel-put channel 'value)))))))
  (let ((channel (make-channel)) (undone 0))
    (test-equal "what was not chosen is told" '(value 1)
      (let ((value (early (lambda ()
                            (wait-first
                             (get-operation channel)
                             (make-operation
                              (const #f)
                              (lambda (waiter)
                                (lambda () (set! undone (+ undone 1)))))))
                          (lambda ()
                            (call-with-new-thread
                             (lambda () (channel-put channel 'value)))))))
        (list value undone))))
  (test-assert "all of the time passes"
    (let ((start (monotonic-ns)))
      (early (lambda () (sleep 0.02)) (const #t))
      (<= 20000000 (- (monotonic-ns) start)))))

(test-case "a closed channel"
  (in-tasks
   (let ((channel (make-channel 2)))
     (channel-put channel 1)
     (test-assert "open" (not (channel-closed? channel)))
     (channel-close! channel)
     (channel-close! channel)
     (test-assert "closed" (channel-closed? channel))
     (test-assert "which it shows" (string-suffix? " closed>" (object->string channel)))
     (test-error* "put" '(misc-error) (channel-put channel 2))
     (test-equal "what it holds" 1 (channel-get channel))
     (test-assert "then nothing" (eof-object? (channel-get channel))))
   (let* ((channel (make-channel))
          (getter (spawn-task (lambda () (channel-get channel)))))
     (task-yield)
     (channel-close! channel)
     (test-assert "who waits to get" (eof-object? (join getter))))
   (let ((channel (make-channel)))
     (test-error* "who waits to put" '(misc-error)
       (with-task-group
        (lambda (group)
          (spawn-task (lambda () (channel-put channel 1)))
          (task-yield)
          (channel-close! channel))))))
  (test-error* "capacity" '(out-of-range 1 "make-channel") (make-channel -1))
  (test-error* "capacity" '(wrong-type-arg 1 "make-channel") (make-channel 1.5)))

(test-case "a value is not lost to who has given up"
  (test-equal "the next gets it" '(late 1)
    (in-tasks
     (let ((channel (make-channel)))
       (list (with-deadline 0.01 (lambda () (channel-get channel))
                            (const 'late))
             (begin
               (spawn-task (lambda () (channel-put channel 1)))
               (channel-get channel)))))))

(test-case "many to many, across threads"
  (test-equal "the sum" (* 4 (/ (* 999 1000) 2))
    (let ((channel (make-channel 8)) (sums (make-channel 8)))
      (define putters
        (map (lambda (_)
               (call-with-new-thread
                (lambda ()
                  (for-each (lambda (i) (channel-put channel i))
                            (iota 1000)))))
             (iota 4)))
      (define getters
        (map (lambda (_)
               (call-with-new-thread
                (lambda ()
                  (channel-put sums
                               (run-tasks
                                (lambda () (fold + 0 (get-all channel))))))))
             (iota 2)))
      (for-each join-thread putters)
      (channel-close! channel)
      (for-each join-thread getters)
      (+ (channel-get sums) (channel-get sums)))))

(test-case "events"
  (in-tasks
   (let* ((event (make-event)) (count 0)
          (tasks (map (lambda (_)
                        (spawn-task (lambda ()
                                      (event-wait event)
                                      (set! count (1+ count)))))
                      (iota 10))))
     (sleep 0.01)
     (test-equal "none yet" '(#t #f 0)
       (list (event? event) (event-set? event) count))
     (event-set! event)
     (for-each join tasks)
     (test-equal "all" '(#t 10) (list (event-set? event) count))
     (event-wait event)
     (event-clear! event)
     (test-assert "cleared" (not (event-set? event))))))

;;; Choices.

(test-case "wait-first"
  (in-tasks
   (let ((a (make-channel)) (b (make-channel 1)) (event (make-event)))
     (define (label what) (lambda values (cons what values)))
     (test-assert "operation?" (operation? (get-operation a)))
     (channel-put b 1)
     (test-equal "what is ready" '(b 1)
       (wait-first (operation-map (get-operation a) (label 'a))
                   (operation-map (get-operation b) (label 'b))))
     (test-equal "time" '(slept 0)
       (wait-first (operation-map (get-operation a) (label 'a))
                   (operation-map (sleep-operation 0.01) (label 'slept))))
     (spawn-task (lambda () (event-set! event)))
     (test-equal "an event" '(event #t)
       (wait-first (operation-map (get-operation a) (label 'a))
                   (operation-map (event-operation event) (label 'event))))
     (test-equal "a put" 'value
       (begin
         (spawn-task (lambda () (wait-first (put-operation a 'value)
                                            (sleep-operation 1000))))
         (channel-get a)))
     (test-equal "values" '(1 2)
       (call-with-values
           (lambda ()
             (wait-first (join-operation (spawn-task (lambda () (values 1 2))))
                         (sleep-operation 1000)))
         list))
     (let-ports ((s (unix-pair)))
       (test-eq "writable" (car s)
         (wait-first (readable-operation (car s))
                     (writable-operation (car s))))
       (spawn-task (lambda () (sleep 0.01) (send (cdr s) "x")))
       (test-eq "readable" (car s)
         (wait-first (readable-operation (car s)) (get-operation a)))
       (test-equal "and nothing was taken" 1
         (recv! (car s) (make-bytevector 9)))))))

(test-case "only one operation is done"
  (test-equal "the losers keep their values" '(1 1)
    (in-tasks
     (let ((a (make-channel)) (b (make-channel)))
       (spawn-task (lambda () (channel-put a 1)))
       (spawn-task (lambda () (channel-put b 1)))
       (task-yield)
       (let* ((got (wait-first (get-operation a) (get-operation b))))
         (list got (wait-first (get-operation a) (get-operation b)))))))
  (test-equal "both sides choose" (iota 500)
    (in-tasks
     (let ((a (make-channel)) (b (make-channel)))
       (spawn-task (lambda ()
                     (do ((i 0 (1+ i))) ((= i 500))
                       (wait-first (put-operation a i) (put-operation b i)))))
       (map (lambda (i) (wait-first (get-operation b) (get-operation a)))
            (iota 500))))))

(test-case "a choice in a plain thread"
  (test-eq "time" 'slept
    (wait-first (get-operation (make-channel))
                (operation-map (sleep-operation 0.01) (const 'slept)))))

(test-end "channel")
