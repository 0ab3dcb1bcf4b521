;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The PROXY protocol: whom a proxy speaks for, as it says and as servers behind it
;;; are told.

(define-module (sockport proxy-header)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport primitive)
  #:use-module (sockport serve bytes)
  #:use-module (sockport serve handshake)
  #:use-module (sockport serve network)
  #:export (proxy-header
            receive-proxy-header
            proxy-prologue))

;;; Sending.  An IPv4 address that an IPv6 socket has is one of IPv4.

(define mapped-prefix (ash #xffff 32))  ; ::ffff:0:0

(define (mapped? address)
  (and (= AF_INET6 (sockaddr:fam address))
       (= #xffff (ash (sockaddr:addr address) -32))))

(define (plain address)
  (if (mapped? address)
      (make-socket-address AF_INET (- (sockaddr:addr address) mapped-prefix)
                           (sockaddr:port address))
      address))

(define (family-of source destination)
  "Return the family that both have, or AF_UNSPEC."
  (let ((family (sockaddr:fam source)))
    (if (= family (sockaddr:fam destination)) family AF_UNSPEC)))

(define (header-1 source destination)
  (define (host address)
    (inet-ntop (sockaddr:fam address) (sockaddr:addr address)))
  (define (line name)
    (format #f "PROXY ~a ~a ~a ~a ~a\r\n" name (host source) (host destination)
            (sockaddr:port source) (sockaddr:port destination)))
  (let ((family (family-of source destination)))
    (string->utf8 (cond ((= family AF_INET) (line "TCP4"))
                        ((= family AF_INET6) (line "TCP6"))
                        (else "PROXY UNKNOWN\r\n")))))

;;; What version 2 begins with; the length of the rest stands in its last two bytes.
(define fixed-bytes 16)
(define signature #vu8(13 10 13 10 0 13 10 81 85 73 84 10))
(define unix-size 108)

(define (internet-part source destination size)
  (let ((bytes (make-bytevector (+ size size 4))))
    (define (put! address host-at port-at)
      (bytevector-uint-set! bytes host-at (sockaddr:addr address)
                            (endianness big) size)
      (bytevector-u16-set! bytes port-at (sockaddr:port address)
                           (endianness big)))
    (put! source 0 (+ size size))
    (put! destination size (+ size size 2))
    bytes))

(define (unix-part source destination)
  (let ((bytes (make-bytevector (* 2 unix-size) 0)))
    (define (put! address at)
      (let* ((path (or (sockaddr:path address) ""))
             (name (if (string? path) (string->utf8 path) path)))
        (bytevector-copy! name 0 bytes at
                          (min unix-size (bytevector-length name)))))
    (put! source 0)
    (put! destination unix-size)
    bytes))

(define (header-2 source destination)
  (define-values (transport part)
    (let ((family (family-of source destination)))
      (cond ((= family AF_INET)
             (values #x11 (internet-part source destination 4)))
            ((= family AF_INET6)
             (values #x21 (internet-part source destination 16)))
            ((= family AF_UNIX)
             (values #x31 (unix-part source destination)))
            (else (values 0 #vu8())))))
  (let* ((size (bytevector-length part))
         (bytes (make-bytevector (+ fixed-bytes size))))
    (bytevector-copy! signature 0 bytes 0 (bytevector-length signature))
    (bytevector-u8-set! bytes 12 #x21)  ; version 2, for somebody else
    (bytevector-u8-set! bytes 13 transport)
    (bytevector-u16-set! bytes 14 size (endianness big))
    (bytevector-copy! part 0 bytes fixed-bytes size)
    bytes))

(define* (proxy-header source destination #:optional (version 2))
  "Return the header of the PROXY protocol, a bytevector, with which a proxy says that
its connection is for a client at SOURCE that connected to DESTINATION, both address
objects.  Version 1 is text, and has Internet addresses alone."
  (for-each (lambda (address position)
              (unless (sockaddr? address)
                (refuse-type "proxy-header" position "address" address)))
            (list source destination) '(1 2))
  (check-integer version 1 2 3 "proxy-header")
  ((if (= version 1) header-1 header-2) (plain source) (plain destination)))

;;; What every header has, of either version, before one can tell which it is.
(define first-bytes 15)

(define (refuse)
  (scm-error 'misc-error "receive-proxy-header"
             "What the peer sent does not begin with a header of the PROXY protocol"
             '() #f))

(define (missing bytes count)
  "Return how many of the bytes that are still missing can be asked for."
  (cond ((= (bytevector-u8-ref bytes 0) (char->integer #\P)) 1)
        ((< count fixed-bytes) (- fixed-bytes count))
        (else (- (+ fixed-bytes
                    (bytevector-u16-ref bytes 14 (endianness big)))
                 count))))

(define (read-header read!)
  "Return two values, the addresses that the header names.  (READ! count) returns so
many of the bytes that come, or #f."
  (let next ((bytes #vu8()) (wanted first-bytes))
    (let ((bytes (append-bytes bytes (or (read! wanted) (refuse)))))
      (match (%proxy-header bytes (bytevector-length bytes))
        (#f (next bytes (missing bytes (bytevector-length bytes))))
        ((size source destination) (values source destination))
        (_ (refuse))))))

(define (receive-proxy-header sock)
  "Receive the header that a proxy sends before anything else, and not a byte more.
Return two values: the addresses that the client has, and that it connected to; #f if
the proxy speaks for itself, or does not know."
  (check-port sock 1 "receive-proxy-header")
  (read-header (exact-reader sock)))

(define-keyed (proxy-prologue #:key from)
  "Return a #:prologue for `serve' and `serve-http': each connection begins with a
header of the PROXY protocol, and its peer is whom that names.  Connections from
elsewhere than the networks FROM, if it is a list, are closed."
  (let ((networks (and from (parse-networks from #:from "proxy-prologue"))))
    (lambda (read! sock peer)
      (when (and networks (not (in-networks? peer networks)))
        (scm-error 'misc-error "proxy-prologue"
                   "A connection that did not come from a proxy" '() #f))
      (call-with-values (lambda () (read-header read!))
        (lambda (source destination)
          (or source peer))))))
