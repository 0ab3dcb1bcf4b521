;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; SRFI 106 by its text: each name, each default, each thing that it says must be so;
;;; as a program that imports it sees it.

(use-modules (harness) (ice-9 binary-ports) (ice-9 match) (ice-9 threads)
             (rnrs bytevectors) (srfi srfi-1) (srfi srfi-106)
             ((sockport) #:prefix sockport:))

(define (bytes text) (string->utf8 text))

;; A thread's descriptors for waiting are made when it waits first.
(sockport:with-deadline 0 (lambda () (sockport:sleep 1)) (const #f))

(define (port-of sock)
  (number->string (sockport:sockaddr:port (sockport:getsockname sock))))

(define-syntax-rule (with-sockets ((name expr) ...) body ...)
  (let* ((name expr) ...)
    (dynamic-wind
      (const #t)
      (lambda () body ...)
      (lambda () (socket-close name) ...))))

(define-syntax-rule (with-pair (client server) body ...)
  "A connection over loopback, by the procedures of the SRFI."
  (with-sockets ((listener (make-server-socket "0"))
                 (client (make-client-socket "localhost" (port-of listener)))
                 (server (socket-accept listener)))
    body ...))

(test-begin "srfi-106")

(test-case "every name is there, and no other"
  (test-equal '()
    (lset-xor eq?
              (module-map (lambda (name variable) name)
                          (resolve-interface '(srfi srfi-106)))
              '(make-client-socket make-server-socket socket? socket-accept
                socket-send socket-recv socket-shutdown socket-close
                socket-input-port socket-output-port call-with-socket
                address-family address-info socket-domain ip-protocol
                message-type shutdown-method socket-merge-flags
                socket-purge-flags *af-unspec* *af-inet* *af-inet6*
                *sock-stream* *sock-dgram* *ai-canonname* *ai-numerichost*
                *ai-v4mapped* *ai-all* *ai-addrconfig* *ipproto-ip*
                *ipproto-tcp* *ipproto-udp* *msg-peek* *msg-oob* *msg-waitall*
                *shut-rd* *shut-wr* *shut-rdwr*))))

(test-case "by the name that R7RS programs import"
  (test-equal *af-inet*
    (module-ref (resolve-r6rs-interface '(srfi :106)) '*af-inet*)))

(test-case "constants are POSIX's"
  (test-equal (list sockport:AF_UNSPEC sockport:AF_INET sockport:AF_INET6)
    (list *af-unspec* *af-inet* *af-inet6*))
  (test-equal (list sockport:SOCK_STREAM sockport:SOCK_DGRAM)
    (list *sock-stream* *sock-dgram*))
  (test-equal (list sockport:IPPROTO_IP sockport:IPPROTO_TCP sockport:IPPROTO_UDP)
    (list *ipproto-ip* *ipproto-tcp* *ipproto-udp*))
  (test-equal (list sockport:MSG_PEEK sockport:MSG_OOB sockport:MSG_WAITALL)
    (list *msg-peek* *msg-oob* *msg-waitall*))
  (test-equal '(0 1 2) (list *shut-rd* *shut-wr* *shut-rdwr*)))

(test-case "macros"
  (test-equal (list *af-inet* *af-inet6* *af-unspec*)
    (list (address-family inet) (address-family inet6) (address-family unspec)))
  (test-equal (list *ai-canonname* *ai-numerichost* *ai-v4mapped* *ai-all*
                    *ai-addrconfig* (logior *ai-v4mapped* *ai-addrconfig*) 0)
    (list (address-info canoname) (address-info numerichost)
          (address-info v4mapped) (address-info all) (address-info addrconfig)
          (address-info v4mapped addrconfig) (address-info)))
  (test-equal (list *sock-stream* *sock-dgram*)
    (list (socket-domain stream) (socket-domain datagram)))
  (test-equal (list *ipproto-ip* *ipproto-tcp* *ipproto-udp*)
    (list (ip-protocol ip) (ip-protocol tcp) (ip-protocol udp)))
  (test-equal (list 0 *msg-peek* *msg-oob* *msg-waitall*
                    (logior *msg-peek* *msg-waitall*))
    (list (message-type none) (message-type peek) (message-type oob)
          (message-type wait-all) (message-type peek wait-all)))
  (test-equal (list *shut-rd* *shut-wr* *shut-rdwr* *shut-rdwr*)
    (list (shutdown-method read) (shutdown-method write)
          (shutdown-method read write) (shutdown-method write read)))
  (test-equal "names are no variables" *ai-all*
    (let ((all 1) (read 2)) (address-info all)))
  (test-error* "an unknown name" '(syntax-error)
    (eval '(address-family atm) (current-module))))

(test-case "flags"
  (test-equal 7 (socket-merge-flags 1 2 4))
  (test-equal "none" 0 (socket-merge-flags))
  (test-equal 5 (socket-purge-flags 7 2))
  (test-equal "what is not there" 5 (socket-purge-flags 5 2))
  (test-equal "several" 1 (socket-purge-flags 7 2 4)))

(test-case "a connection"
  (with-pair (client server)
    (test-equal "are sockets" '(#t #t) (list (socket? client) (socket? server)))
    (test-equal "how many were sent" 5 (socket-send client (bytes "hello")))
    (test-equal "what was received" (bytes "hello") (socket-recv server 100))
    (test-equal "the other way" 2 (socket-send server (bytes "ho")))
    (test-equal "no more than asked for" (bytes "h") (socket-recv client 1))
    (test-equal "and the rest" (bytes "o") (socket-recv client 1))
    (socket-shutdown client (shutdown-method write))
    (test-equal "the end" #vu8() (socket-recv server 10))
    (test-equal "is of one direction" 1 (socket-send server (bytes "x")))))

(test-case "flags of sending and receiving"
  (with-pair (client server)
    (socket-send client (bytes "abc") (message-type none))
    (test-equal "peek" (bytes "abc") (socket-recv server 3 (message-type peek)))
    (test-equal "again" (bytes "abc") (socket-recv server 3))
    (let ((thread (begin-thread
                   (socket-recv server 6 (message-type wait-all)))))
      (socket-send client (bytes "abc"))
      (socket-send client (bytes "def"))
      (test-equal "all" (bytes "abcdef") (join-thread thread)))
    (socket-send client (bytes "!") (message-type oob))
    (sockport:with-deadline 10
      (lambda ()
        (let wait ()
          (unless (false-if-exception
                   (equal? (bytes "!")
                           (socket-recv server 1 (message-type oob))))
            (wait)))))))

(test-case "what is a socket"
  (test-equal '(#f #f #f #f)
    (map socket? (list 1 (current-output-port) (open-input-string "")
                       (open-bytevector-input-port #vu8()))))
  (let ((sock (make-server-socket "0")))
    (socket-close sock)
    (test-assert "a closed one too" (socket? sock)))
  (let ((sock (sockport:socket sockport:AF_INET sockport:SOCK_STREAM 0)))
    (test-assert "one of Sockport's" (socket? sock))
    (socket-close sock)))

(test-case "other families and datagrams"
  (with-sockets ((server (make-server-socket "0" *af-inet* *sock-dgram*))
                 (client (make-client-socket "127.0.0.1" (port-of server)
                                             *af-inet* *sock-dgram*
                                             (address-info numerichost)
                                             *ipproto-udp*)))
    (socket-send client (bytes "one"))
    (socket-send client (bytes "two"))
    (test-equal "datagrams" (list (bytes "one") (bytes "two"))
      (list (socket-recv server 10) (socket-recv server 10))))
  (with-sockets ((listener (make-server-socket "0" (address-family inet6)))
                 (client (make-client-socket "::1" (port-of listener)
                                             (address-family inet6)))
                 (server (socket-accept listener)))
    (socket-send client (bytes "six"))
    (test-equal "IPv6" (bytes "six") (socket-recv server 10)))
  (with-sockets ((listener (make-server-socket "0" (address-family unspec)
                                               (socket-domain stream)
                                               (ip-protocol tcp)))
                 (client (make-client-socket "localhost" (port-of listener)
                                             (address-family unspec)
                                             (socket-domain stream)
                                             (address-info v4mapped)
                                             (ip-protocol tcp))))
    (test-assert "either" (socket? client))))

(test-case "errors"
  (let* ((listener (make-server-socket "0")) (port (port-of listener)))
    (test-error* "a port in use" `(system-error ,EADDRINUSE)
      (make-server-socket port))
    (socket-close listener)
    (test-error* "nobody listens" `(system-error ,ECONNREFUSED)
      (make-client-socket "localhost" port)))
  (test-error* "no such service" '(getaddrinfo-error)
    (make-client-socket "localhost" "nosuchservice"))
  (test-error* "no number" '(wrong-type-arg 2 "getaddrinfo")
    (make-client-socket "localhost" 80)))

(test-case "ports"
  (with-pair (client server)
    (let ((in (socket-input-port server)) (out (socket-output-port client)))
      (test-equal "of their direction" '(#t #f #f #t)
        (list (input-port? in) (output-port? in)
              (input-port? out) (output-port? out)))
      (put-bytevector out (bytes "no flush"))
      (test-equal "at once" (bytes "no flush") (get-bytevector-n in 8))
      (test-assert "a fresh one" (not (eq? in (socket-input-port server))))
      (close-port in)
      (close-port out)
      (socket-send client (bytes "still there"))
      (test-equal "the socket is open" (bytes "still there")
        (socket-recv server 100))
      (let ((out (socket-output-port client)) (in (socket-input-port server)))
        (put-u8 out 65)
        (test-equal "nothing is read ahead" 65 (get-u8 in))
        (socket-send client (bytes "BC"))
        (test-equal 66 (get-u8 in))
        (test-equal "so both can be used" (bytes "C") (socket-recv server 9))
        (socket-close client)
        (test-assert "a port ends with its socket" (port-closed? out))
        (test-assert "and the peer sees it" (eof-object? (get-u8 in)))))))

(test-case "call-with-socket"
  (let ((sock (make-server-socket "0")))
    (test-equal "its values" '(1 2)
      (call-with-values
          (lambda () (call-with-socket sock (lambda (it)
                                              (values (if (eq? it sock) 1 0) 2))))
        list))
    (test-assert "closed" (port-closed? sock)))
  (let ((sock (make-server-socket "0")))
    (catch 'away
      (lambda () (call-with-socket sock (lambda (it) (throw 'away))))
      (const #t))
    (test-assert "not if it does not return" (not (port-closed? sock)))
    (socket-close sock)))

(test-case "in tasks, each waits by itself"
  (test-equal '(#vu8(1) #vu8(2) #vu8(3))
    (sockport:run-tasks
     (lambda ()
       (let* ((listener (make-server-socket "0")) (port (port-of listener)))
         (define clients
           (map (lambda (i)
                  (sockport:spawn-task
                   (lambda ()
                     (call-with-socket (make-client-socket "localhost" port)
                       (lambda (sock)
                         (let ((in (socket-input-port sock)))
                           (put-u8 (socket-output-port sock) i)
                           (get-bytevector-n in 1)))))))
                '(1 2 3)))
         (define servers (map (lambda (i) (socket-accept listener)) '(1 2 3)))
         (for-each (lambda (sock)
                     (call-with-socket sock
                       (lambda (sock)
                         (socket-send sock (socket-recv sock 1)))))
                   (reverse servers))
         (socket-close listener)
         (map sockport:join clients))))))

(test-end "srfi-106")
