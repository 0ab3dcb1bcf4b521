;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Taking turns: what only one task or thread may do at a time, and may wait in,
;;; as none may that holds the process's lock.  First come, first served.

(define-module (sockport serve turn)
  #:use-module (srfi srfi-9)
  #:use-module (sockport task)
  #:use-module (sockport task ring)
  #:use-module (sockport task waiter)
  #:export (make-turn
            call-in-turn))

(define-record-type <turn>
  (%make-turn taken? waiters)
  turn?
  (taken? turn-taken? set-turn-taken!)
  (waiters turn-waiters))

(define (make-turn)
  (%make-turn #f (make-ring)))

(define (enter turn)
  (await-in-ring (lambda ()
                   (and (not (turn-taken? turn))
                        (begin
                          (set-turn-taken! turn #t)
                          '(#t))))
                 (turn-waiters turn) #f "call-in-turn"))

;;; It is handed on, so that nobody comes in between.
(define (leave turn)
  (with-lock
   (unless (ring-claim! (turn-waiters turn) #t)
     (set-turn-taken! turn #f))))

(define (call-in-turn turn thunk)
  "Call THUNK while nobody else is in TURN, and return its value."
  (enter turn)
  (call-with-cleanup thunk (lambda () (leave turn))))
