;;; SPDX-License-Identifier: LGPL-3.0-or-later
(use-modules (harness)
             (harness socket)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(define buffer (make-bytevector 64))

(define (udp family)
  (let ((sock (socket family SOCK_DGRAM 0)))
    (if (= family AF_INET)
        (bind sock AF_INET INADDR_LOOPBACK 0)
        (bind sock AF_INET6 1 0))
    sock))

;; Send one byte from a socket of FAMILY to itself with CONTROL; the options
;; OPTIONS, pairs of level and number, are set on it.  The message that comes.
(define* (round-trip family options #:optional (control '()))
  (let ((sock (udp family)))
    (for-each (match-lambda
                ((level . option) (setsockopt sock level option 1)))
              options)
    (sendmsg sock "x" (getsockname sock) control)
    (let ((message (recvmsg! sock buffer)))
      (close-port sock)
      message)))

(define (received family options name . control)
  (control-ref (message-control (round-trip family options control)) name))

(test-begin "control")

(test-case "every known type has a name, numbers and fields"
  (for-each
   (match-lambda
     ((name level type . fields)
      (test-assert (symbol->string name)
        (and (integer? level) (integer? type) (every symbol? fields)
             (eq? name
                  (control-message-name
                   (make-control-message
                    level type
                    (if (pair? (cdr fields))
                        (make-vector (length fields) 0)
                        0))))))))
   (remove (lambda (row) (memq (car row) '(timestamping-flags)))
           (control-message-types))))

(test-case "what the kernel tells about IPv4 datagrams"
  (test-equal "TTL" 64
    (received AF_INET `((,IPPROTO_IP . ,IP_RECVTTL)) 'ip-ttl))
  (test-equal "a TTL that was sent along" 7
    (received AF_INET `((,IPPROTO_IP . ,IP_RECVTTL)) 'ip-ttl
              (control-message 'ip-ttl 7)))
  (test-equal "type of service" 16
    (received AF_INET `((,IPPROTO_IP . ,IP_RECVTOS)) 'ip-tos
              (control-message 'ip-tos 16)))
  (test-assert "packet information"
    (match (received AF_INET `((,IPPROTO_IP . ,IP_PKTINFO)) 'ip-pktinfo)
      (#(interface local address)
       (and (positive? interface)
            (= local INADDR_LOOPBACK)
            (= address INADDR_LOOPBACK)))))
  (test-equal "original destination" INADDR_LOOPBACK
    (sockaddr:addr
     (received AF_INET `((,IPPROTO_IP . ,IP_RECVORIGDSTADDR))
               'ip-origdstaddr))))

(test-case "what the kernel tells about IPv6 datagrams"
  (test-equal "hop limit" 5
    (received AF_INET6 `((,IPPROTO_IPV6 . ,IPV6_RECVHOPLIMIT))
              'ipv6-hoplimit (control-message 'ipv6-hoplimit 5)))
  (test-equal "traffic class" 32
    (received AF_INET6 `((,IPPROTO_IPV6 . ,IPV6_RECVTCLASS)) 'ipv6-tclass
              (control-message 'ipv6-tclass 32)))
  (test-equal "packet information" 1
    (vector-ref (received AF_INET6 `((,IPPROTO_IPV6 . ,IPV6_RECVPKTINFO))
                          'ipv6-pktinfo)
                1)))

(test-case "times are nanoseconds since the Epoch"
  (for-each
   (match-lambda
     ((option . name)
      (let ((before (* 1000000000 (current-time)))
            (time (received AF_INET `((,SOL_SOCKET . ,option)) name)))
        (test-assert (symbol->string name)
          (<= before time (+ before 20000000000))))))
   `((,SO_TIMESTAMP . timestamp) (,SO_TIMESTAMPNS . timestampns))))

(test-case "software times of SO_TIMESTAMPING"
  (let ((times (received AF_INET `() 'timestamping)))
    (test-equal "none unless asked for" #f times)))

(test-case "a packet is answered from the address that it was sent to"
  (let ((server (udp AF_INET)) (client (udp AF_INET)))
    (setsockopt server IPPROTO_IP IP_PKTINFO 1)
    (sendmsg client "?" (getsockname server))
    (let* ((message (recvmsg! server buffer))
           (info (find (lambda (m)
                         (eq? (control-message-name m) 'ip-pktinfo))
                       (message-control message))))
      (test-equal "by field" INADDR_LOOPBACK
        (control-message-ref info 'local))
      (sendmsg server "!" (message-address message) (list info))
      (test-equal "answered" 1 (recv! client buffer)))
    (close-port server)
    (close-port client)))

(test-case "credentials"
  (let ((pair (socketpair AF_UNIX SOCK_DGRAM 0)))
    (setsockopt (cdr pair) SOL_SOCKET SO_PASSCRED 1)
    (sendmsg (car pair) "x" #f
             (list (control-message 'credentials
                                    (vector (getpid) (getuid) (getgid)))))
    (test-equal "as sent" (vector (getpid) (getuid) (getgid))
      (control-ref (message-control (recvmsg! (cdr pair) buffer))
                   'credentials))
    (close-port (car pair))
    (close-port (cdr pair))))

(test-case "unknown control messages stay whole"
  (let ((message (make-control-message 4711 17 #vu8(1 2 3))))
    (test-assert "a control message" (control-message? message))
    (test-equal "name" #f (control-message-name message))
    (test-equal "data" #vu8(1 2 3) (control-message-data message))
    (test-equal "level" 4711 (control-message-level message))
    (test-equal "type" 17 (control-message-type message))))

(define (refused expected . control)
  (let ((sock (udp AF_INET)))
    (test-error* (format #f "~s" control) expected
      (sendmsg sock "x" (getsockname sock) control))
    (test-error* "and nothing was sent" '(system-error 11)
      (recv! sock buffer MSG_DONTWAIT))
    (close-port sock)))

(test-case "malformed ones are refused before sending"
  (define wrong '(wrong-type-arg 4 "sendmsg"))
  (define beyond '(out-of-range 4 "sendmsg"))
  (refused beyond (control-message 'udp-segment 65536))
  (refused beyond (control-message 'udp-segment -1))
  (refused beyond (control-message 'ip-ttl (expt 2 31)))
  (refused beyond (control-message 'ip-ttl (expt 2 64)))
  (refused beyond (control-message 'ip-ttl (- (expt 2 70))))
  (refused beyond (control-message 'txtime (expt 2 64)))
  (refused beyond (make-control-message (expt 2 31) 0 #vu8()))
  (refused wrong (make-control-message 1.5 0 #vu8()))
  (refused wrong (control-message 'ip-ttl 1.5))
  (refused wrong (control-message 'ip-ttl "1"))
  (refused wrong (control-message 'ip-pktinfo 1))
  (refused wrong (control-message 'ip-pktinfo #(1 2)))
  (refused wrong (control-message 'rights 1))
  (refused wrong (control-message 'rights '(#f)))
  (refused wrong (make-control-message 4711 17 5))
  (refused wrong 'no-control-message)
  (refused '(system-error 22) (make-control-message IPPROTO_IP IP_PKTINFO
                                                     #vu8(1 2 3)))
  (test-error* "no such name" '(out-of-range 1 "control-message")
    (control-message 'no-such-name 1))
  (test-error* "no name" '(wrong-type-arg 1 "control-message")
    (control-message "rights" 1))
  (let ((message (control-message 'ip-ttl 1)))
    (test-error* "no message to ask" '(wrong-type-arg 1 "control-message-ref")
      (control-message-ref 'message 'interface))
    (test-error* "no such field" '(out-of-range 2 "control-message-ref")
      (control-message-ref message 'interface))
    (test-error* "nor its name" '(wrong-type-arg 1 "control-message-name")
      (control-message-name 'message))
    (test-error* "no list" '(wrong-type-arg 1 "control-ref")
      (control-ref message 'ip-ttl))))

(test-case "what is owned is closed by exec"
  (for-each
   (lambda (fd)
     (let ((owner (own-descriptor fd)))
       (test-equal "close-on-exec" FD_CLOEXEC (fcntl fd F_GETFD))
       (if (port? owner) (close-port owner) (close-descriptor owner))))
   (list (open-fdes "/" O_RDONLY) (open-fdes "/dev/null" O_RDWR)
         (port->fdes ((@ (guile) socket) AF_UNIX SOCK_STREAM 0)))))

(test-case "descriptor objects close what they own"
  (let* ((before (length (descriptors)))
         (fd (open-fdes "/" O_RDONLY))
         (owner (own-descriptor fd)))
    (test-assert "is one" (descriptor? owner))
    (test-equal "number" fd (descriptor-fileno owner))
    (test-equal "closed" #t (close-descriptor owner))
    (test-equal "once" #f (close-descriptor owner))
    (test-error* "gone" '(wrong-type-arg 1 "descriptor-fileno")
      (descriptor-fileno owner))
    (test-equal "nothing is left" before (length (descriptors)))))

(test-case "a descriptor object that is dropped is closed"
  (let ((before (length (descriptors))))
    (dropping (lambda () (own-descriptor (open-fdes "/" O_RDONLY))))
    (test-assert "in time"
      (wait-until (lambda ()
                    (gc)
                    (= before (length (descriptors))))))))

(test-case "a descriptor can be taken back"
  (let* ((owner (own-descriptor (open-fdes "/" O_RDONLY)))
         (fd (descriptor-release! owner)))
    (test-equal "once" #f (descriptor-release! owner))
    (close-fdes fd)))

(test-case "owners are of the right kind"
  (for-each
   (match-lambda
     ((name flags file? input? output?)
      (let ((owner (own-descriptor (open-fdes name flags))))
        (test-equal name (list file? input? output?)
          (list (port? owner)
                (and (port? owner) (input-port? owner))
                (and (port? owner) (output-port? owner))))
        (if (port? owner) (close-port owner) (close-descriptor owner)))))
   `(("/dev/null" ,O_RDONLY #t #t #f)
     ("/dev/null" ,O_WRONLY #t #f #t)
     ("/dev/null" ,O_RDWR #t #t #t)
     ("/etc/passwd" ,O_RDONLY #t #t #f)
     ("/" ,O_RDONLY #f #f #f)
     ("/etc/passwd" ,#o10000000 #f #f #f))) ; O_PATH
  (test-error* "not open" '(system-error 9) (own-descriptor 9999))
  (test-error* "no descriptor" '(wrong-type-arg 1 "close-descriptor")
    (close-descriptor 5)))

(test-end "control")
