;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Channels, which carry values between tasks and threads and hold back who puts
;;; faster than others get; and events, which tell many at once.

(define-module (sockport channel)
  #:use-module (ice-9 binary-ports)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io argument)
  #:use-module (sockport task ring)
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

;;; Whoever waits to get finds no items, and whoever waits to put finds no room,
;;; so only one of the rings is ever occupied.
;;; UNIQUE makes `equal?' the same as `eq?'.
(define-record-type <channel>
  (%make-channel unique capacity items count getters putters closed?)
  channel?
  (unique channel-unique)
  (capacity channel-capacity)
  (items channel-items)
  (count channel-count set-channel-count!)
  (getters channel-getters)
  (putters channel-putters)
  (closed? channel-closed? set-channel-closed!))

(set-record-type-printer! <channel>
  (lambda (channel port)
    (format port "#<channel ~a/~a>"
            (channel-count channel) (channel-capacity channel))))

(define* (make-channel #:optional (capacity 0))
  "Return a channel that holds CAPACITY values between putting and getting; with
0, whoever puts waits for whoever gets."
  (unless (and (exact-integer? capacity) (>= capacity 0))
    (refuse-range "make-channel" 1 "an exact integer from 0 on" capacity))
  (%make-channel (make-variable #f) capacity (make-ring) 0 (make-ring) (make-ring) #f))

(define (hold! channel value)
  (ring-add! (channel-items channel) value)
  (set-channel-count! channel (+ (channel-count channel) 1)))

(define (release! channel)
  (set-channel-count! channel (- (channel-count channel) 1))
  (let ((first (ring-first (channel-items channel))))
    (ring-remove! first)
    (node-value first)))

;;; A value that is handed over to a putter is whether the channel took it.

(define (try-get channel)
  (cond ((positive? (channel-count channel))
         (let* ((value (release! channel))
                (putter (ring-claim! (channel-putters channel) #t)))
           (when putter
             (hold! channel (entry-load putter)))
           (list value)))
        ((ring-claim! (channel-putters channel) #t)
         => (lambda (putter) (list (entry-load putter))))
        ((channel-closed? channel) (list the-eof-object))
        (else #f)))

(define (try-put channel value)
  (cond ((channel-closed? channel) (list #f))
        ((ring-claim! (channel-getters channel) value) (list #t))
        ((< (channel-count channel) (channel-capacity channel))
         (hold! channel value)
         (list #t))
        (else #f)))

(define (check-channel channel position who)
  (unless (channel? channel)
    (scm-error 'wrong-type-arg who
               "Wrong type argument in position ~A (expecting ~A): ~S"
               (list position "channel" channel) (list channel))))

(define (get-operation channel)
  "An operation that gets a value from CHANNEL."
  (check-channel channel 1 "get-operation")
  (ring-operation (lambda () (try-get channel))
                  (channel-getters channel) #f identity))

(define (check-taken channel who)
  (lambda (taken?)
    (unless taken?
      (refuse-closed channel who))))

(define (refuse-closed channel who)
  (scm-error 'misc-error who "this channel is closed: ~S" (list channel) #f))

(define (put-operation channel value)
  "An operation that puts VALUE into CHANNEL."
  (check-channel channel 1 "put-operation")
  (ring-operation (lambda () (try-put channel value))
                  (channel-putters channel) value
                  (check-taken channel "put-operation")))

(define (channel-get channel)
  "Return the next value of CHANNEL, waiting for one if there is none; the
end-of-file object once CHANNEL is closed and empty."
  (check-channel channel 1 "channel-get")
  (let ((now (with-lock (try-get channel))))
    (if now
        (car now)
        (await-in-ring (lambda () (try-get channel))
                       (channel-getters channel) #f "channel-get"))))

(define (channel-put channel value)
  "Put VALUE into CHANNEL, waiting while it is full.  An error if it is closed."
  (check-channel channel 1 "channel-put")
  (let ((now (with-lock (try-put channel value))))
    (unless (if now
                (car now)
                (await-in-ring (lambda () (try-put channel value))
                               (channel-putters channel) value "channel-put"))
      (refuse-closed channel "channel-put"))))

(define* (channel-try-get channel #:optional default)
  "Return the next value of CHANNEL if there is one now, DEFAULT if not; the
end-of-file object once CHANNEL is closed and empty."
  (check-channel channel 1 "channel-try-get")
  (let ((found (with-lock (try-get channel))))
    (if found (car found) default)))

(define (channel-try-put channel value)
  "Put VALUE into CHANNEL if that can be done now; #f if not.  An error if it is
closed."
  (check-channel channel 1 "channel-try-put")
  (let ((done (with-lock (try-put channel value))))
    (and done
         (begin
           ((check-taken channel "channel-try-put") (car done))
           #t))))

(define (channel-close! channel)
  "Let nothing more be put into CHANNEL.  What it holds can still be got; who
waits to get gets the end-of-file object, who waits to put an error."
  (check-channel channel 1 "channel-close!")
  (with-lock
   (set-channel-closed! channel #t)
   (ring-claim-all! (channel-getters channel) the-eof-object)
   (ring-claim-all! (channel-putters channel) #f))
  *unspecified*)

;;; Events.

(define-record-type <event>
  (%make-event unique set? waiters)
  event?
  (unique event-unique)
  (set? event-set? set-event-set?!)
  (waiters event-waiters))

(set-record-type-printer! <event>
  (lambda (event port)
    (format port "#<event ~a>" (if (event-set? event) "set" "clear"))))

(define (make-event)
  "Return an event, something that has not happened yet."
  (%make-event (make-variable #f) #f (make-ring)))

(define (check-event event who)
  (unless (event? event)
    (scm-error 'wrong-type-arg who
               "Wrong type argument in position ~A (expecting ~A): ~S"
               (list 1 "event" event) (list event))))

(define (event-set! event)
  "Say that EVENT has happened; all who wait for it go on."
  (check-event event "event-set!")
  (with-lock
   (set-event-set?! event #t)
   (ring-claim-all! (event-waiters event) #t))
  *unspecified*)

(define (event-clear! event)
  "Say that EVENT has not happened (again)."
  (check-event event "event-clear!")
  (with-lock (set-event-set?! event #f))
  *unspecified*)

(define (event-operation event)
  "An operation that waits until EVENT has happened."
  (check-event event "event-operation")
  (ring-operation (lambda () (and (event-set? event) '(#t)))
                  (event-waiters event) #f identity))

(define (event-wait event)
  "Wait until EVENT has happened."
  (check-event event "event-wait")
  (or (event-set? event)
      (await-in-ring (lambda () (and (event-set? event) '(#t)))
                     (event-waiters event) #f "event-wait")))
