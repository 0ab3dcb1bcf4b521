;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How many connections a server of HTTP may have: all of its workers, and the
;;; clients of one address.

(define-module (sockport serve http-admission)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (sockport ports lock)
  #:use-module (srfi srfi-9)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport serve network)
  #:export (make-admission
            admit! dismiss!
            admit-client! dismiss-client!
            admit-refused! dismiss-refused!))

;;; Limits are numbers, or #f.  PLACES counts those that are taken: `all', `refused',
;;; and by what stands for an address.
(define-record-type <admission>
  (%make-admission limit per-address places mutex)
  admission?
  (limit admission-limit)
  (per-address admission-per-address)
  (places admission-places)
  (mutex admission-mutex))

(define (make-admission limit per-address)
  (%make-admission limit per-address (make-hash-table) (make-mutex)))

(define (take! admission key limit)
  "Take a place of KEY; return false if all LIMIT of them are taken."
  (let ((places (admission-places admission)))
    (with-lock (admission-mutex admission)
      (let ((taken (hashv-ref places key 0)))
        (and (< taken limit)
             (hashv-set! places key (+ taken 1)))))))

(define (give-back! admission key)
  (let ((places (admission-places admission)))
    (with-lock (admission-mutex admission)
      (match (hashv-ref places key)
        (1 (hashv-remove! places key))
        (taken (hashv-set! places key (- taken 1)))))))

(define (admit! admission)
  "May there be one more connection?  Then `dismiss!' is for its end."
  (match (admission-limit admission)
    (#f #t)
    (limit (take! admission 'all limit))))

(define (dismiss! admission)
  (when (admission-limit admission)
    (give-back! admission 'all)))

;;; Whoever has one address of IPv6 has all of its network: RFC 6177.
(define (client-key peer)
  "Return what stands for the address of PEER; #f if it is not counted."
  (let ((address (and (sockaddr? peer) (plain-address peer))))
    (cond ((not address) #f)
          ((= AF_INET (sockaddr:fam address)) (sockaddr:addr address))
          ((= AF_INET6 (sockaddr:fam address))
           ;; No number that an address of IPv4 has.
           (- -1 (ash (sockaddr:addr address) -64)))
          (else #f))))

(define (admit-client! admission peer)
  "May PEER have one more connection?  Then `dismiss-client!' is for its end."
  (let* ((limit (admission-per-address admission))
         (key (and limit (client-key peer))))
    (or (not key)
        (take! admission key limit))))

(define (dismiss-client! admission peer)
  (let ((key (and (admission-per-address admission) (client-key peer))))
    (when key
      (give-back! admission key))))

;;; So many of those that were refused are waited for until they have read it.
(define most-refused 64)

(define (admit-refused! admission)
  (take! admission 'refused most-refused))

(define (dismiss-refused! admission)
  (give-back! admission 'refused))
