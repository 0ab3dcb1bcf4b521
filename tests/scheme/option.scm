;;; SPDX-License-Identifier: LGPL-3.0-or-later

(use-modules (harness)
             (harness option)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             ((system foreign) #:select (long sizeof)))

(define guile-getsockopt (@ (guile) getsockopt))
(define guile-setsockopt (@ (guile) setsockopt))

;; Waiting opens a pair of descriptors, once for each thread.
(call-with-connection (const #t))

(test-begin "option")

;;; The kernel as the oracle: set here and read past us, and the reverse.

(define-syntax-rule (agrees sock name level number value other)
  (begin
    (set-socket-option! sock 'name value)
    (test-equal (format #f "~a as the kernel has it" 'name)
      (match value (#t 1) (#f 0) (_ value))
      (raw-get-int sock level number))
    (raw-set-int! sock level number (match other (#t 1) (#f 0) (_ other)))
    (test-equal (format #f "~a set past us" 'name) other
      (socket-option sock 'name))
    (test-equal (format #f "~a by number, as Guile's own" 'name)
      ;; From 3.0.9 on, that takes these two for timeouts on every level.
      (if (memv number (list SO_RCVTIMEO SO_SNDTIMEO))
          (raw-get-int sock level number)
          (guile-getsockopt sock level number))
      (getsockopt sock level number))))

(test-case "integers and booleans"
  (with-tcp s
    (agrees s reuseaddr SOL_SOCKET SO_REUSEADDR #t #f)
    (agrees s keepalive SOL_SOCKET SO_KEEPALIVE #t #f)
    (agrees s rcvlowat SOL_SOCKET SO_RCVLOWAT 10 20)
    (agrees s tcp-nodelay IPPROTO_TCP TCP_NODELAY #t #f)
    (agrees s tcp-keepidle IPPROTO_TCP TCP_KEEPIDLE 100 200)
    (agrees s tcp-keepcnt IPPROTO_TCP TCP_KEEPCNT 3 4)
    (agrees s tcp-user-timeout IPPROTO_TCP TCP_USER_TIMEOUT 5000 0)
    (agrees s ip-ttl IPPROTO_IP IP_TTL 9 10)
    (agrees s ip-tos IPPROTO_IP IP_TOS 16 8)
    (agrees s ip-minttl IPPROTO_IP IP_MINTTL 2 3)
    (agrees s ip-recvttl IPPROTO_IP IP_RECVTTL #t #f))
  (with-udp6 s
    (agrees s ipv6-v6only IPPROTO_IPV6 IPV6_V6ONLY #t #f)
    (agrees s ipv6-unicast-hops IPPROTO_IPV6 IPV6_UNICAST_HOPS 3 4)
    (agrees s ipv6-recvtclass IPPROTO_IPV6 IPV6_RECVTCLASS #t #f)
    (agrees s udp-segment IPPROTO_UDP UDP_SEGMENT 1200 0))
  (with-socket (s AF_NETLINK SOCK_RAW NETLINK_ROUTE)
    (agrees s netlink-ext-ack SOL_NETLINK NETLINK_EXT_ACK #t #f)))

(test-case "the same number means other things on other levels"
  (with-udp6 s
    (set-socket-option! s 'ipv6-join-group
                        (cons #xff020000000000000000000000001234 "lo"))
    (set-socket-option! s 'ipv6-leave-group
                        (cons #xff020000000000000000000000001234 "lo")))
  (with-tcp s
    (setsockopt s IPPROTO_IP 21 7)
    (test-equal "IP_MINTTL" 7 (getsockopt s IPPROTO_IP IP_MINTTL))
    (setsockopt s SOL_SOCKET 21 '(2 . 500000))
    (test-equal "SO_SNDTIMEO" '(2 . 500000)
      (getsockopt s SOL_SOCKET SO_SNDTIMEO))))

(test-case "wide numbers"
  (with-tcp s
    (setsockopt s SOL_SOCKET SO_MAX_PACING_RATE (expt 2 33))
    (test-equal "read" (expt 2 33) (socket-option s 'max-pacing-rate))
    (test-equal "raw" (expt 2 33)
      (bytevector-u64-native-ref
       (raw-get s SOL_SOCKET SO_MAX_PACING_RATE 8) 0))
    (test-assert "cookie" (positive? (socket-option s 'cookie)))
    (test-assert "a namespace's" (positive? (socket-option s 'netns-cookie)))))

(test-case "unsigned integers"
  (with-tcp s
    (where-allowed (set-socket-option! s 'mark 4294967295))
    (test-equal "read" 4294967295 (socket-option s 'mark))
    (test-equal "raw" -1 (raw-get-int s SOL_SOCKET SO_MARK))))

;;; Pairs and records.

(test-case "no time to linger is negative"
  (with-tcp s
    (for-each
     (lambda (value)
       (test-error* (format #f "~a" value) '(out-of-range 4 "setsockopt")
         (setsockopt s SOL_SOCKET SO_LINGER value)))
     (list '(1 . -1) '(1 . -2147483648) (make-linger 1 -1)))
    (test-error* "by name" '(out-of-range 3 "set-socket-option!")
      (set-socket-option! s 'linger -1))))

(test-case "linger"
  (with-tcp s
    (test-equal "as Guile's own" (guile-getsockopt s SOL_SOCKET SO_LINGER)
      (getsockopt s SOL_SOCKET SO_LINGER))
    (setsockopt s SOL_SOCKET SO_LINGER '(1 . 7))
    (test-equal "a pair" '(1 . 7) (guile-getsockopt s SOL_SOCKET SO_LINGER))
    (set-socket-option! s 'linger 5)
    (test-equal "seconds" '(1 . 5) (guile-getsockopt s SOL_SOCKET SO_LINGER))
    (test-equal "a record" 5 (linger-seconds (socket-option s 'linger)))
    (set-socket-option! s 'linger #f)
    (test-equal "off" 0 (linger-onoff (socket-option s 'linger)))
    (set-socket-option! s 'linger (make-linger 1 9))
    (test-equal "from a record" '(1 . 9) (getsockopt s SOL_SOCKET SO_LINGER))
    (setsockopt s SOL_SOCKET SO_LINGER (make-linger 1 8))
    (test-equal "by number too" '(1 . 8) (getsockopt s SOL_SOCKET SO_LINGER))))

(test-case "times"
  (with-tcp s
    (set-socket-option! s 'rcvtimeo 1.5)
    (test-equal "seconds" '(1 . 500000) (getsockopt s SOL_SOCKET SO_RCVTIMEO))
    (test-equal "raw" 1
      (bytevector-sint-ref (raw-get s SOL_SOCKET SO_RCVTIMEO 16) 0
                           (native-endianness) (sizeof long)))
    (set-socket-option! s 'rcvtimeo 1/1000000)
    (test-equal "the least is not for ever" #f
      (equal? '(0 . 0) (getsockopt s SOL_SOCKET SO_RCVTIMEO)))
    (set-socket-option! s 'rcvtimeo (make-timeval 3 0))
    (test-equal "a record" 3 (timeval-seconds (socket-option s 'rcvtimeo)))
    (set-socket-option! s 'rcvtimeo #f)
    (test-equal "for ever" '(0 . 0) (getsockopt s SOL_SOCKET SO_RCVTIMEO))))

(test-case "credentials"
  (call-with-pair
   (lambda (a b)
     (let ((peer (getsockopt a SOL_SOCKET SO_PEERCRED)))
       (test-assert "a record" (ucred? peer))
       (test-equal "mine" (list (getpid) (getuid) (getgid))
         (list (ucred-pid peer) (ucred-uid peer) (ucred-gid peer))))
     (test-assert "groups are bytes"
       (bytevector? (socket-option a 'peergroups))))))

(test-case "the state of a connection"
  (call-with-connection
   (lambda (client server)
     (let ((info (socket-option client 'tcp-info)))
       (test-equal "established" TCP_ESTABLISHED (tcp-info-state info))
       (test-assert "segment size" (< 500 (tcp-info-snd-mss info)))
       (test-assert "newer fields" (tcp-info-snd-wnd info))
       (test-equal "window scale as the peer's"
         (tcp-info-rcv-wscale info)
         (tcp-info-snd-wscale (socket-option server 'tcp-info))))
     (test-equal "the peer's address" (getpeername client)
       (socket-option client 'peername))
     (test-assert "the path's packet size"
       (< 1000 (socket-option client 'ip-mtu)))
     (test-equal "memory" (socket-option client 'rcvbuf)
       (meminfo-rcvbuf (socket-option client 'meminfo))))))

(test-case "strings"
  (with-tcp s
    (let ((name (getsockopt s IPPROTO_TCP TCP_CONGESTION)))
      (test-assert "a string" (string? name))
      (setsockopt s IPPROTO_TCP TCP_CONGESTION "reno")
      (test-equal "set" "reno" (socket-option s 'tcp-congestion))
      (setsockopt s IPPROTO_TCP TCP_CONGESTION
                  (string->utf8 name))
      (test-equal "from bytes" name (socket-option s 'tcp-congestion)))
    (test-error* "no such" '(system-error 2 "setsockopt")
      (setsockopt s IPPROTO_TCP TCP_CONGESTION "no-such"))
    (test-error* "a NUL inside" '(out-of-range 4 "setsockopt")
      (setsockopt s IPPROTO_TCP TCP_CONGESTION (string #\a #\nul)))
    (test-error* "a number" '(wrong-type-arg 4 "setsockopt")
      (setsockopt s IPPROTO_TCP TCP_CONGESTION 1))))

(test-case "the interface that a socket is bound to"
  (with-tcp s
    (set-socket-option! s 'bindtodevice "lo")
    (test-equal "interface" "lo" (socket-option s 'bindtodevice))
    (test-equal "and its index" (if-nametoindex "lo")
      (socket-option s 'bindtoifindex))
    (where-allowed (set-socket-option! s 'bindtodevice ""))
    (set-socket-option! s 'bindtoifindex "lo")
    (test-equal "by name" (if-nametoindex "lo")
      (raw-get-int s SOL_SOCKET SO_BINDTOIFINDEX))))

(test-case "interfaces in the order of the network"
  (with-udp s
    (setsockopt s IPPROTO_IP IP_UNICAST_IF "lo")
    (test-equal "read" (if-nametoindex "lo")
      (getsockopt s IPPROTO_IP IP_UNICAST_IF))
    (test-equal "raw" (if-nametoindex "lo")
      (bytevector-u32-ref (raw-get s IPPROTO_IP IP_UNICAST_IF 4) 0
                          (endianness big)))))

(test-case "the interface of multicast"
  (with-udp s
    (setsockopt s IPPROTO_IP IP_MULTICAST_IF INADDR_LOOPBACK)
    (test-equal "an address" #vu8(127 0 0 1)
      (raw-get s IPPROTO_IP IP_MULTICAST_IF 4))
    (test-equal "is one again" INADDR_LOOPBACK
      (getsockopt s IPPROTO_IP IP_MULTICAST_IF))
    (setsockopt s IPPROTO_IP IP_MULTICAST_IF "lo")
    (setsockopt s IPPROTO_IP IP_MULTICAST_IF (if-nametoindex "lo"))
    (setsockopt s IPPROTO_IP IP_MULTICAST_IF 0)
    (setsockopt s IPPROTO_IP IP_MULTICAST_IF
                (make-ip-mreqn 0 INADDR_LOOPBACK 0))
    (test-equal "from a record" INADDR_LOOPBACK
      (getsockopt s IPPROTO_IP IP_MULTICAST_IF)))
  (with-udp6 s
    (setsockopt s IPPROTO_IPV6 IPV6_MULTICAST_IF "lo")
    (test-equal "an index" (if-nametoindex "lo")
      (raw-get-int s IPPROTO_IPV6 IPV6_MULTICAST_IF))))

(test-case "memberships as Guile's pairs"
  (with-udp s
    (setsockopt s IPPROTO_IP IP_ADD_MEMBERSHIP
                (cons #xef010203 INADDR_LOOPBACK))
    (test-error* "twice" '(system-error 98)
      (setsockopt s IPPROTO_IP IP_ADD_MEMBERSHIP
                  (cons #xef010203 INADDR_LOOPBACK)))
    (setsockopt s IPPROTO_IP IP_DROP_MEMBERSHIP (cons #xef010203 "lo"))
    (setsockopt s IPPROTO_IP IP_ADD_MEMBERSHIP
                (make-ip-mreqn #xef010203 0 (if-nametoindex "lo")))
    (test-error* "a group beyond 32 bits" '(out-of-range 4 "setsockopt")
      (setsockopt s IPPROTO_IP IP_ADD_MEMBERSHIP (cons (expt 2 32) 0)))
    (test-error* "an interface beyond 32 bits" '(out-of-range 4)
      (setsockopt s IPPROTO_IP IP_ADD_MEMBERSHIP (cons #xef010203 (expt 2 32))))
    (test-error* "a negative one" '(out-of-range 4)
      (setsockopt s IPPROTO_IP IP_ADD_MEMBERSHIP (cons #xef010203 -1)))
    (test-error* "no pair" '(wrong-type-arg 4)
      (setsockopt s IPPROTO_IP IP_ADD_MEMBERSHIP #xef010203))
    (test-error* "no such interface" '(system-error 19)
      (setsockopt s IPPROTO_IP IP_ADD_MEMBERSHIP (cons #xef010204 "no-such")))))

(test-case "a filter"
  (with-udp receiver
    (bind receiver AF_INET INADDR_LOOPBACK 0)
    (with-udp sender
      (connect sender (getsockname receiver))
      ;; Keep what is longer than 8 bytes of header and 3 of data.
      (set-socket-option! receiver 'attach-filter
                          (list (make-sock-filter #x80 0 0 0)
                                (make-sock-filter #x35 0 1 12)
                                (make-sock-filter #x06 0 0 65535)
                                (make-sock-filter #x06 0 0 0)))
      (test-equal "read" '(#x80 #x35 6 6)
        (map sock-filter-code (socket-option receiver 'attach-filter)))
      (send sender #vu8(1 2))
      (send sender #vu8(1 2 3 4))
      (let ((buffer (make-bytevector 10)))
        (test-equal "the short one was dropped" 4 (recv! receiver buffer)))
      (set-socket-option! receiver 'detach-filter 0)
      (test-equal "removed" '() (socket-option receiver 'attach-filter))
      (setsockopt receiver SOL_SOCKET SO_ATTACH_FILTER
                  (structure->bytevector 'sock-filter
                                         (make-sock-filter 6 0 0 1)))
      (send sender #vu8(1 2 3 4))
      (let ((buffer (make-bytevector 10)))
        (test-equal "cut to no data" 0 (recv! receiver buffer)))
      (test-error* "half an instruction" '(system-error 22)
        (setsockopt receiver SOL_SOCKET SO_ATTACH_FILTER #vu8(1 2 3)))
      (test-error* "no records" '(wrong-type-arg 4 "setsockopt")
        (setsockopt receiver SOL_SOCKET SO_ATTACH_FILTER '(1 2)))
      (test-error* "an improper list" '(wrong-type-arg 4)
        (setsockopt receiver SOL_SOCKET SO_ATTACH_FILTER
                    (cons (make-sock-filter 6 0 0 1) 2))))))

(test-end "option")
