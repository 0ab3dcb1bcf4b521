;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The bodies of requests, whole or as ports, and what becomes of what a handler has
;;; left of one.

(define-module (sockport serve http-body)
  #:use-module (ice-9 binary-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport primitive)
  #:use-module (sockport serve bytes)
  #:use-module (sockport serve http-phase)
  #:use-module (sockport serve http-request)
  #:use-module (sockport serve http-site)
  #:use-module (web request)
  #:export (request-body
            may-end-body?
            body-broken?
            end-body!
            drop-body!
            body-trailers))

;;; Flags: those of include/sockport/http-head.h.

(define LENGTH 1)
(define CHUNKED 2)
(define CONTINUE 32)

(define (request-body connection request flags length as-port?)
  "Return two values: REQUEST, with the trailers of its body in its metadata if
there are any, and the body: a bytevector, a port if (AS-PORT? CONNECTION REQUEST), or
#f if there is none."
  (if (logtest (logior LENGTH CHUNKED) flags)
      (let ((limit (settings-body-limit
                    (share-settings (connection-share connection)))))
        (when (and limit (> length limit)) (refuse-request 413))
        (if (as-port? connection request)
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
          (count! (connection-share connection) 'bytes-in length)
          (values request
                  (bytes-part (connection-buffer connection) at
                              (+ at length))))
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
               limit
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

(define (drop-body! connection)
  "CONNECTION has ended, maybe in the middle of a body."
  (when (connection-input connection)
    (close-input! connection)))

(define most-unread 65536)

(define (skip-rest port left)
  "Read PORT to its end, if that is not too far."
  (and (positive? left)
       (let ((bytes (get-bytevector-n port (min left 16384))))
         (or (eof-object? bytes)
             (skip-rest port (- left (bytevector-length bytes)))))))

(define (skip-rest! connection port)
  "Read PORT to its end, if that can be done; the request has been answered."
  (now-asked! connection)
  (catch 'refused-request
    (lambda () (skip-rest port most-unread))
    (const #f)))

;;; A client that was not told to go on will send no body, or has begun to: nobody
;;; knows where its next request begins.
(define (may-end-body? connection)
  "Can the end of the request's body be met, as far as one knows?"
  (let ((port (connection-input connection)))
    (or (not port)
        (%http-input-ended? port)
        (not (or (%http-input-expected? port) (port-closed? port))))))

(define (body-broken? connection)
  "Did reading the request's body fail?"
  (let ((port (connection-input connection)))
    (and port (%http-input-broken? port))))

(define (end-body! connection)
  "Go past the rest of the request's body, if any was left unread; return whether
another request can be read behind it."
  (let ((port (connection-input connection)))
    (or (not port)
        (and (not (%http-input-broken? port))
             (may-end-body? connection)
             (or (%http-input-ended? port) (skip-rest! connection port))
             (begin
               (close-input! connection)
               #t)))))
