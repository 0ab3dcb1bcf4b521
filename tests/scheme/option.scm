;;; SPDX-License-Identifier: LGPL-3.0-or-later

(use-modules (harness)
             (harness raw-option)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport))

(define guile-getsockopt (@ (guile) getsockopt))
(define guile-setsockopt (@ (guile) setsockopt))

(define-syntax-rule (with-socket (name family style proto) body ...)
  (let ((name (socket family style proto)))
    (dynamic-wind
      (const #t)
      (lambda () body ...)
      (lambda () (close-port name)))))

(define-syntax-rule (with-tcp name body ...)
  (with-socket (name AF_INET SOCK_STREAM 0) body ...))
(define-syntax-rule (with-udp name body ...)
  (with-socket (name AF_INET SOCK_DGRAM 0) body ...))
(define-syntax-rule (with-udp6 name body ...)
  (with-socket (name AF_INET6 SOCK_DGRAM 0) body ...))

(define (call-with-pair proc)
  (match (socketpair AF_UNIX SOCK_STREAM 0)
    ((a . b) (proc a b) (close-port a) (close-port b))))

(define (call-with-connection proc)
  (with-tcp listener
    (bind listener AF_INET INADDR_LOOPBACK 0)
    (listen listener 1)
    (with-tcp client
      (connect client (getsockname listener))
      (match (accept listener)
        ((server . _)
         (proc client server)
         (close-port server))))))

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
      (guile-getsockopt sock level number)
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
    (test-assert "a namespace's" (positive? (socket-option s 'netns-cookie)))
    (test-equal "unsigned 32" (begin (set-socket-option! s 'mark 4294967295)
                                     4294967295)
      (socket-option s 'mark))))

;;; Pairs and records.

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
      (bytevector-s64-native-ref (raw-get s SOL_SOCKET SO_RCVTIMEO 16) 0))
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
    (set-socket-option! s 'bindtodevice "lo")
    (test-equal "interface" "lo" (socket-option s 'bindtodevice))
    (test-equal "and its index" (if-nametoindex "lo")
      (socket-option s 'bindtoifindex))
    (set-socket-option! s 'bindtodevice "")
    (set-socket-option! s 'bindtoifindex "lo")
    (test-equal "by name" (if-nametoindex "lo")
      (raw-get-int s SOL_SOCKET SO_BINDTOIFINDEX))
    (test-error* "no such" '(system-error 2 "setsockopt")
      (setsockopt s IPPROTO_TCP TCP_CONGESTION "no-such"))
    (test-error* "a NUL inside" '(out-of-range 4 "setsockopt")
      (setsockopt s IPPROTO_TCP TCP_CONGESTION (string #\a #\nul)))
    (test-error* "a number" '(wrong-type-arg 4 "setsockopt")
      (setsockopt s IPPROTO_TCP TCP_CONGESTION 1))))

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

;;; Unknown options, and bytes everywhere.

(test-case "what the table lacks is bytes"
  (with-tcp s
    (test-equal "67, SO_SNDTIMEO in its newer form" (make-bytevector 16 0)
      (getsockopt s SOL_SOCKET SO_SNDTIMEO_NEW))
    (setsockopt s SOL_SOCKET SO_SNDTIMEO_NEW (s64vector 4 0))
    (test-equal "set" '(4 . 0) (getsockopt s SOL_SOCKET SO_SNDTIMEO))
    (test-error* "unknown to the kernel as well" '(system-error 92 "getsockopt")
      (getsockopt s SOL_SOCKET 9999)))
  (with-udp s
    (setsockopt s SOL_SOCKET SO_RCVBUF (s32vector 8192))
    (test-equal "an int as bytes" 16384 (getsockopt s SOL_SOCKET SO_RCVBUF))
    (setsockopt s SOL_SOCKET SO_LINGER (s32vector 1 3))
    (test-equal "a structure as bytes" '(1 . 3)
      (getsockopt s SOL_SOCKET SO_LINGER))
    (test-error* "too few" '(system-error 22 "setsockopt")
      (setsockopt s SOL_SOCKET SO_RCVBUF #vu8(1)))))

;;; Every row.

(define sorts
  (list (list AF_INET SOCK_STREAM 0) (list AF_INET SOCK_DGRAM 0)
        (list AF_INET SOCK_DGRAM IPPROTO_UDPLITE)
        (list AF_INET SOCK_RAW IPPROTO_ICMP)
        (list AF_INET6 SOCK_STREAM 0) (list AF_INET6 SOCK_DGRAM 0)
        (list AF_INET6 SOCK_RAW IPPROTO_ICMPV6) (list AF_UNIX SOCK_STREAM 0)
        (list AF_UNIX SOCK_DGRAM 0) (list AF_NETLINK SOCK_RAW 0)
        (list AF_PACKET SOCK_RAW 0) (list AF_VSOCK SOCK_STREAM 0)))

;; What the kernel refuses to take back in this state.
(define not-now
  '(attach-filter ip-recvfragsize ipv6-checksum ipv6-v6only packet-fanout
    tcp-fastopen-key tcp-ulp txtime))

(define (write-back sock name value)
  "#f if NAME takes VALUE, else what speaks against it."
  (catch #t
    (lambda () (set-socket-option! sock name value) #f)
    (lambda (key who message . rest)
      (cond ((and (eq? key 'system-error)
                  (memv (car (last rest)) (list EPERM EOPNOTSUPP ENOPROTOOPT
                                                EACCES ENOBUFS)))
             #f)
            ((and (eq? key 'out-of-range) (string-contains message "read")) #f)
            ((memq name not-now) #f)
            (else (list name value key rest))))))

(test-case "every option of every sort of socket is read and written back"
  (let ((seen
         (append-map
          (lambda (sort)
            (let ((sock (false-if-exception (apply socket sort))))
              (if (not sock)
                  '()
                  (let ((options (socket-options sock)))
                    (test-equal (format #f "refused back ~a" sort) '()
                      (filter-map (match-lambda
                                    ((name . value)
                                     (write-back sock name value)))
                                  options))
                    (close-port sock)
                    (map car options)))))
          sorts)))
    (test-assert "more than 150 options"
      (< (if (zero? (getuid)) 150 130) (length (delete-duplicates seen))))))

;; A connection, and a bound interface, for what the sockets above have not.
(test-case "what a connection has"
  (call-with-connection
   (lambda (client server)
     (let ((options (socket-options client)))
       (for-each (lambda (name)
                   (test-assert (symbol->string name) (assq name options)))
                 '(peername ip-mtu tcp-info tcp-cc-info)))
     (set-socket-option! server 'tcp-quickack #t)
     (test-equal "quickack" #t (socket-option server 'tcp-quickack)))))

(test-case "an option that is taken is not listed"
  (call-with-pair
   (lambda (a b)
     (let ((names (map car (socket-options a))))
       (test-equal "error and peerpidfd" '()
         (lset-intersection eq? names '(error peerpidfd)))))))

;;; Refusals.

(define bad-integers
  (list (expt 2 31) (expt 2 32) (expt 2 64) (expt 2 70)
        (- (expt 2 70)) (- -1 (expt 2 31))))

(test-case "numbers out of range are refused at their position"
  (with-tcp s
    (for-each
     (lambda (n)
       (let ((say (lambda (what) (format #f "~a ~a" what n))))
         (test-error* (say "level") '(out-of-range 2 "getsockopt")
           (getsockopt s n SO_TYPE))
         (test-error* (say "option") '(out-of-range 3 "getsockopt")
           (getsockopt s SOL_SOCKET n))
         (test-error* (say "level to set") '(out-of-range 2 "setsockopt")
           (setsockopt s n SO_TYPE 1))
         (test-error* (say "option to set") '(out-of-range 3 "setsockopt")
           (setsockopt s SOL_SOCKET n 1))
         (test-error* (say "int") '(out-of-range 4 "setsockopt")
           (setsockopt s SOL_SOCKET SO_RCVBUF n))
         (test-error* (say "bool") '(out-of-range 4)
           (setsockopt s IPPROTO_TCP TCP_NODELAY n))
         (test-error* (say "unknown") '(out-of-range 4)
           (setsockopt s SOL_SOCKET 9999 n))
         (test-error* (say "linger") '(out-of-range 4)
           (setsockopt s SOL_SOCKET SO_LINGER (cons 1 n)))
         (test-error* (say "microseconds") '(out-of-range 4)
           (setsockopt s SOL_SOCKET SO_RCVTIMEO (cons 1 n)))
         (test-error* (say "by name") '(out-of-range 4)
           (set-socket-option! s 'tcp-keepidle n))))
     bad-integers)
    (for-each
     (lambda (n)
       (test-error* (format #f "unsigned ~a" n) '(out-of-range 4)
         (setsockopt s SOL_SOCKET SO_MARK n)))
     (list -1 (expt 2 32) (expt 2 64) (- (expt 2 70))))
    (for-each
     (lambda (n)
       (test-error* (format #f "wide ~a" n) '(out-of-range 4)
         (setsockopt s SOL_SOCKET SO_MAX_PACING_RATE n)))
     (list -1 (expt 2 64) (expt 2 70) (- (expt 2 63)) (- (expt 2 64))))
    (test-error* "a negative time" '(out-of-range 4)
      (setsockopt s SOL_SOCKET SO_RCVTIMEO '(-1 . 0)))
    (test-error* "a negative time by name" '(out-of-range 4)
      (set-socket-option! s 'rcvtimeo -1.5))
    (test-error* "a million microseconds" '(out-of-range 4)
      (setsockopt s SOL_SOCKET SO_RCVTIMEO '(1 . 1000000)))))

(test-case "wrong types are refused at their position"
  (with-tcp s
    (for-each
     (lambda (v)
       (let ((say (lambda (what) (format #f "~a ~s" what v))))
         (test-error* (say "level") '(wrong-type-arg 2 "getsockopt")
           (getsockopt s v SO_TYPE))
         (test-error* (say "option") '(wrong-type-arg 3 "getsockopt")
           (getsockopt s SOL_SOCKET v))
         (test-error* (say "int") '(wrong-type-arg 4 "setsockopt")
           (setsockopt s SOL_SOCKET SO_RCVBUF v))
         (test-error* (say "linger") '(wrong-type-arg 4)
           (setsockopt s SOL_SOCKET SO_LINGER v))
         (test-error* (say "in a pair") '(wrong-type-arg 4)
           (setsockopt s SOL_SOCKET SO_LINGER (cons 1 v)))
         (test-error* (say "structure") '(wrong-type-arg 4)
           (setsockopt s SOL_SOCKET SO_TXTIME v))
         (test-error* (say "bytes") '(wrong-type-arg 4)
           (setsockopt s IPPROTO_IP IP_OPTIONS v))))
     (list 1.5 1/2 "1" 'one #f))
    (test-error* "another structure" '(wrong-type-arg 4)
      (setsockopt s SOL_SOCKET SO_LINGER (make-timeval 1 2)))
    (test-error* "what cannot be set" '(wrong-type-arg 4)
      (setsockopt s SOL_SOCKET SO_PEERNAME 1)))
  (let ((closed (socket AF_INET SOCK_STREAM 0)))
    (close-port closed)
    (test-error* "a closed port" '(wrong-type-arg 1 "getsockopt")
      (getsockopt closed SOL_SOCKET SO_TYPE))
    (test-error* "a closed port to set" '(wrong-type-arg 1 "setsockopt")
      (setsockopt closed SOL_SOCKET SO_RCVBUF 1)))
  (test-error* "no port" '(wrong-type-arg 1) (getsockopt 3 SOL_SOCKET SO_TYPE))
  (call-with-input-file "/dev/null"
    (lambda (file)
      (test-error* "a file" `(system-error ,ENOTSOCK "getsockopt")
        (getsockopt file SOL_SOCKET SO_TYPE)))))

(test-case "arguments are counted"
  (test-error* "too few" '(wrong-number-of-args) (getsockopt 1 2))
  (test-error* "too many" '(wrong-number-of-args) (getsockopt 1 2 3 4))
  (test-error* "too few to set" '(wrong-number-of-args) (setsockopt 1 2 3)))

(test-case "names are refused before the kernel is asked"
  (with-udp s
    (test-error* "of another type" '(wrong-type-arg 1 "socket-option")
      (socket-option s 'tcp-nodelay))
    (test-error* "of another family" '(wrong-type-arg 1 "set-socket-option!")
      (set-socket-option! s 'ipv6-v6only #t))
    (test-error* "unknown" '(out-of-range 2 "socket-option")
      (socket-option s 'no-such-option))
    (test-error* "only to read" '(out-of-range 2 "set-socket-option!")
      (set-socket-option! s 'type 1))
    (test-error* "only to set" '(out-of-range 2 "socket-option")
      (socket-option s 'ip-add-membership))
    (test-error* "no symbol" '(wrong-type-arg 2 "socket-option")
      (socket-option s "type"))
    (test-error* "infinite seconds" '(wrong-type-arg 4)
      (set-socket-option! s 'rcvtimeo (inf)))
    (test-equal "by its name in C" AF_INET (socket-option s 'SO_DOMAIN))
    (test-equal "by another name" #f (socket-option s 'ip-recvorigdstaddr))))

(test-case "a message that tells what is wrong"
  (with-udp s
    (test-assert "text"
      (string-contains
       (catch 'wrong-type-arg
         (lambda () (socket-option s 'tcp-nodelay))
         (lambda (key who message arguments . rest)
           (apply format #f message arguments)))
       "tcp-nodelay is for sockets of family AF_INET or AF_INET6 and type SOCK_STREAM, not AF_INET and SOCK_DGRAM"))))

(test-case "a table for people"
  (with-tcp s
    (set-socket-option! s 'tcp-nodelay #t)
    (let ((table (call-with-output-string
                   (lambda (port) (display-socket-options s port)))))
      (for-each (lambda (text)
                  (test-assert text (string-contains table text)))
                '("tcp-nodelay" "#t" "send small segments at once"
                  "tcp-info" "state: 7"))
      (test-equal "a line for each option"
        (map (compose symbol->string car) (socket-options s))
        (filter-map (lambda (line)
                      (and (not (string-prefix? " " line))
                           (not (string-null? line))
                           (car (string-split line #\space))))
                    (string-split table #\newline))))))

;;; Adopting.

(test-case "adopting a descriptor"
  (let* ((guile ((@ (guile) socketpair) AF_UNIX SOCK_DGRAM 0))
         (fd (port->fdes (car guile))))
    (call-with-values (lambda () (adopt-socket fd))
      (lambda (port family type protocol)
        (test-equal "what it is" (list AF_UNIX SOCK_DGRAM 0)
          (list family type protocol))
        (test-equal "the descriptor" fd (fileno port))
        (test-equal "close-on-exec" FD_CLOEXEC (fcntl port F_GETFD))
        (send port #vu8(1 2 3))
        (test-equal "it works" 3 (recv! (cdr guile) (make-bytevector 10)))
        (test-equal "a port is itself" #t (eq? port (adopt-socket port)))
        (set-port-revealed! (car guile) 0)
        (close-port port)
        (close-port (cdr guile))
        (false-if-exception (close-port (car guile)))))))

(test-case "what is no socket is not adopted"
  (let ((pipe (pipe)))
    (test-error* "a pipe" `(system-error ,ENOTSOCK "adopt-socket")
      (adopt-socket (fileno (car pipe))))
    (test-equal "its flags are left alone" 0 (fcntl (car pipe) F_GETFD))
    (close-port (car pipe))
    (close-port (cdr pipe)))
  (test-error* "nothing" `(system-error ,EBADF) (adopt-socket 999999))
  (test-error* "negative" '(out-of-range 1) (adopt-socket -1))
  (test-error* "2^70" '(out-of-range 1) (adopt-socket (expt 2 70)))
  (test-error* "1.5" '(wrong-type-arg 1) (adopt-socket 1.5))
  (test-error* "a string port" '(wrong-type-arg 1)
    (adopt-socket (open-input-string "x"))))

(test-end "option")
