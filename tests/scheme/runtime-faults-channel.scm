;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Channels, events and operations: no value is lost, doubled or given to who
;;; has left, and no call, however wrong, jams the others.

(use-modules (harness)
             (harness apart))

(test-begin "runtime-faults-channel")

;;; Who leaves a wait.

(test-case "who leaves a wait by an escape gets nothing"
  (test-equal "a handler's escape" '(#f 1 2 3)
    (apart
     (define channel (make-channel 1))
     (define left
       (let/ec k
         (sigaction SIGALRM (lambda _ (k #f)))
         (setitimer ITIMER_REAL 0 0 0 50000)
         (channel-get channel)))
     (channel-put channel 1)
     (let ((first (channel-get channel)))
       (gc)
       (channel-put channel 2)
       (let ((second (channel-get channel)))
         (channel-put channel 3)
         (list left first second (channel-get channel))))))
  (test-equal "of a putter" '(#f (1 3 eof))
    (apart
     (define channel (make-channel 1))
     (channel-put channel 1)
     (define left
       (let/ec k
         (sigaction SIGALRM (lambda _ (k #f)))
         (setitimer ITIMER_REAL 0 0 0 50000)
         (channel-put channel 2)))
     (gc)
     (let* ((first (channel-get channel))
            (second (begin (channel-put channel 3) (channel-get channel))))
       (channel-close! channel)
       (list left
             (list first second
                   (if (eof-object? (channel-get channel)) 'eof 'more))))))
  (test-equal "of an event" '(#f #t)
    (apart
     (define event (make-event))
     (define left
       (let/ec k
         (sigaction SIGALRM (lambda _ (k #f)))
         (setitimer ITIMER_REAL 0 0 0 50000)
         (event-wait event)))
     (gc)
     (event-set! event)
     (event-wait event)
     (list left (event-set? event))))
  (test-equal "cancel-thread" '(1 2)
    (apart
     (define channel (make-channel 1))
     (define (get) (channel-get channel))
     ;; Names are looked up once, under a lock of Guile's: a thread that is cancelled
     ;; while it waits for that may leave it locked.
     (define sleeps? (@ (sockport primitive) %thread-sleeps?))
     (define thread
       (begin (channel-put channel 0) (get) (call-with-new-thread get)))
     (wait-until (lambda () (sleeps? thread)))
     (cancel-thread thread)
     (join-thread thread)
     (gc)
     (channel-put channel 1)
     (let ((first (channel-get channel)))
       (channel-put channel 2)
       (list first (channel-get channel)))))
  (test-equal "cancelled at any moment, many threads" '(#t #t #t)
    (apart
     (define channel (make-channel))
     (define got (make-atomic-box '()))
     (define (note! value)
       (let ((old (atomic-box-ref got)))
         (unless (eq? old (atomic-box-compare-and-swap! got old
                                                        (cons value old)))
           (note! value))))
     (define (get) (note! (channel-get channel)))
     (define (late? i) (zero? (modulo i 4)))
     (define (round i)
       (define given (make-event))
       (define thread (call-with-new-thread get))
       (define (start-putter)
         (call-with-new-thread
          (lambda ()
            (unless (late? i) (spin (* 13 (modulo (* i 53) 200))))
            (channel-put channel i)
            (event-set! given))))
       (define early (and (not (late? i)) (start-putter)))
       (spin (* 11 (modulo (* i 37) 300)))
       (cancel-thread thread)
       (join-thread thread)
       ;; Whoever gave it to nobody still waits, or has not begun.
       (let* ((putter (or early (start-putter)))
              (value (wait-first
                      (operation-map (event-operation given) (const #f))
                      (get-operation channel))))
         (when value (note! value))
         (join-thread putter)))
     ;; So that its names are looked up.
     (call-with-new-thread (lambda () (channel-put channel 0)))
     (get)
     (atomic-box-set! got '())
     (for-each round (iota (rounds 200)))
     (let ((values (sort (atomic-box-ref got) <)))
       ;; A value that was got just before the cancellation is the thread's; what is
       ;; put after it is not.
       (list (equal? values (delete-duplicates values))
             (every (lambda (i) (->bool (memv i values)))
                    (filter late? (iota (rounds 200))))
             (every (lambda (v) (<= 0 v 199)) values)))))
  (test-equal "a continuation called elsewhere" '(1 1 2)
    (apart
     (define channel (make-channel 1))
     (in-tasks
      (let* ((left 0)
             (task (spawn-task
                    (lambda ()
                      (let/ec k
                        (with-deadline 0.01
                          (lambda () (channel-get channel))
                          (lambda () (set! left 1) (k 'out))))))))
        (join task)
        (channel-put channel 1)
        (let ((first (channel-get channel)))
          (channel-put channel 2)
          (list left first (channel-get channel))))))))

;;; Bells.

(test-case "a thread that waits is woken, whatever the waker did before"
  (test-equal "after 0 to 40 transfers that need not wait" (iota 41)
    (apart
     (define pair (unix-pair))
     (define (round n)
       (define channel (make-channel))
       (define thread
         (call-with-new-thread (lambda () (channel-get channel))))
       (define value
         (in-tasks
          (do ((i 0 (+ i 1))) ((= i n))
            (send (cdr pair) "x")
            (recv! (car pair) (make-bytevector 1)))
          (channel-put channel n)
          n))
       (join-thread thread))
     (map round (iota 41))))
  (test-equal "an event, and a task's end" '(#t 7)
    (apart
     (define pair (unix-pair))
     (define event (make-event))
     (define task-box (make-atomic-box #f))
     (define waiting
       (call-with-new-thread (lambda () (event-wait event) (event-set? event))))
     (define joining
       (call-with-new-thread
        (lambda ()
          (wait-until (lambda () (atomic-box-ref task-box)))
          (join (atomic-box-ref task-box)))))
     (in-tasks
      (let ((task (spawn-task (lambda ()
                                (sleep 0.05)
                                (do ((i 0 (+ i 1))) ((= i 31))
                                  (send (cdr pair) "x")
                                  (recv! (car pair) (make-bytevector 1)))
                                (event-set! event)
                                7))))
        (atomic-box-set! task-box task)
        (join task)))
     (list (join-thread waiting) (join-thread joining)))))

(test-case "without a descriptor left no value is lost"
  (test-equal "of a channel, by a thread" '(once)
    (apart
     (define channel (make-channel 1))
     (define out (make-atomic-box #f))
     (define thread
       (call-with-new-thread
        (lambda ()
          (wait-until (lambda () (atomic-box-ref out)))
          (catch 'system-error
            (lambda () (list (channel-get channel)))
            (lambda e '())))))
     ;; Guile 3.0.8 aborts if its thread for finalizers finds none as it begins.
     (define guardian (make-guardian))
     (for-each guardian (map list (iota 100)))
     (wait-until (lambda () (make-vector 1000000 0) (guardian)))
     (define spare
       (begin
         (setrlimit 'nofile 40 40)
         (let loop ((ports '()))
           (match (false-if-exception (open-fdes "/dev/null" O_RDONLY))
             (#f ports)
             (fd (loop (cons fd ports)))))))
     (atomic-box-set! out #t)
     (usleep 50000)
     (for-each close-fdes spare)
     (channel-put channel 'once)
     (match (join-thread thread)
       (() (list (channel-get channel)))
       (values values)))))

;;; Arguments.

(define-syntax-rule (refused name form)
  ;; An error that names the procedure and the position, and nothing jammed.
  (test-equal name `((wrong-type-arg 1 ,name) 5)
    (apart
     (define position-rx
       (@ (ice-9 regex) string-match))
     (define (describe key args)
       (match (cons key args)
         (('wrong-type-arg who message arguments . _)
          (let ((found (position-rx "osition (~A|[0-9]+)" message)))
            (list key
                  (and found
                       (or (string->number
                            ((@ (ice-9 regex) match:substring) found 1))
                           (car arguments)))
                  (if (symbol? who) (symbol->string who) who))))
         (_ (list key #f args))))
     (define how
       (catch #t
         (lambda () form 'nothing)
         (lambda (key . args) (describe key args))))
     (define channel (make-channel 1))
     (channel-put channel 5)
     (list (if (list? how) how (list how)) (channel-get channel)))))

(test-case "what is no channel, event or task is refused, and jams nothing"
  (refused "channel-get" (channel-get 1))
  (refused "channel-put" (channel-put 1 (make-channel 1)))
  (refused "channel-close!" (channel-close! 1))
  (refused "get-operation" (get-operation 1))
  (refused "put-operation" (put-operation 1 2))
  (refused "event-set!" (event-set! 1))
  (refused "event-clear!" (event-clear! 1))
  (refused "event-wait" (event-wait 1))
  (refused "event-operation" (event-operation 1))
  (refused "join" (join 1))
  (refused "join-operation" (join-operation 1))
  (refused "cancel!" (cancel! 1))
  (refused "wait-first" (wait-first 1))
  (refused "readable-operation" (readable-operation 1))
  (refused "writable-operation" (writable-operation 1)))

(test-case "identity is the only equality"
  (test-equal "channels, events, operations, tasks" '(#f #f #f #f)
    (apart
     (list (equal? (make-channel) (make-channel))
           (equal? (make-event) (make-event))
           (let ((channel (make-channel)))
             (equal? (get-operation channel) (get-operation channel)))
           (in-tasks
            (equal? (spawn-task (const 1) #:name 'a)
                    (spawn-task (const 1) #:name 'a))))))
  (test-equal "in a table" '(a b)
    (apart
     (define table (make-hash-table))
     (define a (make-channel))
     (define b (make-channel))
     (hash-set! table a 'a)
     (hash-set! table b 'b)
     (list (hash-ref table a) (hash-ref table b)))))

;;; Choices.

(test-case "of several that are ready, one is done and the others are left"
  (test-equal "a channel and a descriptor" '(value left)
    (one-of
     '((value left) (port kept))
     (apart
      (define pair (unix-pair))
      (define channel (make-channel 1))
      (send (cdr pair) "x")
      (channel-put channel 'value)
      (in-tasks
       (let ((got (wait-first (get-operation channel)
                              (readable-operation (car pair)))))
         (list (if (port? got) 'port got)
               (if (zero? (channel-count channel)) 'left 'kept)))))))
  (test-equal "an event and a task that has ended" 'event
    (one-of
     '(event task)
     (apart
      (define event (make-event))
      (event-set! event)
      (in-tasks
       (let ((task (spawn-task (const 'task))))
         (join task)
         (wait-first (operation-map (event-operation event) (const 'event))
                     (join-operation task)))))))
  (test-equal "of nothing, refused" 'misc-error
    (apart (error-key (lambda () (wait-first))))))

(test-end "runtime-faults-channel")
