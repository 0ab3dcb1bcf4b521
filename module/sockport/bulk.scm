;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Much data from one port to another, without passing through this process.

(define-module (sockport bulk)
  #:use-module (sockport primitive)
  #:use-module (sockport io wait)
  #:export (splice)
  #:replace (sendfile))

(define* (sendfile out in count #:optional (offset #f))
  "Send COUNT bytes of the file IN, a port or a descriptor, to the port OUT, and
return how many were sent: fewer at the end of the file.  OFFSET is where to
begin; without it, where the descriptor of IN is read next, which is not where
the port is if that has buffered anything.  What OUT has buffered is not sent
before."
  (let loop ((moved 0))
    (if (and (positive? moved) (eqv? moved count))
        moved
        (let ((n (%sendfile out in (- count moved)
                            (if (zero? moved)
                                offset
                                (and offset (+ offset moved))))))
          (cond ((not n)
                 (if (and (positive? moved) (plain-nonblocking? out))
                     moved
                     (begin
                       (wait-writable out 'sendfile)
                       (loop moved))))
                ((zero? n) moved)
                (else (loop (+ moved n))))))))

;;; As large as a process without privileges may make a pipe, by default.
(define pipe-size 1048576)

(define (splice-out pipe out count)
  "Move COUNT bytes, which are in PIPE, to OUT."
  (let loop ((left count))
    (when (positive? left)
      (let ((n (%splice out pipe left)))
        (unless n
          (wait-writable out 'splice))
        (loop (- left (or n 0)))))))

(define (splice-through from to out in count)
  (let loop ((moved 0))
    (let ((n (%splice to in (if count
                                (min pipe-size (- count moved))
                                pipe-size))))
      (cond ((not n)
             (wait-readable in 'splice)
             (loop moved))
            ((zero? n) moved)
            (else
             (splice-out from out n)
             (if (eqv? (+ moved n) count)
                 count
                 (loop (+ moved n))))))))

(define* (splice out in #:optional (count #f))
  "Move COUNT bytes from the port IN to OUT, or all until IN ends, and return how
many were moved.  What the ports have buffered is left where it is.  Bytes that
were taken from IN before an error of OUT are lost."
  (if (eqv? count 0)
      0
      (let ((pipe (%splice-pipe pipe-size)))
        (define (close-both)
          (close-port (car pipe))
          (close-port (cdr pipe)))
        ;; Not dynamic-wind, which would close them when a task is suspended.
        (let ((moved (catch #t
                       (lambda ()
                         (splice-through (car pipe) (cdr pipe) out in count))
                       (lambda args
                         (close-both)
                         (apply throw args)))))
          (close-both)
          moved))))
