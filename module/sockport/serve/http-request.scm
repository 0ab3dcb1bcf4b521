;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests as they come on a connection: what was received, and the head in it, which
;;; is parsed in C.  What does not hold is refused: a throw to refused-request with the
;;; code of the response.

(define-module (sockport serve http-request)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport primitive)
  #:use-module (sockport serve bytes)
  #:use-module (sockport serve http-header)
  #:use-module (sockport serve http-phase)
  #:use-module (sockport serve http-record)
  #:use-module (sockport serve http-site)
  #:use-module (sockport transfer)
  #:use-module (web request)
  #:use-module (web uri)
  #:export (refuse-request
            next-request
            keeps-alive?
            receive-exactly
            take-rest!))

(define (refuse-request code)
  "Leave what reads a request; it is answered with CODE."
  (throw 'refused-request code))

;;; The buffer.

(define usual-size 4096)

(define (make-room! connection)
  "Move what CONNECTION's buffer holds to its beginning, or give it a larger one."
  (let* ((buffer (connection-buffer connection))
         (at (connection-at connection))
         (held (- (connection-end connection) at))
         (larger (if (zero? at)
                     (make-bytevector (* 2 (bytevector-length buffer)))
                     buffer)))
    (bytevector-copy! buffer at larger 0 held)
    (set-connection-buffer! connection larger)
    (set-connection-at! connection 0)
    (set-connection-end! connection held)))

(define (fill! connection)
  "Receive into CONNECTION's buffer; return how many bytes, 0 at the end."
  (when (= (connection-at connection) (connection-end connection))
    (set-connection-at! connection 0)
    (set-connection-end! connection 0))
  (when (= (connection-end connection)
           (bytevector-length (connection-buffer connection)))
    (make-room! connection))
  (let* ((end (connection-end connection))
         (count (if (zero? end)
                    (recv! (connection-sock connection)
                           (connection-buffer connection))
                    (recv! (connection-sock connection)
                           (connection-buffer connection) 0 end))))
    (set-connection-end! connection (+ end count))
    count))

(define (shrink! connection)
  "Let go of a buffer that a large head has needed."
  (when (and (= (connection-at connection) (connection-end connection))
             (> (bytevector-length (connection-buffer connection))
                usual-size))
    (set-connection-buffer! connection (make-bytevector usual-size))))

(define (receive-exactly connection count)
  "Return the next COUNT bytes of CONNECTION, at most as many as its buffer has at
first; #f if it ends before."
  (let ((at (connection-at connection)))
    (cond ((>= (- (connection-end connection) at) count)
           (set-connection-at! connection (+ at count))
           (bytes-part (connection-buffer connection) at (+ at count)))
          ((zero? (fill! connection)) #f)
          (else (receive-exactly connection count)))))

(define (take-rest! connection)
  "Return the bytes that have come and were not used, and forget them."
  (let ((rest (bytes-part (connection-buffer connection)
                          (connection-at connection)
                          (connection-end connection))))
    (set-connection-at! connection 0)
    (set-connection-end! connection 0)
    rest))

;;; The head.

(define (next-head connection)
  "Return the size of the next request's head; #f if there is none."
  (let* ((settings (share-settings (connection-share connection)))
         (head (connection-head connection)))
    (define (parse)
      (let ((size (%http-head-parse! head (connection-buffer connection)
                                     (connection-at connection)
                                     (connection-end connection))))
        (cond ((not size)
               (when (eq? 'idle (connection-phase connection))
                 (now-asked! connection))
               (more))
              ((negative? size) (refuse-request (- size)))
              (else size))))
    (define (more)
      (cond ((positive? (fill! connection)) (parse))
            ((= (connection-at connection) (connection-end connection)) #f)
            ((connection-cut? connection) (refuse-request 408))
            (else (refuse-request 400))))
    (%http-head-begin! head (settings-head-limit settings)
                       (settings-target-limit settings))
    (if (< (connection-at connection) (connection-end connection))
        (parse)
        (more))))

(define-syntax-rule (define-parts (name index) ...)
  (begin (define-syntax-rule (name parts) (vector-ref parts index)) ...))

(define-parts
  (parts-method 0) (parts-path 1) (parts-query 2) (parts-path? 3)
  (parts-minor 4) (parts-headers 5) (parts-invalid 6) (parts-flags 7)
  (parts-length 8))

(define (parts-uri parts)
  (if (parts-path? parts)
      (make-uri #f #f #f #f (parts-path parts) (parts-query parts) #f)
      (or (false-if-exception
           (target->uri (parts-method parts) (parts-path parts)))
          (refuse-request 400))))

;;; RFC 9112, 3.2.2: where the target has the host, Host does not count.
(define (with-host headers uri)
  (acons 'host (cons (uri-host uri) (uri-port uri))
         (alist-delete 'host headers eq?)))

(define (parts-meta connection parts)
  (let ((peer (list (cons 'peer (connection-peer connection)))))
    (if (null? (parts-invalid parts))
        peer
        (acons 'invalid-headers (parts-invalid parts) peer))))

(define (parts-request connection parts)
  (let ((uri (parts-uri parts)) (headers (parts-headers parts)))
    (make-request (parts-method parts) uri (cons 1 (parts-minor parts))
                  (if (uri-scheme uri) (with-host headers uri) headers)
                  (parts-meta connection parts)
                  (connection-sock connection))))

(define (next-request connection)
  "Return three values: the next request, or #f at the end, its flags, and the
length of its body."
  (shrink! connection)
  (now-idle! connection)
  (let ((size (next-head connection)))
    (if size
        (let* ((share (connection-share connection))
               (parts (share-parts share)))
          (%http-request! (connection-head connection)
                          (connection-buffer connection)
                          (connection-at connection)
                          (share-memory share) parts)
          (set-connection-at! connection (+ (connection-at connection) size))
          (values (parts-request connection parts)
                  (parts-flags parts)
                  (parts-length parts)))
        (values #f 0 0))))

;;; Flags: those of include/sockport/http-head.h.

(define CLOSE 4)
(define KEEP-ALIVE 8)

(define (keeps-alive? request flags)
  "May another request follow, as far as the client says?"
  (and (not (logtest CLOSE flags))
       (or (eqv? 1 (cdr (request-version request)))
           (logtest KEEP-ALIVE flags))))
