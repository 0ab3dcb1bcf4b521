;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a server of HTTP knows of itself: its settings, for each worker a share
;;; of what goes on, and for each connection where it stands.  One task a worker
;;; looks at the time of all its connections, so that a request costs no timer.

(define-module (sockport serve http-site)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport constant)
  #:use-module (sockport primitive)
  #:use-module (sockport serve http-header)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:export (make-settings
            settings-handler settings-head-limit settings-target-limit
            settings-body-limit settings-body-port settings-log
            settings-on-response settings-prologue settings-request-id
            settings-per-address
            settings-addresses settings-shares
            make-share
            share-settings share-memory share-parts share-scratch
            share-draining?
            count! counter-index add-count!
            http-statistics
            make-connection
            connection-share connection-sock connection-peer
            set-connection-peer!
            connection-buffer set-connection-buffer!
            connection-at set-connection-at!
            connection-end set-connection-end!
            connection-head connection-input set-connection-input!
            connection-output set-connection-output!
            connection-moved set-connection-moved!
            connection-sent set-connection-sent!
            connection-phase connection-cut?
            now-idle! now-asked! now-working! now-sending! now-lingering!
            add-connection! remove-connection! end-idle!))

;;; Limits are bytes, RATE is bytes a second.  ADDRESSES counts the connections
;;; of each client, if PER-ADDRESS says how many there may be.
(define-record-type <settings>
  (make-settings handler head-limit target-limit body-limit body-port
                 idle-seconds request-seconds rate per-address addresses log
                 on-response prologue request-id shares)
  settings?
  (handler settings-handler)
  (head-limit settings-head-limit)
  (target-limit settings-target-limit)
  (body-limit settings-body-limit)
  (body-port settings-body-port)
  (idle-seconds settings-idle-seconds)
  (request-seconds settings-request-seconds)
  (rate settings-rate)
  (per-address settings-per-address)
  (addresses settings-addresses)
  (log settings-log)
  (on-response settings-on-response)
  (prologue settings-prologue)
  (request-id settings-request-id)
  (shares settings-shares))

;;; OPEN is a table of the connections, TICKS the time as the sweeper counts it, a
;;; tick being TICK seconds.  PARTS is what %http-request! fills in, SCRATCH where
;;; what nobody wants is received.
(define-record-type <share>
  (%make-share settings memory parts scratch open counters tick ticks
               idle-ticks request-ticks sweeping? draining?)
  share?
  (settings share-settings)
  (memory share-memory)
  (parts share-parts)
  (scratch share-scratch)
  (open share-open)
  (counters share-counters)
  (tick share-tick)
  (ticks share-ticks set-share-ticks!)
  (idle-ticks share-idle-ticks)
  (request-ticks share-request-ticks)
  (sweeping? share-sweeping? set-share-sweeping!)
  (draining? share-draining? set-share-draining!))

(define (tick-of settings)
  "Return a fraction of the shortest time that matters, a second at most."
  (let ((times (filter identity (list (settings-idle-seconds settings)
                                      (settings-request-seconds settings)))))
    (max 1/100 (min 1 (/ (apply min 8 times) 8)))))

(define (make-share settings)
  (let ((tick (tick-of settings)))
    (define (ticks seconds)
      (and seconds (inexact->exact (ceiling (/ seconds tick)))))
    (%make-share settings (make-header-memory) (make-vector 9 #f)
                 (make-bytevector 65536) (make-hash-table)
                 (make-vector (length counter-names) 0) tick 0
                 (ticks (settings-idle-seconds settings))
                 (ticks (settings-request-seconds settings))
                 #f #f)))

;;; Counters.

(define counter-names
  '(connections requests refused errors bytes-in bytes-out
    responses-1xx responses-2xx responses-3xx responses-4xx responses-5xx))

;; By its name as a datum: a literal of syntax-rules would have to mean the same where
;; it is used, and a pattern would match every name.
(define-syntax counter-index
  (lambda (form)
    (syntax-case form ()
      ((_ (_ name))
       (datum->syntax
        form
        (assq-ref '((connections . 0) (requests . 1) (refused . 2) (errors . 3)
                    (bytes-in . 4) (bytes-out . 5)
                    ;; Those of the classes of responses begin behind it.
                    (responses . 5))
                  (syntax->datum #'name)))))))

(define-syntax count!
  (syntax-rules (quote)
    ((_ share 'name amount)
     (add-count! share (counter-index 'name) amount))
    ((_ share index amount)
     (add-count! share index amount))))

(define (add-count! share index amount)
  (let ((counters (share-counters share)))
    (vector-set! counters index (+ amount (vector-ref counters index)))))

(define (http-statistics settings)
  "Return an alist of what the server has counted, and how many connections are
open."
  (let ((shares (vector->list (settings-shares settings))))
    (define (sum value) (apply + (map value shares)))
    (acons 'open
           (sum (lambda (share) (hash-count (const #t) (share-open share))))
           (map (lambda (name index)
                  (cons name
                        (sum (lambda (share)
                               (vector-ref (share-counters share) index)))))
                counter-names (iota (length counter-names))))))

;;; Connections.

;;; Bytes AT to END of BUFFER have come and were not used.  INPUT and OUTPUT are
;;; the ports of the bodies, while there are some.  MOVED are the bytes that were
;;; sent without a port, SENT those of the last response's body, SEEN what the
;;; sweeper saw of all that last.  PHASE is what the connection waits for; when
;;; EXPIRES has come, it is CUT?: nothing more is received or, in the phase
;;; `sending', sent.
(define-record-type <connection>
  (%make-connection share sock peer buffer at end head input output moved sent
                    seen phase expires cut?)
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
  (seen connection-seen set-connection-seen!)
  (phase connection-phase set-connection-phase!)
  (expires connection-expires set-connection-expires!)
  (cut? connection-cut? set-connection-cut!))

(define (make-connection share sock peer)
  (%make-connection share sock peer (make-bytevector 4096) 0 0 (%make-http-head) #f #f 0 0 0
                    'idle #f #f))

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

(define (now-lingering! connection)
  (enter-phase! connection 'lingering
                (ceiling (/ linger-seconds
                            (share-tick (connection-share connection))))))

(define (add-connection! share connection)
  (count! share 'connections 1)
  (hashq-set! (share-open share) connection #t)
  (unless (share-sweeping? share)
    (set-share-sweeping! share #t)
    (spawn-task (lambda () (sweep-while-open share)) #:name 'http-sweeper)))

(define (remove-connection! share connection)
  (hashq-remove! (share-open share) connection))

;;; What is already on its way can still be read after that: tcp(7).
(define (end-idle! share)
  "Have the connections of this thread that wait for a request see its end."
  (set-share-draining! share #t)
  (hash-for-each (lambda (connection _)
                   (when (eq? 'idle (connection-phase connection))
                     (shut connection SHUT_RD)))
                 (share-open share)))

(define (shut connection how)
  (false-if-exception (shutdown (connection-sock connection) how)))

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
  "Does CONNECTION wait for its client?  Not while a body is being made."
  (let ((input (connection-input connection))
        (output (connection-output connection)))
    (cond (output (%http-output-blocked? output))
          (input (not (%http-input-ended? input)))
          (else #t))))

(define (limit-ticks share connection)
  (if (memq (connection-phase connection) '(idle sending))
      (share-idle-ticks share)
      (share-request-ticks share)))

;;; Bytes that move buy time, but never more than there was at first: who takes or
;;; sends fewer than the rate is cut in the end.
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

;;; With a time to linger of zero, close(2) drops what the client does not take:
;;; socket(7).
(define (cut! connection)
  (set-connection-cut! connection #t)
  (set-connection-expires! connection #f)
  (if (eq? 'sending (connection-phase connection))
      (begin
        (false-if-exception
         (setsockopt (connection-sock connection) SOL_SOCKET SO_LINGER
                     '(1 . 0)))
        (shut connection SHUT_RDWR))
      (shut connection SHUT_RD)))
