;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Going from one task to the next: each finds what it had, whatever its stack
;;; holds and whatever else goes on.

(use-modules (harness)
             (harness socket)
             (harness task)
             (ice-9 binary-ports)
             (ice-9 control)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1)
             (system vm vm))

(test-begin "task-switch")

;;; Waiting, in two ways, at the bottom of DEPTH calls that each add something.
(define (wait-deep depth wait)
  (if (zero? depth)
      (begin (wait) 0)
      (let ((rest (wait-deep (- depth 1) wait)))
        (+ depth rest))))

(define (sum-to n) (/ (* n (+ n 1)) 2))

(define (echo-once near far buffer byte)
  (bytevector-u8-set! buffer 0 byte)
  (send far buffer 0 0 1)
  (unless (= 1 (recv! near buffer)) (error "nothing came"))
  (unless (= byte (bytevector-u8-ref buffer 0)) (error "something else came")))

(define parameter (make-parameter 'none))

;;; Ways to call THUNK with something bound, or not.
(define (bindings id)
  (list (lambda (thunk) (thunk))
        (lambda (thunk)
          (parameterize ((parameter id))
            (let ((result (thunk)))
              (unless (eqv? id (parameter)) (error "another's parameter"))
              result)))
        (lambda (thunk)
          (let/ec return (return (thunk))))
        (lambda (thunk)
          (with-exception-handler error thunk #:unwind? #t))
        (lambda (thunk)
          (with-deadline 100 thunk))
        (lambda (thunk)
          (let ((inside 0))
            (define result
              (dynamic-wind (lambda () (set! inside (+ inside 1)))
                            thunk
                            (lambda () (set! inside (- inside 1)))))
            (unless (zero? inside) (error "wound twice"))
            result))
        ;; Guile's own is told of each time.
        (lambda (thunk)
          (let ((inside 0))
            (define result
              ((@ (guile) dynamic-wind)
               (lambda () (set! inside (+ inside 1)))
               thunk
               (lambda () (set! inside (- inside 1)))))
            (unless (zero? inside) (error "not unwound"))
            result))))

(define (random-walk id rounds)
  "Return the number of rounds in which what was computed was right."
  (let ((state (seed->random-state id)) (pair (pair-of-sockets))
        (buffer (make-bytevector 100)))
    (define (wait)
      (match (random 3 state)
        (0 (task-yield))
        (1 (echo-once (car pair) (cdr pair) buffer (modulo id 256)))
        (2 (sleep 0.0001))))
    (define right
      (let loop ((left rounds) (right 0))
        (if (zero? left)
            right
            (let ((depth (random 40 state))
                  (bind (list-ref (bindings id) (random 7 state))))
              (loop (- left 1)
                    (if (= (sum-to depth)
                           (bind (lambda () (wait-deep depth wait))))
                        (+ right 1)
                        right))))))
    (close-port (car pair))
    (close-port (cdr pair))
    right))

(define (pair-of-sockets) (socketpair AF_UNIX SOCK_STREAM 0))

(define (walks tasks rounds)
  (in-tasks
   (map join
        (map (lambda (id) (spawn-task (lambda () (random-walk id rounds))))
             (iota tasks)))))

(test-case "each task finds its own"
  (test-equal "alone" '(200) (walks 1 200))
  (test-equal "two" '(200 200) (walks 2 200))
  (test-equal "many" (make-list 100 60) (walks 100 60)))

(define (again-and-again id)
  "Come back to where a full continuation was captured, with waits between, and
without ever leaving what it is in."
  (let ((times 0) (entered 0) (again #f) (pair (pair-of-sockets)))
    (dynamic-wind
      (lambda () (set! entered (+ entered 1)))
      (lambda ()
        (call/cc (lambda (k) (set! again k)))
        (echo-once (car pair) (cdr pair) (make-bytevector 16) id)
        (task-yield)
        (set! times (+ times 1))
        (when (< times 5) (again #f)))
      (lambda () (close-port (car pair)) (close-port (cdr pair))))
    (list times entered)))

(test-case "full continuations"
  (test-equal "called where they were captured" (make-list 20 '(5 1))
    (in-tasks
     (map join
          (map (lambda (id) (spawn-task (lambda () (again-and-again id))))
               (iota 20))))))

(test-case "while threads collect garbage"
  (let* ((stop? #f)
         (threads (map (lambda (i)
                         (call-with-new-thread
                          (lambda ()
                            (let loop ((kept '()))
                              (unless stop?
                                (when (zero? i) (gc))
                                (loop (make-list 1000 i)))))))
                       (iota 2)))
         (result (walks 50 60)))
    (set! stop? #t)
    (for-each join-thread threads)
    (test-equal "many" (make-list 50 60) result)))

;;; As a debugger does; then nothing runs as machine code until it is taken away.
(define (toggle-hook! times)
  (define (hook . args) #f)
  (let loop ((left times))
    (unless (zero? left)
      (vm-add-abort-hook! hook)
      (set-vm-trace-level! (+ (vm-trace-level) 1))
      (task-yield)
      (set-vm-trace-level! (- (vm-trace-level) 1))
      (vm-remove-abort-hook! hook)
      (task-yield)
      (loop (- left 1)))))

(test-case "while a debugger's hook comes and goes"
  (test-equal "many" (make-list 20 60)
    (in-tasks
     (let ((hooks (spawn-task (lambda () (toggle-hook! 200))))
           (all (map (lambda (id) (spawn-task (lambda () (random-walk id 60))))
                     (iota 20))))
       (join hooks)
       (map join all)))))

;;; Things to do for ever, none of which ever has to wait.
(define (tireless near far zero)
  (let* ((buffer (make-bytevector 100))
         (batch (make-batch 1 100))
         (out (make-batch 1 100)))
    (batch-add! out buffer)
    (list
     (cons "recv! and send"
           (lambda () (send far buffer) (recv! near buffer)))
     (cons "recvfrom! and send"
           (lambda () (send far buffer) (recvfrom! near buffer)))
     (cons "recvmsg! and sendmsg"
           (lambda () (sendmsg far buffer) (recvmsg! near buffer)))
     (cons "batches"
           (lambda () (batch-send! out far) (batch-receive! batch near)))
     (cons "Guile's own"
           (lambda () (get-bytevector-n zero 10))))))

(test-case "a task that never has to wait"
  (let* ((pair (socketpair AF_UNIX SOCK_DGRAM 0))
         (zero (open "/dev/zero" (logior O_RDWR O_NONBLOCK)))
         (tasks (tireless (car pair) (cdr pair) zero)))
    (setvbuf zero 'none)
    (for-each
     (match-lambda
       ((name . once)
        ;; One that had to wait would not do so often what it does.
        (test-equal (string-append name ": ends at its deadline") 'late
          (let again ((seconds 0.03))
            (let* ((rounds 0)
                   (end (in-tasks
                         (with-deadline seconds
                           (lambda ()
                             (let loop () (once) (set! rounds (1+ rounds)) (loop)))
                           (const 'late)))))
              (cond ((> rounds 30) end)
                    ((> seconds 5) rounds)
                    (else (again (* 2 seconds)))))))
        (test-equal (string-append name ": lets others run") '(1 2 3)
          (in-tasks
           (let ((busy (spawn-task (lambda () (let loop () (once) (loop)))
                                   #:on-end (const #t)))
                 (seen '()))
             (for-each (lambda (i) (sleep 0.001) (set! seen (cons i seen)))
                       '(3 2 1))
             (cancel! busy)
             seen)))
        ;; What the last attempt left.
        (false-if-exception
         (recv! (car pair) (make-bytevector 100) MSG_DONTWAIT))))
     tasks)
    (close-port zero)
    (close-port (car pair))
    (close-port (cdr pair))))

(test-case "connections that never end"
  (define accepted 0)
  (define (accept-all listener)
    (let ((sock (car (accept listener))))
      (close-port sock)
      (set! accepted (+ accepted 1))
      (accept-all listener)))
  (test-equal "let others run" 'slept
    (in-tasks
     (let* ((listener (car (listen-on "127.0.0.1:0")))
            (address (getsockname listener))
            (server (spawn-task (lambda () (accept-all listener)) #:on-end (const #t)))
            (over? #f)
            (thread (call-with-new-thread
                     (lambda ()
                       (let loop ()
                         (unless over?
                           (let ((sock (socket AF_INET SOCK_STREAM 0)))
                             (setsockopt sock SOL_SOCKET SO_LINGER '(1 . 0))
                             (false-if-exception (connect sock address))
                             (close-port sock))
                           (loop)))))))
       (let wait () (unless (> accepted 30) (sleep 0.001) (wait)))
       (set! over? #t)
       (join-thread thread)
       (cancel! server)
       (close-port listener)
       'slept))))

(test-case "a task that begins where another is left has nothing of its stack"
  (define (deepest depth)
    (if (zero? depth)
        (join (spawn-task (lambda () (stack-length (make-stack #t)))))
        (+ 0 (deepest (- depth 1)))))
  ;; Often enough for what begins it to be machine code.
  (test-equal "as deep as the first" '(#t)
    (in-tasks
     (let ((first (deepest 0)))
       (delete-duplicates
        (map (lambda (depth) (= first (deepest depth))) (iota 300)))))))

(test-end "task-switch")
