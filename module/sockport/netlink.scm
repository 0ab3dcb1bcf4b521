;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The frame of netlink (RFC 3549): messages, attributes, a request and all of
;;; the kernel's replies.  What a protocol's messages mean is its users' to know.

(define-module (sockport netlink)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 iconv)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport message)
  #:use-module (sockport option)
  #:use-module (sockport socket)
  #:use-module (sockport transfer)
  #:use-module (sockport io close)
  #:use-module (sockport io wait)
  #:export (open-netlink
            netlink-request
            netlink-receive
            netlink-message?
            netlink-message-type
            netlink-message-flags
            netlink-message-sequence
            netlink-message-payload
            netlink-attributes
            make-netlink-attributes))

;;; <linux/netlink.h>
(define NLM_F_REQUEST #x1)
(define NLM_F_ACK #x4)
(define NLM_F_DUMP_INTR #x10)
(define NLM_F_DUMP #x300)
(define NLM_F_ACK_TLVS #x200)
(define NLMSG_NOOP 1)
(define NLMSG_ERROR 2)
(define NLMSG_DONE 3)
(define NLMSGERR_ATTR_MSG 1)
(define NLA_F_NESTED #x8000)
(define NLA_TYPE_MASK #x3fff)
(define message-header 16)
(define attribute-header 4)

(define-record-type <netlink-message>
  (make-netlink-message type flags sequence payload)
  netlink-message?
  (type netlink-message-type)
  (flags netlink-message-flags)
  (sequence netlink-message-sequence)
  (payload netlink-message-payload))

(define (aligned size) (logand (+ size 3) -4))

(define (piece bytes start size)
  (let ((copy (make-bytevector size)))
    (bytevector-copy! bytes start copy 0 size)
    copy))

(define (concatenate parts)
  "The bytevectors PARTS in one, each padded to a multiple of four bytes."
  (let ((whole (make-bytevector
                (fold (lambda (part size)
                        (+ size (aligned (bytevector-length part))))
                      0 parts)
                0)))
    (fold (lambda (part at)
            (bytevector-copy! part 0 whole at (bytevector-length part))
            (+ at (aligned (bytevector-length part))))
          0 parts)
    whole))

;;; Attributes.

(define (value-bytes value)
  (match value
    ((? bytevector?) value)
    ((? string?) (string->utf8 (string-append value "\0")))
    ((? exact-integer?)
     (check-integer value 0 #xffffffff 1 "make-netlink-attributes")
     (let ((bytes (make-bytevector 4)))
       (bytevector-u32-native-set! bytes 0 value)
       bytes))
    (((_ . _) ...) (make-netlink-attributes value))
    (_ (refuse-type "make-netlink-attributes" 1 "attribute" value))))

(define (attribute type value)
  (let* ((value-bytes (value-bytes value))
         (size (+ attribute-header (bytevector-length value-bytes)))
         (bytes (make-bytevector size)))
    (check-integer type 0 #xffff 1 "make-netlink-attributes")
    (when (> size #xffff)
      (refuse-range "make-netlink-attributes" 1 "65531 bytes at most" value))
    (bytevector-u16-native-set! bytes 0 size)
    (bytevector-u16-native-set! bytes 2 (if (or (pair? value) (null? value))
                                            (logior type NLA_F_NESTED)
                                            type))
    (bytevector-copy! value-bytes 0 bytes attribute-header
                      (bytevector-length value-bytes))
    bytes))

(define* (make-netlink-attributes attributes #:optional (header #vu8()))
  "The bytevector of HEADER and, after it, ATTRIBUTES, a list of (type . value).
A value is a bytevector, an integer of 32 bits, a string, which is ended by a NUL,
or a list of attributes, which are nested."
  (check-bytevector header 2 "make-netlink-attributes")
  (match attributes
    (((types . values) ...)
     (concatenate (cons header (map attribute types values))))
    (_ (refuse-type "make-netlink-attributes" 1 "list of attributes"
                    attributes))))

(define (refuse-payload who)
  (scm-error 'system-error who "~A" (list (strerror EBADMSG)) (list EBADMSG)))

(define (parse-attributes payload start)
  "The attributes in PAYLOAD after START bytes; #f if they are not whole."
  (let ((end (bytevector-length payload)))
    (let loop ((at (aligned start)) (attributes '()))
      (if (< (- end at) attribute-header)
          (reverse attributes)
          (let ((size (bytevector-u16-native-ref payload at)))
            (and (<= attribute-header size (- end at))
                 (loop (+ at (aligned size))
                       (acons (logand NLA_TYPE_MASK
                                      (bytevector-u16-native-ref payload
                                                                 (+ at 2)))
                              (piece payload (+ at attribute-header)
                                     (- size attribute-header))
                              attributes))))))))

(define* (netlink-attributes payload #:optional (start 0))
  "The attributes in the bytevector PAYLOAD after its first START bytes, the
protocol's own header: a list of (type . bytevector)."
  (check-bytevector payload 1 "netlink-attributes")
  (check-integer start 0 (bytevector-length payload) 2 "netlink-attributes")
  (or (parse-attributes payload start)
      (refuse-payload "netlink-attributes")))

;;; Messages.

(define (open-netlink protocol)
  "A socket for the netlink PROTOCOL, such as NETLINK_ROUTE; the kernel explains
its refusals to it in words."
  (check-integer protocol 0 #x7fffffff 1 "open-netlink")
  (let ((sock (socket AF_NETLINK (logior SOCK_RAW SOCK_CLOEXEC) protocol)))
    (catch #t
      (lambda ()
        (setsockopt sock SOL_NETLINK NETLINK_EXT_ACK 1)
        (setsockopt sock SOL_NETLINK NETLINK_CAP_ACK 1)
        (bind sock (make-socket-address AF_NETLINK 0 0))
        sock)
      (lambda error
        (close-port sock)
        (apply throw error)))))

(define (message-bytes type flags sequence payload)
  (let ((header (make-bytevector message-header 0)))
    (bytevector-u32-native-set! header 0 (+ message-header
                                            (bytevector-length payload)))
    (bytevector-u16-native-set! header 4 type)
    (bytevector-u16-native-set! header 6 flags)
    (bytevector-u32-native-set! header 8 sequence)
    (list header payload)))

(define (messages bytes end)
  "The messages in the first END bytes of BYTES."
  (let loop ((at 0) (found '()))
    (if (< (- end at) message-header)
        (reverse found)
        (let ((size (bytevector-u32-native-ref bytes at)))
          (unless (<= message-header size (- end at))
            (refuse-payload "netlink-receive"))
          (loop (+ at (aligned size))
                (cons (make-netlink-message
                       (bytevector-u16-native-ref bytes (+ at 4))
                       (bytevector-u16-native-ref bytes (+ at 6))
                       (bytevector-u32-native-ref bytes (+ at 8))
                       (piece bytes (+ at message-header)
                              (- size message-header)))
                      found))))))

(define (netlink-receive sock)
  "Wait for a datagram from the kernel and return the list of its messages.  What
other processes send is dropped: anybody may."
  (check-port sock 1 "netlink-receive")
  (let* ((size (recv! sock (make-bytevector 0)
                      (logior MSG_PEEK MSG_TRUNC)))
         (buffer (make-bytevector size))
         (message (recvmsg! sock buffer)))
    (if (eqv? 0 (sockaddr:pid (message-address message)))
        (messages buffer (message-length message))
        (netlink-receive sock))))

;;; After its errno an acknowledgement has the header of the request (NETLINK_CAP_ACK),
;;; the end of a listing has not.
(define (explanation message)
  "What the kernel said of an error, or #f; nothing that is wrong with it hides the
error itself."
  (let* ((ended? (= NLMSG_DONE (netlink-message-type message)))
         (start (if ended? 4 (+ 4 message-header)))
         (attributes
          (and (logtest NLM_F_ACK_TLVS (netlink-message-flags message))
               (parse-attributes (netlink-message-payload message) start)))
         (text (and attributes (assv-ref attributes NLMSGERR_ATTR_MSG))))
    (and text
         (string-trim-right (bytevector->string text "UTF-8" 'substitute)
                            #\nul))))

;;; The kernel's MAX_ERRNO.
(define most-errno 4095)

(define (check-result message)
  "Raise the error that MESSAGE, an acknowledgement or an end, reports, if any."
  (let* ((payload (netlink-message-payload message))
         (errno (if (>= (bytevector-length payload) 4)
                    (- (bytevector-s32-native-ref payload 0))
                    0)))
    (when (> errno most-errno)
      (refuse-payload "netlink-request"))
    (when (positive? errno)
      (scm-error 'system-error "netlink-request" "~A"
                 (list (string-append (strerror errno)
                                      (match (explanation message)
                                        (#f "")
                                        (text (string-append ": " text)))))
                 (list errno)))))

(define sequence (make-atomic-box 0))

(define (next-sequence)
  (let* ((old (atomic-box-ref sequence))
         (new (logand #xffffffff (+ old 1))))
    (if (eq? old (atomic-box-compare-and-swap! sequence old new))
        new
        (next-sequence))))

(define (listing? flags)
  (= NLM_F_DUMP (logand flags NLM_F_DUMP)))

;;; The kernel makes the rest of a listing as it is received, and begins none before.
(define (busy? message)
  (let ((payload (netlink-message-payload message)))
    (and (= NLMSG_ERROR (netlink-message-type message))
         (>= (bytevector-length payload) 4)
         (= (- EBUSY) (bytevector-s32-native-ref payload 0)))))

(define (drop-listing sock messages)
  "Receive to its end what was left of another listing, MESSAGES first."
  (unless (any (lambda (message) (= NLMSG_DONE (netlink-message-type message)))
               messages)
    (drop-listing sock (netlink-receive sock))))

(define (answers sock number flags)
  "The messages that answer request NUMBER, and whether to ask again: if what they
tell changed meanwhile, or a request before it was left by a deadline or an error."
  (let loop ((rest '()) (found '()) (changed? #f))
    (match rest
      (() (loop (netlink-receive sock) found changed?))
      ((message . rest)
       (let ((changed? (or changed?
                           (logtest NLM_F_DUMP_INTR
                                    (netlink-message-flags message))))
             (type (netlink-message-type message)))
         (cond ((or (not (= number (netlink-message-sequence message)))
                    (= type NLMSG_NOOP))
                (loop rest found changed?))
               ((and (listing? flags) (busy? message))
                (drop-listing sock rest)
                (values '() #t))
               ((or (= type NLMSG_ERROR) (= type NLMSG_DONE))
                (check-result message)
                (values (reverse found) changed?))
               (else (loop rest (cons message found) changed?))))))))

(define* (netlink-request sock type flags #:optional (payload #vu8()))
  "Ask the kernel by a message of TYPE, FLAGS and PAYLOAD, wait for all its replies
and return the list of them.  Its refusal is a system-error.  A listing that changed
while it was made is asked for again."
  (check-port sock 1 "netlink-request")
  (check-integer type 0 #xffff 2 "netlink-request")
  (check-integer flags 0 #xffff 3 "netlink-request")
  (check-bytevector payload 4 "netlink-request")
  (let ((number (next-sequence)))
    (sendmsg sock (message-bytes type (logior flags NLM_F_REQUEST NLM_F_ACK)
                                 number payload)
             (make-socket-address AF_NETLINK 0 0))
    (call-with-values (lambda () (answers sock number flags))
      (lambda (found again?)
        (if again?
            (netlink-request sock type flags payload)
            found)))))
