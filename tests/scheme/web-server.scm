;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; HTTP: what is a request and what is none, bodies and responses, keeping and
;;; closing connections.

(use-modules (harness)
             (harness socket)
             (harness web)
             (ice-9 match)
             (ice-9 regex)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport channel)
             (sockport http)
             (web request)
             (web response)
             (web uri))

(define (hello request body)
  (values '((content-type . (text/plain)))
          (format #f "~a ~a ~a" (request-method request)
                  (uri-path (request-uri request))
                  (and body (bytevector-length body)))))

(test-begin "web-server")

(test-case "requests follow one another, in pieces or several at once"
  (call-with-http hello
    (lambda (new server)
      (let ((text (exchange new (string-append get get get))))
        (test-equal "three" '(200 200 200) (codes text))
        (test-assert "and no more" (string-suffix? "GET /one #f" text)))
      (let-ports ((sock (new)))
        (for-each (lambda (char)
                    (send sock (string char))
                    (task-yield))
                  (string->list get))
        (test-equal "byte by byte" '(200) (codes (get-line sock))))
      (test-equal "lines that end in LF; an empty line before" '(200 200)
        (codes (exchange new "\r\nGET / HTTP/1.1\nHost: a\n\n\nGET / HTTP/1.1\nHost: a\n\n")))
      (let-ports ((sock (new)))
        (define (ask text)
          (send sock text)
          (let ((buffer (make-string 1000)))
            (let ((count (recv! sock buffer)))
              (last (string-split (substring buffer 0 count) #\newline)))))
        (let ((other (crlf "GET /two HTTP/1.1" "Host: test" "")))
          (test-equal "the same again, and others of the same length"
            '("GET /one #f" "GET /one #f" "GET /two #f" "GET /one #f")
            (map ask (list get get other get)))))
      (test-equal "many at once" 500
        (length (codes (exchange new (string-concatenate
                                      (make-list 500 get)))))))))

(test-case "bodies: of a length, in chunks, and what follows them"
  (call-with-http hello
    (lambda (new server)
      (define (posted . parts)
        (let ((text (exchange new (string-concatenate parts))))
          (list (codes text)
                (map match:substring
                     (list-matches "(POST|GET) /[a-z]* [0-9#f]+" text)))))
      (define (post . lines)
        (apply crlf "POST /p HTTP/1.1" "Host: a" lines))
      (test-equal "length" '((200 200) ("POST /p 5" "GET /one #f"))
        (posted (post "Content-Length: 5" "") "12345" get))
      (test-equal "chunks" '((200 200) ("POST /p 8" "GET /one #f"))
        (posted (post "Transfer-Encoding: chunked" "" "3" "abc" "5;x=y" "defgh"
                      "0" "Trailer: x" "")
                get))
      (test-equal "none" '((200) ("POST /p 0"))
        (posted (post "Content-Length: 0" ""))))))

(test-case "what is no request"
  (call-with-http hello
    (lambda (new server)
      (for-each
       (match-lambda
         ((name code . lines)
          (test-equal name (list code)
            (codes (exchange new (apply crlf lines))))))
       `(("words" 400 "hello there" "")
         ("bytes" 400 "\x00\xff\x01" "")
         ("no host" 400 "GET / HTTP/1.1" "")
         ("no version" 400 "GET /" "")
         ("another version" 505 "GET / HTTP/2.0" "Host: a" "")
         ("no colon" 400 "GET / HTTP/1.1" "Host: a" "nonsense" "")
         ("half a head" 400 "GET / HTTP/1.1")
         ("half a body" 400 "POST / HTTP/1.1" "Host: a" "Content-Length: 9" "")
         ("a negative length" 400
          "POST / HTTP/1.1" "Host: a" "Content-Length: -1" "")
         ("two lengths" 400 "POST / HTTP/1.1" "Host: a" "Content-Length: 3"
          "Transfer-Encoding: chunked" "" "0" "")
         ("an encoding" 400
          "POST / HTTP/1.1" "Host: a" "Transfer-Encoding: gzip" "" "")
         ("no chunk" 400 "POST / HTTP/1.1" "Host: a"
          "Transfer-Encoding: chunked" "" "zz" "")
         ("a chunk that is too long" 400 "POST / HTTP/1.1" "Host: a"
          "Transfer-Encoding: chunked" "" "2" "abc" "0" "")))
      (test-equal "a long head" '(431)
        (codes (exchange new (crlf "GET / HTTP/1.1" "Host: a"
                                   (string-append "X: " (make-string 5000 #\x))
                                   ""))))
      (test-equal "a long body" '(413)
        (codes (exchange new (crlf "POST / HTTP/1.1" "Host: a"
                                   "Content-Length: 20000" ""))))
      (test-equal "a long body in chunks" '(413)
        (codes (exchange new (crlf "POST / HTTP/1.1" "Host: a"
                                   "Transfer-Encoding: chunked" "" "2af8" ""))))
      (test-equal "the server goes on" '(200) (codes (exchange new get))))
    #:head-limit 4096 #:body-limit 10000))

(define (answers new . lines)
  "Return the codes of the answers to the request of LINES and to another behind it,
or (CODES open) if the server does not end the connection."
  (let-ports ((sock (new)))
    (send sock (string-append (apply crlf lines) get))
    (setvbuf sock 'block)
    (let next ((got '()))
      (match (with-deadline (if (= 2 (length got)) 1/10 5)
               (lambda () (read-answer sock))
               (const 'open))
        ('end (reverse got))
        ('open (list (reverse got) 'open))
        (code (next (cons code got)))))))

(define (read-answer sock)
  "Return the code of an answer, whose body has its length, or end."
  (let next ((lines '()))
    (match (get-line sock)
      ((? eof-object?) 'end)
      ("\r"
       (for-each (lambda (line)
                   (when (string-prefix? "Content-Length: " line)
                     (get-string-n sock (string->number
                                         (string-trim-right (substring line 16))))))
                 lines)
       (first (codes (last lines))))
      (line (next (cons line lines))))))

(test-case "keeping connections and closing them"
  (call-with-http hello
    (lambda (new server)
      (test-equal "1.1" '((200 200) open) (answers new "GET / HTTP/1.1" "Host: a" ""))
      (test-equal "1.1, close" '(200)
        (answers new "GET / HTTP/1.1" "Host: a" "Connection: close" ""))
      (test-equal "1.0" '(200) (answers new "GET / HTTP/1.0" ""))
      (test-equal "1.0, keep-alive" '((200 200) open)
        (answers new "GET / HTTP/1.0" "Connection: keep-alive" ""))
      (test-assert "it is told"
        (string-contains (exchange new (crlf "GET / HTTP/1.0" ""))
                         "Connection: close"))))
  (call-with-http
      (lambda (request body)
        (values (build-response #:code 404 #:headers '((connection . (close))))
                "no"))
    (lambda (new server)
      (test-equal "as the handler says" '(404)
        (answers new "GET / HTTP/1.1" "Host: a" "")))))

(test-case "responses: no body, HEAD, a procedure, large, an error"
  (let ((lines
         (call-with-http
             (lambda (request body)
               (match (uri-path (request-uri request))
                 ("/none" (values (build-response #:code 204) #f))
                 ("/procedure" (values '((content-type . (text/plain)))
                                       (lambda (port) (display "made" port))))
                 ("/large" (values '((content-type . (text/plain)))
                                   (make-bytevector 5000000 65)))
                 ("/error" (error "as asked"))
                 ("/peer" (values '((content-type . (text/plain)))
                                  (socket-address->string
                                   (assq-ref (request-meta request) 'peer))))
                 (_ (values '((content-type . (text/plain))) "body"))))
           (lambda (new server)
             (define (ask path)
               (exchange new (crlf (string-append path " HTTP/1.1") "Host: a" "")))
             (test-equal "none" '(204) (codes (ask "GET /none")))
             (test-assert "HEAD"
               (let ((text (ask "HEAD /")))
                 (and (string-contains text "Content-Length: 4")
                      (string-suffix? "\r\n\r\n" text))))
             (test-assert "a procedure"
               (string-suffix? "\r\n\r\nmade" (ask "GET /procedure")))
             (test-assert "large" (< 5000000 (string-length (ask "GET /large"))
                                     5000300))
             (test-equal "an error; the connection goes on" '(500 200)
               (codes (exchange new (string-append
                                     (crlf "GET /error HTTP/1.1" "Host: a" "")
                                     get))))
             (test-assert "the peer"
               (string-contains (ask "GET /peer") "\r\n\r\n127.0.0.1:"))))))
    (test-equal "the error is logged, once" 1 (length lines))
    (test-assert "what it was" (string-contains (car lines) "as asked"))))

(test-case "deadlines: a slow request, an idle connection"
  (call-with-http hello
    (lambda (new server)
      (let-ports ((slow (new)) (idle (new)))
        (send slow "GET / HT")
        (test-equal "408" '(408) (codes (soon-all slow)))
        (test-equal "closed" "" (soon-all idle))))
    #:request-seconds 1/10 #:idle-seconds 3/10))

(test-case "stopping: idle connections end, requests are finished"
  (define begun (make-channel))
  (define stopped (make-channel))
  (call-with-http
      (lambda (request body)
        (when (string=? "/busy" (uri-path (request-uri request)))
          (channel-put begun #t)
          (channel-get stopped))
        (hello request body))
    (lambda (new server)
      (let-ports ((idle (new)) (busy (new)))
        (send idle get)
        (get-line idle)
        (send busy (crlf "GET /busy HTTP/1.1" "Host: a" ""))
        (channel-get begun)
        (stop-server! server)
        ;; By then every connection has heard of it.
        (test-assert "idle" (string? (with-deadline 5 (lambda () (get-string-all idle)))))
        (channel-put stopped #t)
        (let ((text (with-deadline 5 (lambda () (get-string-all busy)))))
          (test-equal "finished" '(200) (codes text))
          (test-assert "and told" (string-contains text "Connection: close")))))
    #:grace-seconds #f))

(test-case "a handler may wait while others are served"
  (call-with-http
      (lambda (request body)
        (when (string=? "/slow" (uri-path (request-uri request)))
          (sleep 2/10))
        (hello request body))
    (lambda (new server)
      (let-ports ((slow (new)))
        (send slow (crlf "GET /slow HTTP/1.1" "Host: a" ""))
        (sleep 1/50)
        (test-equal "meanwhile" '(200) (codes (exchange new get)))
        (test-equal "slow" '(200) (codes (get-line slow)))))))

(define noted '())

(test-case "what is called for each response, and before all"
  (call-with-http
      (lambda (request body) (values '() "four"))
    (lambda (new server)
      (test-equal "answered" '(200 200 400)
        (codes (exchange new (string-append "12345" get get "x\r\n\r\n"))))
      (test-equal "and noted" '((GET 200 4) (GET 200 4) (#f 400 0))
        (reverse (map (match-lambda
                        ((request code bytes peer begun)
                         (list (and request (request-method request)) code bytes)))
                      noted)))
      (test-assert "with the address that counts, and when"
        (every (match-lambda
                 ((request code bytes peer begun)
                  (and (eq? peer 'somebody)
                       (or (not request) (exact-integer? begun)))))
               noted)))
    #:prologue (lambda (read! sock peer)
                 (and (equal? "12345" (utf8->string (read! 5))) 'somebody))
    #:on-response (lambda noting (set! noted (cons noting noted)))))

(test-end "web-server")
