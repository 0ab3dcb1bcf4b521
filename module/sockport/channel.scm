;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Channels, which carry values between tasks and threads and hold back who puts
;;; faster than others get; and events, which tell many at once.

(define-module (sockport channel)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (ice-9 q)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport task ring)
  #:use-module (sockport task choice)
  #:use-module (sockport task sync)
  #:export (make-channel
            channel?
            channel-capacity
            channel-count
            channel-closed?
            channel-put
            channel-get
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
(define-record-type <channel>
  (%make-channel capacity items count getters putters closed?)
  channel?
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
    (scm-error 'out-of-range "make-channel"
               "Value out of range in position ~A: ~S"
               (list 1 capacity) (list capacity)))
  (%make-channel capacity (make-q) 0 (make-ring) (make-ring) #f))

(define (hold! channel value)
  (enq! (channel-items channel) value)
  (set-channel-count! channel (+ (channel-count channel) 1)))

(define (release! channel)
  (set-channel-count! channel (- (channel-count channel) 1))
  (deq! (channel-items channel)))

;;; A value that is handed over to a putter is whether the channel took it.

(define (try-get channel)
  (cond ((positive? (channel-count channel))
         (let ((value (release! channel)))
           (match (ring-claim! (channel-putters channel) #t)
             ((next) (hold! channel next))
             (#f #f))
           (list value)))
        ((ring-claim! (channel-putters channel) #t))
        ((channel-closed? channel) (list the-eof-object))
        (else #f)))

(define (try-put channel value)
  (cond ((channel-closed? channel) (list #f))
        ((ring-claim! (channel-getters channel) value) (list #t))
        ((< (channel-count channel) (channel-capacity channel))
         (hold! channel value)
         (list #t))
        (else #f)))

(define (in-ring ring load)
  (lambda (entry)
    (let ((node (ring-add! ring (cons entry load))))
      (lambda () (ring-remove! node)))))

(define (get-operation channel)
  "An operation that gets a value from CHANNEL."
  (make-operation #:try (lambda () (try-get channel))
                  #:start (in-ring (channel-getters channel) #f)))

(define (put-operation channel value)
  "An operation that puts VALUE into CHANNEL."
  (make-operation #:try (lambda () (try-put channel value))
                  #:start (in-ring (channel-putters channel) value)
                  #:finish (lambda (taken?)
                             (unless taken?
                               (error "this channel is closed:" channel)))))

(define (channel-get channel)
  "Return the next value of CHANNEL, waiting for one if there is none; the
end-of-file object once CHANNEL is closed and empty."
  (match (with-lock (try-get channel))
    ((value) value)
    (#f (perform (list (get-operation channel))))))

(define (channel-put channel value)
  "Put VALUE into CHANNEL, waiting while it is full.  An error if it is closed."
  (match (with-lock (try-put channel value))
    ((#t) *unspecified*)
    (_ (perform (list (put-operation channel value))))))

(define (channel-close! channel)
  "Let nothing more be put into CHANNEL.  What it holds can still be got; who
waits to get gets the end-of-file object, who waits to put an error."
  (with-lock
   (set-channel-closed! channel #t)
   (claim-all! (channel-getters channel) the-eof-object)
   (claim-all! (channel-putters channel) #f)))

(define (claim-all! ring value)
  (when (ring-claim! ring value)
    (claim-all! ring value)))

;;; Events.

(define-record-type <event>
  (%make-event set? waiters)
  event?
  (set? event-set? set-event-set!)
  (waiters event-waiters))

(set-record-type-printer! <event>
  (lambda (event port)
    (format port "#<event ~a>" (if (event-set? event) "set" "clear"))))

(define (make-event)
  "Return an event, something that has not happened yet."
  (%make-event #f (make-ring)))

(define (event-set! event)
  "Say that EVENT has happened; all who wait for it go on."
  (with-lock
   (set-event-set! event #t)
   (claim-all! (event-waiters event) #t)))

(define (event-clear! event)
  "Say that EVENT has not happened (again)."
  (with-lock (set-event-set! event #f)))

(define (event-operation event)
  "An operation that waits until EVENT has happened."
  (make-operation #:try (lambda () (and (event-set? event) '(#t)))
                  #:start (in-ring (event-waiters event) #f)))

(define (event-wait event)
  "Wait until EVENT has happened."
  (or (event-set? event)
      (perform (list (event-operation event)))))
