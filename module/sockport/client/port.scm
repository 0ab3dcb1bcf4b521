;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Ports made of procedures, which may wait: nothing of C is on the stack when
;;; they are called by Guile's suspendable procedures (guile/scheme-port.c).

(define-module (sockport client port)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport primitive)
  #:export (open-scheme-port
            flush-queue!))

;;; QUEUE holds what C has written, the last first, SIZE bytes: it goes before
;;; what is written next.
(define-record-type <stream>
  (make-stream read write close queue size)
  stream?
  (read stream-read)
  (write stream-write)
  (close stream-close)
  (queue stream-queue set-stream-queue!)
  (size stream-size set-stream-size!))

(define most-queued 1048576)

(define (flush! stream)
  (let ((queue (reverse (stream-queue stream))))
    (set-stream-queue! stream '())
    (set-stream-size! stream 0)
    (for-each (lambda (bytes)
                ((stream-write stream) bytes 0 (bytevector-length bytes)))
              queue)))

(define (flush-queue! port)
  "Write what has been queued for PORT."
  (flush! (%scheme-port-stream port)))

(%set-scheme-port-procedures!
 (lambda (port bytes start count)
   ((stream-read (%scheme-port-stream port)) bytes start count))
 (lambda (port bytes start count)
   (let ((stream (%scheme-port-stream port)))
     (flush! stream)
     ((stream-write stream) bytes start count)
     count))
 (lambda (port bytes start count)
   (let ((stream (%scheme-port-stream port)) (copy (make-bytevector count)))
     (bytevector-copy! bytes start copy 0 count)
     (set-stream-queue! stream (cons copy (stream-queue stream)))
     (set-stream-size! stream (+ count (stream-size stream)))
     ;; Memory has an end: C code that writes this much waits, and all with it.
     (when (> (stream-size stream) most-queued)
       (flush! stream))))
 (lambda (port)
   ((stream-close (%scheme-port-stream port)))))

(define* (open-scheme-port #:key read write (close (const #t))
                           (encoding "ISO-8859-1"))
  "Return an input port if there is READ, which is called with a bytevector, a start
and a count, and returns how many bytes it has put there, 0 at the end; or an output
port if there is WRITE, which takes all of what is there."
  (%make-scheme-port (make-stream read write close '() 0) (not read) encoding))
