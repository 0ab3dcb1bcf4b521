;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How tasks, and threads that run none, wait for what other threads can give: a
;;; waiter that the first who claims it wakes with a value.  Waiters are changed
;;; under one lock, which is held for a few steps at a time.

(define-module (sockport task waiter)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-9)
  #:use-module (sockport io close)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport task loop)
  #:use-module (sockport task ring)
  #:export (with-lock
            make-waiter
            waiter?
            claim!
            await
            make-entry
            entry-load
            entry-claim!
            ring-claim!
            ring-claim-all!
            await-in-ring
            set-thread-limit!))

(define-syntax-rule (with-lock expr ...)
  "The value of the last EXPR.  None may raise or wait; asyncs are off."
  (begin
    (%lock)
    (let ((result (let () expr ...)))
      (%unlock)
      result)))

;;; SLEEPER is a task, or what rings in a thread that runs none.  STATE is waiting,
;;; done (VALUE is what it was woken with) or withdrawn.
(define-record-type <waiter>
  (%make-waiter sleeper state value)
  waiter?
  (sleeper waiter-sleeper)
  (state waiter-state set-waiter-state!)
  (value waiter-value set-waiter-value!))

(define (make-waiter sleeper)
  (%make-waiter sleeper 'waiting #f))

(define (claim! waiter value)
  "Wake WAITER with VALUE; #f if it was woken or withdrawn before.  The lock is
held."
  (and (eq? (waiter-state waiter) 'waiting)
       (let ((sleeper (waiter-sleeper waiter)))
         (set-waiter-state! waiter 'done)
         (set-waiter-value! waiter value)
         (cond ((task? sleeper) (resume! sleeper))
               ((port? sleeper) (%send sleeper #vu8(1)))
               (else (%ring sleeper)))
         #t)))

;;; What a waiter leaves where it waits: which of several operations it is there
;;; for, or #f, and what it brings.
(define-record-type <entry>
  (make-entry waiter operation load)
  entry?
  (waiter entry-waiter)
  (operation entry-operation)
  (load entry-load))

(define (entry-claim! entry value)
  "Claim the waiter of ENTRY with VALUE, for its operation; #f if it was before.
The lock is held."
  (let ((operation (entry-operation entry)))
    (claim! (entry-waiter entry)
            (if operation (cons operation value) value))))

(define (ring-claim! ring value)
  "Claim the first entry of RING that can be with VALUE, and return it; or #f.  The
lock is held."
  (let ((node (ring-first ring)))
    (and node
         (let ((entry (node-value node)))
           (ring-remove! node)
           (if (entry-claim! entry value)
               entry
               (ring-claim! ring value))))))

(define (ring-claim-all! ring value)
  "Claim all entries of RING with VALUE; #f if there are none.  The lock is held."
  (and (ring-claim! ring value)
       (begin
         (ring-claim-all! ring value)
         #t)))

(define (withdraw! waiter)
  "Have WAITER claimed by nobody from now on; #f if it was.  The lock is held."
  (and (eq? (waiter-state waiter) 'waiting)
       (begin
         (set-waiter-state! waiter 'withdrawn)
         #t)))

;;; One wait: (TRY) returns a list of one value if there is nothing to wait for, else
;;; #f.  (ENTER waiter) has it claimed when there is, and returns what takes it back: a
;;; thunk, or the node that a claim takes out of its ring.  All are called under the
;;; lock.

(define (await try enter who)
  "Return the value of TRY, or the one that the waiter of ENTER is claimed with."
  (let ((now (with-lock (try))) (task (current-task)))
    (cond (now (car now))
          (task (await-in-task task try enter who))
          ((current-loop) (cannot-wait who))
          ((scheduler?) (await-in-scheduler try enter))
          (else (await-in-thread try enter)))))

(define (await-in-ring try ring load who)
  "As `await', an entry with LOAD being in RING meanwhile."
  (await try
         (lambda (waiter) (ring-add! ring (make-entry waiter #f load)))
         who))

(define (take-back place)
  (if (procedure? place)
      (place)
      (ring-remove! place)))

(define (abandon-waiter task)
  (match (task-place task)
    ((waiter . leave)
     (with-lock (and (withdraw! waiter)
                     (begin
                       (take-back leave)
                       #t))))))

(define (await-in-task task try enter who)
  (begin-wait! task who)
  (%lock)
  (let ((now (try)))
    (if now
        (begin
          (%unlock)
          (%asyncs-on)
          (car now))
        (let* ((waiter (make-waiter task))
               (place (cons waiter (enter waiter))))
          (%unlock)
          (let ((interrupt (suspend! task abandon-waiter place)))
            (if (and (eq? (waiter-state waiter) 'done)
                     (not (procedure? (cdr place))))
                (waiter-value waiter)
                (finish-wait place
                             (lambda () (raise-exception interrupt)))))))))

(define (finish-wait place otherwise)
  "Return the value that the waiter of PLACE was claimed with; if it was not, call
OTHERWISE.  Nothing of it stays behind."
  (match place
    ((waiter . leave)
     (if (with-lock (take-back leave)
                    (withdraw! waiter)
                    (eq? (waiter-state waiter) 'done))
         (waiter-value waiter)
         (otherwise)))))

;;; In a thread.  It withdraws before it runs asyncs, which may leave from here.

(define bell-fluid (make-thread-local-fluid #f))

(define (thread-bell)
  (unless (fluid-ref bell-fluid)
    (fluid-set! bell-fluid (%make-bell)))
  (fluid-ref bell-fluid))

;;; (TIME-LIMIT) is when the deadline of this thread ends, or #f; (EXPIRE) raises it.
(define time-limit (const #f))
(define expire #f)
(define (set-thread-limit! limit expire-now)
  (set! time-limit limit)
  (set! expire expire-now))

(define (await-in-thread try enter)
  (let ((bell (thread-bell)) (limit (time-limit)))
    (%asyncs-off)
    (%lock)
    (let ((now (try)))
      (if now
          (begin
            (%unlock)
            (%asyncs-on)
            (car now))
          (let* ((waiter (make-waiter bell))
                 (place (begin
                          (%reset-bell! bell)
                          (cons waiter (enter waiter)))))
            (%unlock)
            (%sleep-until-rung bell limit)
            (finish-wait-in-thread place limit
                                   (lambda () (await-in-thread try enter))))))))

(define (finish-wait-in-thread place limit again)
  (match place
    ((waiter . leave)
     (let ((done? (with-lock (take-back leave)
                             (withdraw! waiter)
                             (eq? (waiter-state waiter) 'done))))
       (%asyncs-on)
       (cond (done? (waiter-value waiter))
             ((and limit (>= (monotonic-ns) limit)) (expire))
             ;; The asyncs run on the way.
             (else (again)))))))

;;; In another scheduler's thread: a socket is something that it can wait for.

(define AF_UNIX 1)
(define SOCK_STREAM 1)

(define (await-in-scheduler try enter)
  (let* ((ends (%socketpair AF_UNIX SOCK_STREAM 0 #f))
         (waiter (make-waiter (cdr ends)))
         (place #f)
         (now (with-lock
               (or (try)
                   (begin
                     (set! place (cons waiter (enter waiter)))
                     #f)))))
    (define (close-ends)
      (close-port (car ends))
      (close-port (cdr ends)))
    (define (end otherwise)
      (if now
          (car now)
          (finish-wait place otherwise)))
    (unless now
      (with-exception-handler
          (lambda (exception)
            (set! now (list (end (lambda ()
                                   (close-ends)
                                   (raise-exception exception))))))
        (lambda () (wait-readable (car ends) 'wait))
        #:unwind? #t))
    (let ((value (end (lambda () #f))))
      (close-ends)
      value)))
