;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Netlink against ip(8): the same listings, and what was made is there.

(use-modules (harness) (harness example) (harness json)
             (harness namespace) (harness process)
             (ice-9 match) (ice-9 threads) (rnrs bytevectors) (srfi srfi-1)
             (sockport) (sockport netlink) (sockport task))

(define netlink (example "netlink.scm"))

(define (example-output . arguments)
  (match (output-of (apply netlink arguments))
    ((0 output) output)))

(define (example-json . arguments)
  (string->json (apply example-output arguments)))

(define (ip-json . arguments)
  (string->json (apply ip "-j" arguments)))

;; ip tells more, and time passes between the two.
(define (as-far-as ours theirs)
  "Return THEIRS without what OURS does not tell."
  (cond ((and (object? ours) (object? theirs))
         (filter-map (match-lambda
                       ((key . value)
                        (and (assoc key theirs)
                             (cons key (as-far-as value
                                                  (assoc-ref theirs key))))))
                     ours))
        ((and (list? ours) (list? theirs)
              (= (length ours) (length theirs)))
         (map as-far-as ours theirs))
        (else theirs)))

(define (object? value)
  (match value
    ((((? string?) . _) . _) #t)
    (_ #f)))

(define (without-times value)
  (match value
    ((((? string?) . _) . _)
     (filter-map (match-lambda
                   ((key . value)
                    (and (not (string-suffix? "_life_time" key))
                         (cons key (without-times value)))))
                 value))
    ((? list?) (map without-times value))
    (_ value)))

(define (test-same name ours theirs)
  (test-equal name ours (as-far-as ours theirs)))

(define (test-listings)
  (test-same "links" (example-json "links") (ip-json "link"))
  (test-same "addresses" (without-times (example-json "addresses"))
             (ip-json "addr"))
  (for-each (lambda (family)
              (test-same (list "routes" family) (example-json "routes" family)
                         (ip-json (string-append "-" family) "route")))
            '("4" "6")))

(define (find-link name links)
  (find (lambda (link) (equal? name (assoc-ref link "ifname"))) links))

(define (addresses-of name)
  (map (lambda (info)
         (list (assoc-ref info "family") (assoc-ref info "local")
               (assoc-ref info "prefixlen")))
       (assoc-ref (find-link name (ip-json "addr")) "addr_info")))

(test-begin "real-netlink")

(test-case "this machine"
  (require-program "ip")
  (test-listings))

(test-case "a namespace: a pair of interfaces is made, addressed and set up"
  (call-with-namespaces 1
    (lambda (name)
      (in-namespace name
        (lambda ()
          (example-output "add-veth" "left" "right")
          (test-equal "both are there" '("veth" "veth")
            (map (lambda (name)
                   (assoc-ref (assoc-ref (find-link name
                                                    (ip-json "-d" "link"))
                                         "linkinfo")
                              "info_kind"))
                 '("left" "right")))
          (example-output "add-address" "left" "10.9.8.1/24")
          (example-output "add-address" "left" "fd12::1/64")
          (test-equal "addressed"
            '(("inet" "10.9.8.1" 24) ("inet6" "fd12::1" 64))
            (addresses-of "left"))
          (example-output "up" "left")
          (test-assert "half up: the other end is not"
            (wait-until
             (lambda ()
               (member "NO-CARRIER"
                       (assoc-ref (find-link "left" (ip-json "link"))
                                  "flags")))))
          (example-output "up" "right")
          (test-assert "up"
            (wait-until
             (lambda ()
               (equal? "UP" (assoc-ref (find-link "left" (ip-json "link"))
                                       "operstate")))))
          (ip "route" "add" "10.20.0.0/16" "via" "10.9.8.7" "metric" "5"
              "proto" "static")
          (ip "route" "add" "blackhole" "10.21.0.0/16")
          (ip "-6" "route" "add" "fd13::/48" "via" "fd12::2")
          (test-listings))))))

;;; The module.

(define RTM_GETLINK 18)
(define RTM_GETADDR 22)
(define RTM_GETROUTE 26)
(define RTM_NEWLINK 16)
(define NLM_F_DUMP #x300)
(define no-interface (make-bytevector 16 0))

(define-syntax-rule (with-netlink sock body ...)
  (let ((sock (open-netlink NETLINK_ROUTE)))
    (dynamic-wind
      (const #t)
      (lambda () body ...)
      (lambda () (close-port sock)))))

(test-case "attributes"
  (define attributes
    `((1 . #vu8(1 2 3)) (2 . "words") (3 . 4000000000) (4 . ((5 . "x")))
      (6 . #vu8())))
  (define bytes (make-netlink-attributes attributes #vu8(9 9 9 9)))
  (define decoded (netlink-attributes bytes 4))
  (test-equal "length" (+ 4 8 12 8 12 4) (bytevector-length bytes))
  (test-equal "bytes" #vu8(1 2 3) (assv-ref decoded 1))
  (test-equal "a string has its NUL" (string->utf8 "words\0")
              (assv-ref decoded 2))
  (test-equal "an integer" 4000000000
    (bytevector-u32-native-ref (assv-ref decoded 3) 0))
  (test-equal "nested" '((5 . #vu8(120 0)))
    (netlink-attributes (assv-ref decoded 4)))
  (test-equal "empty" #vu8() (assv-ref decoded 6))
  (test-equal "none" '() (netlink-attributes #vu8()))
  (test-error* "longer than the payload" `(system-error ,EBADMSG)
    (netlink-attributes (uint-list->bytevector '(9 1) (native-endianness) 2)))
  (test-error* "shorter than its header" `(system-error ,EBADMSG)
    (netlink-attributes (uint-list->bytevector '(3 1) (native-endianness) 2)))
  (test-error* "no value" '(wrong-type-arg 1 "make-netlink-attributes")
    (make-netlink-attributes '((1 . symbol))))
  (test-error* "too long" '(out-of-range 1 "make-netlink-attributes")
    (make-netlink-attributes `((1 . ,(make-bytevector 65533))))))

(test-case "requests"
  (with-netlink sock
    (let ((messages (netlink-request sock RTM_GETLINK NLM_F_DUMP
                                     no-interface)))
      (test-assert "messages" (every netlink-message? messages))
      (test-equal "their type" (list RTM_NEWLINK)
        (delete-duplicates (map netlink-message-type messages)))
      (test-assert "of several parts" ; NLM_F_MULTI
        (every (lambda (message) (logtest 2 (netlink-message-flags message)))
               messages))
      (test-equal "all of one request" 1
        (length (delete-duplicates (map netlink-message-sequence messages)))))
    (test-equal "one link alone" 1
      (length (netlink-request
               sock RTM_GETLINK 0
               (make-netlink-attributes '((3 . "lo")) no-interface))))
    (test-error* "a name that is too long" `(system-error ,ERANGE)
      (netlink-request sock RTM_GETLINK 0
                       (make-netlink-attributes
                        `((3 . ,(make-string 40 #\x))) no-interface)))
    (test-equal "the kernel's words" "Attribute failed policy validation"
      (catch 'system-error
        (lambda ()
          (netlink-request sock RTM_GETLINK 0
                           (make-netlink-attributes
                            `((3 . ,(make-string 40 #\x))) no-interface)))
        (lambda (key who message arguments errno)
          (match (string-contains (car arguments) ": ")
            (#f (car arguments))
            (at (substring (car arguments) (+ at 2)))))))
    (test-error* "no such link" `(system-error ,ENODEV)
      (netlink-request sock RTM_GETLINK 0
                       (make-netlink-attributes '((3 . "nosuchlink"))
                                                no-interface)))
    ;; A listing that fails ends with the error, and not with an acknowledgement.
    (setsockopt sock SOL_NETLINK NETLINK_GET_STRICT_CHK 1)
    (test-equal "of a listing"
      (list EINVAL "ipv4: Invalid values in header for address dump request")
      (catch 'system-error
        (lambda ()
          (netlink-request sock RTM_GETADDR NLM_F_DUMP
                           (u8-list->bytevector
                            (list AF_INET 1 0 0 0 0 0 0))))
        (lambda (key who message arguments errno)
          (list (car errno)
                (match (string-contains (car arguments) ": ")
                  (#f (car arguments))
                  (at (substring (car arguments) (+ at 2))))))))
    (setsockopt sock SOL_NETLINK NETLINK_GET_STRICT_CHK 0)
    (test-error* "too short" `(system-error ,EINVAL)
      (netlink-request sock RTM_GETLINK 0 #vu8(0)))
    (test-assert "and it goes on"
      (pair? (netlink-request sock RTM_GETLINK NLM_F_DUMP no-interface)))))

(test-case "tasks ask at the same time"
  (define (count)
    (with-netlink sock
      (length (netlink-request sock RTM_GETLINK NLM_F_DUMP no-interface))))
  (test-equal "and get the same answer" (make-list 20 (count))
    (run-tasks
     (lambda ()
       (map join (map (lambda (i) (spawn-task count)) (iota 20)))))))

(test-case "what another process sends is not believed"
  (with-netlink sock
    (with-netlink forger
      (let ((forged (make-bytevector 20 0)))
        (bytevector-u32-native-set! forged 0 20)
        (bytevector-u16-native-set! forged 4 RTM_NEWLINK)
        ;; The sequence may be that of the next request.
        (bytevector-u32-native-set!
         forged 8 (+ 1 (netlink-message-sequence
                        (car (netlink-request sock RTM_GETLINK NLM_F_DUMP
                                              no-interface)))))
        (catch 'system-error
          (lambda () (sendto forger forged (getsockname sock)))
          (lambda _ (skip "needs the right to talk to processes by netlink")))
        (test-assert "dropped"
          (every (lambda (message)
                   (> (bytevector-length (netlink-message-payload message)) 4))
                 (netlink-request sock RTM_GETLINK NLM_F_DUMP
                                  no-interface)))))))

(test-case "many links: an answer of several datagrams"
  (call-with-namespaces 1
    (lambda (name)
      (in-namespace name
        (lambda ()
          (with-netlink sock
            (for-each (lambda (i)
                        (netlink-request
                         sock RTM_NEWLINK #x600 ; NLM_F_CREATE, NLM_F_EXCL
                         (make-netlink-attributes
                          `((3 . ,(format #f "many~a" i))
                            (18 . ((1 . "veth"))))
                          no-interface)))
                      (iota 50))
            (test-assert "all are told"
              (>= (length (netlink-request sock RTM_GETLINK NLM_F_DUMP
                                           no-interface))
                  101))
            ;; Only the first of several datagrams is received.
            (let ((header (make-bytevector 16 0)))
              (bytevector-u32-native-set!
               header 0 (+ 16 (bytevector-length no-interface)))
              (bytevector-u16-native-set! header 4 RTM_GETLINK)
              (bytevector-u16-native-set! header 6 (logior 1 NLM_F_DUMP))
              (sendmsg sock (list header no-interface)
                       (make-socket-address AF_NETLINK 0 0))
              (netlink-receive sock))
            (test-assert "so they are after another request was left in the middle"
              (>= (length (netlink-request sock RTM_GETLINK NLM_F_DUMP
                                           no-interface))
                  101))))))))

(test-case "what happens is told as it happens"
  (call-with-namespaces 1
    (lambda (name)
      (in-namespace name
        (lambda ()
          (with-netlink sock
            (setsockopt sock SOL_NETLINK NETLINK_ADD_MEMBERSHIP 1) ; RTNLGRP_LINK
            (ip "link" "add" "new" "type" "veth" "peer" "name" "other")
            (test-equal "the first of the two" "other\0"
              (utf8->string
               (assv-ref (netlink-attributes
                          (netlink-message-payload
                           (car (netlink-receive sock)))
                          16)
                         3)))))))))

(test-end "real-netlink")
