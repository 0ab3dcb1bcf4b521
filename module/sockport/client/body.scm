;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The body of a response: by its length, by chunks, or up to the end of the
;;; connection; whole, or as a port.  A body that ends before it should is an
;;; error, and what waits is Scheme all the way, so that tasks and fibers suspend.

(define-module (sockport client body)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport client connection)
  #:use-module (sockport client port)
  #:use-module (sockport primitive)
  #:use-module (sockport constant)
  #:export (make-reader
            reader-trailers
            read-whole
            open-reader))

;;; KIND is `length', `chunks', `close', then `ended' or `broken'.  LEFT is what is to come of a
;;; length, or, in RUN bytes of the buffer, of a chunk.  TOTAL bytes were
;;; delivered, at most LIMIT may be.  (END clean?) is called once, when nothing
;;; more will be read: CLEAN? says that all of it was.
(define-record-type <reader>
  (%make-reader connection kind left chunks total limit head-limit trailers end)
  reader?
  (connection reader-connection)
  (kind reader-kind set-reader-kind!)
  (left reader-left set-reader-left!)
  (chunks reader-chunks)
  (total reader-total set-reader-total!)
  (limit reader-limit)
  (head-limit reader-head-limit)
  (trailers reader-trailers set-reader-trailers!)
  (end reader-end))

(define (make-reader connection kind length limit head-limit end)
  (when (and limit (eq? kind 'length) (> length limit))
    (refuse-size connection limit))
  (%make-reader connection kind (if (eq? kind 'chunks) 0 length)
                (and (eq? kind 'chunks) (%make-http-chunks))
                0 limit head-limit '() end))

(define (refuse-size connection limit)
  (raise-about connection 'body-limit
               "the body of the response is larger than ~a bytes" limit))

(define (refuse-cut connection)
  (raise-about connection 'truncated
               "the connection ended before the body of the response did"))

(define (finish! reader kind)
  (unless (memq (reader-kind reader) '(ended broken))
    (set-reader-kind! reader kind)
    ((reader-end reader) (eq? kind 'ended))))

(define (count! reader count)
  (let ((total (+ count (reader-total reader)))
        (limit (reader-limit reader)))
    (set-reader-total! reader total)
    (when (and limit (> total limit))
      (refuse-size (reader-connection reader) limit))
    count))

;;; Each reads up to COUNT bytes into BYTES at START, and returns how many, 0 at
;;; the end.

(define (read-by-length! reader bytes start count)
  (let ((connection (reader-connection reader)) (left (reader-left reader)))
    (if (zero? left)
        0
        (let ((got (read-some! connection bytes start (min left count))))
          (when (zero? got) (refuse-cut connection))
          (set-reader-left! reader (- left got))
          (count! reader got)))))

(define (read-until-close! reader bytes start count)
  (count! reader (read-some! (reader-connection reader) bytes start count)))

(define (next-run! reader)
  "Go on to data; return how many bytes of it are in the buffer, 0 behind the last
chunk."
  (let* ((connection (reader-connection reader)) (chunks (reader-chunks reader))
         (run (with-buffered connection (buffer bytes cur end)
                (let ((run (%http-chunks-next! chunks bytes cur end)))
                  (unless run
                    (raise-about connection 'bad-response
                                 "the body of the response is not in chunks"))
                  (set-port-buffer-cur! buffer
                                        (+ cur (%http-chunks-used chunks)))
                  run))))
    (cond ((positive? run) run)
          ((%http-chunks-ended? chunks) 0)
          ((begin
             (when (> (reader-total reader) 8192) (enlarge! connection))
             (fill! connection))
           (next-run! reader))
          (else (refuse-cut connection)))))

(define (read-trailers! reader)
  (let ((connection (reader-connection reader)))
    (%http-head-begin-trailers! (connection-head connection)
                                (reader-head-limit reader))
    (let parse ()
      (let ((size (with-buffered connection (buffer bytes cur end)
                    (let ((size (and (< cur end)
                                     (%http-head-parse!
                                      (connection-head connection)
                                      bytes cur end))))
                      (when (and size (positive? size))
                        (set-reader-trailers!
                         reader
                         (vector-ref
                          (%http-response-parts (connection-head connection)
                                                bytes cur (header-memory))
                          3))
                        (set-port-buffer-cur! buffer (+ cur size)))
                      size))))
        (cond ((not size)
               (if (fill! connection) (parse) (refuse-cut connection)))
              ((negative? size)
               (raise-about connection 'bad-response
                            "what stands behind the body is no trailers")))))))

(define (read-by-chunks! reader bytes start count)
  (when (zero? (reader-left reader))
    (set-reader-left! reader (next-run! reader)))
  (let ((run (reader-left reader)))
    (if (zero? run)
        (begin (read-trailers! reader) 0)
        (let ((got (read-some! (reader-connection reader) bytes start
                               (min run count))))
          (set-reader-left! reader (- run got))
          (count! reader got)))))

(define (read-kind! reader bytes start count)
  (case (reader-kind reader)
    ((length) (read-by-length! reader bytes start count))
    ((chunks) (read-by-chunks! reader bytes start count))
    ((close) (read-until-close! reader bytes start count))
    ((ended) 0)
    (else (refuse-cut (reader-connection reader)))))

;;; What has failed must not look like an end the next time.
(define (breaking reader thunk)
  (with-exception-handler
      (lambda (exception)
        (when (breaks? exception)
          (finish! reader 'broken))
        (raise-exception exception #:continuable? #t))
    thunk))

(define (breaks? exception)
  "Is EXCEPTION not of those after which reading can go on, as of a deadline?"
  (case (exception-kind exception)
    ((system-error)
     (not (eqv? EAGAIN (system-error-errno
                        (cons 'system-error (exception-args exception))))))
    ((deadline-exceeded task-cancelled) #f)
    (else #t)))

(define (read! reader bytes start count)
  (let* ((kind (reader-kind reader))
         (got (breaking reader
                        (lambda () (read-kind! reader bytes start count)))))
    (when (or (zero? got)
              (and (eq? kind 'length) (zero? (reader-left reader))))
      (finish! reader 'ended))
    got))

;;; Whole.

(define (subbytes bytes count)
  (if (= count (bytevector-length bytes))
      bytes
      (let ((part (make-bytevector count)))
        (bytevector-copy! bytes 0 part 0 count)
        part)))

;;; Not more memory is taken at once than this, whatever a server promises.
(define most-trusted 1048576)

(define (first-size reader)
  (let ((left (reader-left reader)))
    (if (eq? 'length (reader-kind reader))
        (min left most-trusted)
        4096)))

(define (larger bytes size)
  (let ((copy (make-bytevector size)))
    (bytevector-copy! bytes 0 copy 0 (bytevector-length bytes))
    copy))

(define (read-whole reader)
  "Return all that READER delivers."
  (let next ((bytes (make-bytevector (first-size reader))) (at 0))
    (cond ((eq? 'ended (reader-kind reader)) (subbytes bytes at))
          ((= at (bytevector-length bytes))
           (if (and (eq? 'length (reader-kind reader))
                    (zero? (reader-left reader)))
               (begin (finish! reader 'ended) (next bytes at))
               (next (larger bytes (+ 4096 (* 2 at))) at)))
          (else
           (next bytes
                 (+ at (read! reader bytes at
                              (- (bytevector-length bytes) at))))))))

;;; As a port.

(define (open-reader reader encoding)
  "Return an input port that delivers what READER does."
  (open-scheme-port
   #:encoding encoding
   #:read (lambda (bytes start count) (read! reader bytes start count))
   #:close (lambda () (finish! reader 'broken))))
