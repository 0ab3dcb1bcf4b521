;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What ip(8) does, asked of the kernel in Scheme: the interfaces, addresses and
;;; routes of this machine as JSON, with the names that `ip -j' has for them; and
;;; pairs of virtual interfaces made, addressed and set up.  The numbers are those
;;; of <linux/rtnetlink.h>, <linux/if_link.h> and <linux/if_addr.h>.

(use-modules (ice-9 exceptions)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport netlink))

(define RTM_NEWLINK 16)
(define RTM_GETLINK 18)
(define RTM_NEWADDR 20)
(define RTM_GETADDR 22)
(define RTM_GETROUTE 26)
(define NLM_F_DUMP #x300)
(define NLM_F_CREATE #x600)             ; and NLM_F_EXCL
(define RT_TABLE_MAIN 254)

(define sock (open-netlink NETLINK_ROUTE))

;;; What attributes hold.

(define u8 (lambda (bytes) (bytevector-u8-ref bytes 0)))
(define u32 (lambda (bytes) (bytevector-u32-native-ref bytes 0)))
(define (text bytes)
  (string-trim-right (utf8->string bytes) #\nul))

(define (hardware bytes)
  (string-join (map (lambda (byte)
                      (string-pad (number->string byte 16) 2 #\0))
                    (bytevector->u8-list bytes))
               ":"))

(define (family-of bytes)
  (if (= 4 (bytevector-length bytes)) AF_INET AF_INET6))

(define (host bytes)
  (inet-ntop (family-of bytes)
             (bytevector-uint-ref bytes 0 (endianness big)
                                  (bytevector-length bytes))))

(define (host-bytes family string)
  (let ((bytes (make-bytevector (if (= family AF_INET) 4 16))))
    (bytevector-uint-set! bytes 0 (inet-pton family string) (endianness big)
                          (bytevector-length bytes))
    bytes))

(define (one-of . names)
  (lambda (number)
    (or (assv-ref names number) (number->string number))))

(define scope
  (one-of '(0 . "global") '(200 . "site") '(253 . "link") '(254 . "host")
          '(255 . "nowhere")))
(define link-type
  (one-of '(1 . "ether") '(768 . "ipip") '(769 . "tunnel6")
          '(772 . "loopback") '(776 . "sit") '(778 . "gre")
          '(65534 . "none")))
(define state
  (one-of '(0 . "UNKNOWN") '(1 . "NOTPRESENT") '(2 . "DOWN")
          '(3 . "LOWERLAYERDOWN") '(4 . "TESTING") '(5 . "DORMANT")
          '(6 . "UP")))
(define protocol
  (one-of '(1 . "redirect") '(2 . "kernel") '(4 . "static") '(9 . "ra")
          '(16 . "dhcp")))
(define route-type
  (one-of '(2 . "local") '(3 . "broadcast") '(4 . "anycast")
          '(5 . "multicast") '(6 . "blackhole") '(7 . "unreachable")
          '(8 . "prohibit")))
(define preference (one-of '(0 . "medium") '(1 . "high") '(3 . "low")))

(define flag-names
  '((#x8 . "LOOPBACK") (#x2 . "BROADCAST") (#x10 . "POINTOPOINT")
    (#x1000 . "MULTICAST") (#x80 . "NOARP") (#x200 . "ALLMULTI")
    (#x100 . "PROMISC") (#x400 . "MASTER") (#x800 . "SLAVE") (#x4 . "DEBUG")
    (#x8000 . "DYNAMIC") (#x4000 . "AUTOMEDIA") (#x2000 . "PORTSEL")
    (#x20 . "NOTRAILERS") (#x1 . "UP") (#x10000 . "LOWER_UP")
    (#x20000 . "DORMANT") (#x40000 . "ECHO")))

(define (flags bits)
  (list->vector
   (append (if (= #x1 (logand bits #x41)) '("NO-CARRIER") '()) ; IFF_RUNNING
           (filter-map (match-lambda
                         ((bit . name) (and (logtest bit bits) name)))
                       flag-names))))

;;; An object is an alist without what is #f.
(define (object . fields)
  (filter cdr fields))

(define (getter attributes)
  (lambda (number convert)
    (let ((bytes (assv-ref attributes number)))
      (and bytes (convert bytes)))))

;;; The kernel's messages: each has a header of its own, then attributes.

(define (dump type header-size family)
  (let ((header (make-bytevector header-size 0)))
    (bytevector-u8-set! header 0 family)
    (map netlink-message-payload
         (netlink-request sock type NLM_F_DUMP header))))

(define (link payload)
  (define get (getter (netlink-attributes payload 16)))
  (object (cons "ifindex" (bytevector-s32-native-ref payload 4))
          (cons "ifname" (get 3 text))
          (cons "flags" (flags (bytevector-u32-native-ref payload 8)))
          (cons "mtu" (get 4 u32))
          (cons "qdisc" (get 6 text))
          (cons "operstate" (get 16 (lambda (bytes) (state (u8 bytes)))))
          (cons "txqlen" (get 13 u32))
          (cons "link_type" (link-type (bytevector-u16-native-ref payload 2)))
          (cons "address" (get 1 hardware))
          (cons "broadcast" (get 2 hardware))))

(define (links)
  (map link (dump RTM_GETLINK 16 AF_UNSPEC)))

(define (address payload)
  (define get (getter (netlink-attributes payload 8)))
  (define (seconds at)
    (get 6 (lambda (bytes) (bytevector-u32-native-ref bytes at))))
  (object (cons "family" (if (= AF_INET (bytevector-u8-ref payload 0))
                             "inet"
                             "inet6"))
          (cons "local" (or (get 2 host) (get 1 host)))
          (cons "prefixlen" (bytevector-u8-ref payload 1))
          (cons "broadcast" (get 4 host))
          (cons "scope" (scope (bytevector-u8-ref payload 3)))
          (cons "label" (get 3 text))
          (cons "valid_life_time" (seconds 4))
          (cons "preferred_life_time" (seconds 0))))

(define (addresses)
  (let ((all (dump RTM_GETADDR 8 AF_UNSPEC)))
    (map (lambda (link)
           (define index (assoc-ref link "ifindex"))
           `(("ifindex" . ,index)
             ("ifname" . ,(assoc-ref link "ifname"))
             ("addr_info" . ,(list->vector
                              (filter-map
                               (lambda (payload)
                                 (and (= index
                                         (bytevector-u32-native-ref payload 4))
                                      (address payload)))
                               all)))))
         (links))))

(define (destination payload get)
  (let ((bits (bytevector-u8-ref payload 1))
        (whole (if (= AF_INET (bytevector-u8-ref payload 0)) 32 128)))
    (match (get 1 host)
      (#f "default")
      (host (if (= bits whole) host (format #f "~a/~a" host bits))))))

(define (route names)
  (lambda (payload)
    (define get (getter (netlink-attributes payload 12)))
    (define (header at) (bytevector-u8-ref payload at))
    (and (eqv? RT_TABLE_MAIN (or (get 15 u32) (header 4)))
         (object (cons "type" (and (not (= 1 (header 7)))
                                   (route-type (header 7))))
                 (cons "dst" (destination payload get))
                 (cons "gateway" (get 5 host))
                 (cons "dev" (get 4 (lambda (bytes)
                                      (assv-ref names (u32 bytes)))))
                 (cons "protocol" (and (not (= 3 (header 5)))
                                       (protocol (header 5))))
                 (cons "scope" (and (not (zero? (header 6)))
                                    (scope (header 6))))
                 (cons "prefsrc" (get 7 host))
                 (cons "metric" (get 6 u32))
                 (cons "pref" (get 20 (lambda (bytes)
                                        (preference (u8 bytes)))))))))

(define (routes family)
  (let ((names (map (lambda (link)
                      (cons (assoc-ref link "ifindex")
                            (assoc-ref link "ifname")))
                    (links))))
    (filter-map (route names) (dump RTM_GETROUTE 12 family))))

;;; Changes.

(define IFF_UP 1)

(define (link-header index flags)
  (let ((header (make-bytevector 16 0)))
    (bytevector-s32-native-set! header 4 index)
    (bytevector-u32-native-set! header 8 flags)
    (bytevector-u32-native-set! header 12 flags) ; which of them to change
    header))

(define (add-veth name peer)
  (define header (link-header 0 0))
  (define peer-message (make-netlink-attributes `((3 . ,peer)) header))
  (netlink-request sock RTM_NEWLINK NLM_F_CREATE
                   (make-netlink-attributes
                    `((3 . ,name)
                      (18 . ((1 . "veth") (2 . ((1 . ,peer-message))))))
                    header)))

(define (set-up name)
  (netlink-request sock RTM_NEWLINK 0
                   (link-header (if-nametoindex name) IFF_UP)))

(define (add-address name string)
  (match (string-split string #\/)
    ((host bits)
     (let* ((family (if (string-index host #\:) AF_INET6 AF_INET))
            (bytes (host-bytes family host))
            (header (make-bytevector 8 0)))
       (bytevector-u8-set! header 0 family)
       (bytevector-u8-set! header 1 (string->number bits))
       (bytevector-u32-native-set! header 4 (if-nametoindex name))
       (netlink-request sock RTM_NEWADDR NLM_F_CREATE
                        (make-netlink-attributes `((2 . ,bytes) (1 . ,bytes))
                                                 header))))))

;;; JSON.

(define (write-sequence open write-element elements close)
  (display open)
  (unless (null? elements)
    (write-element (car elements))
    (for-each (lambda (element)
                (display ",")
                (write-element element))
              (cdr elements)))
  (display close))

(define (write-json value)
  (match value
    (((_ . _) ...)
     (write-sequence "{" (match-lambda
                           ((key . value)
                            (write key) (display ":") (write-json value)))
                     value "}"))
    ((? vector?)
     (write-sequence "[" write-json (vector->list value) "]"))
    (_ (write value))))

(define (show objects)
  (write-json (list->vector objects))
  (newline))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (cdr (command-line))
    (("links") (show (links)))
    (("addresses") (show (addresses)))
    (("routes" "4") (show (routes AF_INET)))
    (("routes" "6") (show (routes AF_INET6)))
    (("add-veth" name peer) (add-veth name peer))
    (("add-address" name address) (add-address name address))
    (("up" name) (set-up name))
    (_ (display "usage: netlink.scm links | addresses | routes 4 | routes 6 |
         add-veth NAME PEER | add-address NAME ADDRESS/BITS | up NAME\n"
                (current-error-port))
       (exit 2))))
