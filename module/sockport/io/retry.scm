;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Going on after a primitive that moved nothing (#f) or a part (a negative
;;; count), until all is moved, for every transfer procedure.

(define-module (sockport io retry)
  #:use-module (sockport io wait)
  #:export (finish
            done-or))

(define (attempt moved who receiving? thunk)
  "The value of THUNK; if WHO fails there after MOVED bytes, `stop'.  What was
received is not lost when the wait for more is ended either; what was sent would
vanish unnoticed."
  (if (zero? moved)
      (thunk)
      (catch #t thunk
        (lambda (key . args)
          ;; Not the error of a signal's handler that ran meanwhile.
          (if (or (and (eq? key 'system-error)
                       (equal? (car args) (symbol->string who)))
                  (and receiving?
                       (memq key '(deadline-exceeded task-cancelled))))
              'stop
              (apply throw key args))))))

(define (finish try result wait sock who)
  "Go on after a primitive's RESULT, #f or a negative count, until all is moved or
the stream ends.  (TRY moved) calls the primitive for what is left.  Bytes that
were moved before an error are answered; the next call meets the error."
  (let loop ((moved 0) (result result) (pause #f))
    (cond ((eq? result 'stop) moved)
          ((and result (>= result 0)) (+ moved result))
          (else
           (let ((moved (if result (- moved result) moved)))
             (if (and (positive? moved) (plain-nonblocking? sock))
                 moved
                 (loop moved
                       (attempt moved who (eq? wait wait-readable)
                                (lambda ()
                                  (unless result
                                    (let ((ready? (wait sock who)))
                                      (when pause (pause ready?))))
                                  (check-open sock who)
                                  (try moved)))
                       (and (not result)
                            (or pause (stall-waiter wait sock who))))))))))

;;; A datagram socket is writable while the queue of the UNIX socket that it
;;; sends to is full; and a queue of errors that is not empty ends every wait.
(define (stall-waiter wait sock who)
  (let ((pause #f))
    (lambda (ready?)
      (unless (and ready? (eq? wait wait-readable))
        (unless pause
          (set! pause (look-again-waiter sock who wait)))
        (pause)))))

;;; The value of EXPR if the primitive is done, else what goes on.
(define-syntax-rule (done-or expr more)
  (let ((result expr))
    (if (and result (>= result 0))
        result
        (more result))))
