;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Semaphores: what only so many tasks and threads may do at a time, and may wait
;;; in.  A mutex of Guile's keeps threads apart, not the tasks of one thread.

(define-module (sockport semaphore)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io argument)
  #:use-module (sockport task)
  #:use-module (sockport task ring)
  #:use-module (sockport task waiter)
  #:export (make-semaphore
            semaphore?
            semaphore-acquire!
            semaphore-try-acquire!
            semaphore-release!
            call-with-semaphore))

;;; UNIQUE makes `equal?' the same as `eq?'.  COUNT is how many may still come.
(define-record-type <semaphore>
  (%make-semaphore unique count waiters)
  semaphore?
  (unique semaphore-unique)
  (count semaphore-count set-semaphore-count!)
  (waiters semaphore-waiters))

(set-record-type-printer! <semaphore>
  (lambda (semaphore port)
    (format port "#<semaphore ~a>" (semaphore-count semaphore))))

(define* (make-semaphore #:optional (count 1))
  "Return a semaphore that COUNT tasks or threads can have at a time."
  (check-natural count 1 "make-semaphore")
  (%make-semaphore (make-variable #f) count (make-ring)))

(define (check-semaphore semaphore who)
  (check-that (semaphore? semaphore) semaphore 1 "semaphore" who))

(define (try semaphore)
  (let ((count (semaphore-count semaphore)))
    (and (positive? count)
         (begin
           (set-semaphore-count! semaphore (- count 1))
           '(#t)))))

(define (semaphore-acquire! semaphore)
  "Wait until SEMAPHORE can be had, and have it.  Who waits longest is first."
  (check-semaphore semaphore "semaphore-acquire!")
  (await-in-ring (lambda () (try semaphore))
                 (semaphore-waiters semaphore) #f "semaphore-acquire!")
  *unspecified*)

(define (semaphore-try-acquire! semaphore)
  "Have SEMAPHORE if it can be had now; #f if not.  Never waits."
  (check-semaphore semaphore "semaphore-try-acquire!")
  (and (with-lock (try semaphore)) #t))

;;; It is handed on, so that nobody comes in between.
(define (semaphore-release! semaphore)
  "Give SEMAPHORE back, to who waits longest."
  (check-semaphore semaphore "semaphore-release!")
  (with-lock
   (unless (ring-claim! (semaphore-waiters semaphore) #t)
     (set-semaphore-count! semaphore (+ (semaphore-count semaphore) 1))))
  *unspecified*)

(define (call-with-semaphore semaphore thunk)
  "Call THUNK while this task or thread has SEMAPHORE, and return its values."
  (check-semaphore semaphore "call-with-semaphore")
  (check-procedure thunk 2 "call-with-semaphore")
  (semaphore-acquire! semaphore)
  (call-with-cleanup thunk (lambda () (semaphore-release! semaphore))))
