;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers behind a proxy that speaks the PROXY protocol: whom does it speak for?

(define-module (sockport proxy-header)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport primitive)
  #:use-module (sockport serve network)
  #:use-module (sockport transfer)
  #:export (receive-proxy-header
            proxy-prologue))

;;; What every header has, of either version, before one can tell which it is.
(define first-bytes 15)

(define (refuse)
  (scm-error 'misc-error "receive-proxy-header"
             "What the peer sent does not begin with a header of the PROXY protocol"
             '() #f))

;;; The length of version 2 stands in its last two bytes.
(define fixed-bytes 16)

(define (missing bytes count)
  "Return how many of the bytes that are still missing can be asked for."
  (cond ((= (bytevector-u8-ref bytes 0) (char->integer #\P)) 1)
        ((< count fixed-bytes) (- fixed-bytes count))
        (else (- (+ fixed-bytes
                    (bytevector-u16-ref bytes 14 (endianness big)))
                 count))))

(define (append-bytes a b)
  (let ((both (make-bytevector (+ (bytevector-length a) (bytevector-length b)))))
    (bytevector-copy! a 0 both 0 (bytevector-length a))
    (bytevector-copy! b 0 both (bytevector-length a) (bytevector-length b))
    both))

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
  (read-header
   (lambda (count)
     (let ((bytes (make-bytevector count)))
       (let next ((at 0))
         (if (= at count)
             bytes
             (match (recv! sock bytes 0 at)
               (0 #f)
               (received (next (+ at received))))))))))

(define* (proxy-prologue #:key from)
  "Return a #:prologue for `serve-http': each connection begins with a header of the
PROXY protocol, and its peer is whom that names.  Connections from elsewhere than the
networks FROM, if it is a list, are closed."
  (let ((networks (and from (parse-networks "proxy-prologue" from))))
    (lambda (read! sock peer)
      (when (and networks (not (in-networks? peer networks)))
        (scm-error 'misc-error "proxy-prologue"
                   "A connection that did not come from a proxy" '() #f))
      (call-with-values (lambda () (read-header read!))
        (lambda (source destination)
          (or source peer))))))
