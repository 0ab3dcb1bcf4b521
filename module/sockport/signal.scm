;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Signals as values to wait for.

(define-module (sockport signal)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module (sockport task operation)
  #:export (wait-signal
            signal-operation
            watch-signal!
            unwatch-signal!))

;;; CORE, that of a channel, has the waiters, or a signal that arrived while there was
;;; none.  THREAD sees the signals.  BEFORE is the handler and the flags that the signal
;;; had.
(define-record-type <watched>
  (make-watched core thread before)
  watched?
  (core watched-core)
  (thread watched-thread set-watched-thread!)
  (before watched-before))

;;; By number.
(define watched-signals (make-vector 65 #f))
(define cores (make-vector 65 #f))

;;; Always the same one: a signal that is given back may be watched again while somebody
;;; waits for it.
(define (core-of signum)
  (unless (vector-ref cores signum)
    (vector-set! cores signum (%make-channel-core 1 #f)))
  (vector-ref cores signum))

(define (arrived watched)
  (lambda (signum)
    (%channel-tell (watched-core watched) signum)
    (match (watched-before watched)
      (((? procedure? handler) . _) (handler signum))
      (_ #f))))

(define (watch! signum position who)
  (check-integer signum 1 64 position who)
  (when (memv signum (list SIGKILL SIGSTOP))
    (scm-error 'system-error who "~A (this signal cannot be caught)"
               (list (strerror EINVAL)) (list EINVAL)))
  (let ((watched (or (vector-ref watched-signals signum)
                     (make-watched (core-of signum) #f (sigaction signum))))
        (thread (current-thread)))
    (unless (and (watched-thread watched)
                 (not (thread-exited? (watched-thread watched))))
      (sigaction signum (arrived watched))
      (set-watched-thread! watched thread)
      (vector-set! watched-signals signum watched))
    watched))

(define (watch-signal! signum)
  "From now on let signal SIGNUM be waited for instead of having its effect.  One
that arrives while nobody waits is kept; a handler in Scheme is still called.
Signals are seen by the thread that has watched them first, or once that has ended by
the next that does."
  (watch! signum 1 "watch-signal!")
  *unspecified*)

(define (unwatch-signal! signum)
  "Give signal SIGNUM back the handler that it had before."
  (check-integer signum 1 64 1 "unwatch-signal!")
  (let ((watched (vector-ref watched-signals signum)))
    (when watched
      (match (watched-before watched)
        ((handler . flags) (sigaction signum handler flags)))
      ;; What has arrived is not for who watches it next.
      (%channel-get (watched-core watched))
      (vector-set! watched-signals signum #f))))

(define (operation-on signum position who)
  (core-operation (watched-core (watch! signum position who)) identity))

(define (signal-operation signum)
  "An operation that waits for signal SIGNUM, watches it, and returns SIGNUM."
  (operation-on signum 1 "signal-operation"))

(define (wait-signal signum . more)
  "Wait until one of the given signals arrives, and return its number."
  (let ((signums (cons signum more)))
    (perform (list->vector
              (map (lambda (signum position)
                     (operation-on signum position "wait-signal"))
                   signums (iota (length signums) 1)))
             "wait-signal")))
