;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Bodies of requests and responses: as ports, in chunks, from files, with the
;;; ends that connections have in between.

(use-modules (harness)
             (harness process)
             (harness socket)
             (harness web)
             (ice-9 binary-ports)
             (ice-9 ftw)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport http)
             (web request)
             (web response)
             (web uri))

(define text/plain '((content-type . (text/plain))))

(test-begin "web-body")

(define (count-body body)
  (let next ((count 0) (sum 0))
    (match (get-bytevector-some body)
      ((? eof-object?) (list count sum))
      (bytes (next (+ count (bytevector-length bytes))
                   (fold + sum (bytevector->u8-list bytes)))))))

(test-case "a request's body as a port"
  (call-with-http
      (lambda (request body)
        (values text/plain
                (match (uri-path (request-uri request))
                  ("/count" (format #f "~s ~s" (count-body body)
                                    (body-trailers body)))
                  ("/some" (number->string (get-u8 body)))
                  ("/none" "not read")
                  ("/text" (get-string-all body)))))
    (lambda (new server)
      (define (post path body . lines)
        (exchange new (string-append
                       (apply crlf (string-append "POST " path " HTTP/1.1")
                              "Host: a" (append lines '("")))
                       body get)))
      (define get "POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nend")
      (define (long size) (make-string size #\a))
      (test-assert "a length"
        (string-contains (post "/count" (long 100000) "Content-Length: 100000")
                         "(100000 9700000) ()"))
      (test-assert "chunks and trailers"
        (string-contains
         (post "/count"
               (string-append (string-concatenate
                               (make-list 50 (string-append "3e8\r\n" (long 1000)
                                                            "\r\n")))
                              "0\r\nX-Sum: 5\r\nY: z\r\n\r\n")
               "Transfer-Encoding: chunked")
         "(50000 4850000) ((x-sum . \"5\") (y . \"z\"))"))
      (test-equal "what is left unread is skipped" '(200 200)
        (codes (post "/some" (long 20000) "Content-Length: 20000")))
      (test-assert "and the next is found behind it"
        (string-suffix? "end" (post "/none" (long 20000)
                                    "Content-Length: 20000")))
      (test-equal "much is not skipped" '(200)
        (codes (post "/some" (long 300000) "Content-Length: 300000")))
      (test-equal "one that ends too early" '(400)
        (codes (exchange new (crlf "POST /count HTTP/1.1" "Host: a"
                                   "Content-Length: 9" "" "a"))))
      (test-equal "a chunk that is none" '(400)
        (codes (post "/count" "3\r\nabcd\r\n0\r\n\r\n"
                     "Transfer-Encoding: chunked")))
      (test-equal "more than the limit" '(413)
        (codes (post "/count" (string-append "f4240\r\n" (long 1000000)
                                             "\r\n0\r\n\r\n")
                     "Transfer-Encoding: chunked"))))
    #:body-port? #t #:body-limit 500000))

(test-case "no bodies at all"
  (call-with-http (lambda (request body) (values text/plain "text"))
    (lambda (new server)
      (test-equal '((413) (413) (200))
        (map (lambda (lines)
               (codes (exchange new (apply crlf "POST / HTTP/1.1" "Host: a" lines))))
             '(("Content-Length: 1" "" "a")
               ("Transfer-Encoding: chunked" "" "1" "a" "0" "")
               ("Transfer-Encoding: chunked" "" "0" "")))))
    #:body-limit 0))

(test-case "a whole body, with trailers"
  (call-with-http
      (lambda (request body)
        (values text/plain
                (format #f "~s ~s" (utf8->string body)
                        (assq-ref (request-meta request) 'trailers))))
    (lambda (new server)
      (test-assert "in the metadata"
        (string-contains
         (exchange new (crlf "POST / HTTP/1.1" "Host: a"
                             "Transfer-Encoding: chunked" "" "2" "ab" "1;x" "c"
                             "0" "Digest: d" ""))
         "\"abc\" ((digest . \"d\"))")))))

(test-case "100 Continue"
  (call-with-http
      (lambda (request body)
        (values text/plain
                (if (string=? "/read" (uri-path (request-uri request)))
                    (utf8->string (get-bytevector-n body 5))
                    "no")))
    (lambda (new server)
      (define (start path expect)
        (let ((sock (new)))
          (setvbuf sock 'block)
          (send sock (crlf (string-append "POST " path " HTTP/1.1") "Host: a"
                           "Content-Length: 5" expect ""))
          sock))
      (let-ports ((sock (start "/read" "Expect: 100-Continue")))
        (test-equal "when the body is wanted" "HTTP/1.1 100 Continue\r"
          (get-line sock))
        (send sock "12345")
        (test-assert "and then the answer"
          (begin (get-line sock) (string-prefix? "HTTP/1.1 200" (get-line sock)))))
      (let-ports ((sock (start "/none" "Expect: 100-continue")))
        (test-equal "else the answer at once, and the end" '(200)
          (codes (get-string-all sock)))))
    #:body-port? #t))

(test-case "a body that a procedure writes"
  (call-with-http
      (lambda (request body)
        (match (uri-path (request-uri request))
          ("/small" (values text/plain (lambda (port) (display "é" port))))
          ("/flushed" (values text/plain
                              (lambda (port)
                                (display "one" port)
                                (force-output port)
                                (put-bytevector port (string->utf8 "two")))))
          ("/large" (values text/plain
                            (lambda (port)
                              (let next ((i 0))
                                (when (< i 100)
                                  (display (make-string 10000 #\a) port)
                                  (put-bytevector port (make-bytevector 10000 98))
                                  (next (+ i 1)))))))
          ("/length" (values '((content-length . 6) (content-type . (a/b)))
                             (lambda (port)
                               (display "123" port)
                               (force-output port)
                               (display "456" port))))
          ("/short" (values '((content-length . 6))
                            (lambda (port)
                              (display "123" port)
                              (force-output port))))
          ("/early" (values '() (lambda (port)
                                  (display "123" port)
                                  (error "before anything has left"))))
          ("/late" (values '() (lambda (port)
                                 (display "123" port)
                                 (force-output port)
                                 (error "after that"))))
          ("/one" (values '() "one"))))
    (lambda (new server)
      (let ((text (ask new "GET" "/small")))
        (test-assert "a small one has its length"
          (has? text "Content-Length: 2"))
        (test-equal "in its charset" "Ã©" (body-of text)))
      (let ((text (ask new "GET" "/flushed")))
        (test-assert "chunks" (has? text "Transfer-Encoding: chunked"))
        (test-equal "each flush is one" "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
          (body-of text)))
      (test-equal "the next is found behind it" '(200 200)
        (codes (exchange new (string-append
                              (crlf "GET /flushed HTTP/1.1" "Host: a" "")
                              get))))
      (let ((text (exchange new (crlf "GET /flushed HTTP/1.0" ""))))
        (test-equal "1.0: until the end" "onetwo" (body-of text))
        (test-assert "and told" (has? text "Connection: close")))
      (test-equal "a large one" 2000000
        (let ((text (exchange new (crlf "GET /large HTTP/1.0" ""))))
          (string-length (body-of text))))
      (let ((text (ask new "GET" "/length")))
        (test-equal "a length of its own" "123456" (body-of text))
        (test-assert "no chunks" (not (has? text "Transfer-Encoding: chunked"))))
      (test-equal "an error before anything has left: 500" '(500)
        (codes (ask new "GET" "/early")))
      (test-error* "after that the connection is cut"
        (list 'system-error ECONNRESET)
        (string-length (ask new "GET" "/late")))
      (test-error* "so is one that is too short"
        (list 'system-error ECONNRESET)
        (string-length (ask new "GET" "/short")))
      (let ((text (ask new "HEAD" "/flushed")))
        (test-equal "HEAD: not called" "" (body-of text))
        (test-assert "nothing of a length"
          (not (string-contains text "Content-Length")))))))

(test-case "files"
  (with-temporary-directory
    (lambda (directory)
      (define file (string-append directory "/file"))
      (define (open) (open-file file "rb"))
      (call-with-output-file file
        (lambda (port)
          (put-bytevector port (u8-list->bytevector
                                (map (lambda (i) (+ 97 (modulo i 26)))
                                     (iota 200000))))))
      (call-with-http
          (lambda (request body)
            (values '((content-type . (application/octet-stream)))
                    (match (uri-path (request-uri request))
                      ("/all" (open))
                      ("/from" (let ((port (open))) (seek port 199990 SEEK_SET) port))
                      ("/part" (cons* (open) 26 4))
                      ("/part-of-number" (cons* (open-fdes file O_RDONLY) 26 4))
                      ("/parts" (let ((port (open)))
                                  (list (cons* port 0 3) (string->utf8 "--")
                                        (cons* port 3 3) #vu8())))
                      ("/beyond" (cons* (open) 100000 100001))
                      ("/beyond-small" (cons* (open) 199999 2))
                      ("/length" (cons (open) 5)))))
        (lambda (new server)
          (define open-before (length (scandir "/proc/self/fd")))
          (let ((text (ask new "GET" "/all")))
            (test-assert "its length" (has? text "Content-Length: 200000"))
            (test-equal "all of it" 200000 (string-length (body-of text))))
          (test-equal "from where it is" "yzabcdefgh"
            (body-of (ask new "GET" "/from")))
          (test-equal "a part" "abcd" (body-of (ask new "GET" "/part")))
          (test-equal "a part, by its descriptor" "abcd"
            (body-of (ask new "GET" "/part-of-number")))
          (test-equal "several parts" "abc--def"
            (body-of (ask new "GET" "/parts")))
          (let ((text (ask new "HEAD" "/part")))
            (test-assert "HEAD" (has? text "Content-Length: 4"))
            (test-equal "no body" "" (body-of text)))
          (test-error* "one that is shorter than was said is cut"
            (list 'system-error ECONNRESET)
            (string-length (ask new "GET" "/beyond")))
          (test-equal "unless nothing has left yet" '(500)
            (codes (ask new "GET" "/beyond-small")))
          (test-equal "what is no part" '(500) (codes (ask new "GET" "/length")))
          (test-equal "the files are closed" open-before
            (begin
              (await (lambda () (zero? (server-connections server))))
              (length (scandir "/proc/self/fd")))))))))

(test-case "a large response to who goes on sending"
  (call-with-http
      (lambda (request body)
        (values (build-response #:headers '((connection . (close))))
                (make-bytevector 5000000 65)))
    (lambda (new server)
      (test-assert "is not lost"
        (< 5000000
           (string-length
            (exchange new (string-append get (make-string 100000 #\x))))
           5000300)))))

(test-case "a connection that is handed over"
  (call-with-http
      (lambda (request body)
        (values (build-response #:code 101
                                #:headers '((upgrade . ("echo"))
                                            (connection . (upgrade))))
                (lambda (sock)
                  (setvbuf sock 'block)
                  (let ((line (get-line sock)))
                    (display (string-reverse line) sock)))))
    (lambda (new server)
      (let ((text (exchange new (string-append
                                 (crlf "GET / HTTP/1.1" "Host: a"
                                       "Connection: upgrade" "Upgrade: echo" "")
                                 "abc\n"))))
        (test-assert "101" (string-prefix? "HTTP/1.1 101" text))
        (test-assert "told" (has? text "Connection: Upgrade"))
        (test-equal "with what was sent behind the request" "cba"
          (body-of text))))))

(test-case "who is slow"
  (call-with-http
      (lambda (request body)
        (values '() (if body "posted" (make-bytevector 30000000 65))))
    (lambda (new server)
      (let-ports ((sender (new)))
        (send sender (crlf "POST / HTTP/1.1" "Host: a" "Content-Length: 5" ""))
        (test-equal "to send a body: 408" '(408) (codes (soon-all sender))))
      (let-ports ((reader (new)))
        (send reader get)
        (await (lambda () (= 1 (server-connections server))))
        (with-deadline 15
          (lambda () (await (lambda () (zero? (server-connections server))))))
        (test-error* "to take a response: cut"
          (list 'system-error ECONNRESET)
          (string-length (soon-all reader)))))
    #:request-seconds 1/5 #:idle-seconds 1/5))

(test-end "web-body")
