;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a server of HTTP tells of itself: counters, the ids of requests, and errors
;;; with whom they happened to.

(use-modules (harness)
             (harness example)
             (harness process)
             (harness socket)
             (harness web)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 regex)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport access-log)
             (sockport http)
             (sockport proxy-header)
             (web request)
             (web response)
             (web uri))

(define (handler request body)
  (match (uri-path (request-uri request))
    ("/fails" (error "no luck with" 'this))
    ("/id" (values '((content-type . (text/plain)))
                   (assq-ref (request-meta request) 'id)))
    ("/moved" (values (build-response #:code 301) #f))
    (_ (values '((content-type . (text/plain))) "12345"))))

(define (header text name)
  (let ((found (string-match (string-append name ": ([^\r]*)\r\n") text)))
    (and found (match:substring found 1))))

(test-begin "web-statistics")

(test-case "counters"
  (call-with-http handler
    (lambda (new server)
      (define (count name) (assq-ref (server-statistics server) name))
      (define (counts . names) (map count names))
      (test-equal "at first" '(0 0 0 0 0)
        (counts 'connections 'open 'requests 'refused 'errors))
      (exchange new (string-append get get))
      (ask new "GET" "/moved")
      (ask new "GET" "/fails")
      (exchange new "nonsense\r\n\r\n")
      (await (lambda () (zero? (count 'open))))
      (test-equal "connections, requests, what was none, and errors" '(4 4 1 1)
        (counts 'connections 'requests 'refused 'errors))
      (test-equal "responses by their codes" '(0 2 1 1 1)
        (counts 'responses-1xx 'responses-2xx 'responses-3xx 'responses-4xx
                'responses-5xx))
      (test-equal "bytes of bodies" '(10 0) (counts 'bytes-out 'bytes-in))
      (let-ports ((sock (new)))
        (await (lambda () (= 1 (count 'open))))
        (test-equal "one that is open" 1 (count 'open)))))
  (test-error* "no server" '(wrong-type-arg 1 "server-statistics")
    (server-statistics 1)))

;; What comes with the head of a request, behind it, in chunks, or not to the end.
(define (post . lines)
  (apply crlf "POST / HTTP/1.1" "Host: a" lines))
(define (post-more size text)
  (string-append (post (format #f "Content-Length: ~a" size) "") text))
(define in-chunks
  (post "Transfer-Encoding: chunked" "" "3" "abc" "5;x" "defgh" "0" "X: y" ""))

(test-case "bytes of the bodies that come"
  (define (bytes-in body-port? . texts)
    (define counted #f)
    (call-with-http
        (lambda (request body)
          (when (port? body) (get-u8 body))
          (values '() "12345"))
      (lambda (new server)
        (define (count name) (assq-ref (server-statistics server) name))
        (for-each (lambda (text) (exchange new text)) texts)
        (await (lambda () (zero? (count 'open))))
        (set! counted (count 'bytes-in)))
      #:body-port? body-port?)
    counted)
  (for-each
   (lambda (port?)
     (test-equal (list "none" port?) 0 (bytes-in port? get get))
     (test-equal (list "with the head" port?) 10
       (bytes-in port? (string-append (post-more 5 "abcde") (post-more 5 "abcde"))))
     (test-equal (list "behind it" port?) 50000
       (bytes-in port? (post-more 50000 (make-string 50000 #\x))))
     (test-equal (list "in chunks" port?) 8 (bytes-in port? in-chunks)))
   '(#f #t))
  (test-equal "not to the end" 3 (bytes-in #f (post-more 9 "abc"))))

(test-case "ids of ours"
  (call-with-http handler
    (lambda (new server)
      (let* ((text (ask new "GET" "/id"))
             (id (header text "X-Request-Id")))
        (test-equal "in the request and in the response" id (body-of text))
        (test-assert "short" (string-match "^[A-Za-z0-9]{10}-[a-z0-9]+$" id))
        (test-assert "another each time"
          (not (equal? id (header (ask new "GET" "/id") "X-Request-Id"))))))
    #:request-id #t))

(test-case "ids that cannot be had"
  (match (call-with-http handler
           (lambda (new server)
             (let ((text (ask new "GET" "/id")))
               (test-equal "one of ours" (header text "X-Request-Id")
                 (body-of text))))
           #:request-id (lambda (request) (error "no id here")))
    ((text)
     (test-equal "is logged" "no id here" (car (string-split text #\newline))))))

(test-case "a procedure that says whether the body is a port, and fails"
  (match (call-with-http handler
           (lambda (new server)
             (test-equal "500" '(500)
               (codes (ask new "POST" "/" "Content-Length: 1" "" "a")))
             (test-assert "others are served"
               (equal? '(200) (codes (ask new "GET" "/")))))
           #:body-port? (lambda (request) (error "no choice here")))
    ((text)
     (test-equal "is logged" "no choice here"
       (car (string-split text #\newline))))))

(test-case "ids that a proxy has given"
  (call-with-http handler
    (lambda (new server)
      (define (id . lines)
        (header (apply ask new "GET" "/id" lines) "X-Request-Id"))
      (test-equal "are kept" "abc-1" (id "X-Request-Id: abc-1"))
      (for-each (lambda (line)
                  (test-assert (list "but not" line)
                    (string-match "^[A-Za-z0-9]{10}-[a-z0-9]+$" (id line))))
                (list "X-Request-Id: a b" "X-Request-Id: \xe4"
                      (string-append "X-Request-Id: " (make-string 201 #\x))
                      "X-Other: x")))
    #:request-id (lambda (request)
                   (assq-ref (request-headers request) 'x-request-id))))

(test-case "without ids there are none"
  (call-with-http handler
    (lambda (new server)
      (test-equal "none" #f (header (ask new "GET" "/") "X-Request-Id")))))

(test-case "errors in the log"
  (match (call-with-http handler
           (lambda (new server) (ask new "GET" "/fails?a=b"))
           #:request-id (const "the-id"))
    ((text)
     (let ((lines (string-split text #\newline)))
       (test-equal "the error comes first" "no luck with this" (car lines))
       (test-assert "then method, path, peer and id"
         (string-match "^GET /fails\\?a=b from 127\\.0\\.0\\.1:[0-9]+ \\[the-id\\]$"
                       (cadr lines)))
       (test-assert "and not how it came there"
         (not (any (lambda (line)
                     (or (string-contains line "sockport/")
                         (string-contains line "boot-9")))
                   lines)))))))

(test-case "what was sent of a body"
  (let ((noted '()) (size 50000000))
    (call-with-http
        (lambda (request body)
          (match (uri-path (request-uri request))
            ("/cut" (values '() (lambda (port)
                                  (put-bytevector port #vu8(1 2 3))
                                  (force-output port)
                                  (error "no more"))))
            ("/other" (values (build-response #:code 101
                                              #:headers '((upgrade . ("x"))))
                              (const #t)))
            ("/large" (values '() (make-bytevector size)))
            (_ (values '() "12345"))))
      (lambda (new server)
        (define (cut-after-five path)
          (set! noted '())
          (catch 'system-error
            (lambda ()
              (exchange new (string-append get (crlf (format #f "GET ~a HTTP/1.1" path)
                                                     "Host: a" ""))))
            (const #f))
          (await (lambda () (= 2 (length noted))))
          (reverse noted))
        (test-equal "of one that failed" '(5 3) (cut-after-five "/cut"))
        (test-equal "of a connection that was handed over" '(5 0)
          (cut-after-five "/other"))
        (set! noted '())
        (let ((sock (new)))
          (send sock (crlf "GET /large HTTP/1.1" "Host: a" ""))
          (recv! sock (make-bytevector 1000))
          (close-port sock))
        (await (lambda () (pair? noted)))
        (test-assert "of one that a client has not taken"
          (< 0 (car noted) size)))
      #:on-response (lambda (request code bytes peer begun)
                      (set! noted (cons bytes noted))))))

(test-case "the access log"
  (let ((port (open-output-string)))
    (call-with-http handler
      (lambda (new server)
        (exchange new (string-append get get))
        (ask new "HEAD" "/" "User-Agent: me \"too\"" "Referer: http://a/b")
        (exchange new (crlf "POST /large HTTP/1.1" "Host: a" "Content-Length: 11" ""))
        (exchange new (string-append get (crlf "POST /odd HTTP/1.1" "Host: a"
                                               "Transfer-Encoding: chunked" ""
                                               "x")))
        (exchange new (string-append get "nonsense\r\n\r\n")))
      #:body-limit 10
      #:on-response (access-logger port))
    (test-equal "a line for each"
      '("\"GET /one HTTP/1.1\" 200 5 \"-\" \"-\""
        "\"GET /one HTTP/1.1\" 200 5 \"-\" \"-\""
        "\"HEAD / HTTP/1.1\" 200 - \"http://a/b\" \"me \\\"too\\\"\""
        "\"POST /large HTTP/1.1\" 413 - \"-\" \"-\""
        "\"GET /one HTTP/1.1\" 200 5 \"-\" \"-\""
        "\"POST /odd HTTP/1.1\" 400 - \"-\" \"-\""
        "\"GET /one HTTP/1.1\" 200 5 \"-\" \"-\""
        "\"-\" 400 - \"-\" \"-\"" #f)
      (map (lambda (line)
             (let ((found (string-match "^127\\.0\\.0\\.1 - - \\[[^]]*\\] (.*)$"
                                        line)))
               (and found (match:substring found 1))))
           (string-split (get-output-string port) #\newline)))))

(test-case "the PROXY protocol before requests"
  (call-with-http
      (lambda (request body)
        (values '((content-type . (text/plain)))
                (socket-address->string (assq-ref (request-meta request) 'peer))))
    (lambda (new server)
      (test-equal "all in one piece" "192.0.2.1:5"
        (body-of (exchange new (string-append
                                "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n" get))))
      (let-ports ((sock (new)))
        (string-for-each
         (lambda (char) (send sock (string char)))
         "PROXY TCP6 2001:db8::1 ::1 5 6\r\n")
        (send sock (crlf "GET / HTTP/1.0" ""))
        (setvbuf sock 'block)
        (test-equal "byte by byte" "[2001:db8::1]:5"
          (body-of (get-string-all sock))))
      (test-equal "what has none gets nothing" "" (exchange new get)))
    #:prologue (proxy-prologue)))

(test-case "the example of metrics"
  (require-program "curl")
  (call-with-peer ((example "metrics.scm") "127.0.0.1:0")
    (lambda (peer)
      (let ((url (read-line (peer-output peer))))
        (output-of (list "curl" "-sS" (dirname url)))
        (match (output-of (list "curl" "-sS" url))
          ((0 text)
           (for-each
            (lambda (line)
              (test-assert line
                (member line (string-split text #\newline))))
            '("# TYPE http_requests_total counter" "http_requests_total 2"
              "http_connections_open 1"
              "http_responses_total{code=\"2xx\"} 1"))))
        (kill (peer-pid peer) SIGTERM)
        (test-equal "SIGTERM ends it well" 0
          (status:exit-val (peer-status peer)))))))

(test-case "collections, which all clients wait for, are seldom"
  (call-with-http
      (lambda (request body)
        (values '() (number->string (assq-ref (gc-stats) 'heap-size))))
    (lambda (new server)
      (test-assert "there is room between two"
        (<= (ash 64 20) (string->number (body-of (exchange new get))))))))

(test-end "web-statistics")
