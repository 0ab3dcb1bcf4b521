;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Timers: a binary heap of moments and what to do then.  Each timer knows its
;;; place in the heap, so that cancelling takes it out at once.  One thread uses
;;; a heap; nothing here looks at a clock.

(define-module (sockport task timer)
  #:use-module (srfi srfi-9)
  #:export (<timers> <timer> make-timers
            timer?
            timers-count
            timers-next
            timer-add!
            timer-cancel!
            timers-expire!))

(define-record-type <timers>
  (%make-timers heap count)
  timers?
  (heap timers-heap set-timers-heap!)
  (count timers-count set-timers-count!))

;;; PLACE is #f once the timer has fired or was cancelled.
(define-record-type <timer>
  (make-timer time action place)
  timer?
  (time timer-time)
  (action timer-action)
  (place timer-place set-timer-place!))

(define (make-timers)
  "Return an empty heap of timers."
  (%make-timers (make-vector 16 #f) 0))

(define (timers-next timers)
  "Return the time of the earliest timer of TIMERS, or #f."
  (and (positive? (timers-count timers))
       (timer-time (vector-ref (timers-heap timers) 0))))

(define (place! heap timer index)
  (vector-set! heap index timer)
  (set-timer-place! timer index))

(define (sift-up! heap timer index)
  "Put TIMER at INDEX or, while it is earlier than its parent, above."
  (let* ((up (ash (- index 1) -1))
         (parent (and (positive? index) (vector-ref heap up))))
    (cond ((and parent (< (timer-time timer) (timer-time parent)))
           (place! heap parent index)
           (sift-up! heap timer up))
          (else (place! heap timer index)))))

(define (earlier-child heap count index)
  (let ((left (+ index index 1)))
    (and (< left count)
         (let ((right (+ left 1)))
           (if (and (< right count)
                    (< (timer-time (vector-ref heap right))
                       (timer-time (vector-ref heap left))))
               right
               left)))))

(define (sift-down! heap count timer index)
  "Put TIMER at INDEX or, while it is later than a child, below."
  (let* ((down (earlier-child heap count index))
         (child (and down (vector-ref heap down))))
    (cond ((and child (< (timer-time child) (timer-time timer)))
           (place! heap child index)
           (sift-down! heap count timer down))
          (else (place! heap timer index)))))

(define (grow! timers)
  (let* ((old (timers-heap timers))
         (new (make-vector (* 2 (vector-length old)) #f)))
    (vector-move-left! old 0 (vector-length old) new 0)
    (set-timers-heap! timers new)))

(define (timer-add! timers time action)
  "Return a new timer that calls ACTION, a thunk, at TIME."
  (let ((count (timers-count timers))
        (timer (make-timer time action 0)))
    (when (= count (vector-length (timers-heap timers)))
      (grow! timers))
    (set-timers-count! timers (+ count 1))
    (sift-up! (timers-heap timers) timer count)
    timer))

(define (timer-cancel! timers timer)
  "Take TIMER out of TIMERS; #f if it has fired or was cancelled already."
  (let ((index (timer-place timer)))
    (and index
         (let* ((heap (timers-heap timers))
                (last (- (timers-count timers) 1))
                (moved (vector-ref heap last)))
           (vector-set! heap last #f)
           (set-timers-count! timers last)
           (set-timer-place! timer #f)
           (unless (eq? moved timer)
             (sift-down! heap last moved index)
             (sift-up! heap moved (timer-place moved)))
           #t))))

(define (timers-expire! timers now)
  "Call the actions of the timers that are due at NOW, the earliest first."
  (let ((next (timers-next timers)))
    (when (and next (<= next now))
      (let ((timer (vector-ref (timers-heap timers) 0)))
        (timer-cancel! timers timer)
        ((timer-action timer))
        (timers-expire! timers now)))))
