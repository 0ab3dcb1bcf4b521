;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; ICMP errors on UDP, read from the queue of errors, with who sent them: over
;;; loopback, and through a router between network namespaces.

(use-modules (harness) (harness example) (harness namespace) (harness socket)
             (ice-9 format) (ice-9 match) (ice-9 threads)
             (rnrs bytevectors) (srfi srfi-1)
             (sockport) (sockport deadline))

(define trace-path (example "trace-path.scm"))

(define (udp family)
  (let ((sock (socket family SOCK_DGRAM 0)))
    (set-socket-option! sock
                        (if (= family AF_INET) 'ip-recverr 'ipv6-recverr) #t)
    (set-socket-option! sock 'rcvtimeo 10)
    sock))

(define (loopback family)
  (if (= family AF_INET) INADDR_LOOPBACK 1))

(define (errno-of thunk)
  (catch 'system-error
    (lambda () (thunk) #f)
    (lambda args (system-error-errno args))))

(define (host-of address)
  (and address (inet-ntop (sockaddr:fam address) (sockaddr:addr address))))

(define (facts error)
  (list (queued-error-errno error) (queued-error-origin error)
        (queued-error-type error) (queued-error-code error)
        (host-of (queued-error-offender error))))

(define families
  `((,AF_INET "127.0.0.1" icmp 3 3) (,AF_INET6 "::1" icmp6 1 4)))

(test-begin "real-errors")

(for-each
 (match-lambda
   ((family host origin type code)
    (test-case (string-append "loopback " host)
      (let-ports ((sock (udp family)))
        (let ((port (free-port SOCK_DGRAM family)))
          (test-equal "nothing yet" '() (receive-errors sock))
          (connect sock family (inet-pton family host) port)
          (send sock "to nobody")
          (test-equal "the call fails" ECONNREFUSED
            (errno-of (lambda () (recv! sock (make-string 9)))))
          (match (receive-errors sock)
            ((error)
             (test-assert "a condition" (queued-error? error))
             (test-equal "who and why" (list ECONNREFUSED origin type code host)
               (facts error))
             (test-equal "it was going to" (list host port)
               (list (host-of (queued-error-destination error))
                     (sockaddr:port (queued-error-destination error))))
             (test-equal "what was sent" (string->utf8 "to nobody")
               (queued-error-packet error))
             (test-equal "nothing else" '(0 0)
               (list (queued-error-info error) (queued-error-data error)))
             (test-assert "raised and caught"
               (catch #t
                 (lambda () (raise-exception error))
                 (lambda (key . args) (eq? error (car args))))))
            (errors (test-equal "one error" 1 (length errors))))
          (test-equal "drained" '() (receive-errors sock)))))
    (test-case (string-append "which of several destinations " host)
      (let-ports ((sock (udp family)))
        (let ((ports (list (free-port SOCK_DGRAM family) (free-port SOCK_DGRAM family)
                           (free-port SOCK_DGRAM family))))
          (for-each
           (lambda (port)
             ;; The error of the one before makes sendto fail.
             (wait-until
              (lambda ()
                (not (errno-of
                      (lambda ()
                        (sendto sock (number->string port) family
                                (inet-pton family host) port)))))))
           ports)
          (let ((errors '()))
            (define (enough?)
              (set! errors (append errors (receive-errors sock 1)))
              (= (length errors) 3))
            (wait-until enough?)
            (test-equal "each is told" ports
              (map (lambda (error)
                     (sockaddr:port (queued-error-destination error)))
                   errors))
            (test-equal "with its data" (map number->string ports)
              (map (lambda (error) (utf8->string (queued-error-packet error)))
                   errors))))))
    (test-case (string-append "the packet is cut " host)
      (let-ports ((sock (udp family)))
        (connect sock family (inet-pton family host) (free-port SOCK_DGRAM family))
        (send sock (make-string 500 #\x))
        (errno-of (lambda () (recv! sock (make-string 1))))
        (test-equal "to four bytes" '(4)
          (map (lambda (error)
                 (bytevector-length (queued-error-packet error)))
               (receive-errors sock #f 4)))))
    (test-case (string-append "trace-path.scm " host)
      (test-equal "the host itself refuses"
        (list 0 (format #f " 1  ~a  Connection refused (~a, type ~a, code ~a)~%"
                        host origin type code))
        (output-of (trace-path host))))))
 families)

;;; A queue that nobody empties ends every wait at once.

(define (udp-with-error receive-seconds)
  "A pair of sockets, the first with a local error in its queue alone."
  (let ((sock (udp AF_INET)) (peer (udp AF_INET)))
    (bind peer AF_INET INADDR_LOOPBACK 0)
    (connect sock (getsockname peer))
    (connect peer (getsockname sock))
    (set-socket-option! sock 'rcvtimeo receive-seconds)
    (set-socket-option! sock 'ip-mtu-discover IP_PMTUDISC_PROBE)
    (test-equal "too long for the interface" EMSGSIZE
      (errno-of (lambda () (send sock (make-string 65507 #\x)))))
    (cons sock peer)))

(define (with-small-loopback thunk)
  (call-with-namespaces 1
    (lambda (name)
      (ip "-n" name "link" "set" "lo" "mtu" "1500")
      (in-namespace name thunk))))

(define receivers
  `((recv! . ,(lambda (sock) (recv! sock (make-bytevector 9))))
    (recv!/flags . ,(lambda (sock) (recv! sock (make-bytevector 9) MSG_PEEK)))
    (recvfrom! . ,(lambda (sock) (car (recvfrom! sock (make-bytevector 9)))))
    (recvmsg! . ,(lambda (sock)
                   (message-length (recvmsg! sock (make-bytevector 9)))))
    (batch-receive! . ,(lambda (sock)
                         (* 5 (batch-receive! (make-batch 4 9) sock))))
    (in-deadline . ,(lambda (sock)
                      (with-deadline 10
                        (lambda () (recv! sock (make-bytevector 9))))))))

(test-case "a queue of errors that is not empty stops nobody from receiving"
  (with-small-loopback
   (lambda ()
     (for-each
      (match-lambda
        ((name . receive)
         (let-ports ((pair (udp-with-error 0.3)))
           (unless (eq? name 'in-deadline)
             (let ((spent (cpu-seconds
                           (lambda ()
                             (test-equal (list name "gives up in time") EAGAIN
                               (errno-of (lambda ()
                                           (receive (car pair)))))))))
               (test-assert (list name "without spinning")
                 (< spent 0.15))))
           (set-socket-option! (car pair) 'rcvtimeo 10)
           (let ((reader (in-thread (lambda () (receive (car pair))))))
             (usleep 50000)
             (send (cdr pair) "words")
             (test-equal (list name "receives") 5 (join-thread reader)))
           (test-equal (list name "the error is there still") '(local)
             (map queued-error-origin (receive-errors (car pair)))))))
      receivers))))

;;; left -- router -- right

(define (connect-namespaces a a-name a-addresses b b-name b-addresses)
  (ip "link" "add" a-name "netns" a "type" "veth" "peer" "name" b-name
      "netns" b)
  (set-up a a-name a-addresses)
  (set-up b b-name b-addresses))

(define (limit-no-errors namespace)
  "Let NAMESPACE send ICMP errors as often as there is a reason."
  (in-namespace namespace
    (lambda ()
      ;; The types that are limited: none that is an error.
      (set-sysctl! "net/ipv4/icmp_ratemask" 0)
      (set-sysctl! "net/ipv6/icmp/ratemask" 255))))

(define (make-route left router right)
  (connect-namespaces left "left" '("10.7.1.2/24" "fd71::2/64")
                      router "to-left" '("10.7.1.1/24" "fd71::1/64"))
  (connect-namespaces router "to-right" '("10.7.2.1/24" "fd72::1/64")
                      right "right" '("10.7.2.2/24" "fd72::2/64"))
  (for-each (lambda (arguments) (apply ip arguments))
            `(("-n" ,left "route" "add" "default" "via" "10.7.1.1")
              ("-n" ,left "-6" "route" "add" "default" "via" "fd71::1")
              ("-n" ,right "route" "add" "default" "via" "10.7.2.1")
              ("-n" ,right "-6" "route" "add" "default" "via" "fd72::1")
              ("-n" ,router "route" "add" "unreachable" "10.7.3.0/24")
              ("-n" ,router "route" "add" "prohibit" "10.7.4.0/24")
              ("-n" ,router "-6" "route" "add" "unreachable" "fd73::/64")
              ("-n" ,router "link" "set" "to-right" "mtu" "1300")))
  (for-each limit-no-errors (list router right))
  (in-namespace router
    (lambda ()
      (set-sysctl! "net/ipv4/ip_forward" 1)
      (set-sysctl! "net/ipv6/conf/all/forwarding" 1))))

(define (with-route thunk)
  (call-with-namespaces 3
    (lambda (left router right)
      (make-route left router right)
      (in-namespace left thunk))))

(define* (error-of-sending host #:key hops (size 5) discover?)
  "The facts of the first error that a datagram to HOST meets, and its info."
  (define family (if (string-index host #\:) AF_INET6 AF_INET))
  (define inet? (= family AF_INET))
  (let-ports ((sock (udp family)))
    (connect sock family (inet-pton family host) 9)
    (when hops
      (set-socket-option! sock (if inet? 'ip-ttl 'ipv6-unicast-hops) hops))
    (when discover?
      (set-socket-option! sock
                          (if inet? 'ip-mtu-discover 'ipv6-mtu-discover)
                          IP_PMTUDISC_DO))
    (set-socket-option! sock 'rcvtimeo 1)
    (let loop ((tries 10))
      (unless (errno-of (lambda () (send sock (make-string size #\x))))
        (errno-of (lambda () (recv! sock (make-string 1)))))
      (match (receive-errors sock 1)
        ((error) (append (facts error) (list (queued-error-info error))))
        ;; Errors are lost as datagrams are.
        (() (and (positive? tries) (loop (- tries 1))))))))

(test-case "through a router"
  (with-route
   (lambda ()
     (test-equal "time exceeded" `(,EHOSTUNREACH icmp 11 0 "10.7.1.1" 0)
       (error-of-sending "10.7.2.2" #:hops 1))
     (test-equal "hop limit exceeded" `(,EHOSTUNREACH icmp6 3 0 "fd71::1" 0)
       (error-of-sending "fd72::2" #:hops 1))
     (test-equal "nobody listens" `(,ECONNREFUSED icmp 3 3 "10.7.2.2" 0)
       (error-of-sending "10.7.2.2"))
     (test-equal "nobody listens, IPv6" `(,ECONNREFUSED icmp6 1 4 "fd72::2" 0)
       (error-of-sending "fd72::2"))
     (test-equal "host unreachable" `(,EHOSTUNREACH icmp 3 1 "10.7.1.1" 0)
       (error-of-sending "10.7.3.1"))
     (test-equal "no route" `(,ENETUNREACH icmp6 1 0 "fd71::1" 0)
       (error-of-sending "fd73::1"))
     (test-equal "prohibited" `(,EHOSTUNREACH icmp 3 13 "10.7.1.1" 0)
       (error-of-sending "10.7.4.1"))
     (test-equal "too long, and how long it may be"
       `(,EMSGSIZE icmp 3 4 "10.7.1.1" 1300)
       (error-of-sending "10.7.2.2" #:size 1400 #:discover? #t))
     (test-equal "too long, IPv6" `(,EMSGSIZE icmp6 2 0 "fd71::1" 1300)
       (error-of-sending "fd72::2" #:size 1400 #:discover? #t))
     (test-equal "now this machine knows" `(,EMSGSIZE local 0 0 #f 1300)
       (error-of-sending "10.7.2.2" #:size 1400 #:discover? #t)))))

(test-case "trace-path.scm through a router"
  (with-route
   (lambda ()
     (test-equal "both hops"
       (list 0 (string-append
                " 1  10.7.1.1  No route to host (icmp, type 11, code 0)\n"
                " 2  10.7.2.2  Connection refused (icmp, type 3, code 3)\n"))
       (output-of (trace-path "10.7.2.2")))
     (test-equal "both hops, IPv6"
       (list 0 (string-append
                " 1  fd71::1  No route to host (icmp6, type 3, code 0)\n"
                " 2  fd72::2  Connection refused (icmp6, type 1, code 4)\n"))
       (output-of (trace-path "fd72::2"))))))

(test-end "real-errors")
