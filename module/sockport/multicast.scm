;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Multicast for IPv4 and IPv6 alike: groups by address, interfaces by name or
;;; index.  The two families' own options differ; the MCAST_ ones do not
;;; (RFC 3678).

(define-module (sockport multicast)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport interface)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport option)
  #:use-module (sockport structure)
  #:export (multicast-join!
            multicast-leave!
            multicast-block!
            multicast-unblock!
            multicast-interface
            set-multicast-interface!
            multicast-hops
            set-multicast-hops!
            multicast-loop?
            set-multicast-loop!))

(define (by-family sock who inet inet6)
  "INET or INET6, as the family of SOCK is."
  (check-port sock 1 who)
  (let ((family (getsockopt sock SOL_SOCKET SO_DOMAIN)))
    (cond ((eqv? family AF_INET) inet)
          ((eqv? family AF_INET6) inet6)
          (else (refuse-type who 1 "IPv4 or IPv6 socket" sock)))))

(define (level sock who)
  (by-family sock who IPPROTO_IP IPPROTO_IPV6))

(define (parse-host family text who position)
  (catch 'misc-error
    (lambda () (inet-pton family text))
    (lambda args
      (refuse-range who position
                    (by-number family "an IPv4 address" "an IPv6 address")
                    text))))

(define (by-number family inet inet6)
  (if (eqv? family AF_INET) inet inet6))

(define (host sock value who position)
  "An address object of the family of SOCK for VALUE: text, a number or an
address object."
  (let ((family (by-family sock who AF_INET AF_INET6)))
    (cond ((and (sockaddr? value) (eqv? family (sockaddr:fam value))) value)
          ((string? value)
           (make-socket-address family (parse-host family value who position)
                                0))
          ((exact-integer? value)
           (check-integer value 0 (- (ash 1 (by-number family 32 128)) 1)
                          position who)
           (make-socket-address family value 0))
          (else (refuse-type who position
                             (by-number family "IPv4 address" "IPv6 address")
                             value)))))

(define (check-group address who)
  "Refuse ADDRESS as the system does, but say what a group is."
  (let ((number (sockaddr:addr address)) (family (sockaddr:fam address)))
    (unless (by-number family
                       (= #b1110 (ash number -28))
                       (= #xff (ash number -120)))
      (scm-error 'system-error who "~A: ~A (no group; groups are ~A)"
                 (list (inet-ntop family number) (strerror EINVAL)
                       (by-number family "224.0.0.0 to 239.255.255.255"
                                  "those that begin with ff"))
                 (list EINVAL)))))

(define (index interface who position)
  (cond ((not interface) 0)
        ((string? interface)
         (in-place-of "if-nametoindex" `((1 . ,position)) who
           (lambda () (if-nametoindex interface))))
        ((exact-integer? interface)
         (check-integer interface 0 #x7fffffff position who)
         interface)
        (else (refuse-type who position "name or index of an interface"
                           interface))))

(define (set-option! sock who level option value)
  (in-place-of "setsockopt" '() who
    (lambda () (setsockopt sock level option value))))

;;; What a keyword gives has no position but its own name.
(define (request! sock who option group source source-position interface)
  (let* ((group (host sock group who 2))
         (source (and (or source (eqv? source-position 3))
                      (host sock source who source-position)))
         (number (index interface who #:interface)))
    (check-group group who)
    (set-option! sock who (level sock who) option
                 (if source
                     (make-group-source-req number group source)
                     (make-group-req number group)))))

(define-keyed (multicast-join! sock group #:key interface source)
  "Join GROUP on SOCK, for datagrams of every sender or of SOURCE alone.
INTERFACE is a name, an index, or #f for the one that the routes say."
  (request! sock "multicast-join!"
            (if source MCAST_JOIN_SOURCE_GROUP MCAST_JOIN_GROUP)
            group source #:source interface))

(define-keyed (multicast-leave! sock group #:key interface source)
  "Leave GROUP on SOCK, as it was joined."
  (request! sock "multicast-leave!"
            (if source MCAST_LEAVE_SOURCE_GROUP MCAST_LEAVE_GROUP)
            group source #:source interface))

(define-keyed (multicast-block! sock group source #:key interface)
  "Receive no more from SOURCE in GROUP, which was joined for every sender."
  (request! sock "multicast-block!" MCAST_BLOCK_SOURCE group source 3 interface))

(define-keyed (multicast-unblock! sock group source #:key interface)
  "Receive again from SOURCE in GROUP."
  (request! sock "multicast-unblock!" MCAST_UNBLOCK_SOURCE
            group source 3 interface))

;;; For IPv4 the kernel reports the interface by address only, and only if it was
;;; set with its address; so that goes along.

(define (interface-inet-address number)
  (or (any (lambda (interface)
             (and (eqv? number (network-interface-index interface))
                  (any (lambda (a)
                         (let ((address (interface-address-address a)))
                           (and (eqv? AF_INET (sockaddr:fam address))
                                (sockaddr:addr address))))
                       (network-interface-addresses interface))))
           (network-interfaces))
      0))

(define (address-interface address)
  (or (any (lambda (interface)
             (any (lambda (a)
                    (and (eqv? AF_INET
                               (sockaddr:fam (interface-address-address a)))
                         (eqv? address
                               (sockaddr:addr (interface-address-address a)))
                         (network-interface-index interface)))
                  (network-interface-addresses interface)))
           (network-interfaces))
      0))

(define (multicast-interface sock)
  "Return the index of the interface through which SOCK sends multicast, 0 if
the routes decide."
  (if (eqv? IPPROTO_IP (level sock "multicast-interface"))
      (let ((address (getsockopt sock IPPROTO_IP IP_MULTICAST_IF)))
        (if (zero? address) 0 (address-interface address)))
      (getsockopt sock IPPROTO_IPV6 IPV6_MULTICAST_IF)))

(define (set-multicast-interface! sock interface)
  "Send the multicast of SOCK through INTERFACE, a name or an index; #f or 0
leaves it to the routes."
  (define who "set-multicast-interface!")
  (let ((level (level sock who))
        (number (index interface who 2)))
    (if (eqv? IPPROTO_IP level)
        (set-option! sock who IPPROTO_IP IP_MULTICAST_IF
                     (make-ip-mreqn 0 (interface-inet-address number) number))
        (set-option! sock who IPPROTO_IPV6 IPV6_MULTICAST_IF number))))

(define (multicast-hops sock)
  "Return how many networks the multicast of SOCK crosses: 1 stays on the link."
  (getsockopt sock (level sock "multicast-hops")
              (by-family sock "multicast-hops"
                         IP_MULTICAST_TTL IPV6_MULTICAST_HOPS)))

(define (set-multicast-hops! sock hops)
  "Let the multicast of SOCK cross HOPS networks, 0 to 255."
  (define who "set-multicast-hops!")
  (let ((level (level sock who)))
    (check-integer hops 0 255 2 who)
    (set-option! sock who level
                 (by-family sock who IP_MULTICAST_TTL IPV6_MULTICAST_HOPS)
                 hops)))

(define (multicast-loop? sock)
  "Does this machine receive the multicast that SOCK sends?"
  (not (zero? (getsockopt sock (level sock "multicast-loop?")
                          (by-family sock "multicast-loop?"
                                     IP_MULTICAST_LOOP IPV6_MULTICAST_LOOP)))))

(define (set-multicast-loop! sock loop?)
  "Let this machine receive the multicast that SOCK sends, or not."
  (define who "set-multicast-loop!")
  (set-option! sock who (level sock who)
               (by-family sock who IP_MULTICAST_LOOP IPV6_MULTICAST_LOOP)
               (if loop? 1 0)))
