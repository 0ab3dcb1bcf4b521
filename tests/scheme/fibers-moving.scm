;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Moving from Fibers: what Fibers 1.4.3 exports is there, each name stands in the
;;; manual, and what the manual has in one row does the same by either interface.

(use-modules (harness)
             ((harness socket) #:select (let-ports tcp-pair))
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             ((fibers) #:prefix f:)
             ((fibers channels) #:prefix f:)
             ((fibers conditions) #:prefix f:)
             ((fibers io-wakeup) #:prefix f:)
             ((fibers operations) #:prefix f:)
             ((fibers scheduler) #:prefix f:)
             ((fibers timers) #:prefix f: #:select (sleep-operation timer-operation))
             ((sockport) #:prefix s:)
             ((sockport channel) #:prefix s:)
             ((sockport operation) #:prefix s:))

;; The pipe that a thread sleeps by stays.
(s:with-deadline 0 (lambda () (s:sleep 1)) (const #f))

(test-begin "fibers-moving")

(define exports
  '(((fibers) run-fibers spawn-fiber %fibers-version dynamic-wind* sleep)
    ((fibers channels)
     make-channel channel? put-operation get-operation put-message get-message)
    ((fibers conditions)
     make-condition condition? signal-condition! wait-operation wait)
    ((fibers io-wakeup)
     make-read-operation make-write-operation wait-until-port-readable-operation
     wait-until-port-writable-operation accept-operation with-read-waiting-is-failure
     with-write-waiting-is-failure)
    ((fibers operations)
     wrap-operation choice-operation perform-operation make-base-operation
     make-base-operation/internal)
    ((fibers scheduler)
     make-scheduler current-scheduler scheduler-runcount scheduler-kernel-thread
     scheduler-remote-peers scheduler-work-pending? scheduler-timers
     choose-parallel-scheduler run-scheduler destroy-scheduler schedule-task
     schedule-task-when-fd-readable schedule-task-when-fd-writable
     unschedule-task-for-fd schedule-task-at-time cancel-timer cancel-fd-waiter
     rewinding-for-scheduling? suspend-current-task yield-current-task dynamic-wind*
     %nesting-test-1? %nesting-test-2?)
    ((fibers timers) sleep-operation timer-operation sleep)
    ((fibers web server) run-server)
    ((fibers repl))
    ((web server fibers))))

(define manual
  (call-with-input-file (string-append (getenv "SOCKPORT_SOURCE") "/doc/fibers.texi")
    get-string-all))

;; For its own tests.
(define not-for-users '(%nesting-test-1? %nesting-test-2?))

(test-case "what Fibers exports"
  (for-each
   (match-lambda
     ((module . names)
      (let ((interface (resolve-interface module)))
        (test-equal (list module "is there") '()
          (remove (lambda (name) (module-variable interface name)) names))
        (test-equal (list module "stands in the manual") '()
          (remove (lambda (name)
                    (or (memq name not-for-users)
                        (string-contains manual (format #f "@code{~a}" name))))
                  names)))))
   exports))

;;; Each row: by Fibers' interface, by Sockport's, and the values that both have.

(define-syntax-rule (row name expected by-fibers by-sockport)
  (begin
    (test-equal (list name "Fibers") expected
      (call-with-values
          (lambda ()
            (f:run-fibers (lambda () by-fibers) #:parallelism 1 #:hz 0))
        list))
    (test-equal (list name "Sockport") expected
      (call-with-values (lambda () (s:run-tasks (lambda () by-sockport))) list))))

(test-case "running"
  (row "run-fibers" '(1 2) (values 1 2) (values 1 2))
  (test-equal "the others are waited for, or not" '(() (late))
    (let ((seen '()))
      (define (note) (set! seen (cons 'late seen)))
      (f:run-fibers (lambda ()
                      (f:spawn-fiber (lambda () (f:sleep 1000) (note))))
                    #:parallelism 1)
      (let ((by-fibers seen))
        (s:run-tasks (lambda ()
                       (s:spawn-task (lambda () (s:sleep 0.01) (note)))))
        (list by-fibers seen))))
  (test-equal "#:drain?" '(late)
    (let ((seen '()))
      (f:run-fibers (lambda ()
                      (f:spawn-fiber (lambda () (f:sleep 0.01) (set! seen '(late)))))
                    #:parallelism 1 #:drain? #t)
      seen))
  (test-error* "an error is raised" '(mine)
    (s:run-tasks (lambda ()
                   (s:spawn-task (lambda () (throw 'mine)))
                   (s:sleep 60))))
  (test-eq "or dealt with" 'well
    (s:run-tasks (lambda ()
                   (s:spawn-task (lambda () (throw 'mine)) #:on-end (const #t))
                   (s:task-yield)
                   'well)))
  (test-equal "#:workers" '(0 1)
    (let ((seen (s:make-channel 2)))
      (s:run-tasks (lambda () (s:channel-put seen (s:current-worker))) #:workers 2)
      (sort (list (s:channel-get seen) (s:channel-get seen)) <))))

(test-case "spawning and yielding"
  (row "spawn-fiber" '((b a))
       (let ((seen '()))
         (f:spawn-fiber (lambda () (set! seen (cons 'a seen))))
         (f:yield-current-task)
         (cons 'b seen))
       (let ((seen '()))
         (s:spawn-task (lambda () (set! seen (cons 'a seen))))
         (s:task-yield)
         (cons 'b seen)))
  (row "with a scheduler" '(here)
       (let ((channel (f:make-channel)))
         (f:spawn-fiber (lambda () (f:put-message channel 'here))
                        (f:current-scheduler))
         (f:get-message channel))
       (let ((channel (s:make-channel)))
         (s:spawn-task (lambda () (s:channel-put channel 'here))
                       #:loop (s:current-loop))
         (s:channel-get channel)))
  (row "dynamic-wind*" '((out in))
       (let ((seen '()))
         (f:dynamic-wind* (lambda () (set! seen (cons 'in seen)))
                          f:yield-current-task
                          (lambda () (set! seen (cons 'out seen))))
         seen)
       (let ((seen '()))
         (s:dynamic-wind (lambda () (set! seen (cons 'in seen)))
                         s:task-yield
                         (lambda () (set! seen (cons 'out seen))))
         seen))
  (row "parameters that are set" '(1 2)
       (let ((setting (make-parameter 1)) (seen (f:make-channel)))
         (f:spawn-fiber (lambda () (setting 2) (f:put-message seen (setting))))
         (let ((its (f:get-message seen)))
           (values (setting) its)))
       (let ((setting (make-parameter 1)) (seen (s:make-channel)))
         (s:spawn-task (lambda () (setting 2) (s:channel-put seen (setting))))
         (let ((its (s:channel-get seen)))
           (values (setting) its)))))

(test-case "channels, conditions and choices"
  (row "put-message and get-message" '(1)
       (let ((channel (f:make-channel)))
         (f:spawn-fiber (lambda () (f:put-message channel 1)))
         (f:get-message channel))
       (let ((channel (s:make-channel)))
         (s:spawn-task (lambda () (s:channel-put channel 1)))
         (s:channel-get channel)))
  (row "choices" '((got 1))
       (let ((channel (f:make-channel)))
         (f:spawn-fiber (lambda ()
                          (f:perform-operation (f:put-operation channel 1))))
         (f:perform-operation
          (f:choice-operation
           (f:wrap-operation (f:get-operation channel) (lambda (n) (list 'got n)))
           (f:sleep-operation 60))))
       (let ((channel (s:make-channel)))
         (s:spawn-task (lambda () (s:wait-first (s:put-operation channel 1))))
         (s:wait-first
          (s:operation-map (s:get-operation channel) (lambda (n) (list 'got n)))
          (s:sleep-operation 60))))
  (row "conditions" '(#t signalled)
       (let ((condition (f:make-condition)))
         (f:spawn-fiber (lambda () (f:signal-condition! condition)))
         (f:wait condition)
         (f:perform-operation (f:wait-operation condition))
         (values (f:condition? condition) 'signalled))
       (let ((event (s:make-event)))
         (s:spawn-task (lambda () (s:event-set! event)))
         (s:event-wait event)
         (s:wait-first (s:event-operation event))
         (values (s:event? event) 'signalled)))
  (row "time" '(late late)
       (values (f:perform-operation
                (f:wrap-operation (f:sleep-operation 0.001) (const 'late)))
               (f:perform-operation
                (f:wrap-operation (f:timer-operation (get-internal-real-time))
                                  (const 'late))))
       (values (s:wait-first (s:operation-map (s:sleep-operation 0.001) (const 'late)))
               (s:wait-first (s:operation-map (s:sleep-operation 0) (const 'late)))))
  (row "suspend-current-task" '(woken)
       (f:suspend-current-task
        (lambda (scheduler k)
          (f:schedule-task scheduler (lambda () (k 'woken)))))
       (let ((waker #f))
         (s:spawn-task (lambda () (s:waiter-claim! waker 'woken)))
         (s:wait-first
          (s:make-operation (const #f) (lambda (waiter) (set! waker waiter) #f))))))

(define-syntax-rule (with-pair (a b) body ...)
  (match (s:socketpair AF_UNIX SOCK_STREAM 0)
    ((a . b)
     (call-with-values (lambda () body ...)
       (lambda results
         (s:close-port a)
         (s:close-port b)
         (apply values results))))))

(test-case "ports"
  (row "readable" '(#t)
       (with-pair (a b)
         (f:spawn-fiber (lambda () (s:send b "x")))
         (f:perform-operation
          (f:wrap-operation (f:wait-until-port-readable-operation a) (const #t))))
       (with-pair (a b)
         (s:spawn-task (lambda () (s:send b "x")))
         (eq? a (s:wait-first (s:readable-operation a)))))
  (row "writable" '(#t)
       (with-pair (a b)
         (f:perform-operation
          (f:wrap-operation (f:wait-until-port-writable-operation a) (const #t))))
       (with-pair (a b) (eq? a (s:wait-first (s:writable-operation a)))))
  (row "what would wait" '(#f #\x)
       (with-pair (a b)
         (let* ((look (f:with-read-waiting-is-failure a (lambda () (peek-char a))))
                (before (look)))
           (s:send b "x")
           (values before (look))))
       (with-pair (a b)
         (define (look)
           (s:with-deadline 0 (lambda () (peek-char a)) (const #f)))
         (let ((before (look)))
           (s:send b "x")
           (values before (look)))))
  (row "a time-out" '(late)
       (f:perform-operation
        (f:choice-operation
         (f:get-operation (f:make-channel))
         (f:wrap-operation (f:sleep-operation 0.001) (const 'late))))
       (s:with-deadline 0.001
         (lambda () (s:channel-get (s:make-channel)))
         (const 'late)))
  (row "counting" '(3)
       (let ((done (f:make-channel)) (sum 0))
         (for-each (lambda (i)
                     (f:spawn-fiber (lambda ()
                                      (set! sum (+ sum i))
                                      (f:put-message done #t))))
                   '(1 2))
         (for-each (lambda (_) (f:get-message done)) '(1 2))
         sum)
       (let ((sum 0))
         (s:with-task-group
          (lambda (group)
            (for-each (lambda (i)
                        (s:spawn-task (lambda () (set! sum (+ sum i)))
                                      #:group group))
                      '(1 2))))
         sum)))

(test-case "what has come and was not heard of yet does not fail"
  (let-ports ((pair (tcp-pair)))
    (match pair
      ((a . b)
       (define (more) (s:send a "x") (select (list b) '() '()))
       (define (receive) (s:recv! b (make-bytevector 9)))
       (s:setsockopt a IPPROTO_TCP s:TCP_NODELAY 1)
       (test-equal "received" 1
         (f:run-fibers
          (lambda ()
            (f:spawn-fiber more)
            (receive)
            (more)
            ((f:with-read-waiting-is-failure b receive)))
          #:parallelism 1 #:hz 0))))))

(test-end "fibers-moving")
