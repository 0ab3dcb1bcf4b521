;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; sendmsg and recvmsg!, and what is made of them: passing ports, and reading the
;;; queue of errors.

(define-module (sockport message)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport constant)
  #:use-module (sockport control)
  #:use-module (sockport option)
  #:use-module (sockport primitive)
  #:use-module (sockport io argument)
  #:use-module (sockport io retry)
  #:use-module (sockport io close)
  #:use-module (sockport io wait)
  #:export (sendmsg
            recvmsg!
            message?
            message-length
            message-address
            message-control
            message-flags
            message-data-cut?
            message-control-cut?
            send-ports
            recv-ports
            close-received
            receive-errors
            queued-error?
            queued-error-errno
            queued-error-origin
            queued-error-type
            queued-error-code
            queued-error-info
            queued-error-data
            queued-error-offender
            queued-error-destination
            queued-error-packet
            queued-error-control))

(define make-message (record-constructor %message-type))
(define message? (record-predicate %message-type))

(define (message-reader field who)
  (record-reader (record-accessor %message-type field) message? "message" who))

(define message-length (message-reader 'length 'message-length))
(define message-address (message-reader 'address 'message-address))
(define message-control (message-reader 'control 'message-control))
(define message-flags (message-reader 'flags 'message-flags))

(define (check-message message who)
  (check-that (message? message) message 1 "message" who))

(define (message-data-cut? message)
  "Was the datagram longer than the slices that it was received into?"
  (check-message message "message-data-cut?")
  (logtest MSG_TRUNC (message-flags message)))

(define (message-control-cut? message)
  "Did control messages, or some of the descriptors in them, not arrive?"
  (check-message message "message-control-cut?")
  (logtest MSG_CTRUNC (message-flags message)))

(define (send-more sock buffers address control flags)
  (lambda (result)
    (finish (lambda (moved)
              (%sendmsg sock buffers address control flags moved))
            result wait-writable sock 'sendmsg)))

(define sendmsg
  (case-lambda
    "Send the slices BUFFERS as one message and return the number of bytes.
BUFFERS is a bytevector, a string of characters 0 to 255, or a list of them and of
lists (buffer start [end]); ADDRESS an address object or #f; CONTROL a list of
control messages; FLAGS an inclusive or of MSG_ constants."
    ((sock buffers)
     (done-or (%sendmsg sock buffers)
              (send-more sock buffers #f '() 0)))
    ((sock buffers address)
     (done-or (%sendmsg sock buffers address)
              (send-more sock buffers address '() 0)))
    ((sock buffers address control)
     (done-or (%sendmsg sock buffers address control)
              (send-more sock buffers address control 0)))
    ((sock buffers address control flags)
     (done-or (%sendmsg sock buffers address control flags)
              (send-more sock buffers address control flags)))))

(define default-control-size 1280)

(define (receive-more sock buffers flags control-size)
  (lambda (first)
    (let* ((last first)
           (try (lambda (moved)
                  (let ((message (%recvmsg! sock buffers flags control-size
                                            moved)))
                    (when message
                      (set! last message))
                    (and message (message-length message)))))
           (count (finish try (and first (message-length first))
                          wait-readable sock 'recvmsg!
                          flags)))
      (make-message count (message-address last) (message-control last)
                    (message-flags last)))))

(define-syntax-rule (done-or-message expr more)
  (let ((message expr))
    (if (and message (>= (message-length message) 0))
        message
        (more message))))

(define recvmsg!
  (case-lambda
    "Receive one message into the slices BUFFERS, as @code{sendmsg} has them, and
return it: a record of length, address, control messages and flags.  CONTROL-SIZE
is the room for control messages in bytes."
    ((sock buffers)
     (let ((message (retrying (wait-readable sock 'recvmsg!)
                              (%recvmsg! sock buffers))))
       (if (>= (message-length message) 0)
           message
           ((receive-more sock buffers 0 default-control-size) message))))
    ((sock buffers flags)
     (done-or-message (%recvmsg! sock buffers flags)
                      (receive-more sock buffers flags default-control-size)))
    ((sock buffers flags control-size)
     (done-or-message (%recvmsg! sock buffers flags control-size)
                      (receive-more sock buffers flags control-size)))))

;;; Passing ports.

(define (slice-length slice)
  (match slice
    ((? bytevector?) (bytevector-length slice))
    ((? string?) (string-length slice))
    ((buffer (? exact-integer? start)) (- (slice-length buffer) start))
    ((buffer (? exact-integer? start) (? exact-integer? end)) (- end start))
    (_ 1)))                             ; sendmsg will refuse it

(define (empty-slices? buffers)
  (if (list? buffers)
      (every (lambda (slice) (eqv? 0 (slice-length slice))) buffers)
      (eqv? 0 (slice-length buffers))))

(define* (send-ports sock ports #:optional (buffers '()) (flags 0)
                     (address #f))
  "Send the descriptors of PORTS, a list of ports, descriptor objects and
descriptor numbers, along with the slices BUFFERS; return the number of bytes of
BUFFERS that were sent.  Descriptors need a byte to travel with: without one, a
NUL is sent, which recv-ports without buffers takes away."
  (check-port sock 1 "send-ports")
  (unless (list? ports)
    (refuse-type "send-ports" 2 "list of ports" ports))
  (unless (eqv? AF_UNIX (getsockopt sock SOL_SOCKET SO_DOMAIN))
    (refuse-type "send-ports" 1 "UNIX socket; no other carries descriptors"
                 sock))
  (let* ((empty? (empty-slices? buffers))
         (count (in-place-of "sendmsg" '((2 . 3) (3 . 5) (4 . 2) (5 . 4))
                             "send-ports"
                  (lambda ()
                    (sendmsg sock (if empty? #vu8(0) buffers) address
                             (list (control-message 'rights ports)) flags)))))
    (if empty? 0 count)))

(define (received-ports message)
  (append-map (lambda (control)
                (if (memq (control-message-name control) '(rights pidfd))
                    (filter identity (control-message-data control))
                    '()))
              (message-control message)))

(define (close-received message)
  "Close every port and descriptor that came with MESSAGE."
  (check-message message "close-received")
  (for-each (lambda (port)
              (if (port? port)
                  (close-port port)
                  (close-descriptor port)))
            (received-ports message)))

(define* (recv-ports sock #:optional (buffers (make-bytevector 1)) (flags 0)
                     (control-size default-control-size))
  "Receive a message with descriptors: two values, the list of the ports that they
have become and the message.  When some did not arrive, because there was no room
for them or this process may have no more, those that did are closed and
`control-cut' is thrown, with the message and their number."
  (let* ((message (in-place-of "recvmsg!" '() "recv-ports"
                    (lambda () (recvmsg! sock buffers flags control-size))))
         (ports (received-ports message)))
    (when (message-control-cut? message)
      (close-received message)
      (scm-error 'control-cut "recv-ports"
                 "~a descriptors came and are closed again; others were lost"
                 (list (length ports)) (list message (length ports))))
    (values ports message)))

;;; The queue of errors (IP_RECVERR, IPV6_RECVERR; ip(7)).

(define &queued-error
  (make-exception-type '&queued-error &external-error
                       '(errno origin type code info data offender destination
                               packet control)))
(define make-queued-error (record-constructor &queued-error))
(define queued-error? (exception-predicate &queued-error))

(define-syntax-rule (define-fields (accessor field) ...)
  (begin
    (define accessor
      (record-reader (exception-accessor &queued-error
                                  (record-accessor &queued-error 'field))
              queued-error? "queued error" 'accessor))
    ...))

(define-fields
  (queued-error-errno errno)
  (queued-error-origin origin)
  (queued-error-type type)
  (queued-error-code code)
  (queued-error-info info)
  (queued-error-data data)
  (queued-error-offender offender)
  (queued-error-destination destination)
  (queued-error-packet packet)
  (queued-error-control control))

;;; SO_EE_ORIGIN_ of <linux/errqueue.h>, by number.
(define origins #(none local icmp icmp6 timestamping zerocopy txtime))

(define (error-control message)
  (find (lambda (control)
          (memq (control-message-name control)
                '(ip-recverr ipv6-recverr vsock-recverr)))
        (message-control message)))

(define (message->error message buffer)
  (let* ((control (error-control message))
         (length (min (message-length message) (bytevector-length buffer)))
         (packet (make-bytevector length)))
    (bytevector-copy! buffer 0 packet 0 length)
    (match (if control (control-message-data control) (make-vector 7 #f))
      (#(errno origin type code info data offender)
       (make-queued-error errno
                          (if (and origin (< origin (vector-length origins)))
                              (vector-ref origins origin)
                              origin)
                          type code info data offender
                          (message-address message) packet
                          (delq control (message-control message)))))))

;;; No packet is longer.
(define packet-size-max 65535)

(define* (receive-errors sock #:optional (limit #f) (packet-size 1500))
  "Take up to LIMIT entries (#f: all) from the queue of errors of SOCK: a list of
conditions.  Never waits; an empty list says that the queue is empty.  Up to
PACKET-SIZE bytes of the packet that each is about are kept."
  (check-port sock 1 "receive-errors")
  (when limit
    (check-integer limit 0 most-positive-fixnum 2 "receive-errors"))
  (check-integer packet-size 0 packet-size-max 3 "receive-errors")
  (let ((buffer (make-bytevector packet-size))
        (flags (logior MSG_ERRQUEUE MSG_DONTWAIT)))
    (let loop ((errors '()))
      (let ((message
             (and (not (eqv? limit (length errors)))
                  (catch 'system-error
                    (lambda () (recvmsg! sock buffer flags))
                    (lambda args
                      (if (= (system-error-errno args) EAGAIN)
                          #f
                          (apply throw args)))))))
        (if message
            (loop (cons (message->error message buffer) errors))
            (reverse errors))))))
