;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Steers the preloaded tests/scheme/peers/fault.c: what system calls a thunk
;;; makes, and what becomes of it when they fail or move less; and tests a table of
;;; calls in that way.

(define-module (harness fault)
  #:use-module (harness)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (ice-9 receive)
  #:use-module (sockport)
  #:use-module (srfi srfi-1)
  #:use-module (system foreign)
  #:export (calls-of
            situations
            test-faults
            with-fault
            with-short-transfers))

(define (function result name . types)
  (pointer->procedure result
                      (or (false-if-exception (dynamic-func name (dynamic-link)))
                          (error "fault.c is not preloaded"))
                      types))

(define arm (function void "skp_fault_arm" int int int size_t))
(define disarm (function int "skp_fault_disarm"))
(define name-at (function '* "skp_fault_name" int))

(define (outcome thunk)
  "What THUNK returns as a list, or what it throws as (KEY DETAIL …)."
  (catch #t
    (lambda () (list (thunk)))
    (lambda (key . args)
      (if (memq key '(hung skip quit))
          (apply throw key args)
          (describe-error key args)))))

(define (run fail times errno most thunk)
  (arm fail times errno most)
  (let ((result (outcome thunk)))
    (disarm)
    result))

(define (calls-of thunk)
  "Call THUNK; return its outcome and the list of the names of its system calls."
  (arm -1 0 0 0)
  (let* ((result (outcome thunk)) (count (disarm)))
    (values result
            (map (lambda (i) (pointer->string (name-at i))) (iota count)))))

(define* (with-fault index errno thunk #:optional (times 1))
  "Return the outcome of THUNK, whose system call number INDEX fails by ERRNO, TIMES
times."
  (run index times errno 0 thunk))

(define (with-short-transfers most thunk)
  "Return the outcome of THUNK, whose calls move at most MOST bytes each."
  (run -1 0 0 most thunk))

;;; The table.

;;; A situation is a name; a thunk that returns a list of what it is about; a
;;; procedure of that, which makes the calls; and one that makes a datum of its
;;; result and gives back what it obtained.

(define-syntax-rule (situations (name before (argument ...) call settle) ...)
  (list (list name before (lambda (argument ...) call) settle) ...))

(define (call-with-situation before proc)
  (let ((things (before)))
    (dynamic-wind
      (const #t)
      (lambda () (proc things))
      (lambda ()
        (for-each (match-lambda
                    (('fdes number)     ; its owner, if any, has closed it
                     (false-if-exception (close-fdes number)))
                    ((? integer? pid)   ; of a child, unless it has been waited for
                     (when (eqv? 0 (false-if-exception
                                    (car (waitpid pid WNOHANG))))
                       (kill pid SIGKILL)
                       (waitpid pid)))
                    (thing
                     (when (and (port? thing) (not (port-closed? thing)))
                       (close-port thing))))
                  things)))))

(define (settled settle outcome)
  "OUTCOME as a datum: a list of one, or an error."
  (match outcome
    ((value) (list (settle value)))
    (error error)))

(define (usual-of before call settle)
  "The usual outcome and the system calls."
  (call-with-situation before
    (lambda (things)
      (receive (outcome calls) (calls-of (lambda () (apply call things)))
        (values (settled settle outcome) calls)))))

(define (places calls)
  "Up to twelve indices in CALLS: the first eight, and others at random."
  (let ((count (length calls)))
    (if (<= count 12)
        (iota count)
        (append (iota 8)
                (map (lambda (i) (+ 8 (random (- count 8)))) (iota 4))))))

(define (wrong-outcomes row errors wrapped times wanted?)
  "Each outcome that WANTED? does not allow, with what had failed."
  (match row
    ((name before call settle)
     (receive (usual calls) (usual-of before (wrapped call) settle)
       (append-map
        (lambda (index)
          (filter-map
           (lambda (errno)
             (call-with-situation before
               (lambda (things)
                 (let* ((thunk (lambda () (apply (wrapped call) things)))
                        (outcome (settled settle
                                          (with-fault index errno thunk times))))
                   (and (not (wanted? (list-ref calls index) errno outcome
                                      usual (lambda () (settled settle (list (thunk))))))
                        (list (list-ref calls index) index (strerror errno)
                              outcome 'usually usual))))))
           errors))
        (places calls))))))

(define (plainly call) call)
(define (in-task call)
  (lambda things (run-tasks (lambda () (apply call things)))))

(define (same call errno outcome usual again)
  (equal? outcome usual))

;; Nothing had been done by what was told to have failed.
(define (told-or-same call errno outcome usual again)
  (define (wanting? e) (eqv? e errno))
  (match outcome
    ;; Modes are changed in place, which needs nothing.
    (_ (=> next) (if (member call '("fcntl" "fcntl64")) #t (next)))
    ((or ('system-error (? wanting?) _)
         ((0 (? wanting?)))             ; how batch-send! tells it
         ('getaddrinfo-error . _))
     (equal? (again) usual))
    (_ (equal? outcome usual))))

;; pthread_create does not wait.  The thread of a look-up is one of its calls, and beside
;; other threads it need not be where it was in the usual run.
(define (same-if-waiting call errno outcome usual again)
  (match outcome
    (('getaddrinfo-error . _) (equal? (again) usual))
    (_ (or (string=? call "pthread_create")
           (equal? outcome usual)))))

(define (threads)
  (length (scandir "/proc/self/task")))

;; What makes no call that can fail in a plain thread.  The resolver's thread looks names
;; up; only the first look-up has to make that.
(define without-calls
  '("gethost" "gethostbyaddr" "getaddrinfo" "getnameinfo" "getproto"
    "getprotobynumber" "getserv" "make-batch" "wait-signal" "watch-signal!"))

(define wanting (list EMFILE ENFILE ENOBUFS ENOMEM))

(define (test-row row before threads-before alone?)
  (match row
    ((name . _)
     (define call-in-task
       (if (member name '("run-tasks" "join")) plainly in-task))
     (test-assert "makes calls that can fail"
       (or (member name without-calls)
           (match row
             ((_ before call settle)
              (receive (usual calls) (usual-of before call settle)
                (pair? calls))))))
     (test-equal "interrupted" '()
       (wrong-outcomes row (list EINTR) plainly 1 same))
     (test-equal "interrupted twice, in a task" '()
       (wrong-outcomes row (list EINTR) call-in-task 2 same))
     (test-equal "something is wanting" '()
       (wrong-outcomes row wanting plainly 1 told-or-same))
     (test-equal "a call has to wait" '()
       (wrong-outcomes row (list EAGAIN) plainly 1 same-if-waiting))
     ;; The loop hears once of what comes.  Where it has heard of it, what comes from
     ;; another thread wakes nobody who was told wrongly that there is nothing.
     (when alone?
       (test-equal "a call of a task has to wait" '()
         (wrong-outcomes row (list EAGAIN) call-in-task 1 same-if-waiting)))
     ;; A look-up that was given up goes on in its thread, and opens and closes
     ;; descriptors there.  That thread ends when it has had nothing to do for
     ;; a second; others that began here stay.
     (wait-until (lambda () (<= (threads) threads-before)) 4)
     (test-equal "closes what it has opened" '() (leaks before)))))

(define* (test-faults rows #:key (alone? #t))
  "Have each call of each of ROWS, situations, interrupted, fail for want of something,
and have to wait, in a plain thread and in a task; ALONE? is #f if another thread is the
other side."
  (for-each
   (lambda (row)
     (let ((before (descriptors)) (threads-before (threads)))
       (test-case (car row)
         ;; The collector closes what has been forgotten, if it happens to run.
         (dynamic-wind
           gc-disable
           (lambda () (test-row row before threads-before alone?))
           gc-enable))))
   rows))
