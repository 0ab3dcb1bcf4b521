;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Options that are only set: what they do shows otherwise.

(use-modules (harness)
             (harness option)
             (rnrs bytevectors)
             (sockport))

;; An address is in this table of the kernel while a group is joined.
(define (joined? file text)
  (string-contains (call-with-input-file file
                     (@ (ice-9 textual-ports) get-string-all))
                   text))

;; Waiting opens a pair of descriptors, once for each thread.
(call-with-connection (const #t))

(test-begin "option-set")

;; What a thread waits with is made once.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-case "buffers beyond the limit"
  (with-udp s
    (where-allowed (set-socket-option! s 'rcvbufforce 50000000))
    (test-equal "twice as much" 100000000 (socket-option s 'rcvbuf))))

(test-case "IPv4 memberships"
  (with-udp s
    (define file "/proc/net/igmp")
    (define text "0D0C4DEF")
    (test-equal "at first" #f (joined? file text))
    (set-socket-option! s 'ip-add-membership (cons #xef4d0c0d "lo"))
    (test-assert "joined" (joined? file text))
    (set-socket-option! s 'ip-drop-membership (cons #xef4d0c0d "lo"))
    (test-equal "left" #f (joined? file text))
    (set-socket-option! s 'mcast-join-group
                        (make-group-req (if-nametoindex "lo")
                                        (make-socket-address
                                         AF_INET #xef4d0c0d 0)))
    (test-assert "joined the other way" (joined? file text))
    (set-socket-option! s 'ip-block-source
                        (make-ip-mreq-source #xef4d0c0d INADDR_LOOPBACK
                                             #x7f000009))
    (test-error* "blocked already" `(system-error ,EADDRNOTAVAIL)
      (set-socket-option! s 'ip-block-source
                          (make-ip-mreq-source #xef4d0c0d INADDR_LOOPBACK
                                               #x7f000009)))
    (set-socket-option! s 'ip-unblock-source
                        (make-ip-mreq-source #xef4d0c0d INADDR_LOOPBACK
                                             #x7f000009))))

(test-case "IPv6 memberships"
  (with-udp6 s
    (define file "/proc/net/igmp6")
    (define text "ff02000000000000000000004d0c0d0e")
    (define group #xff02000000000000000000004d0c0d0e)
    (set-socket-option! s 'ipv6-join-group (cons group "lo"))
    (test-assert "joined" (joined? file text))
    (set-socket-option! s 'ipv6-drop-membership
                        (make-ipv6-mreq group (if-nametoindex "lo")))
    (test-equal "left" #f (joined? file text))
    (set-socket-option! s 'mcast-join-source-group
                        (make-group-source-req
                         (if-nametoindex "lo")
                         (make-socket-address AF_INET6 group 0)
                         (make-socket-address AF_INET6 IN6ADDR_LOOPBACK 0)))
    (test-assert "joined for one source" (joined? file text))))

(test-case "netlink groups"
  (with-socket (s AF_NETLINK SOCK_RAW NETLINK_ROUTE)
    (define (first-groups)
      (let ((bits (socket-option s 'netlink-list-memberships)))
        (if (< (bytevector-length bits) 4)
            0
            (bytevector-u32-native-ref bits 0))))
    (test-equal "none" 0 (first-groups))
    (set-socket-option! s 'netlink-add-membership 5)
    (test-equal "the fifth" 16 (first-groups))
    (set-socket-option! s 'netlink-drop-membership 5)
    (test-equal "none again" 0 (first-groups))))

(test-case "the program that chooses among sockets of a port"
  (with-udp s
    (set-socket-option! s 'reuseport #t)
    (bind s AF_INET INADDR_LOOPBACK 0)
    (set-socket-option! s 'attach-reuseport-cbpf
                        (list (make-sock-filter 6 0 0 0)))
    (set-socket-option! s 'detach-reuseport-bpf 0)
    (test-error* "there is none any more" `(system-error ,ENOENT)
      (set-socket-option! s 'detach-reuseport-bpf 0))))

(test-case "a descriptor that is no program"
  (with-udp s
    (test-error* "a port" `(system-error ,EINVAL "set-socket-option!")
      (set-socket-option! s 'attach-bpf s))
    (test-error* "nothing" `(system-error ,EBADF "set-socket-option!")
      (set-socket-option! s 'attach-bpf 999999))))

(test-case "a key that signs segments"
  (with-tcp listener
    (define (key name)
      (let ((bytes (string->utf8 name)))
        (make-tcp-md5sig (make-socket-address AF_INET INADDR_LOOPBACK 0)
                         0 0 (bytevector-length bytes) 0 bytes)))
    (bind listener AF_INET INADDR_LOOPBACK 0)
    (listen listener 1)
    (where-allowed (set-socket-option! listener 'tcp-md5sig (key "secret")))
    (with-tcp client
      (set-socket-option! client 'tcp-md5sig (key "secret"))
      (connect client (getsockname listener))
      (close-port (car (accept listener)))
      (test-assert "the same key connects" #t))
    (with-tcp client
      (set-socket-option! client 'tcp-syncnt 1)
      (set-socket-option! client 'sndtimeo 0.2)
      (set-socket-option! client 'tcp-md5sig (key "another"))
      (test-equal "another does not" #f
        (false-if-exception (connect client (getsockname listener)))))))

(test-case "a ring for packets"
  (let ((s (where-allowed (socket AF_PACKET SOCK_RAW 0))))
    (set-socket-option! s 'packet-version TPACKET_V2)
    (set-socket-option! s 'packet-rx-ring (make-tpacket-req 4096 2 2048 4))
    (test-error* "whose sizes do not match" `(system-error ,EINVAL)
      (set-socket-option! s 'packet-tx-ring (make-tpacket-req 4096 2 2048 5)))
    (close-port s)))

(test-case "where IPv6 packets come from"
  (with-udp6 s
    (set-socket-option! s 'ipv6-pktinfo
                        (make-in6-pktinfo IN6ADDR_LOOPBACK 0))
    (with-udp6 receiver
      (bind receiver AF_INET6 IN6ADDR_LOOPBACK 0)
      (sendto s #vu8(1) (getsockname receiver))
      (test-equal "the address" IN6ADDR_LOOPBACK
        (sockaddr:addr (cdr (recvfrom! receiver (make-bytevector 1))))))))

(test-end "option-set")
