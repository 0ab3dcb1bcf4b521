;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What getsockname returns can be passed to connect, for every form of address;
;;; and addresses from and to integers and text.

(use-modules (harness)
             (harness namespace)
             (harness process)
             (harness socket)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(test-begin "address")

;;; A byte goes from a client that was connected by what getsockname returned.
(define (connects? server client)
  (listen server 4)
  (connect client (getsockname server))
  (let-ports ((accepted (car (accept server)))
              (buffer (make-bytevector 1)))
    (send client "!")
    (recv! accepted buffer)
    (equal? buffer #vu8(33))))

(define (round-trip family . parts)
  "Bind to PARTS and connect to what getsockname returns, which is returned."
  (let-ports ((server (socket family SOCK_STREAM 0))
              (client (socket family SOCK_STREAM 0)))
    (apply bind server family parts)
    (and (connects? server client)
         (getsockname server))))

(define (unix-round-trip name)
  (let ((address (round-trip AF_UNIX name)))
    (and address (sockaddr:path address))))

(define-syntax-rule (in-temporary-directory body ...)
  (let ((before (getcwd)))
    (with-temporary-directory
     (lambda (directory)
       (dynamic-wind
         (lambda () (chdir directory))
         (lambda () body ...)
         (lambda () (chdir before)))))))

;; The shell's names are bytes.
(define (delete-files) (system "rm -f ./*"))

(test-case "UNIX pathnames are exact"
  (in-temporary-directory
   (for-each
    (lambda (name)
      (test-equal (format #f "~a bytes" (bytevector-length (string->utf8 name)))
        name (unix-round-trip name)))
    (list "x" "a name" "s\xe9;\xe9;\xe9;\xe9;" "\u4e2d\u6587" "\x1f600;"
          (make-string 107 #\n) (make-string 108 #\n)
          (make-string 54 #\xe9)))
   (test-error* "109 bytes" (list 'system-error ENAMETOOLONG "bind")
     (round-trip AF_UNIX (make-string 109 #\n)))
   (test-error* "55 characters of two bytes"
       (list 'system-error ENAMETOOLONG "bind")
     (round-trip AF_UNIX (make-string 55 #\xe9)))
   (test-error* "a NUL inside" '(wrong-type-arg 3 "bind")
     (round-trip AF_UNIX "a\0b"))
   (test-error* "a NUL at the end" '(wrong-type-arg 3 "bind")
     (round-trip AF_UNIX "a\0"))))

(test-case "UNIX pathnames that are no text are bytevectors"
  (in-temporary-directory
   (test-equal #vu8(255 254 65) (unix-round-trip #vu8(255 254 65)))
   (test-equal "a string when it can be one" "plain"
     (unix-round-trip (string->utf8 "plain")))
   (delete-files)))

(test-case "abstract names are exact"
  (for-each
   (lambda (name)
     (test-equal name (unix-round-trip name)))
   (list "\0sockport test" "\0sockport\0with\0nuls\0" "\0" "\0sockport \xe9;"
         (string-append "\0" (make-string 107 #\a))))
  (test-equal "bytes" #vu8(0 255 254)
    (unix-round-trip #vu8(0 255 254))))

(test-case "the kernel chooses a name"
  (for-each
   (lambda (name)
     (let ((told (unix-round-trip name)))
       (test-equal (format #f "~s" name) '(#\nul . 6)
         (cons (string-ref told 0) (string-length told)))))
   (list "" #f #vu8())))

(test-case "a socket without a name"
  (let-ports ((pair (unix-pair)) (sock (socket AF_UNIX SOCK_STREAM 0)))
    (test-equal "of a pair" (vector AF_UNIX #f) (getsockname (car pair)))
    (test-equal "its peer" (vector AF_UNIX #f) (getpeername (car pair)))
    (test-equal "alone" #f (sockaddr:path (getsockname sock)))))

(test-case "a datagram is answered, whatever its sender is called"
  (in-temporary-directory
   (let-ports ((server (socket AF_UNIX SOCK_DGRAM 0))
               (buffer (make-bytevector 4)))
     (bind server AF_UNIX "")
     (for-each
      (lambda (name)
        (let-ports ((client (socket AF_UNIX SOCK_DGRAM 0)))
          (bind client AF_UNIX name)
          (sendto client "ask" (getsockname server))
          (let ((from (recvfrom! server buffer)))
            (sendto server "answer" (cdr from))
            (test-equal (format #f "~s" name) '(3 . 4)
              (cons (car from) (recv! client buffer))))))
      (list "" "\0sockport reply" "path" "\xe9;\xe9;" (make-string 108 #\n)
            #vu8(255 254) #vu8(200 201)))
     (let-ports ((client (socket AF_UNIX SOCK_DGRAM 0)))
       (sendto client "ask" (getsockname server))
       (test-equal "no name, no address" '(3 . #f) (recvfrom! server buffer)))
     (delete-files))))

(define (require-ipv6)
  (catch 'system-error
    (lambda ()
      (let-ports ((sock (socket AF_INET6 SOCK_STREAM 0)))
        (bind sock AF_INET6 1 0)))
    (lambda _ (skip "no IPv6 here"))))

(test-case "Internet addresses"
  (test-assert "INET" (round-trip AF_INET INADDR_LOOPBACK 0))
  (test-assert "INET, any" (round-trip AF_INET INADDR_ANY 0))
  (test-assert "an address object"
    (let-ports ((server (socket AF_INET SOCK_STREAM 0))
                (client (socket AF_INET SOCK_STREAM 0)))
      (bind server (make-socket-address AF_INET INADDR_LOOPBACK 0))
      (connects? server client)))
  (test-equal "ports have 16 bits" 65535
    (sockaddr:port (make-socket-address AF_INET 1 65535)))
  (test-equal "a mapped address" (vector AF_INET6 #xffff7f000001 80 0 0)
    (string->socket-address "[::ffff:127.0.0.1]:80")))

(test-case "addresses of IPv6"
  (require-ipv6)
  (test-assert "INET6" (round-trip AF_INET6 1 0))
  (test-equal "INET6, flow and scope"
    '(0 0) (let ((address (round-trip AF_INET6 1 0 0 0)))
             (list (sockaddr:flowinfo address) (sockaddr:scopeid address)))))

(test-case "link-local addresses keep their scope"
  (require-ipv6)
  (call-with-namespaces 1
    (lambda (name)
      (in-namespace name
        (lambda ()
          (ip "link" "add" "left" "type" "veth" "peer" "name" "right")
          (ip "addr" "add" "fe80::77/64" "dev" "left" "nodad")
          (ip "link" "set" "left" "up")
          (ip "link" "set" "right" "up")
          (let* ((scope (if-nametoindex "left"))
                 (told (round-trip AF_INET6 (inet-pton AF_INET6 "fe80::77")
                                   0 0 scope)))
            (test-equal "getsockname" scope (and told (sockaddr:scopeid told)))
            (test-equal "text" (format #f "[fe80::77%~a]:~a" scope
                                       (sockaddr:port told))
              (socket-address->string told))
            (test-equal "an interface's name" told
              (string->socket-address
               (format #f "[fe80::77%left]:~a" (sockaddr:port told))))))))))

(test-case "netlink addresses"
  (let-ports ((sock (socket AF_NETLINK SOCK_RAW 0))
              (other (socket AF_NETLINK SOCK_RAW 0)))
    (bind sock AF_NETLINK)
    (bind other AF_NETLINK 0 0)
    (let ((address (getsockname sock)))
      (test-assert "the kernel chose a port id"
        (positive? (sockaddr:pid address)))
      (test-equal 0 (sockaddr:groups address))
      (catch 'system-error
        (lambda () (connect other address))
        (lambda _ (skip "needs the right to talk to processes by netlink")))
      (test-equal address (getpeername other)))))

(test-case "packet addresses"
  (let-ports ((sock (catch 'system-error
                      (lambda () (socket AF_PACKET SOCK_DGRAM 0))
                      (lambda _ (skip "needs the right to make packet sockets"))))
              (again (socket AF_PACKET SOCK_DGRAM 0)))
    (bind sock AF_PACKET #x88b5 1)
    (let ((address (getsockname sock)))
      (test-equal "all parts" (list AF_PACKET #x88b5 1 772 #vu8(0 0 0 0 0 0))
        (list (sockaddr:fam address) (sockaddr:protocol address)
              (sockaddr:ifindex address) (sockaddr:hatype address)
              (sockaddr:addr address)))
      (test-equal "of nobody" 0 (sockaddr:pkttype address))
      (bind again address)
      (test-equal "binds again" address (getsockname again)))))

(test-case "vsock addresses"
  (let-ports ((sock (catch 'system-error
                      (lambda () (socket AF_VSOCK SOCK_STREAM 0))
                      (lambda _ (skip "no vsock here"))))
              (again (socket AF_VSOCK SOCK_STREAM 0)))
    (bind sock AF_VSOCK #xffffffff #xffffffff)
    (let ((address (getsockname sock)))
      (test-equal #xffffffff (sockaddr:cid address))
      (test-error* "the port is taken" (list 'system-error EADDRINUSE "bind")
        (bind again address)))))

(test-case "a family that nobody knows keeps its bytes"
  (let ((address (vector 38 #vu8(1 2 3))))
    (test-equal address (make-socket-address 38 #vu8(1 2 3)))
    (test-equal #vu8(1 2 3) (sockaddr:bytes address))
    (test-equal (vector 0 #vu8()) (make-socket-address AF_UNSPEC))))

(test-case "an association is dissolved by AF_UNSPEC"
  (let-ports ((a (socket AF_INET SOCK_DGRAM 0)) (b (socket AF_INET SOCK_DGRAM 0)))
    (bind a AF_INET INADDR_LOOPBACK 0)
    (connect b (getsockname a))
    (test-equal (getsockname a) (getpeername b))
    (connect b AF_UNSPEC)
    (test-error* "no peer" (list 'system-error ENOTCONN "getpeername")
      (getpeername b))))

(test-case "text"
  (for-each
   (lambda (text)
     (test-equal text
       (socket-address->string (string->socket-address text))))
   '("127.0.0.1:80" "[::1]:65535" "[fe80::1%7]:1" "unix:/a b" "unix:@x"
     "unix:\\xc3\\xa9" "vsock:2:1024"))
  (for-each
   (lambda (text)
     (test-equal text #f (string->socket-address text)))
   '("" ":" "1.2.3.4" "1.2.3.4:65536" "1.2.3.4:-1" "[::1:80" "unix:a\0b"
     "1.2.3:80" "host:80"))
  (test-error* "no text" '(wrong-type-arg 1 "string->socket-address")
    (string->socket-address 80)))

(test-case "inet-pton and inet-ntop"
  (for-each
   (lambda (row)
     (match row
       ((family text number)
        (test-equal text number (inet-pton family text))
        (test-equal number text (inet-ntop family number)))))
   `((,AF_INET "0.0.0.0" 0) (,AF_INET "127.0.0.1" #x7f000001)
     (,AF_INET "255.255.255.255" #xffffffff)
     (,AF_INET6 "::" 0) (,AF_INET6 "::1" 1)
     (,AF_INET6 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" ,(- (expt 2 128) 1))
     (,AF_INET6 "1::" ,(ash 1 112)) (,AF_INET6 "0:0:0:1::" ,(expt 2 64))
     (,AF_INET6 "8000::" ,(expt 2 127))
     (,AF_INET6 "::ffff:ffff:ffff:ffff" ,(- (expt 2 64) 1))))
  (for-each
   (lambda (text)
     (test-error* text '(misc-error) (inet-pton AF_INET text)))
   '("" "1.2.3" "1.2.3.256" "1.2.3.4\0" "1.2.3.4 " "\u0661.2.3.4"
     "1111111111111111111111111111111111111111111111111111111111111111")))

;;; Names in other locales: what one process binds, another finds.

(define (in-locale locale name)
  "The path that a process in LOCALE is told for NAME, an expression."
  (call-with-values
   (lambda ()
    (run-program
          "env" (string-append "LC_ALL=" locale) "guile" "--no-auto-compile"
          "-c" (string-append "
(use-modules (sockport))
(define s (socket AF_UNIX SOCK_STREAM 0))
(define c (socket AF_UNIX SOCK_STREAM 0))
(bind s AF_UNIX " name ") (listen s 1)
(connect c (getsockname s))
(write (equal? (getpeername c) (getsockname s)))
(let ((path (sockaddr:path (getsockname s))))
  (write (if (string? path) (map char->integer (string->list path)) path)))")))
   (lambda (status output) output)))

(test-case "names in the locale C"
  (test-equal "as UTF-8" "#t(0 233 20013)"
    (in-locale "C" "(string #\\nul (integer->char 233) (integer->char 20013))"))
  (test-equal "no text" "#t#vu8(0 233 10)"
    (in-locale "C" "#vu8(0 233 10)")))

;; Where names have one byte a character, every name is a string.
(test-case "names in Latin-1"
  (with-temporary-directory
   (lambda (directory)
     (unless (and (in-path "localedef")
                  (zero? (run-program "localedef" "-i" "en_US" "-f"
                                      "ISO-8859-1"
                                      (string-append directory "/latin"))))
       (skip "needs localedef and its sources"))
     (setenv "LOCPATH" directory)
     (test-equal "a letter" "#t(0 233)"
       (in-locale "latin" "(string #\\nul (integer->char 233))"))
     (test-equal "any byte" "#t(0 255 128)"
       (in-locale "latin" "#vu8(0 255 128)"))
     (unsetenv "LOCPATH"))))

(test-end "address")
