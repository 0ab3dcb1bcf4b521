;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Listening at exactly what was asked for, or not at all.

(use-modules (harness)
             (harness namespace)
             (harness process)
             (harness socket)
             (ice-9 match)
             (srfi srfi-1)
             (sockport))

(test-begin "listener-exact")

(test-case "a port is a number up to 65535 or a service's name"
  (for-each
   (lambda (where)
     (test-error* where '(out-of-range 1 "listen-on") (listen-on where)))
   (list "127.0.0.1:65537" "127.0.0.1:70000" "localhost:70000" "*:65536"
         "[::]:65536" "*:#x50" "localhost:#x50" "*:+80" "*:80.0" "*: 80"
         "127.0.0.1:" "localhost:" "*:" ":" "[::1]:" "127.0.0.1:-1"
         "127.0.0.1:80\x00;" "127.0.0.1\x00;:0" "local\x00;host:0"
         "\x00;:0" (string-append "unix:/" (make-string 108 #\x))
         (string-append "unix:/tmp/" (make-string 200 #\x) ":80")))
  (for-each
   (lambda (where)
     (test-error* where '(wrong-type-arg 1 "listen-on") (listen-on where)))
   '("::1:0" "2001:db8::1" "[::1:0" "[::1]0" "a:b:0"))
  (for-each
   (match-lambda
     ((expected . port)
      (test-error* (list "beside a host" port) `(,expected #:port "listen-on")
        (listen-on "127.0.0.1" #:port port))))
   '((out-of-range . 65536) (out-of-range . -1) (out-of-range . "70000")
     (out-of-range . "") (out-of-range . "#x50") (wrong-type-arg . 1.5)
     (wrong-type-arg . http)))
  (test-error* "a host with a NUL" '(out-of-range 1 "listen-on")
    (listen-on "local\x00;host" #:port 0))
  (test-error* "a port beside a port" '(wrong-type-arg 1 "listen-on")
    (listen-on 80 #:port 0))
  (for-each
   (match-lambda
     ((expected keyword value)
      (test-error* (list keyword value) `(,expected ,keyword "listen-on")
        (listen-on "127.0.0.1:0" keyword value))))
   `((wrong-type-arg #:backlog #f) (out-of-range #:backlog -1)
     (out-of-range #:mode #o10000) (wrong-type-arg #:mode "rw")
     (out-of-range #:owner -2) (wrong-type-arg #:group x)))
  (test-assert "zeros before it"
    (call-with-ports (listen-on "127.0.0.1:00000")
      (lambda (listeners) (positive? (port-of (car listeners)))))))

(test-case "a service's name after brackets"
  (call-with-namespaces 1
    (lambda (name)
      (in-namespace name
        (lambda ()
          (call-with-ports (listen-on "[::1]:http-alt")
            (lambda (listeners)
              (test-equal "the same as without them" '("[::1]:8080")
                (map (lambda (one) (socket-address->string (getsockname one)))
                     listeners)))))))))

(test-case "where IPv6 is off, a name is listened at by its other addresses"
  (call-with-namespaces 1
    (lambda (name)
      (in-namespace name
        (lambda ()
          (for-each (lambda (link)
                      (set-sysctl! (format #f "net/ipv6/conf/~a/disable_ipv6"
                                           link)
                                   1))
                    '("all" "default" "lo"))
          (for-each
           (lambda (where)
             (call-with-ports (listen-on where)
               (lambda (listeners)
                 (test-assert where
                   (reaches? AF_INET INADDR_LOOPBACK
                             (port-of (last listeners)))))))
           '("localhost:0" "*:0"))
          (test-error* "IPv6 alone" `(system-error ,EADDRNOTAVAIL "listen-on")
            (listen-on "[::1]:0")))))))

(test-case "a port of both families is sought until it is free in both"
  (call-with-namespaces 1
    (lambda (name)
      (in-namespace name
        (lambda ()
          ;; Sixteen ports, of which one family has half.
          (set-sysctl! "net/ipv4/ip_local_port_range" "20000 20015")
          (call-with-ports
              (append-map (lambda (port)
                            (listen-on (format #f "127.0.0.1:~a" port)))
                          (iota 8 20000 2))
            (lambda (taken)
              (do ((i 0 (+ i 1))) ((= i 8))
                (call-with-ports (listen-on "localhost:0")
                  (lambda (listeners)
                    (test-equal "one port" 1
                      (length (delete-duplicates
                               (map port-of listeners))))))))))))))

(test-case "a name is gone again if listening fails"
  (with-temporary-directory
    (lambda (directory)
      (let* ((path (string-append directory "/sock"))
             (where (string-append "unix:" path)))
        (test-error* "bound and refused" '(getaddrinfo-error)
          (serve (list where "no.such.host.invalid:1") (const #t)))
        (test-assert "no name" (not (file-exists? path)))))))

(test-end "listener-exact")
