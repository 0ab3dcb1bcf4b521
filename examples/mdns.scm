;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A name on the local network, as multicast DNS has it (RFC 6762): questions go to
;;; a group, and who has the name answers from the address that was asked.
;;;
;;;   mdns.scm answer NAME INTERFACE        answers for NAME.local, until it is ended
;;;   mdns.scm ask NAME INTERFACE 4|6       asks everybody on INTERFACE
;;;   mdns.scm ask NAME INTERFACE ADDRESS   asks one

(use-modules (ice-9 binary-ports)
             (ice-9 exceptions)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport))

(define port 5353)

;; Of a family: its group, the type of record, and the length of an address.
(define families
  `((,AF_INET "224.0.0.251" 1 4)
    (,AF_INET6 "ff02::fb" 28 16)))

(define (group family)
  (match (assv-ref families family)
    ((text . _) (inet-pton family text))))

(define (record-type family) (second (assv-ref families family)))
(define (address-size family) (third (assv-ref families family)))

;;; Packets of DNS, with one question and at most one answer.

(define (name->bytes name)
  (call-with-output-bytevector
   (lambda (port)
     (for-each (lambda (label)
                 (let ((bytes (string->utf8 label)))
                   (put-u8 port (bytevector-length bytes))
                   (put-bytevector port bytes)))
               (string-split name #\.))
     (put-u8 port 0))))

(define (bytes->name bytes at)
  "The name at AT, and where it ends."
  (let loop ((at at) (labels '()))
    (match (bytevector-u8-ref bytes at)
      (0 (values (string-join (reverse labels) ".") (+ at 1)))
      (length
       (let ((label (make-bytevector length)))
         (bytevector-copy! bytes (+ at 1) label 0 length)
         (loop (+ at 1 length) (cons (utf8->string label) labels)))))))

(define (u16 . numbers)
  (uint-list->bytevector numbers (endianness big) 2))

(define (question-packet name family)
  "Slices of a packet that asks for NAME."
  (list (u16 0 0 1 0 0 0) (name->bytes name) (u16 (record-type family) 1)))

(define (answer-packet id name family address)
  "Slices of a packet that tells ADDRESS for NAME."
  (let ((data (make-bytevector (address-size family))))
    (bytevector-uint-set! data 0 address (endianness big)
                          (address-size family))
    (list (u16 id #x8400 1 1 0 0)
          (name->bytes name) (u16 (record-type family) 1)
          (u16 #xc00c (record-type family) 1 0 120 (address-size family))
          data)))

(define (packet-question bytes)
  "The id, name and type of the question in BYTES."
  (call-with-values (lambda () (bytes->name bytes 12))
    (lambda (name end)
      (list (bytevector-u16-ref bytes 0 (endianness big))
            name
            (bytevector-u16-ref bytes end (endianness big))))))

(define (packet-address bytes length family)
  "The address at the end of an answer."
  (bytevector-uint-ref bytes (- length (address-size family)) (endianness big)
                       (address-size family)))

;;; Who answers.

(define (answering-socket family interface)
  (let ((sock (socket family SOCK_DGRAM 0)))
    (set-socket-option! sock 'reuseaddr #t)
    (when (= family AF_INET6)
      (set-socket-option! sock 'ipv6-v6only #t))
    (set-socket-option! sock
                        (if (= family AF_INET) 'ip-pktinfo 'ipv6-recvpktinfo)
                        #t)
    (bind sock family 0 port)
    (multicast-join! sock (group family) #:interface interface)
    sock))

(define (own-address family interface)
  "An address of the interface with the index INTERFACE."
  (any (lambda (found)
         (and (= interface (network-interface-index found))
              (any (lambda (a)
                     (let ((address (interface-address-address a)))
                       (and (= family (sockaddr:fam address))
                            (sockaddr:addr address))))
                   (network-interface-addresses found))))
       (network-interfaces)))

(define (asked family control)
  "The interface that a question came to, and the address that was asked: of what
went to the group, one that the interface has."
  (match control
    ((= (lambda (control) (control-ref control 'ip-pktinfo))
        #(interface local destination))
     (values interface local))
    ((= (lambda (control) (control-ref control 'ipv6-pktinfo))
        #(interface destination))
     (values interface
             (if (= destination (group family))
                 (own-address family interface)
                 destination)))))

(define (from family interface address)
  "The control message that sends from ADDRESS through INTERFACE."
  (if (= family AF_INET)
      (control-message 'ip-pktinfo (vector interface address 0))
      (control-message 'ipv6-pktinfo (vector interface address))))

(define (answer-one sock family name)
  (let* ((bytes (make-bytevector 1500 0))
         (message (recvmsg! sock bytes)))
    ;; #f for what is no question.
    (match (false-if-exception (packet-question bytes))
      ((id (? (lambda (asked) (string=? asked name)))
           (? (lambda (type) (= type (record-type family)))))
       (call-with-values (lambda () (asked family (message-control message)))
         (lambda (interface address)
           (sendmsg sock (answer-packet id name family address)
                    (message-address message)
                    (list (from family interface address))))))
      (_ #f))))

(define (answer name interface)
  (let ((socks (map (match-lambda
                      ((family . _)
                       (cons family (answering-socket family interface))))
                    families)))
    (format #t "answering for ~a~%" name)
    (force-output)
    (for-each join-thread
              (map (match-lambda
                     ((family . sock)
                      (call-with-new-thread
                       (lambda ()
                         (let loop ()
                           (answer-one sock family name)
                           (loop))))))
                   socks))))

;;; Who asks.

(define (receive-answer sock bytes)
  (catch 'system-error
    (lambda () (recvmsg! sock bytes))
    (lambda failure
      (if (= EAGAIN (system-error-errno failure))
          (error "nobody has answered")
          (apply throw failure)))))

(define (ask name family address interface)
  (let ((sock (socket family SOCK_DGRAM 0))
        (bytes (make-bytevector 1500)))
    (set-socket-option! sock 'rcvtimeo 3)
    (if address
        ;; Now only what comes from that address is received.
        (begin
          (connect sock family address port)
          (sendmsg sock (question-packet name family)))
        (begin
          (set-multicast-interface! sock interface)
          (sendmsg sock (question-packet name family)
                   (make-socket-address family (group family) port))))
    (let ((message (receive-answer sock bytes)))
      (format #t "~a, says ~a~%"
              (inet-ntop family
                         (packet-address bytes (message-length message) family))
              (inet-ntop family (sockaddr:addr (message-address message)))))
    (close-port sock)))

(define (family-of address)
  (if (string-index address #\:) AF_INET6 AF_INET))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (cdr (command-line))
    (("answer" name interface)
     (answer (string-append name ".local") interface))
    (("ask" name interface "4")
     (ask (string-append name ".local") AF_INET #f interface))
    (("ask" name interface "6")
     (ask (string-append name ".local") AF_INET6 #f interface))
    (("ask" name interface address)
     (let ((family (family-of address)))
       (ask (string-append name ".local") family (inet-pton family address)
            interface)))
    (_ (display "usage: mdns.scm answer NAME INTERFACE
         mdns.scm ask NAME INTERFACE 4|6|ADDRESS\n"
                (current-error-port))
       (exit 2))))
