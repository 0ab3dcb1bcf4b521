;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Channels, which carry values between tasks and threads and hold back a sender
;;; that is faster than its receivers; and events, which happen once, for all waiters.

(define-module (sockport channel)
  #:use-module (ice-9 binary-ports)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module (sockport task operation)
  #:use-module (sockport task waiter)
  #:export (make-channel
            channel?
            channel-capacity
            channel-count
            channel-closed?
            channel-put
            channel-get
            channel-try-put
            channel-try-get
            channel-close!
            put-operation
            get-operation
            make-event
            event?
            event-set?
            event-set!
            event-clear!
            event-wait
            event-operation))

(define the-eof-object (eof-object))

;;; CORE has the values and the waiters (guile/task/channel.c).
(define-record-type <channel>
  (%make-channel capacity core)
  channel?
  (capacity channel-capacity)
  (core channel-core))

(set-record-type-printer! <channel>
  (lambda (channel port)
    (format port "#<channel ~a/~a~a>"
            (channel-count channel) (channel-capacity channel)
            (if (channel-closed? channel) " closed" ""))))

(define* (make-channel #:optional (capacity 0))
  "Return a channel that holds CAPACITY values between putting and getting; with
0, whoever puts waits for whoever gets."
  (check-natural capacity 1 "make-channel")
  (%make-channel capacity
                 (%make-channel-core (min capacity most-positive-fixnum)
                                     the-eof-object)))

(define (check-channel channel position who)
  (unless (channel? channel)
    (refuse-type who position "channel" channel)))

(define (channel-count channel)
  "Return how many values CHANNEL holds."
  (check-channel channel 1 "channel-count")
  (%channel-count (channel-core channel)))

(define (channel-closed? channel)
  "Was CHANNEL closed?"
  (check-channel channel 1 "channel-closed?")
  (%channel-closed? (channel-core channel)))

(define-inlinable (core-put core value who)
  (let ((taken? (%put-or-enter core value)))
    (cond ((eq? taken? entered) (sleep-entered))
          ((eq? taken? nothing)
           (waiter-value
            (wait-for (lambda (waiter) (%enter-putter core waiter #f value))
                      #f who)))
          (else taken?))))

(define (get-operation channel)
  "An operation that gets a value from CHANNEL."
  (check-channel channel 1 "get-operation")
  (core-operation (channel-core channel) identity))

(define (check-taken channel who)
  (lambda (taken?)
    (unless taken?
      (refuse-closed channel who))))

(define (refuse-closed channel who)
  (scm-error 'misc-error who "this channel is closed: ~S" (list channel) #f))

(define (put-operation channel value)
  "An operation that puts VALUE into CHANNEL."
  (check-channel channel 1 "put-operation")
  (let ((core (channel-core channel)))
    (channel-operation (lambda () (%channel-put core value))
                       (lambda (waiter operation)
                         (%enter-putter core waiter operation value))
                       (check-taken channel "put-operation"))))

(define (channel-get channel)
  "Return the next value of CHANNEL, waiting for one if there is none; the
end-of-file object once CHANNEL is closed and empty."
  (check-channel channel 1 "channel-get")
  (core-get (channel-core channel) "channel-get"))

(define (channel-put channel value)
  "Put VALUE into CHANNEL, waiting while it is full.  An error if it is closed."
  (check-channel channel 1 "channel-put")
  (unless (core-put (channel-core channel) value "channel-put")
    (refuse-closed channel "channel-put")))

(define* (channel-try-get channel #:optional default)
  "Return the next value of CHANNEL if there is one now, DEFAULT if not; the
end-of-file object once CHANNEL is closed and empty."
  (check-channel channel 1 "channel-try-get")
  (let ((value (%channel-get (channel-core channel))))
    (if (eq? value nothing) default value)))

(define (channel-try-put channel value)
  "Put VALUE into CHANNEL if that can be done now; #f if not.  An error if it is
closed."
  (check-channel channel 1 "channel-try-put")
  (let ((taken? (%channel-put (channel-core channel) value)))
    (cond ((eq? taken? nothing) #f)
          (taken? #t)
          (else (refuse-closed channel "channel-try-put")))))

(define (channel-close! channel)
  "Let nothing more be put into CHANNEL.  What it holds can still be got; those
that wait to get get the end-of-file object, those that wait to put an error."
  (check-channel channel 1 "channel-close!")
  (%channel-close (channel-core channel))
  *unspecified*)

;;; Events are channels that nothing is put into: what has happened is closed.

(define-record-type <event>
  (%make-event core)
  event?
  (core event-core))

(set-record-type-printer! <event>
  (lambda (event port)
    (format port "#<event ~a>" (if (event-set? event) "set" "clear"))))

(define (make-event)
  "Return an event, something that has not happened yet."
  (%make-event (%make-channel-core 0 #t)))

(define (check-event event who)
  (unless (event? event)
    (refuse-type who 1 "event" event)))

(define (event-set? event)
  "Has EVENT happened?"
  (check-event event "event-set?")
  (%channel-closed? (event-core event)))

(define (event-set! event)
  "Say that EVENT has happened; all who wait for it go on.  #f if it had already."
  (check-event event "event-set!")
  (%channel-close (event-core event)))

(define (event-clear! event)
  "Say that EVENT has not happened (again)."
  (check-event event "event-clear!")
  (%channel-reopen (event-core event)))

(define (event-operation event)
  "An operation that waits until EVENT has happened."
  (check-event event "event-operation")
  (core-operation (event-core event) identity))

(define (event-wait event)
  "Wait until EVENT has happened."
  (check-event event "event-wait")
  (core-get (event-core event) "event-wait"))
