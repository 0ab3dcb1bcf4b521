;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Going on after a primitive that moved nothing (#f) or a part (a negative
;;; count), until all is moved, for every transfer procedure.

(define-module (sockport io retry)
  #:use-module (sockport constant)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
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

;;; What a primitive returns that has begun a connection (MSG_FASTOPEN).
(define connecting most-negative-fixnum)

(define* (finish try result wait sock who #:optional (flags 0))
  "Go on after a primitive's RESULT, #f or a negative count, until all is moved or
the stream ends.  (TRY moved) calls the primitive for what is left, or, if FLAGS have
it only look (MSG_PEEK), for all again.  Bytes that were moved before an error are
returned; the next call meets the error."
  (define looking? (logtest flags MSG_PEEK))
  (define patience (make-patience))
  ;; Without MSG_WAITALL a count that is too small is below SO_RCVLOWAT.
  (define low?
    (and (eq? wait wait-readable)
         (not looking?)
         (not (logtest flags MSG_WAITALL))))
  (define (enough? moved)
    (and low?
         (>= moved (getsockopt sock SOL_SOCKET SO_RCVLOWAT))))
  (define (new-pause)
    (stall-waiter wait sock who patience))
  (define (wait-again moved result pause)
    (cond ((and (positive? moved) (or looking? low?))
           ;; Nothing reports that there is more than has been looked at, or than
           ;; the mark has yet to come.
           (pause #f))
          ((not result)
           (let ((ready? (wait sock who patience)))
             (when pause (pause ready?)))))
    (check-open sock who))
  (let loop ((moved 0) (result result)
             (pause (and (or looking? low?) result (new-pause))))
    (cond ((eq? result 'stop) moved)
          ((eqv? result connecting)
           (when (plain-nonblocking? sock)
             (raise-errno who EINPROGRESS))
           (loop moved #f #f))
          ((and result (>= result 0))
           (if looking? result (+ moved result)))
          (else
           (let ((moved (cond ((not result) moved)
                              (looking? (- result))
                              (else (- moved result)))))
             (if (and (positive? moved)
                      (or (plain-nonblocking? sock)
                          (and result (enough? moved))))
                 moved
                 (loop moved
                       (attempt moved who (eq? wait wait-readable)
                                (lambda ()
                                  (wait-again moved result pause)
                                  (try (if looking? 0 moved))))
                       (and (or looking? low? (not result))
                            (or pause (new-pause))))))))))

;;; A datagram socket is writable while the queue of the UNIX socket that it
;;; sends to is full; and a queue of errors that is not empty ends every wait.
(define (stall-waiter wait sock who patience)
  (let ((pause #f))
    (lambda (ready?)
      (unless (and ready? (eq? wait wait-readable))
        (unless pause
          (set! pause (look-again-waiter sock who wait patience)))
        (pause)))))

;;; The value of EXPR if the primitive is done, else what goes on.
(define-syntax-rule (done-or expr more)
  (let ((result expr))
    (if (and result (>= result 0))
        result
        (more result))))
