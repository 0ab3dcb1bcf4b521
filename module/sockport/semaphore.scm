;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Semaphores: what only so many tasks and threads may do at a time, and may wait
;;; in.  A mutex of Guile's keeps threads apart, not the tasks of one thread.

(define-module (sockport semaphore)
  #:use-module (ice-9 atomic)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module (sockport task)
  #:use-module (sockport task waiter)
  #:export (make-semaphore
            semaphore?
            semaphore-acquire!
            semaphore-try-acquire!
            semaphore-release!
            call-with-semaphore))

;;; UNUSED is a box of how many may come who need not wait for one that has been; those
;;; are kept in CORE, that of a channel.
(define-record-type <semaphore>
  (%make-semaphore unused core)
  semaphore?
  (unused semaphore-unused)
  (core semaphore-core))

(set-record-type-printer! <semaphore>
  (lambda (semaphore port)
    (format port "#<semaphore ~a>"
            (+ (atomic-box-ref (semaphore-unused semaphore))
               (%channel-count (semaphore-core semaphore))))))

(define* (make-semaphore #:optional (count 1))
  "Return a semaphore that COUNT tasks or threads can have at a time."
  (check-natural count 1 "make-semaphore")
  (%make-semaphore (make-atomic-box count)
                   (%make-channel-core most-positive-fixnum #f)))

(define (check-semaphore semaphore who)
  (check-that (semaphore? semaphore) semaphore 1 "semaphore" who))

(define (take-unused! semaphore)
  (let* ((unused (semaphore-unused semaphore)) (count (atomic-box-ref unused)))
    (and (positive? count)
         (or (eq? count
                  (atomic-box-compare-and-swap! unused count (- count 1)))
             (take-unused! semaphore)))))

(define (semaphore-acquire! semaphore)
  "Wait until SEMAPHORE can be had, and have it.  The longest waiter is first."
  (check-semaphore semaphore "semaphore-acquire!")
  (unless (take-unused! semaphore)
    (core-get (semaphore-core semaphore) "semaphore-acquire!"))
  *unspecified*)

(define (semaphore-try-acquire! semaphore)
  "Have SEMAPHORE if it can be had now; #f if not.  Never waits."
  (check-semaphore semaphore "semaphore-try-acquire!")
  (or (take-unused! semaphore)
      (eq? #t (%channel-get (semaphore-core semaphore)))))

;;; It is handed on, so that nobody comes in between.
(define (semaphore-release! semaphore)
  "Give SEMAPHORE back, to the longest waiter."
  (check-semaphore semaphore "semaphore-release!")
  (%channel-put (semaphore-core semaphore) #t)
  *unspecified*)

(define (call-with-semaphore semaphore thunk)
  "Call THUNK while this task or thread has SEMAPHORE, and return its values."
  (check-semaphore semaphore "call-with-semaphore")
  (check-procedure thunk 2 "call-with-semaphore")
  (semaphore-acquire! semaphore)
  (call-with-cleanup thunk (lambda () (semaphore-release! semaphore))))
