;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Address objects: the vectors that accept, getsockname and the like return.
;;; What a family's vector holds is the core's table; here are its readers.

(define-module (sockport address)
  #:use-module (srfi srfi-1)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:export (sockaddr:cid
            sockaddr:groups
            sockaddr:hatype
            sockaddr:ifindex
            sockaddr:pid
            sockaddr:pkttype
            sockaddr:protocol
            sockaddr:bytes
            sockaddr?)
  #:re-export (socket-address->string
               string->socket-address)
  #:replace (sockaddr:fam sockaddr:path sockaddr:addr sockaddr:port
             sockaddr:flowinfo sockaddr:scopeid)
  #:re-export-and-replace (make-socket-address inet-pton inet-ntop))

(define (sockaddr? object)
  "Is OBJECT a vector of the shape of an address?"
  (and (vector? object)
       (< 0 (vector-length object))
       (exact-integer? (vector-ref object 0))))

(define (sockaddr:fam address)
  "The family number of ADDRESS."
  (check-that (sockaddr? address) address 1 "address object" "sockaddr:fam")
  (vector-ref address 0))

(define-syntax-rule (define-part (name doc (family index) ...))
  (define (name address)
    doc
    (let ((found (and (sockaddr? address)
                      (assv-ref (list (cons family index) ...)
                                (vector-ref address 0)))))
      (unless (and found (< found (vector-length address)))
        (refuse-type (symbol->string 'name) 1
                     "address object of a family with such a part" address))
      (vector-ref address found))))

(define-syntax-rule (define-parts part ...)
  (begin (define-part part) ...))

(define-parts
  (sockaddr:path
   "The name of a UNIX socket: a string, a bytevector if no string has these
bytes, or #f if it has none."
   (AF_UNIX 1))
  (sockaddr:addr
   "The host address, an integer; of AF_PACKET the hardware address, a
bytevector."
   (AF_INET 1) (AF_INET6 1) (AF_PACKET 5))
  (sockaddr:port "The port number." (AF_INET 2) (AF_INET6 2) (AF_VSOCK 2))
  (sockaddr:flowinfo "The flow information of an IPv6 address." (AF_INET6 3))
  (sockaddr:scopeid "The scope of an IPv6 address, an interface's index."
                    (AF_INET6 4))
  (sockaddr:pid "The port id of a netlink address." (AF_NETLINK 1))
  (sockaddr:groups "The mask of multicast groups of a netlink address."
                   (AF_NETLINK 2))
  (sockaddr:protocol "The protocol of a packet address, an ETH_P_ number."
                     (AF_PACKET 1))
  (sockaddr:ifindex "The interface of a packet address." (AF_PACKET 2))
  (sockaddr:hatype "The ARP hardware type of a packet address." (AF_PACKET 3))
  (sockaddr:pkttype "The packet type of a packet address, a PACKET_ number."
                    (AF_PACKET 4))
  (sockaddr:cid "The context id of a vsock address." (AF_VSOCK 1)))

(define (sockaddr:bytes address)
  "The bytes after the family number, of a family that has no other parts."
  (or (and (sockaddr? address)
           (= 2 (vector-length address))
           (not (= AF_UNIX (vector-ref address 0)))
           (vector-ref address 1))
      (refuse-type "sockaddr:bytes" 1 "address object of a family that is not known"
                   address)))
