;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Network interfaces: names, indices, addresses.

(define-module (sockport interface)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport primitive)
  #:re-export (if-nametoindex
               if-indextoname)
  #:export (network-interfaces
            network-interface?
            network-interface-name
            network-interface-index
            network-interface-flags
            network-interface-hardware-address
            network-interface-addresses
            interface-address?
            interface-address-address
            interface-address-prefix
            interface-address-peer))

(define-record-type <network-interface>
  (make-network-interface name index flags hardware-address addresses)
  network-interface?
  (name network-interface-name)
  (index network-interface-index)
  (flags network-interface-flags)
  (hardware-address network-interface-hardware-address)
  (addresses network-interface-addresses))

(define-record-type <interface-address>
  (make-interface-address address prefix peer)
  interface-address?
  (address interface-address-address)
  (prefix interface-address-prefix)
  (peer interface-address-peer))

(define (inet? address)
  (and address (memv (sockaddr:fam address) (list AF_INET AF_INET6)) #t))

(define (row-address row)
  (match row
    (#(name index flags address netmask peer)
     (and (inet? address)
          (make-interface-address
           address
           (and (inet? netmask) (logcount (sockaddr:addr netmask)))
           peer)))))

(define (row-hardware-address row)
  (match (vector-ref row 3)
    ((and #f address) #f)
    (address (and (= AF_PACKET (sockaddr:fam address))
                  (positive? (bytevector-length (sockaddr:addr address)))
                  (sockaddr:addr address)))))

(define (rows->interface rows)
  (match (car rows)
    (#(name index flags _ _ _)
     (make-network-interface name index flags
                             (any row-hardware-address rows)
                             (filter-map row-address rows)))))

(define (network-interfaces)
  "Return the network interfaces of this machine, in the order of their indices:
records that tell name, index, flags (IFF_UP and so on), hardware address and
addresses."
  (let* ((rows (%interfaces))
         (names (delete-duplicates (map (lambda (row) (vector-ref row 0))
                                        rows)))
         (all (map (lambda (name)
                     (rows->interface
                      (filter (lambda (row) (equal? name (vector-ref row 0)))
                              rows)))
                   names)))
    (sort all (lambda (a b)
                (< (network-interface-index a)
                   (network-interface-index b))))))
