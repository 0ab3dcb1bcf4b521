;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The connections of a server of HTTP: what each holds, what it waits for, and for
;;; how long it may.  One task a worker looks at the time of all its connections, so
;;; that a request costs no timer.

(define-module (sockport serve http-phase)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport constant)
  #:use-module (sockport primitive)
  #:use-module (sockport serve http-site)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:export (make-connection
            connection-share connection-sock connection-peer
            set-connection-peer!
            connection-buffer set-connection-buffer!
            connection-at set-connection-at!
            connection-end set-connection-end!
            connection-head connection-input set-connection-input!
            connection-output set-connection-output!
            connection-moved set-connection-moved!
            connection-sent set-connection-sent!
            connection-first set-connection-first!
            connection-request set-connection-request!
            connection-begun? set-connection-begun!
            connection-result set-connection-result!
            connection-phase connection-cut?
            longest-linger
            now-idle! now-asked! now-working! now-sending! now-lingering!
            add-connection! remove-connection! end-idle! reset!))

;;; Bytes AT to END of BUFFER have come and were not used.  INPUT and OUTPUT are
;;; the ports of the bodies, while there are some.  MOVED are the bytes that were
;;; sent without a port, SENT those of the last response's body, SEEN what the
;;; sweeper saw of all that last.  FIRST is what MOVED was, or will be, where the body of
;;; the last response began.  REQUEST is that whose body is read, or which is answered.
;;; BEGUN? says that some of the last response was sent;
;;; RESULT is the body that the handler has returned, until it was dealt with.  PHASE is what the connection waits for; when
;;; EXPIRES has come, it is CUT?: nothing more is received or, in the phase
;;; `sending', sent.
(define-record-type <connection>
  (%make-connection share sock peer buffer at end head input output moved sent
                    first request begun? result seen phase expires cut?)
  connection?
  (share connection-share)
  (sock connection-sock)
  (peer connection-peer set-connection-peer!)
  (buffer connection-buffer set-connection-buffer!)
  (at connection-at set-connection-at!)
  (end connection-end set-connection-end!)
  (head connection-head)
  (input connection-input set-connection-input!)
  (output connection-output set-connection-output!)
  (moved connection-moved set-connection-moved!)
  (sent connection-sent set-connection-sent!)
  (first connection-first set-connection-first!)
  (request connection-request set-connection-request!)
  (begun? connection-begun? set-connection-begun!)
  (result connection-result set-connection-result!)
  (seen connection-seen set-connection-seen!)
  (phase connection-phase set-connection-phase!)
  (expires connection-expires set-connection-expires!)
  (cut? connection-cut? set-connection-cut!))

(define (make-connection share sock peer)
  (%make-connection share sock peer (make-bytevector 4096) 0 0 (%make-http-head) #f #f 0 0 0
                    #f #f #f 0 'idle #f #f))

(define-inlinable (enter-phase! connection phase ticks)
  (set-connection-phase! connection phase)
  (set-connection-expires! connection
                           (and ticks
                                (+ ticks 1
                                   (share-ticks
                                    (connection-share connection))))))

(define (now-idle! connection)
  "CONNECTION waits for a request."
  (enter-phase! connection 'idle
                (share-idle-ticks (connection-share connection))))

(define (now-asked! connection)
  "A request has begun to come, or its body has."
  (enter-phase! connection 'asked
                (share-request-ticks (connection-share connection))))

(define (now-working! connection)
  "Nothing is waited for from the client."
  (enter-phase! connection 'working #f))

(define (now-sending! connection)
  (enter-phase! connection 'sending
                (share-idle-ticks (connection-share connection))))

(define linger-seconds 2)
(define longest-linger (* 10 1000000000))

(define (now-lingering! connection)
  (enter-phase! connection 'lingering
                (ceiling (/ linger-seconds
                            (share-tick (connection-share connection))))))

(define (add-connection! share connection)
  (count! share 'connections 1)
  (count! share 'open 1)
  (hashq-set! (share-open share) connection #t)
  ;; It was accepted before the listening ended.
  (when (share-draining? share)
    (shut connection SHUT_RD))
  (unless (share-sweeping? share)
    (set-share-sweeping! share #t)
    (spawn-task (lambda () (sweep-while-open share)) #:name 'http-sweeper)))

(define (remove-connection! share connection)
  (count! share 'open -1)
  (hashq-remove! (share-open share) connection))

;;; What is already on its way can still be read after that: tcp(7).
(define (end-idle! share)
  "Have the connections of this thread that wait for a request see its end."
  (set-share-draining! share #t)
  (hash-for-each (lambda (connection _)
                   (when (eq? 'idle (connection-phase connection))
                     (shut connection SHUT_RD)))
                 (share-open share)))

;;; The socket itself: TLS would tell the client of an end.
(define (shut connection how)
  (false-if-exception (shutdown (bottom-port (connection-sock connection)) how)))

;;; What was sent must not look whole, and many clients take any end for that, by TLS as
;;; well: so there is none, but a reset.  What they have not taken is dropped.
(define (reset! connection)
  (or (false-if-exception
       (connect (bottom-port (connection-sock connection)) AF_UNSPEC))
      (shut connection SHUT_RDWR)))

;;; The time.

(define (sweep-while-open share)
  (sleep (share-tick share))
  (set-share-ticks! share (+ 1 (share-ticks share)))
  (let ((open (share-open share)))
    (hash-for-each (lambda (connection _) (sweep! share connection)) open)
    (if (zero? (hash-count (const #t) open))
        (set-share-sweeping! share #f)
        (sweep-while-open share))))

(define (moved connection)
  (let ((input (connection-input connection))
        (output (connection-output connection)))
    (+ (connection-moved connection)
       (if input (%http-input-total input) 0)
       (if output (%http-output-sent output) 0))))

(define (stalled? connection)
  "Does CONNECTION wait for its client?  Not while a body is being
made or used."
  (let ((input (connection-input connection))
        (output (connection-output connection)))
    (or (not (or input output))
        (and output (%http-output-blocked? output))
        (and input (%http-input-blocked? input)))))

(define (limit-ticks share connection)
  (if (memq (connection-phase connection) '(idle sending))
      (share-idle-ticks share)
      (share-request-ticks share)))

;;; Bytes that move buy time, but never more than there was at first: a client
;;; that takes or sends fewer than the rate is cut off in the end.
(define (sweep! share connection)
  (let ((expires (connection-expires connection)) (now (share-ticks share)))
    (when expires
      (let* ((moved (moved connection))
             (bought (inexact->exact
                      (floor (/ (- moved (connection-seen connection))
                                (* (settings-rate (share-settings share))
                                   (share-tick share))))))
             (most (+ now 1 (or (limit-ticks share connection) 0)))
             (later (if (stalled? connection)
                        (max expires (min most (+ expires bought)))
                        most)))
        (set-connection-seen! connection moved)
        (if (>= now later)
            (cut! connection)
            (set-connection-expires! connection later))))))

(define (cut! connection)
  (set-connection-cut! connection #t)
  (set-connection-expires! connection #f)
  (if (eq? 'sending (connection-phase connection))
      (reset! connection)
      (shut connection SHUT_RD)))
