;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A message that is ready to be sent, and its sending: the head with a small body
;;; is one send; what a procedure writes or a port delivers goes as it comes, in
;;; chunks or up to a length.

(define-module (sockport client upload)
  #:use-module (ice-9 binary-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport client connection)
  #:use-module (sockport client error)
  #:use-module (sockport client port)
  #:export (make-message
            message-again?
            message-waits?
            send-head
            send-body
            no-framing by-length by-chunks))

;;; HEAD is bytes, with a small body in them.  BODY is #f, a bytevector, a
;;; procedure or a port that is to follow; FRAMING says how, with LENGTH.  CHARSET is
;;; for what a procedure writes.  WAITS? for 100 Continue?
(define-record-type <message>
  (make-message head body framing length charset waits?)
  message?
  (head message-head)
  (body message-body)
  (framing message-framing)
  (length message-length)
  (charset message-charset)
  (waits? message-waits?))

(define (message-again? message)
  "Can MESSAGE be sent more than once?"
  (not (port? (message-body message))))

;;; The kinds of framing in C.
(define no-framing 0)
(define by-length 1)
(define by-chunks 2)

;;; Sending.

(define (send-head connection message)
  (send-bytes connection (message-head message)))

(define last-chunk (string->utf8 "0\r\n\r\n"))

(define (send-chunk connection bytes start count)
  (unless (zero? count)
    (let* ((line (string->utf8 (string-append (number->string count 16)
                                              "\r\n")))
           (size (bytevector-length line))
           (chunk (make-bytevector (+ size count 2))))
      (bytevector-copy! line 0 chunk 0 size)
      (bytevector-copy! bytes start chunk size count)
      (bytevector-u8-set! chunk (+ size count) 13)
      (bytevector-u8-set! chunk (+ size count 1) 10)
      (send-bytes connection chunk))))

(define (body-writer connection message)
  "Return two procedures: one that sends COUNT bytes of a body from START, and one
that ends it."
  (define whole? #t)
  (define (check-whole)
    (unless whole?
      (refuse "A write was ended before all of it had been sent; the body cannot \
go on")))
  (call-with-values (lambda () (plain-writer connection message))
    (lambda (write end)
      (values (lambda (bytes start count)
                (check-whole)
                (set! whole? #f)
                (write bytes start count)
                (set! whole? #t))
              (lambda ()
                (check-whole)
                (end))))))

(define (plain-writer connection message)
  (if (eqv? by-chunks (message-framing message))
      (values (lambda (bytes start count)
                (send-chunk connection bytes start count))
              (lambda () (send-bytes connection last-chunk)))
      (let ((left (message-length message)))
        (values (lambda (bytes start count)
                  (set! left (- left count))
                  (when (negative? left)
                    (refuse "The body is longer than its content-length"))
                  (send-bytes connection bytes start (+ start count)))
                (lambda ()
                  (when (positive? left)
                    (refuse "The body is ~a bytes shorter than its \
content-length" left)))))))

(define (copy-port port write)
  (let ((bytes (make-bytevector 16384)))
    (let next ()
      (let ((count (get-bytevector-some! port bytes 0 16384)))
        (unless (eof-object? count)
          (write bytes 0 count)
          (next))))))

(define (send-body connection message)
  "Send what follows the head of MESSAGE."
  (let ((body (message-body message)))
    (when body
      (call-with-values (lambda () (body-writer connection message))
        (lambda (write end)
          (cond ((bytevector? body)
                 (write body 0 (bytevector-length body)))
                ((procedure? body)
                 (let ((port (open-scheme-port
                              #:write write
                              #:encoding (message-charset message))))
                   (body port)
                   (unless (port-closed? port)
                     (force-output port))
                   (flush-queue! port)))
                (else (copy-port body write)))
          (end))))))
