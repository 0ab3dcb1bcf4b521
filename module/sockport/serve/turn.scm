;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Taking turns: what only one task or thread may do at a time, and may wait in,
;;; as none may that holds the process's lock.  First come, first served.

(define-module (sockport serve turn)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-9)
  #:use-module (sockport task sync)
  #:use-module (sockport task)
  #:export (make-turn
            call-in-turn))

(define-record-type <turn>
  (%make-turn taken? waiters)
  turn?
  (taken? turn-taken? set-turn-taken!)
  (waiters turn-waiters set-turn-waiters!))

(define (make-turn)
  (%make-turn #f '()))

(define (enter turn)
  (let ((waiter (with-lock
                 (if (turn-taken? turn)
                     (let ((waiter (make-waiter)))
                       (set-turn-waiters! turn
                                          (append (turn-waiters turn)
                                                  (list waiter)))
                       waiter)
                     (begin (set-turn-taken! turn #t) #f)))))
    (when waiter
      (await! waiter))))

(define (leave turn)
  (with-lock
   (let next ()
     (match (turn-waiters turn)
       (() (set-turn-taken! turn #f))
       ((waiter . rest)
        (set-turn-waiters! turn rest)
        ;; It may have been interrupted.
        (unless (claim! waiter #t) (next)))))))

(define (call-in-turn turn thunk)
  "Call THUNK while nobody else is in TURN, and return its value."
  (enter turn)
  (call-with-cleanup thunk (lambda () (leave turn))))
