;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Behind proxies: the header of the PROXY protocol on a connection, Forwarded and
;;; X-Forwarded-For in a request, and which of what they say is believed.

(use-modules (harness)
             (harness socket)
             (harness web)
             (ice-9 match)
             (ice-9 receive)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport)
             (sockport forwarded)
             (sockport proxy-header)
             (sockport serve network)
             (web request)
             (web uri))

(define (text address)
  (and address (socket-address->string address)))

(define (address text)
  (string->socket-address text))

(test-begin "proxied")

(test-case "networks"
  (define (in? text . networks)
    (->bool (in-networks? (address text) (parse-networks networks 1 "test"))))
  (test-equal "IPv4" '(#t #t #f)
    (list (in? "10.1.2.3:4" "10.0.0.0/8") (in? "10.1.2.3:4" "::1" "10.1.2.3")
          (in? "11.0.0.0:1" "10.0.0.0/8" "unix")))
  (test-equal "IPv6" '(#t #f #t)
    (list (in? "[2001:db8::7]:1" "2001:db8::/32") (in? "[::2]:1" "::1")
          (in? "[::2]:1" "::/0")))
  (test-equal "IPv4 in IPv6 is IPv4" '(#t #f)
    (list (in? "[::ffff:10.0.0.1]:1" "10.0.0.0/8")
          (in? "[::ffff:10.0.0.1]:1" "::/0")))
  (test-equal "UNIX" '(#t #f) (list (in? "unix:" "unix") (in? "unix:" "0.0.0.0/0")))
  (for-each (lambda (network)
              (test-error* (list network) '(misc-error #f "test")
                (parse-networks (list network) 1 "test")))
            '("" "10.0.0.0/33" "10.0.0.0/x" "10.0.0.1/8" "::1/129" "10.0.0.0/8/9"
              "example.org" "10.0.0.0/" #f))
  (test-error* "no list" '(wrong-type-arg 1 "test") (parse-networks "::1" 1 "test")))

(define signature (u8-list->bytevector '(13 10 13 10 0 13 10 81 85 73 84 10)))

(define (join-bytes a b)
  (let ((both (make-bytevector (+ (bytevector-length a) (bytevector-length b)))))
    (bytevector-copy! a 0 both 0 (bytevector-length a))
    (bytevector-copy! b 0 both (bytevector-length a) (bytevector-length b))
    both))

(define-syntax-rule (let-ports* (pair expr) body ...)
  (let ((pair expr))
    (let-ports ((a (car pair)) (b (cdr pair))) body ...)))

(define (received bytes)
  "Return what a header in BYTES names, and what is left after it."
  (let-ports* (pair (socketpair AF_UNIX SOCK_STREAM 0))
    (send (car pair) bytes)
    (send (car pair) "rest")
    (shutdown (car pair) SHUT_WR)
    (receive (source destination) (receive-proxy-header (cdr pair))
      (let* ((buffer (make-string 10)) (count (recv! (cdr pair) buffer)))
        (list (text source) (text destination) (substring buffer 0 count))))))

(test-case "the header of a connection"
  (test-equal "version 1" '("192.0.2.1:5" "192.0.2.2:6" "rest")
    (received (string->utf8 "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n")))
  (test-equal "the shortest" '(#f #f "rest")
    (received (string->utf8 "PROXY UNKNOWN\r\n")))
  (test-equal "version 2" '("192.0.2.1:5" "192.0.2.2:6" "rest")
    (received (join-bytes signature
                          #vu8(#x21 #x11 0 12 192 0 2 1 192 0 2 2 0 5 0 6))))
  (test-equal "with more than is understood" '("192.0.2.1:5" "192.0.2.2:6" "rest")
    (received (join-bytes signature
                          #vu8(#x21 #x11 0 15 192 0 2 1 192 0 2 2 0 5 0 6 1 2 3))))
  (test-equal "of the proxy itself" '(#f #f "rest")
    (received (join-bytes signature #vu8(#x20 0 0 0))))
  (for-each
   (lambda (bytes)
     (test-error* "what is none" '(misc-error #f "receive-proxy-header")
       (received bytes)))
   (list (string->utf8 "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
         (string->utf8 "PROXY TCP4 1 2 3 4\r\n")
         (join-bytes signature #vu8(#x31 #x11 0 0))))
  (let-ports* (pair (socketpair AF_UNIX SOCK_STREAM 0))
    (send (car pair) "PROXY TCP4 192.0.2.1")
    (shutdown (car pair) SHUT_WR)
    (test-error* "one that is cut" '(misc-error #f "receive-proxy-header")
      (receive-proxy-header (cdr pair)))))

(test-case "the header before requests"
  (define (reader text)
    (lambda (count)
      (and (<= count (string-length text))
           (let ((part (substring text 0 count)))
             (set! text (substring text count))
             (string->utf8 part)))))
  (define line "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n")
  (define (peer prologue from line)
    (text (prologue (reader line) #f (address from))))
  (test-equal "names the peer" "192.0.2.1:5"
    (peer (proxy-prologue) "127.0.0.1:1" line))
  (test-equal "or does not" "127.0.0.1:1"
    (peer (proxy-prologue) "127.0.0.1:1" "PROXY UNKNOWN\r\n"))
  (test-equal "from a proxy" "192.0.2.1:5"
    (peer (proxy-prologue #:from '("127.0.0.0/8")) "127.0.0.1:1" line))
  (test-error* "from elsewhere" '(misc-error #f "proxy-prologue")
    (peer (proxy-prologue #:from '("127.0.0.0/8")) "192.0.2.9:1" line)))

(test-case "the header on a connection, in pieces or long"
  (call-with-http
      (lambda (request body)
        (values '() (text (assq-ref (request-meta request) 'peer))))
    (lambda (new server)
      (define (seen send-header)
        (let-ports ((sock (new)))
          (send-header sock)
          (send sock get)
          (shutdown sock SHUT_WR)
          (setvbuf sock 'block)
          (body-of (get-string-all sock))))
      (test-equal "byte by byte" "192.0.2.1:5"
        (seen (lambda (sock)
                (for-each (lambda (char)
                            (send sock (string char))
                            (task-yield))
                          (string->list "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n")))))
      (test-equal "longer than the buffer" "192.0.2.1:5"
        (seen (lambda (sock)
                (send sock signature)
                (send sock #vu8(#x21 #x11 #x4e #x2c 192 0 2 1 192 0 2 2 0 5 0 6))
                (send sock (make-bytevector 20000))))))
    #:prologue (proxy-prologue)))

(define (request peer . headers)
  (build-request (build-uri 'http #:host "test" #:path "/")
                 #:headers headers #:validate-headers? #f
                 #:meta `((peer . ,(address peer)))))

(define (seen reader request)
  (receive (address scheme host) (reader request)
    (list (text address) scheme host)))

(test-case "X-Forwarded-For"
  (define reader (forwarded-reader '("127.0.0.1" "10.0.0.0/8" "unix")))
  (define (from peer . headers) (seen reader (apply request peer headers)))
  (test-equal "what the proxy says" '("192.0.2.1:0" https "example.org")
    (from "127.0.0.1:9" '(x-forwarded-for . "192.0.2.1")
          '(x-forwarded-proto . "https") '(x-forwarded-host . "example.org")))
  (test-equal "and not for whom" '("127.0.0.1:9" https #f)
    (from "127.0.0.1:9" '(x-forwarded-proto . "https")))
  (test-equal "what anybody says of the scheme" '("192.0.2.9:9" #f #f)
    (from "192.0.2.9:9" '(x-forwarded-proto . "https")))
  (test-equal "over a UNIX socket" '("192.0.2.1:0" #f #f)
    (from "unix:" '(x-forwarded-for . "192.0.2.1")))
  (test-equal "nothing" '("127.0.0.1:9" #f #f) (from "127.0.0.1:9"))
  (test-equal "what anybody says is not believed" '("192.0.2.9:9" #f #f)
    (from "192.0.2.9:9" '(x-forwarded-for . "192.0.2.1")
          '(x-forwarded-proto . "https")))
  (test-equal "nor what the client said to the proxy" '("192.0.2.1:0" #f #f)
    (from "127.0.0.1:9" '(x-forwarded-for . "10.9.9.9, 192.0.2.1")))
  (test-equal "several proxies, on several lines" '("192.0.2.1:0" #f #f)
    (from "127.0.0.1:9" '(x-forwarded-for . "6.6.6.6, 192.0.2.1, 10.0.0.2")
          '(x-forwarded-for . "10.0.0.3")))
  (test-equal "only proxies" '("10.0.0.2:0" #f #f)
    (from "127.0.0.1:9" '(x-forwarded-for . "10.0.0.2")))
  (test-equal "IPv6, with and without brackets, and ports"
    '("[2001:db8::1]:0" "[2001:db8::1]:7" "192.0.2.1:7")
    (map (lambda (node)
           (car (from "127.0.0.1:9" (cons 'x-forwarded-for node))))
         '("2001:db8::1" "[2001:db8::1]:7" "192.0.2.1:7")))
  (test-equal "what is no address ends it" '("127.0.0.1:9" #f #f)
    (from "127.0.0.1:9" '(x-forwarded-for . "192.0.2.1, unknown")))
  (test-equal "Forwarded is not looked at" '("127.0.0.1:9" #f #f)
    (from "127.0.0.1:9" '(forwarded . "for=192.0.2.1"))))

(test-case "Forwarded"
  (define reader (forwarded-reader '("127.0.0.1" "10.0.0.0/8")
                                   #:header 'forwarded))
  (define (from value) (seen reader (request "127.0.0.1:9"
                                             (cons 'forwarded value))))
  (test-equal "everything" '("192.0.2.1:0" https "a,b;c")
    (from "for=192.0.2.1;proto=HTTPS;host=\"a,b;c\""))
  (test-equal "in quotes, in any case" '("[2001:db8::1]:4711" #f #f)
    (from "For=\"[2001:db8::1]:4711\""))
  (test-equal "several" '("192.0.2.1:0" http #f)
    (from "for=6.6.6.6;proto=https, for=192.0.2.1;proto=http, for=10.0.0.1"))
  (test-equal "hidden" '("127.0.0.1:9" https #f)
    (from "for=6.6.6.6, for=_hidden;proto=https"))
  (test-equal "nonsense" '("127.0.0.1:9" #f #f) (from "=;,\"\\"))
  ;; What a client sends, and what its proxy has put behind it.
  (for-each
   (lambda (sent)
     (test-equal (list "the client cannot hide what the proxy says" sent)
       '("127.0.0.1:9" #f #f)
       (from (string-append sent ", for=192.0.2.1")))
     (test-equal (list "in quotes neither" sent) '("127.0.0.1:9" #f #f)
       (from (string-append sent ", for=\"[2001:db8::1]\""))))
   '("for=6.6.6.6;x=\"" "for=6.6.6.6;x=\"\\" "for=6.6.6.6;x=\"a\\\""))
  (test-equal "a backslash hides nothing" '("192.0.2.1:0" #f #f)
    (from "for=6.6.6.6;x=\\, for=192.0.2.1")))

(test-case "arguments"
  (test-error* "another header" '(wrong-type-arg #:header "forwarded-reader")
    (forwarded-reader '() #:header 'via))
  (test-error* "no network" '(misc-error #f "forwarded-reader")
    (forwarded-reader '("example.org"))))

(test-case "headers that are made are read as they were"
  (define (there-and-back source destination version)
    (let-ports ((pair (unix-pair)))
      (send (car pair) (proxy-header (address source) (address destination)
                                     version))
      (send (car pair) "!")
      (receive (from to) (receive-proxy-header (cdr pair))
        (test-equal "and no byte more" 33
          (bytevector-u8-ref (recv (cdr pair) 9) 0))
        (list (and from (text from)) (and to (text to))))))
  (for-each
   (match-lambda
     ((source destination version expected)
      (test-equal (list source version) expected
        (there-and-back source destination version))))
   '(("192.0.2.1:56324" "192.0.2.2:443" 1 ("192.0.2.1:56324" "192.0.2.2:443"))
     ("192.0.2.1:56324" "192.0.2.2:443" 2 ("192.0.2.1:56324" "192.0.2.2:443"))
     ("[2001:db8::1]:1" "[::1]:2" 1 ("[2001:db8::1]:1" "[::1]:2"))
     ("[2001:db8::1]:1" "[::1]:2" 2 ("[2001:db8::1]:1" "[::1]:2"))
     ("[::ffff:192.0.2.1]:1" "[::ffff:192.0.2.2]:2" 1
      ("192.0.2.1:1" "192.0.2.2:2"))
     ("[::ffff:192.0.2.1]:1" "[::ffff:192.0.2.2]:2" 2
      ("192.0.2.1:1" "192.0.2.2:2"))
     ("unix:/run/a" "unix:/run/b" 2 ("unix:/run/a" "unix:/run/b"))
     ("unix:/run/a" "unix:/run/b" 1 (#f #f))
     ("192.0.2.1:1" "[::1]:2" 1 (#f #f))
     ("192.0.2.1:1" "[::1]:2" 2 (#f #f))))
  (let ((here (address "127.0.0.1:1")))
    (test-error* "no source" '(wrong-type-arg 1 "proxy-header")
      (proxy-header "x" here))
    (test-error* "no destination" '(wrong-type-arg 2 "proxy-header")
      (proxy-header here #f))
    (test-error* "no version" '(out-of-range 3 "proxy-header")
      (proxy-header here here 3))))

(test-end "proxied")
