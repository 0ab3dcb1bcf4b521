;;; SPDX-License-Identifier: LGPL-3.0-or-later

(use-modules (harness)
             (harness namespace)
             (harness option)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport))

(define (udp family)
  (socket family (logior SOCK_DGRAM SOCK_NONBLOCK) 0))

(define (received sock)
  "The first byte of the next datagram; #f if none comes soon."
  (wait-until (lambda ()
                (let ((buffer (make-bytevector 4)))
                  (false-if-exception
                   (and (recv! sock buffer) (bytevector-u8-ref buffer 0)))))
              0.3))

(define (call-with-receiver family interface proc)
  "Call PROC with a receiver bound to a free port and a sender through INTERFACE."
  (let ((receiver (udp family))
        (sender (udp family)))
    (bind receiver family 0 0)
    (set-multicast-interface! sender interface)
    (when (= family AF_INET)
      (bind sender AF_INET INADDR_LOOPBACK 0))
    (proc receiver sender (sockaddr:port (getsockname receiver)))
    (close-port receiver)
    (close-port sender)))

(define (send-to sender family group port byte)
  (sendto sender (bytevector byte) family (inet-pton family group) port))

(define (bytevector . bytes) (u8-list->bytevector bytes))

(define (check family group interface)
  (call-with-receiver family interface
    (lambda (receiver sender port)
      (setsockopt receiver
                  (if (= family AF_INET) IPPROTO_IP IPPROTO_IPV6)
                  (if (= family AF_INET) IP_MULTICAST_ALL IPV6_MULTICAST_ALL)
                  0)
      (define (try byte)
        (if (= family AF_INET)
            (send-to sender family group port byte)
            (sendto sender (bytevector byte)
                    (make-socket-address family (inet-pton family group) port
                                         0 (if-nametoindex interface))))
        (received receiver))
      (test-equal "nothing before joining" #f (try 1))
      (multicast-join! receiver group #:interface interface)
      (test-equal "joined" 2 (try 2))
      (test-error* "twice" `(system-error ,EADDRINUSE "multicast-join!")
        (multicast-join! receiver group #:interface (if-nametoindex interface)))
      (set-multicast-loop! sender #f)
      (test-equal "no loop" #f (multicast-loop? sender))
      (set-multicast-loop! sender #t)
      (test-equal "loop" #t (multicast-loop? sender))
      (multicast-leave! receiver group #:interface interface)
      (test-equal "left" #f (try 4)))))

(test-begin "multicast")

(test-case "IPv4 groups" (check AF_INET "239.77.1.2" "lo"))

;; Loopback does not take part in IPv6 multicast.
(define (call-with-link proc)
  (call-with-namespaces 1
    (lambda (name)
      (ip "-n" name "link" "add" "left" "type" "veth" "peer" "name" "right")
      (for-each (lambda (end address)
                  (ip "-n" name "link" "set" end "up")
                  (ip "-n" name "address" "add" address "dev" end "nodad"))
                '("left" "right") '("fe80::1:1/64" "fe80::1:2/64"))
      (in-namespace name proc))))

(test-case "IPv6 groups"
  (call-with-link (lambda () (check AF_INET6 "ff02::7:7712" "left"))))

(test-case "one source only"
  (call-with-receiver AF_INET "lo"
    (lambda (receiver sender port)
      (define (try byte)
        (send-to sender AF_INET "232.77.1.2" port byte)
        (received receiver))
      (setsockopt receiver IPPROTO_IP IP_MULTICAST_ALL 0)
      (multicast-join! receiver "232.77.1.2" #:interface "lo"
                       #:source "127.0.0.9")
      (test-equal "another source" #f (try 1))
      (multicast-join! receiver "232.77.1.2" #:interface "lo"
                       #:source "127.0.0.1")
      (test-equal "the source" 2 (try 2))
      (multicast-leave! receiver "232.77.1.2" #:interface "lo"
                        #:source "127.0.0.1")
      (test-equal "left" #f (try 3)))))

(test-case "all but one source"
  (call-with-receiver AF_INET "lo"
    (lambda (receiver sender port)
      (define (try byte)
        (send-to sender AF_INET "239.77.1.3" port byte)
        (received receiver))
      (multicast-join! receiver "239.77.1.3" #:interface "lo")
      (multicast-block! receiver "239.77.1.3" "127.0.0.1" #:interface "lo")
      (test-equal "blocked" #f (try 1))
      (multicast-unblock! receiver "239.77.1.3" "127.0.0.1" #:interface "lo")
      (test-equal "again" 2 (try 2)))))

(test-case "interface and hops"
  (for-each
   (lambda (family level hops)
     (let ((sock (udp family)))
       (test-equal "left to the routes" 0 (multicast-interface sock))
       (set-multicast-interface! sock "lo")
       (test-equal "by name" (if-nametoindex "lo") (multicast-interface sock))
       (set-multicast-interface! sock #f)
       (test-equal "left to the routes again" 0 (multicast-interface sock))
       (set-multicast-interface! sock (if-nametoindex "lo"))
       (test-equal "by index" (if-nametoindex "lo") (multicast-interface sock))
       (test-equal "stays on the link" 1 (multicast-hops sock))
       (set-multicast-hops! sock 7)
       (test-equal "hops" 7 (multicast-hops sock))
       (test-equal "raw" 7 (raw-get-int sock level hops))
       (for-each (lambda (n)
                   (test-error* (format #f "~a hops" n)
                       '(out-of-range 2 "set-multicast-hops!")
                     (set-multicast-hops! sock n)))
                 (list -1 256 (expt 2 32) (expt 2 70)))
       (test-error* "1.5" '(wrong-type-arg 2 "set-multicast-hops!")
         (set-multicast-hops! sock 1.5))
       (close-port sock)))
   (list AF_INET AF_INET6) (list IPPROTO_IP IPPROTO_IPV6)
   (list IP_MULTICAST_TTL IPV6_MULTICAST_HOPS)))

(test-case "what is refused"
  (let ((sock (udp AF_INET)))
    (test-error* "no group" `(system-error ,EINVAL "multicast-join!")
      (multicast-join! sock "127.0.0.1" #:interface "lo"))
    (test-error* "a group of the other family" '(wrong-type-arg 2)
      (multicast-join! sock (make-socket-address AF_INET6 1 0)))
    (test-error* "no address" '(wrong-type-arg 2 "multicast-join!")
      (multicast-join! sock 'group))
    (test-error* "no such interface" `(system-error ,ENODEV "multicast-join!")
      (multicast-join! sock "239.77.1.2" #:interface "no-such"))
    (test-error* "never joined" `(system-error ,EADDRNOTAVAIL "multicast-leave!")
      (multicast-leave! sock "239.77.1.2" #:interface "lo"))
    (for-each
     (match-lambda
       ((who procedure)
        (define-syntax-rule (refused expected argument ...)
          (test-error* (format #f "~a ~s" who '(argument ...))
              `(,@expected ,who)
            (procedure argument ...)))
        (refused '(wrong-type-arg 1) 'sock "239.77.1.2" "1.2.3.4")
        (refused '(out-of-range 2) sock "no address" "1.2.3.4")
        (refused '(out-of-range 2) sock "::1" "1.2.3.4")
        (refused '(out-of-range 2) sock (ash 1 32) "1.2.3.4")
        (refused '(wrong-type-arg 2) sock 'group "1.2.3.4")
        (refused '(out-of-range 3) sock "239.77.1.2" "no address")
        (refused '(wrong-type-arg 3) sock "239.77.1.2" #f)))
     `(("multicast-block!" ,multicast-block!)
       ("multicast-unblock!" ,multicast-unblock!)))
    (for-each
     (match-lambda
       ((who procedure)
        (test-error* "no address" `(out-of-range 2 ,who)
          (procedure sock "239.77.1"))
        (test-error* "no source" `(out-of-range #:source ,who)
          (procedure sock "239.77.1.2" #:source "x"))
        (test-error* "no interface" `(wrong-type-arg #:interface ,who)
          (procedure sock "239.77.1.2" #:interface 'lo))
        (test-error* "nor that" `(out-of-range #:interface ,who)
          (procedure sock "239.77.1.2" #:interface -1))))
     `(("multicast-join!" ,multicast-join!)
       ("multicast-leave!" ,multicast-leave!)))
    (test-error* "an interface to set" '(wrong-type-arg 2 "set-multicast-interface!")
      (set-multicast-interface! sock 'lo))
    (test-error* "hops of what" '(wrong-type-arg 1 "set-multicast-hops!")
      (set-multicast-hops! 'sock 1))
    (test-error* "the loop of what" '(wrong-type-arg 1 "set-multicast-loop!")
      (set-multicast-loop! 'sock #t))
    (close-port sock))
  (let ((sock (udp AF_UNIX)))
    (test-error* "another family" '(wrong-type-arg 1 "multicast-hops")
      (multicast-hops sock))
    (close-port sock)))

(test-case "the sources of a group can be read"
  (let ((sock (udp AF_INET))
        (asked (make-bytevector 32 0)))
    (multicast-join! sock "239.77.1.2" #:interface "lo")
    (multicast-block! sock "239.77.1.2" "10.1.2.3" #:interface "lo")
    ;; struct ip_msfilter of ip(7), with room for four sources.
    (bytevector-u32-set! asked 0 #xef4d0102 (endianness big))
    (bytevector-u32-set! asked 4 INADDR_LOOPBACK (endianness big))
    (bytevector-u32-native-set! asked 12 4)
    (let ((filter (getsockopt sock IPPROTO_IP IP_MSFILTER asked)))
      (test-equal "all but one" (list MCAST_EXCLUDE 1)
        (list (bytevector-u32-native-ref filter 8)
              (bytevector-u32-native-ref filter 12)))
      (test-equal "that one" #x0a010203
        (bytevector-u32-ref filter 16 (endianness big)))
      (test-equal "and no more" 20 (bytevector-length filter)))
    (test-equal "what was asked is as it was" 4
      (bytevector-u32-native-ref asked 12))
    (test-error* "no room" `(system-error ,EINVAL "getsockopt")
      (getsockopt sock IPPROTO_IP IP_MSFILTER (make-bytevector 3)))
    (test-error* "no bytes" '(wrong-type-arg 4 "getsockopt")
      (getsockopt sock IPPROTO_IP IP_MSFILTER "x"))
    (close-port sock)))

(test-end "multicast")
