;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests as they come on a connection: the head, which is parsed in C, and the
;;; body, whole or as a port.  What does not hold is refused: a throw to
;;; refused-request with the code of the answer.

(define-module (sockport serve http-request)
  #:use-module (ice-9 binary-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport primitive)
  #:use-module (sockport serve http-header)
  #:use-module (sockport serve http-site)
  #:use-module (sockport transfer)
  #:use-module (web request)
  #:use-module (web uri)
  #:export (refuse-request
            next-request
            keeps-alive?
            request-body
            end-body!
            body-trailers
            receive-exactly
            take-rest!))

(define (refuse-request code)
  "Leave what reads a request; the answer is CODE."
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
    (count! (connection-share connection) 'bytes-in count)
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
           (subbytes (connection-buffer connection) at count))
          ((zero? (fill! connection)) #f)
          (else (receive-exactly connection count)))))

(define (subbytes bytes start count)
  (let ((part (make-bytevector count)))
    (bytevector-copy! bytes start part 0 count)
    part))

(define (take-rest! connection)
  "Return the bytes that have come and were not used, and forget them."
  (let* ((at (connection-at connection))
         (rest (subbytes (connection-buffer connection) at
                         (- (connection-end connection) at))))
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
      (build-uri-reference #:path (parts-path parts)
                           #:query (parts-query parts) #:validate? #f)
      (or (false-if-exception
           (target->uri (parts-method parts) (parts-path parts)))
          (refuse-request 400))))

(define (parts-meta connection parts)
  (let ((peer (list (cons 'peer (connection-peer connection)))))
    (if (null? (parts-invalid parts))
        peer
        (acons 'invalid-headers (parts-invalid parts) peer))))

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
          (values (build-request (parts-uri parts)
                                 #:method (parts-method parts)
                                 #:version (cons 1 (parts-minor parts))
                                 #:headers (parts-headers parts)
                                 #:port (connection-sock connection)
                                 #:meta (parts-meta connection parts)
                                 #:validate-headers? #f)
                  (parts-flags parts)
                  (parts-length parts)))
        (values #f 0 0))))

;;; Flags: those of include/sockport/http-head.h.

(define LENGTH 1)
(define CHUNKED 2)
(define CLOSE 4)
(define KEEP-ALIVE 8)
(define CONTINUE 32)

(define (keeps-alive? request flags)
  "May another request follow, as far as the client says?"
  (and (not (logtest CLOSE flags))
       (or (eqv? 1 (cdr (request-version request)))
           (logtest KEEP-ALIVE flags))))

;;; The body.

(define (request-body connection request flags length)
  "Return two values: REQUEST, with the trailers of its body in its metadata if
there are any, and the body: a bytevector, a port if the settings say so, or #f if
there is none."
  (if (logtest (logior LENGTH CHUNKED) flags)
      (let* ((settings (share-settings (connection-share connection)))
             (limit (settings-body-limit settings))
             (port? (settings-body-port settings)))
        (when (and limit (> length limit)) (refuse-request 413))
        (if (if (procedure? port?) (port? request) port?)
            (values request
                    (open-body! connection request flags length limit))
            (whole-body connection request flags length limit)))
      (values request #f)))

(define (whole-body connection request flags length limit)
  (let ((at (connection-at connection)))
    (if (and (logtest LENGTH flags)
             (<= length (- (connection-end connection) at)))
        (begin
          (set-connection-at! connection (+ at length))
          (values request
                  (subbytes (connection-buffer connection) at length)))
        (let* ((port (open-body! connection request flags length limit))
               (body (get-all port))
               (trailers (body-trailers port)))
          (close-input! connection)
          (values (if (null? trailers)
                      request
                      (set-field request (request-meta)
                                 (acons 'trailers trailers
                                        (request-meta request))))
                  body)))))

(define (open-body! connection request flags length limit)
  (let ((port (%make-http-input
               (connection-sock connection) (connection-buffer connection)
               (connection-at connection) (connection-end connection)
               (if (logtest CHUNKED flags) #f length)
               (or limit 0)
               (and (logtest CONTINUE flags)
                    (eqv? 1 (cdr (request-version request)))
                    ;; A body that is here already needs no word.
                    (= (connection-at connection) (connection-end connection)))
               (connection-head connection)
               (share-memory (connection-share connection)))))
    (now-asked! connection)
    (set-connection-input! connection port)
    port))

(define piece 65536)

(define (get-all port)
  "Return what PORT delivers to its end; no more memory is taken than has come."
  (let next ((pieces '()) (size 0))
    (let ((bytes (get-bytevector-n port piece)))
      (if (eof-object? bytes)
          (join-pieces pieces size)
          (next (cons bytes pieces) (+ size (bytevector-length bytes)))))))

(define (join-pieces pieces size)
  (let ((all (make-bytevector size)))
    (let next ((pieces pieces) (end size))
      (if (null? pieces)
          all
          (let* ((count (bytevector-length (car pieces))) (start (- end count)))
            (bytevector-copy! (car pieces) 0 all start count)
            (next (cdr pieces) start))))))

(define (body-trailers port)
  "Return an alist of the trailers that came behind the body which PORT, an
argument of a handler, has delivered to its end; @code{'()} if there were none."
  (%http-input-trailers port))

(define (close-input! connection)
  "Go on behind the body that has been read to its end."
  (let* ((port (connection-input connection))
         (total (%http-input-total port)))
    (set-connection-at! connection (%http-input-at port))
    (set-connection-end! connection (%http-input-end port))
    (set-connection-moved! connection (+ total (connection-moved connection)))
    (count! (connection-share connection) 'bytes-in total)
    (set-connection-input! connection #f)))

(define most-unread 65536)

(define (skip-rest port left)
  "Read PORT to its end, if that is not too far."
  (and (positive? left)
       (let ((bytes (get-bytevector-n port (min left 16384))))
         (or (eof-object? bytes)
             (skip-rest port (- left (bytevector-length bytes)))))))

(define (end-body! connection)
  "Go past the rest of the request's body, if any was left unread; return whether
another request can be read behind it."
  (let ((port (connection-input connection)))
    (or (not port)
        (and (not (%http-input-broken? port))
             (or (%http-input-ended? port)
                 (and (not (%http-input-expected? port))
                      (skip-rest port most-unread)))
             (begin
               (close-input! connection)
               #t)))))
