;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Every row of the table, listings, and sockets from elsewhere.

(use-modules (harness)
             (harness option)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport))

;; Waiting opens a pair of descriptors, once for each thread.
(call-with-connection (const #t))

(test-begin "option-row")

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

;;; What only shows in some state.

(test-case "the pending error is taken"
  (with-udp s
    (with-udp nobody
      (bind nobody AF_INET INADDR_LOOPBACK 0)
      (connect s (getsockname nobody)))
    (send s #vu8(1))
    (test-equal "refused" ECONNREFUSED
      (wait-until (lambda ()
                    (let ((n (socket-option s 'error)))
                      (and (positive? n) n)))))
    (test-equal "and gone" 0 (socket-option s 'error))))

(test-case "the process of the peer"
  (call-with-pair
   (lambda (a b)
     (where-allowed
      (let ((fd (socket-option a 'peerpidfd)))
        (test-assert "is a descriptor of it"
          (string-contains (readlink (format #f "/proc/self/fd/~a" fd))
                           "pidfd"))
        (close-fdes fd))))))

(test-case "the headers of the first segment"
  (with-tcp listener
    (bind listener AF_INET INADDR_LOOPBACK 0)
    (set-socket-option! listener 'tcp-save-syn 1)
    (listen listener 1)
    (with-tcp client
      (connect client (getsockname listener))
      (match (accept listener)
        ((server . _)
         (let ((headers (socket-option server 'tcp-saved-syn)))
           (test-equal "IPv4" #x45 (bytevector-u8-ref headers 0))
           (test-equal "from the client"
             (sockaddr:port (getsockname client))
             (bytevector-u16-ref headers 20 (endianness big))))
         (test-equal "taken" #vu8() (socket-option server 'tcp-saved-syn))
         (close-port server))))))

(test-case "the packet size of a path"
  (with-udp6 s
    (connect s AF_INET6 IN6ADDR_LOOPBACK 9)
    (let ((size (socket-option s 'ipv6-mtu)))
      (test-assert "size" (< 1280 size))
      (test-equal "as a structure" size
        (ip6-mtuinfo-mtu (socket-option s 'ipv6-pathmtu))))))

(test-case "a connection in repair"
  (with-tcp s
    (where-allowed (set-socket-option! s 'tcp-repair 1))
    (set-socket-option! s 'tcp-repair-queue TCP_SEND_QUEUE)
    (test-equal "queue" TCP_SEND_QUEUE (socket-option s 'tcp-repair-queue))
    (set-socket-option! s 'tcp-queue-seq 4294967295)
    (test-equal "sequence number" 4294967295 (socket-option s 'tcp-queue-seq))
    (test-assert "windows"
      (tcp-repair-window? (socket-option s 'tcp-repair-window)))))

(test-case "a packet socket"
  (let ((s (where-allowed (socket AF_PACKET SOCK_RAW (htons ETH_P_IP)))))
    (set-socket-option! s 'packet-add-membership
                        (make-packet-mreq (if-nametoindex "lo")
                                          PACKET_MR_PROMISC 0 #vu8()))
    (test-assert "statistics"
      (exact-integer?
       (tpacket-stats-packets (socket-option s 'packet-statistics))))
    (set-socket-option! s 'packet-fanout
                        (logior (logand (getpid) #xffff)
                                (ash PACKET_FANOUT_ROLLOVER 16)))
    (test-assert "rollover"
      (exact-integer? (tpacket-rollover-stats-all
                       (socket-option s 'packet-rollover-stats))))
    (close-port s)))

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

(test-end "option-row")
