;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Connections that are kept for the next request to the same place.  A pool is
;;; shared by tasks and threads; it has no task of its own: what has been idle for
;;; too long is closed when the pool is used.

(define-module (sockport client pool)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport client connection)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport ports lock)
  #:use-module (sockport primitive)
  #:export (make-http-pool
            http-pool?
            close-http-pool
            http-pool-idle
            take-connection!
            give-connection!))

;;; IDLE is a list of connections, those last used first, as many as COUNT.
(define-record-type <http-pool>
  (%make-http-pool lock idle count limit idle-ns closed?)
  http-pool?
  (lock pool-lock)
  (idle pool-idle set-pool-idle!)
  (count pool-count set-pool-count!)
  (limit pool-limit)
  (idle-ns pool-idle-ns)
  (closed? pool-closed? set-pool-closed!))

(set-record-type-printer! <http-pool>
  (lambda (pool port)
    (format port "#<http-pool ~a idle>" (http-pool-idle pool))))

(define-keyed (make-http-pool #:key (limit 100) (idle-seconds 60))
  "Return a pool for requests: up to LIMIT connections that are idle stay open, none
for longer than IDLE-SECONDS."
  (check-integer limit 0 #xffffff #:limit "make-http-pool")
  (check-that (real? idle-seconds) idle-seconds #:idle-seconds "number of seconds"
              "make-http-pool")
  (unless (< 0 idle-seconds 1e9)
    (refuse-range "make-http-pool" #:idle-seconds "more than 0" idle-seconds))
  (%make-http-pool (make-mutex) (make-hash-table) 0 limit
                   (inexact->exact (ceiling (* idle-seconds 1000000000))) #f))

(define (check-pool pool who)
  (check-that (http-pool? pool) pool 1 "http-pool" who))

(define (http-pool-idle pool)
  "Return how many idle connections POOL has."
  (check-pool pool "http-pool-idle")
  (pool-count pool))

;;; IDLE is a table from keys to lists; each list has the last used first.

(define (fresh? pool connection)
  (< (- (monotonic-ns) (connection-idle-since connection))
     (pool-idle-ns pool)))

(define (pop! pool key)
  (with-lock (pool-lock pool)
    (match (hash-ref (pool-idle pool) key '())
      (() #f)
      ((connection . rest)
       (if (null? rest)
           (hash-remove! (pool-idle pool) key)
           (hash-set! (pool-idle pool) key rest))
       (set-pool-count! pool (- (pool-count pool) 1))
       connection))))

(define (take-connection! pool key)
  "Return a connection for KEY that is still alive, or #f."
  (let ((connection (pop! pool key)))
    (cond ((not connection) #f)
          ((and (fresh? pool connection) (alive? connection))
           (set-connection-reused! connection #t)
           connection)
          (else
           (close-quietly connection)
           (take-connection! pool key)))))

(define (take-stale! pool)
  "Remove the connections that have been idle for too long, and return them."
  (define stale '())
  (for-each
   (lambda (key)
     (call-with-values
         (lambda ()
           (partition (lambda (connection) (fresh? pool connection))
                      (hash-ref (pool-idle pool) key)))
       (lambda (good bad)
         (set! stale (append bad stale))
         (set-pool-count! pool (- (pool-count pool) (length bad)))
         (if (null? good)
             (hash-remove! (pool-idle pool) key)
             (hash-set! (pool-idle pool) key good)))))
   (hash-map->list (lambda (key _) key) (pool-idle pool)))
  stale)

(define (push! pool connection)
  "Keep CONNECTION if there is room; return whether, and what is to be closed."
  (with-lock (pool-lock pool)
    (let* ((full? (>= (pool-count pool) (pool-limit pool)))
           (stale (if full? (take-stale! pool) '()))
           (room? (and (not (pool-closed? pool))
                       (< (pool-count pool) (pool-limit pool))))
           (key (connection-key connection)))
      (when room?
        (set-connection-idle-since! connection (monotonic-ns))
        (set-connection-request! connection #f)
        (set-connection-response! connection #f)
        (hash-set! (pool-idle pool) key
                   (cons connection (hash-ref (pool-idle pool) key '())))
        (set-pool-count! pool (+ 1 (pool-count pool))))
      (if room? stale (cons connection stale)))))

(define (give-connection! pool connection)
  "Keep CONNECTION, over which a response has come to its end, in POOL."
  (for-each close-quietly (push! pool connection)))

(define (close-http-pool pool)
  "Close the idle connections of POOL; those in use are closed after their
response."
  (check-pool pool "close-http-pool")
  (for-each close-quietly
            (with-lock (pool-lock pool)
              (set-pool-closed! pool #t)
              (let ((all (append-map cdr (hash-map->list cons (pool-idle pool)))))
                (hash-clear! (pool-idle pool))
                (set-pool-count! pool 0)
                all))))
