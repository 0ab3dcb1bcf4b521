;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a server of HTTP knows of itself: its settings, and for each worker a share
;;; of what goes on, with what it has counted.

(define-module (sockport serve http-site)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport primitive)
  #:use-module (sockport serve http-header)
  #:export (make-settings
            settings-handler settings-head-limit settings-target-limit
            settings-body-limit settings-body-port settings-rate settings-log
            settings-on-response settings-prologue settings-request-id
            settings-admission settings-shares
            make-share
            share-settings share-memory share-parts share-scratch
            share-open share-tick share-ticks set-share-ticks!
            share-idle-ticks share-request-ticks
            share-sweeping? set-share-sweeping!
            share-draining? set-share-draining!
            count! counter-index add-count!
            http-statistics))

;;; Limits are bytes, RATE is bytes a second.
(define-record-type <settings>
  (make-settings handler head-limit target-limit body-limit body-port
                 idle-seconds request-seconds rate admission log on-response
                 prologue request-id shares)
  settings?
  (handler settings-handler)
  (head-limit settings-head-limit)
  (target-limit settings-target-limit)
  (body-limit settings-body-limit)
  (body-port settings-body-port)
  (idle-seconds settings-idle-seconds)
  (request-seconds settings-request-seconds)
  (rate settings-rate)
  (admission settings-admission)
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
  '(open connections requests refused errors bytes-in bytes-out
    responses-1xx responses-2xx responses-3xx responses-4xx responses-5xx))

;; By its name as a datum: a literal of syntax-rules would have to mean the same where
;; it is used, and a pattern would match every name.
(define-syntax counter-index
  (lambda (form)
    (syntax-case form ()
      ((_ (_ name))
       (datum->syntax
        form
        (assq-ref '((open . 0) (connections . 1) (requests . 2) (refused . 3)
                    (errors . 4) (bytes-in . 5) (bytes-out . 6)
                    ;; Those of the classes of responses begin behind it.
                    (responses . 6))
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
    (map (lambda (name index)
           (cons name
                 (apply + (map (lambda (share)
                                 (vector-ref (share-counters share) index))
                               shares))))
         counter-names (iota (length counter-names)))))
