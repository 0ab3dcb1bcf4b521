;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Clients for whom there is no room, bodies that turn out to be none when the
;;; response has begun, and what becomes of a body that nobody reads.

(use-modules (harness)
             (harness process)
             (harness socket)
             (harness web)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport http)
             (sockport serve http-admission)
             (web request)
             (web response)
             (web uri))

(define (handler request body)
  (values '((content-type . (text/plain))) "served"))

(define (ask-on sock)
  "Send a request on SOCK and return the first line of the response."
  (send sock get)
  (let* ((buffer (make-string 1000)) (count (recv! sock buffer)))
    (first (string-split (substring buffer 0 count) #\return))))

(define ok "HTTP/1.1 200 OK")
(define full "HTTP/1.1 503 Service Unavailable")

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "web-refused")

(test-case "more connections than there may be"
  (call-with-http handler
    (lambda (new server)
      (let-ports ((a (new)) (b (new)))
        (test-equal "two" (list ok ok) (map ask-on (list a b)))
        (let ((text (exchange new get)))
          (test-equal "a third" '(503) (codes text))
          (test-assert "when to come again" (has? text "Retry-After: 1"))
          (test-assert "and the end" (has? text "Connection: close")))
        (let ((idle (map (lambda (i) (new)) (iota 200))))
          (test-equal "each of many is told, although none of them goes"
            (make-list 200 (string-append full "\r"))
            (map get-line idle))
          (test-assert "and not all of them are waited for"
            (await (lambda () (< (server-connections server) 70))))
          (test-equal "the two go on" (list ok ok) (map ask-on (list a b)))
          (for-each close-port idle))
        (test-equal "counted" '(201 2)
          (let ((counted (server-statistics server)))
            (list (assq-ref counted 'refused)
                  (- (assq-ref counted 'connections)
                     (assq-ref counted 'refused))))))
      (await (lambda () (zero? (server-connections server))))
      (test-equal "later" '(200) (codes (exchange new get))))
    #:connections 2))

(test-case "places are counted by client"
  (define (address family text)
    (make-socket-address family (inet-pton family text) 80))
  (define v6 (address AF_INET6 "2001:db8::1"))
  (define (admitted . peers)
    (let ((admission (make-admission #f 2)))
      (map (lambda (peer) (->bool (admit-client! admission peer))) peers)))
  (test-equal "an address" '(#t #t #f #t)
    (let ((peer (address AF_INET "10.0.0.1")))
      (admitted peer peer peer (address AF_INET "10.0.0.2"))))
  (test-equal "the same, on a listener for both families" '(#t #t #f)
    (let ((peer (address AF_INET "10.0.0.1")))
      (admitted peer peer (address AF_INET6 "::ffff:10.0.0.1"))))
  (test-equal "a network of IPv6" '(#t #t #f #t)
    (admitted v6 (address AF_INET6 "2001:db8::2")
              (address AF_INET6 "2001:db8::ffff:0:0:1")
              (address AF_INET6 "2001:db8:0:1::1")))
  (test-equal "UNIX sockets are not" '(#t #t #t)
    (apply admitted (make-list 3 (make-socket-address AF_UNIX ""))))
  (test-equal "and places are given back" '(#t #t #f #t)
    (let* ((admission (make-admission #f 2))
           (admit (lambda () (->bool (admit-client! admission v6))))
           (first (list (admit) (admit) (admit))))
      (dismiss-client! admission v6)
      (append first (list (admit))))))

(define bad-chunks
  (string-append (crlf "POST / HTTP/1.1" "Host: a" "Transfer-Encoding: chunked" ""
                       "5" "first")
                 "no chunk\r\n\r\n" get))

(test-case "a body that turns out to be none"
  (define (answer-as kind)
    (lambda (request body)
      (match kind
        ('unread (values '() "not read"))
        ('read (values '() (number->string (string-length (get-string-all body)))))
        ('begun (values '() (lambda (port)
                              (put-string port "begun")
                              (force-output port)
                              (put-bytevector port (get-bytevector-all body))))))))
  (define (try kind)
    (let* ((text #f)
           (logged (call-with-http (answer-as kind)
                     (lambda (new server)
                       (set! text (exchange new bad-chunks)))
                     #:body-port? #t)))
      (list (codes text) logged)))
  (test-equal "before the response" '((400) ()) (try 'read))
  (test-equal "behind it: there is one response" '((200) ()) (try 'unread))
  (test-error* "within it: the connection is cut, and nothing put into it"
    (list 'system-error ECONNRESET)
    (try 'begun)))

(test-case "a client that waits for a word before it sends a body"
  (call-with-http handler
    (lambda (new server)
      (let ((text (exchange new
                            (string-append
                             (crlf "POST / HTTP/1.1" "Host: a" "Content-Length: 5"
                                   "Expect: 100-continue" "")))))
        (test-equal "gets its answer" '(200) (codes text))
        (test-assert "and hears that the connection ends"
          (has? text "Connection: close")))
      (let ((text (exchange new (crlf "POST / HTTP/1.0" "Content-Length: 1"
                                      "Expect: 100-continue"
                                      "Connection: keep-alive" "" "x"))))
        (test-assert "in 1.0 nobody waits"
          (has? text "Connection: keep-alive"))))
    #:body-port? #t)
  (call-with-http handler
    (lambda (new server)
      (test-equal "too much is refused without a word" '(413)
        (codes (exchange new (crlf "POST / HTTP/1.1" "Host: a"
                                   "Content-Length: 11"
                                   "Expect: 100-continue" "")))))
    #:body-limit 10))

(test-case "what was refused is read, so that the answer arrives"
  (define much (make-string 3000000 #\x))
  (call-with-http handler
    (lambda (new server)
      (for-each
       (match-lambda
         ((name code . lines)
          (test-equal name (list code)
            (codes (exchange new (string-append (apply crlf lines) much))))))
       (map (match-lambda
              ((name code . lines)
               (cons* name code "POST / HTTP/1.1" "Host: a" lines)))
            '(("a body that is too large" 413 "Content-Length: 3000000" "")
              ("a chunk that is none" 400 "Transfer-Encoding: chunked" "" "y")
              ("two lengths" 400 "Content-Length: 3000000" "Content-Length: 3" "")
              ("no header" 400 "x y" "")
              ("a long head" 431 "X:")))))
    #:body-limit 1000000))

(test-case "a handler that takes its time over a body"
  (define go? #f)
  (call-with-http
      (lambda (request body)
        (let ((first (get-bytevector-n body 5)))
          (sleep 5/2)
          (set! go? #t)
          (values '() (string-append (utf8->string first)
                                     (utf8->string (get-bytevector-n body 5))))))
    (lambda (new server)
      (let-ports ((sock (new)))
        (send sock (string-append
                    (crlf "POST / HTTP/1.1" "Host: a" "Content-Length: 10"
                          "Connection: close" "")
                    "first"))
        (await (lambda () go?))
        (send sock "-last")
        (setvbuf sock 'block)
        (test-equal "is not the client's being slow" "first-last"
          (body-of (get-string-all sock)))))
    #:body-port? #t #:request-seconds 1))

(define mib (make-string 1048576 #\x))

(define (display-mib times)
  (lambda (port)
    (for-each (lambda (i) (display mib port)) (iota times))))

(test-case "a client that stops in the middle of what is echoed"
  (call-with-http
      (lambda (request body)
        (values '() (lambda (port)
                      (let next ()
                        (let ((bytes (get-bytevector-some body)))
                          (unless (eof-object? bytes)
                            (put-bytevector port bytes)
                            (force-output port)
                            (next)))))))
    (lambda (new server)
      (let-ports ((sock (new)))
        (send sock (string-append (crlf "POST / HTTP/1.1" "Host: a"
                                        "Content-Length: 10" "")
                                  "first"))
        (test-equal "has got the first part" "HTTP/1.1 200 OK\r" (get-line sock))
        (test-assert "and is not waited for"
          (await (lambda () (zero? (server-connections server)))))))
    #:body-port? #t #:idle-seconds 1))

(test-case "what is displayed keeps no other client waiting"
  (call-with-http
      (lambda (request body)
        (values '() (if (string=? "/much" (uri-path (request-uri request)))
                        (display-mib 20)
                        "served")))
    (lambda (new server)
      (let-ports ((slow (new)))
        (send slow (crlf "GET /much HTTP/1.0" ""))
        (await (lambda () (= 1 (server-connections server))))
        (test-equal "another is served" '(200) (codes (exchange new get)))
        (setvbuf slow 'block)
        (test-equal "and the first gets all" (* 20 1048576)
          (string-length (body-of (get-string-all slow))))))))

(test-case "what is displayed to a client that takes nothing"
  (let ((logged
         (call-with-http
             (lambda (request body)
               (values '() (display-mib 100)))
           (lambda (new server)
             (let-ports ((sock (new)))
               (send sock get)
               ;; It may be over before anything else here has run.
               (await (lambda ()
                        (and (= 1 (assq-ref (server-statistics server)
                                            'connections))
                             (zero? (server-connections server))))))))))
    (test-equal "does not fill the memory" 1 (length logged))
    (test-assert "the log says what to do"
      (string-contains (first logged) "put-string"))))

(test-case "a file that is being sent when the server ends"
  (with-temporary-directory
    (lambda (directory)
      (define file (string-append directory "/large"))
      (define (open?)
        (any (lambda (fd) (string=? file (cdr fd))) (descriptors)))
      (call-with-output-file file
        (lambda (port) (truncate-file port 30000000)))
      (call-with-http
          (lambda (request body) (values '() (open-file file "rb")))
        (lambda (new server)
          (let-ports ((sock (new)))
            (send sock get)
            (await open?)
            (stop-server! server #t)
            (await (lambda () (zero? (server-connections server)))))))
      (test-assert "is closed" (not (open?))))))

(test-case "CONNECT, to a handler that knows nothing of it"
  (test-equal "nothing is logged" '()
    (call-with-http handler
      (lambda (new server)
        (let ((text (exchange new (string-append
                                   (crlf "CONNECT a:80 HTTP/1.1" "Host: a:80" "")
                                   get))))
          (test-equal "is not opened, and the next is served" '(501 200)
            (codes text)))))))

(test-case "HEAD and errors"
  (call-with-http
      (lambda (request body)
        (match (uri-path (request-uri request))
          ("/error" (error "as asked"))
          ("/missing" (values (build-response #:code 404) "no such page"))
          (_ (values '() "served"))))
    (lambda (new server)
      (for-each
       (match-lambda
         ((path code)
          (let ((text (exchange new (string-append
                                     (crlf (string-append "HEAD " path " HTTP/1.1")
                                           "Host: a" "")
                                     get))))
            (test-equal (list path "and the next") (list code 200) (codes text))
            (test-assert (list path "no body")
              (string-prefix? "HTTP/1.1 200" (body-of text))))))
       '(("/error" 500) ("/missing" 404))))))

(test-end "web-refused")
