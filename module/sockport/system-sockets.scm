;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The sockets of a network namespace, as the kernel lists them by sock_diag(7), with
;;; what it knows of each TCP connection.  The numbers are those of
;;; <linux/sock_diag.h>, <linux/inet_diag.h> and <linux/unix_diag.h>.

(define-module (sockport system-sockets)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport netlink)
  #:use-module (sockport socket)
  #:use-module (sockport structure)
  #:use-module (sockport task)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:export (system-sockets))

(define SOCK_DIAG_BY_FAMILY 20)
(define NLM_F_DUMP #x300)
(define INET_DIAG_INFO 2)
(define UNIX_DIAG_NAME 0)
(define UNIX_DIAG_PEER 2)
(define UNIX_DIAG_RQLEN 4)
(define UDIAG_SHOW (logior 1 4 16))     ; the name, the peer, the queues

;;; <net/tcp_states.h>
(define states
  '((1 . established) (2 . syn-sent) (3 . syn-recv) (4 . fin-wait-1)
    (5 . fin-wait-2) (6 . time-wait) (7 . closed) (8 . close-wait)
    (9 . last-ack) (10 . listening) (11 . closing) (12 . syn-recv)))

(define (state number)
  (or (assv-ref states number) 'unknown))

(define (ask sock request)
  (map netlink-message-payload
       (netlink-request sock SOCK_DIAG_BY_FAMILY NLM_F_DUMP request)))

;;; TCP and UDP: struct inet_diag_req_v2, struct inet_diag_msg.

(define (inet-request family protocol)
  (let ((request (make-bytevector 56 0)))
    (bytevector-u8-set! request 0 family)
    (bytevector-u8-set! request 1 protocol)
    (bytevector-u8-set! request 2 (ash 1 (- INET_DIAG_INFO 1)))
    (bytevector-u32-native-set! request 4 #xffffffff)
    request))

(define (address family payload port-at host-at)
  (let ((host (bytevector-uint-ref payload host-at (endianness big)
                                   (if (= family AF_INET) 4 16)))
        (port (bytevector-u16-ref payload port-at (endianness big))))
    (socket-address->string (make-socket-address family host port))))

(define (tcp-details attributes)
  "Return what the kernel knows of a connection, as fields."
  (match (assv-ref attributes INET_DIAG_INFO)
    (#f '())
    (bytes
     (let ((info (bytevector->structure 'tcp-info bytes)))
       `((rtt-ms . ,(/ (tcp-info-rtt info) 1000.))
         (rtt-variance-ms . ,(/ (tcp-info-rttvar info) 1000.))
         (congestion-window . ,(tcp-info-snd-cwnd info))
         (segment-size . ,(tcp-info-snd-mss info))
         (retransmitted . ,(tcp-info-total-retrans info))
         (bytes-sent . ,(tcp-info-bytes-acked info))
         (bytes-received . ,(tcp-info-bytes-received info)))))))

(define (inet-socket protocol payload)
  (let ((family (bytevector-u8-ref payload 0))
        (state (state (bytevector-u8-ref payload 1))))
    `((protocol . ,protocol)
      (state . ,(if (and (eq? protocol 'udp) (eq? state 'closed))
                    'bound
                    state))
      (receive-queue . ,(bytevector-u32-native-ref payload 56))
      (send-queue . ,(bytevector-u32-native-ref payload 60))
      (local . ,(address family payload 4 8))
      (peer . ,(address family payload 6 24))
      (uid . ,(bytevector-u32-native-ref payload 64))
      (inode . ,(bytevector-u32-native-ref payload 68))
      ,@(if (memq state '(listening closed time-wait))
            '()
            (tcp-details (netlink-attributes payload 72))))))

(define (list-inet sock protocol number families)
  (append-map (lambda (family)
                (map (lambda (payload) (inet-socket protocol payload))
                     (ask sock (inet-request family number))))
              families))

;;; UNIX: struct unix_diag_req, struct unix_diag_msg.

(define unix-types
  `((,SOCK_STREAM . unix) (,SOCK_DGRAM . unix-datagram)
    (,SOCK_SEQPACKET . unix-packet)))

;; The kernel ends paths with NUL, and abstract names begin with one.
(define (unix-name bytes)
  (define octets (if bytes (bytevector->u8-list bytes) '()))
  (define name
    (if (and (pair? octets) (zero? (car octets)))
        octets
        (take-while positive? octets)))
  (socket-address->string (make-socket-address AF_UNIX (u8-list->bytevector name))))

(define (unix-socket payload)
  (let* ((attributes (netlink-attributes payload 16))
         (queues (assv-ref attributes UNIX_DIAG_RQLEN))
         (peer (assv-ref attributes UNIX_DIAG_PEER)))
    (define (queue at)
      (if queues (bytevector-u32-native-ref queues at) 0))
    `((protocol . ,(or (assv-ref unix-types (bytevector-u8-ref payload 1))
                       'unix))
      (state . ,(state (bytevector-u8-ref payload 2)))
      (receive-queue . ,(queue 0))
      (send-queue . ,(queue 4))
      (local . ,(unix-name (assv-ref attributes UNIX_DIAG_NAME)))
      (peer . ,(if peer
                   (format #f "inode ~a" (bytevector-u32-native-ref peer 0))
                   "-"))
      (inode . ,(bytevector-u32-native-ref payload 4)))))

(define (list-unix sock)
  (let ((request (make-bytevector 24 0)))
    (bytevector-u8-set! request 0 AF_UNIX)
    (bytevector-u32-native-set! request 4 #xffffffff)
    (bytevector-u32-native-set! request 12 UDIAG_SHOW)
    (map unix-socket (ask sock request))))

;;; The whole.

(define-keyed (system-sockets kind #:key family)
  "Return what the kernel knows of the sockets of KIND, the symbol tcp, udp or unix: a
list of alists.  FAMILY is AF_INET or AF_INET6, for those of that family alone."
  (unless (memq kind '(tcp udp unix))
    (refuse-type "system-sockets" 1 "tcp, udp or unix" kind))
  (unless (memv family (list #f AF_INET AF_INET6))
    (refuse-type "system-sockets" #:family "AF_INET or AF_INET6" family))
  (let ((sock (open-netlink NETLINK_SOCK_DIAG))
        (families (if family (list family) (list AF_INET AF_INET6))))
    (call-with-cleanup
     (lambda ()
       (match kind
         ('tcp (list-inet sock 'tcp IPPROTO_TCP families))
         ('udp (list-inet sock 'udp IPPROTO_UDP families))
         ('unix (list-unix sock))))
     (lambda () (close-port sock)))))
