;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; recv!, send, recvfrom! and sendto.  The fast path of each is one call of a
;;; primitive; what has to wait or goes on after a part is finished in Scheme, so
;;; that a scheduler can suspend it.

(define-module (sockport transfer)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport constant)
  #:use-module (sockport io answer)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module (sockport io retry)
  #:use-module (sockport io wait)
  #:export (recv recvfrom)
  #:re-export (sockatmark)
  #:replace (recv! send recvfrom! sendto))

(define (buffer-length buffer)
  (if (string? buffer)
      (string-length buffer)
      (bytevector-length buffer)))

(define (recv-more sock buf flags start end)
  (lambda (result)
    (finish (lambda (moved) (%recv! sock buf flags (+ start moved) end))
            result wait-readable sock 'recv! flags)))

;;; Fewer bytes than SO_RCVLOWAT wants are a negative count.
(define-syntax-rule (enough-or result sock buf)
  (let ((n result))
    (if (>= n 0)
        n
        ((recv-more sock buf 0 0 (buffer-length buf)) n))))

(define (recv-later sock buf result)
  (if result
      (enough-or result sock buf)
      (wait-shortly sock 'recv!
        (enough-or (retrying (wait-readable sock 'recv!) (%recv! sock buf))
                   sock buf)
        (n (%recv-on! sock buf))
        (if (and n (>= n 0))
            n
            (recv-later sock buf n))
        (recv! sock buf))))

(define recv!
  (case-lambda
    "Receive into BUF, a bytevector or a string, from START to END, and return the
number of bytes; 0 is the end of a stream or an empty datagram.  FLAGS is an
inclusive or of MSG_ constants.  Data that SOCK has buffered is ignored."
    ((sock buf)
     (let ((n (%recv-whole! sock buf)))
       (if (and n (>= n 0))
           n
           (recv-later sock buf n))))
    ((sock buf flags)
     (done-or (%recv! sock buf flags)
              (recv-more sock buf flags 0 (buffer-length buf))))
    ((sock buf flags start)
     (done-or (%recv! sock buf flags start)
              (recv-more sock buf flags start (buffer-length buf))))
    ((sock buf flags start end)
     (done-or (%recv! sock buf flags start end)
              (recv-more sock buf flags start end)))))

;;; Room for what is received, in procedures that return it.

(define size-max #xfffffff)

(define (fresh size who)
  (check-integer size 0 size-max 2 who)
  (make-bytevector size))

(define (first-bytes buffer count)
  (if (< count (bytevector-length buffer))
      (let ((bytes (make-bytevector count)))
        (bytevector-copy! buffer 0 bytes 0 count)
        bytes)
      buffer))

(define* (recv sock size #:optional (flags 0))
  "Receive as @code{recv!}, at most SIZE bytes, and return them in a new
bytevector; it is empty at the end of a stream."
  (let ((buffer (fresh size "recv")))
    (first-bytes buffer
                 (done-or (%recv sock buffer flags)
                          (lambda (result)
                            (finish (lambda (moved)
                                      (%recv sock buffer flags moved))
                                    result wait-readable sock 'recv
                                    flags))))))

(define (send-more sock message flags start end)
  (lambda (result)
    (finish (lambda (moved) (%send sock message flags (+ start moved) end))
            result wait-writable sock 'send)))

(define send
  (case-lambda
    "Send MESSAGE, a bytevector or a string of characters 0 to 255, from START to
END, and return the number of bytes sent: all of them, unless SOCK is in
non-blocking mode or fails on the way.  FLAGS is an inclusive or of MSG_
constants."
    ((sock message)
     (done-or (%send-whole sock message)
              (send-more sock message 0 0 (buffer-length message))))
    ((sock message flags)
     (done-or (%send sock message flags)
              (send-more sock message flags 0 (buffer-length message))))
    ((sock message flags start)
     (done-or (%send sock message flags start)
              (send-more sock message flags start (buffer-length message))))
    ((sock message flags start end)
     (done-or (%send sock message flags start end)
              (send-more sock message flags start end)))))

;;; A primitive that returns a pair is given a new one to fill.

;;; The sender is that of the last piece.
(define (recvfrom-more pair sock buf flags start end)
  (lambda (first)
    (let* ((try (lambda (moved)
                  (and (%recvfrom! pair sock buf flags (+ start moved) end)
                       (car pair))))
           (count (finish try (and first (car first))
                          wait-readable sock 'recvfrom!
                          flags)))
      (cons count (cdr pair)))))

(define-syntax-rule (done-or-pair expr more)
  (let ((pair expr))
    (if (and pair (>= (car pair) 0))
        pair
        (more pair))))

(define address-length 3)

(define recvfrom!
  (case-lambda
    "Receive as @code{recv!}, and return a pair of the number of bytes and the
sender's address; #f as address if the kernel names no sender, as on a stream."
    ((sock buf)
     (answering address-length pair
       (let ((pair (retrying (wait-readable sock 'recvfrom!)
                             (%recvfrom-whole! pair sock buf))))
         (if (>= (car pair) 0)
             pair
             ((recvfrom-more pair sock buf 0 0 (buffer-length buf)) pair)))))
    ((sock buf flags)
     (answering address-length pair
       (done-or-pair (%recvfrom! pair sock buf flags)
                     (recvfrom-more pair sock buf flags 0
                                    (buffer-length buf)))))
    ((sock buf flags start)
     (answering address-length pair
       (done-or-pair (%recvfrom! pair sock buf flags start)
                     (recvfrom-more pair sock buf flags start
                                    (buffer-length buf)))))
    ((sock buf flags start end)
     (answering address-length pair
       (done-or-pair (%recvfrom! pair sock buf flags start end)
                     (recvfrom-more pair sock buf flags start end))))))

(define* (recvfrom sock size #:optional (flags 0))
  "Receive as @code{recv}, and return a pair of the bytes and the sender's address,
or #f where the kernel names no sender."
  (let* ((buffer (fresh size "recvfrom"))
         (pair (cons #f #f))
         (try (lambda (moved)
                (and (%recvfrom pair sock buffer flags moved)
                     (car pair))))
         (count (done-or (try 0)
                         (lambda (result)
                           (finish try result wait-readable sock 'recvfrom
                                   flags)))))
    (cons (first-bytes buffer count) (cdr pair))))

(define (sendto-more sock message family args)
  (lambda (result)
    (finish (lambda (moved) (apply %sendto moved sock message family args))
            result wait-writable sock 'sendto)))

(define sendto
  (case-lambda
    "Send MESSAGE, a bytevector or a string, to an address, and return the number
of bytes sent.  The address is an address object, or FAMILY and its parts; FLAGS,
START and END may follow."
    ((sock message address)
     (done-or (%sendto 0 sock message address)
              (sendto-more sock message address '())))
    ((sock message family part)
     (done-or (%sendto 0 sock message family part)
              (sendto-more sock message family (list part))))
    ((sock message family part port)
     (done-or (%sendto-whole sock message family part port)
              (sendto-more sock message family (list part port))))
    ((sock message family . args)
     (done-or (apply %sendto 0 sock message family args)
              (sendto-more sock message family args)))))
