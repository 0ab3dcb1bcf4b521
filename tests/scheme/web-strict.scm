;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What is no request, what two readers could take for two requests, and what is
;;; one although it looks odd: over raw sockets, each followed by a request that
;;; must be served or not.

(use-modules (harness)
             (harness socket)
             (harness web)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport http)
             (web request)
             (web response)
             (web uri))

(define handled '())

(define (handler request body)
  (set! handled (cons (uri-path (request-uri request)) handled))
  (values '((content-type . (text/plain))) "served"))

(define (try new text)
  "Return the codes of the answers to TEXT and to the request behind it, and what
the handler has seen."
  (set! handled '())
  (let ((answers (codes (exchange new (string-append text get)))))
    (list answers (reverse handled))))

(define post "POST /p HTTP/1.1")
(define host "Host: a")

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "web-strict")

(test-case "refused before any handler, and nothing behind it served"
  (call-with-http handler
    (lambda (new server)
      (for-each
       (match-lambda
         ((name code . lines)
          (test-equal name (list (list code) '())
            (try new (apply crlf lines)))))
       `(("two lengths" 400 ,post ,host "Content-Length: 0" "Content-Length: 5" "")
         ("the same length twice" 400
          ,post ,host "Content-Length: 0" "Content-Length: 0" "")
         ("a list of lengths" 400 ,post ,host "Content-Length: 0, 0" "")
         ("a length with a sign" 400 ,post ,host "Content-Length: +0" "")
         ("a length that overflows" 400
          ,post ,host "Content-Length: 18446744073709551616" "")
         ("a blank before the colon" 400 ,post ,host "Content-Length : 0" "")
         ("a tab before the colon" 400 ,post ,host "Content-Length\t: 0" "")
         ("a length and chunks" 400
          ,post ,host "Content-Length: 5" "Transfer-Encoding: chunked" "" "0" "")
         ("chunks twice" 400 ,post ,host "Transfer-Encoding: chunked"
          "Transfer-Encoding: chunked" "" "0" "")
         ("chunked and more" 400
          ,post ,host "Transfer-Encoding: chunked, identity" "" "0" "")
         ("chunked within chunked" 400
          ,post ,host "Transfer-Encoding: chunked, chunked" "" "0" "")
         ("an unknown coding" 400 ,post ,host "Transfer-Encoding: xchunked" "")
         ("a coding that is not undone here" 501
          ,post ,host "Transfer-Encoding: gzip, chunked" "" "0" "")
         ("chunks in 1.0" 400
          "POST /p HTTP/1.0" "Transfer-Encoding: chunked" "" "0" "")
         ("a folded line" 400 ,post ,host "X: a" " b" "")
         ("a blank before the first field" 400 ,post " X: a" ,host "")
         ("a name that is none" 400 ,post ,host "X Y: a" "")
         ("no name" 400 ,post ,host ": a" "")
         ("a bare CR" 400 ,post ,host "X: a\rTransfer-Encoding: chunked" "")
         ("NUL" 400 ,post ,host "X: a\x00;b" "")
         ("no host" 400 "GET /p HTTP/1.1" "")
         ("two hosts" 400 "GET /p HTTP/1.1" ,host ,host "")
         ("no valid host" 400 "GET /p HTTP/1.1" "Host: a/b" "")
         ("OPTIONS * without a host" 400 "OPTIONS * HTTP/1.1" "")
         ("another version" 505 "GET /p HTTP/2.0" ,host "")
         ("an old version" 505 "GET /p HTTP/0.9" ,host "")
         ("a version to come" 505 "GET /p HTTP/3.0" ,host "")
         ("a request of HTTP/2" 505 "PRI * HTTP/2.0" "" "SM" "")
         ("no version" 400 "GET /p" ,host "")
         ("a long version" 400 "GET /p HTTP/1.11" ,host "")
         ("two blanks" 400 "GET  /p HTTP/1.1" ,host "")
         ("a fragment" 400 "GET /p#f HTTP/1.1" ,host "")
         ("a target that is none" 400 "GET p HTTP/1.1" ,host "")
         ("a control character in it" 400 "GET /p\x01; HTTP/1.1" ,host "")
         ("no method" 400 "G{T /p HTTP/1.1" ,host "")
         ("TLS" 400 "\x16\x03\x01;\x02" ""))))))

(define (chunked . lines)
  (string-append (crlf post host "Transfer-Encoding: chunked" "")
                 (string-concatenate lines)))

(test-case "chunks that are none end the connection"
  (call-with-http handler
    (lambda (new server)
      (for-each
       (match-lambda
         ((name . text)
          (test-equal name '((400) ()) (try new (chunked text)))))
       '(("no digit" . "x\r\n\r\n")
         ("a sign" . "+1\r\na\r\n0\r\n\r\n")
         ("a prefix" . "0x1\r\na\r\n0\r\n\r\n")
         ("a blank" . " 1\r\na\r\n0\r\n\r\n")
         ("LF alone" . "1\na\n0\n\n")
         ("LF alone behind an extension" . "1;x\na\r\n0\r\n\r\n")
         ("CR alone" . "1\ra\r0\r\r")
         ("more data than said" . "1\r\nab\r\n0\r\n\r\n")
         ("a size that overflows" . "10000000000000000\r\na\r\n0\r\n\r\n")
         ("a trailer that is none" . "0\r\n X: a\r\n\r\n"))))))

(test-case "served although it looks odd"
  (call-with-http handler
    (lambda (new server)
      (define (served name path . lines)
        (test-equal name (list '(200 200) (list path "/one"))
          (try new (apply crlf lines))))
      (served "a later 1.x" "/p" "GET /p HTTP/1.9" host "")
      (served "an unknown method" "/p" "BREW /p HTTP/1.1" host "")
      (served "a path that looks like a host" "//p" "GET //p HTTP/1.1" host "")
      (served "a whole URI" "/p" "GET http://a/p HTTP/1.1" host "")
      (served "OPTIONS *" "*" "OPTIONS * HTTP/1.1" host "")
      (served "an empty host" "/p" "GET /p HTTP/1.1" "Host:" "")
      (served "names in any case" "/p" "POST /p HTTP/1.1" "hOST: a"
              "TRANSFER-encoding: Chunked" "" "1;x=\"y\"" "a" "000" "")
      (served "fields that (web http) refuses" "/p" "GET /p HTTP/1.1" host
              "If-Modified-Since: 0" "Range: lines=1-2"
              "Content-Type: text/plain;" "Accept: ;;" ""))))

(test-case "a target that is a whole URI says what it is for"
  (call-with-http
      (lambda (request body)
        (let ((uri (request-uri request)))
          (values '() (format #f "~s ~s ~s" (uri-path uri) (uri-query uri)
                              (filter (lambda (header) (eq? 'host (car header)))
                                      (request-headers request))))))
    (lambda (new server)
      (define (seen . lines)
        (body-of (exchange new (apply crlf lines))))
      (test-equal "its host counts, not Host"
        "\"/p\" \"q\" ((host \"b\" . 8080))"
        (seen "GET http://b:8080/p?q HTTP/1.1" host ""))
      (test-equal "in 1.0 as well" "\"/p\" #f ((host \"b\" . #f))"
        (seen "GET http://b/p HTTP/1.0" ""))
      (test-equal "no path is the root" "\"/\" #f ((host \"b\" . #f))"
        (seen "GET http://b HTTP/1.1" host ""))
      (test-equal "with a query too" "\"/\" \"q\" ((host \"::1\" . #f))"
        (seen "GET http://[::1]?q HTTP/1.1" host ""))
      (test-equal "or all there is" "\"*\" #f ((host \"b\" . #f))"
        (seen "OPTIONS http://b HTTP/1.1" host ""))
      (test-equal "with a user it is none" '(400)
        (codes (exchange new (crlf "GET http://u@b/ HTTP/1.1" host "")))))))

(test-case "what cannot be parsed is the handler's business"
  (call-with-http
      (lambda (request body)
        (values '()
                (format #f "~s ~s"
                        (list (request-if-modified-since request)
                              (request-content-type request)
                              (request-max-forwards request))
                        (assq-ref (request-meta request) 'invalid-headers))))
    (lambda (new server)
      (test-assert "left out, and at hand as strings"
        (string-suffix?
         "(#f #f 5) ((if-modified-since . \"0\") (content-type . \"text/plain;\"))"
         (exchange new (crlf "GET / HTTP/1.1" host "If-Modified-Since: 0"
                             "Content-Type: text/plain;" "Max-Forwards: 5"
                             "")))))))

(test-case "a value that would take seconds to parse is left out as well"
  (define (many text) (string-concatenate (make-list 10000 text)))
  (call-with-http
      (lambda (request body)
        (values '() (format #f "~a" (map car (assq-ref (request-meta request)
                                                       'invalid-headers)))))
    (lambda (new server)
      (test-assert "but a long one of one part is not"
        (string-suffix?
         "\r\n\r\n(cache-control max-forwards)"
         (exchange new (crlf "GET / HTTP/1.1" host
                             (string-append "Cache-Control: " (many "a,"))
                             (string-append "Max-Forwards: " (many "9"))
                             (string-append "Authorization: Bearer " (many "a9"))
                             "")))))))

(test-case "versions and options of the connection"
  (call-with-http handler
    (lambda (new server)
      (test-assert "the answer is one of 1.1"
        (string-prefix? "HTTP/1.1 200 OK\r\n"
                        (exchange new (crlf "GET / HTTP/1.7" host ""))))
      (test-equal "close on a second line" '((200) ("/p"))
        (try new (crlf "GET /p HTTP/1.1" host "Connection: keep-alive"
                       "Connection: Close" "")))
      (test-equal "1.0 with two options" '((200 200) ("/p" "/one"))
        (try new (crlf "GET /p HTTP/1.0" "Connection: foo, Keep-Alive" ""))))))

(define (header-of name text)
  "Return the values of the header NAME in TEXT."
  (filter-map (lambda (line)
                (and (string-prefix-ci? (string-append name ": ") line)
                     (string-drop (string-trim-right line #\return)
                                  (+ 2 (string-length name)))))
              (string-split text #\newline)))

(test-case "two requests share nothing that can be changed"
  (call-with-http
      (lambda (request body)
        (let ((agent (request-user-agent request))
              (accept (request-accept request)))
          (string-set! agent 0 #\X)
          (set-car! (car accept) 'changed)
          (set-car! (request-host request) "other")
          (string-set! (uri-path (request-referer request)) 1 #\X)
          (values '() agent)))
    (lambda (new server)
      (define text
        (crlf "GET / HTTP/1.1" "Host: abc" "User-Agent: agent"
              "Accept: text/html" "Referer: http://a/path" ""))
      (test-equal "the same, three times" '(200 200 200)
        (codes (exchange new (string-append text text text))))))
  (call-with-http
      (lambda (request body)
        (let ((seen (format #f "~a ~a ~a ~a" (request-user-agent request)
                            (request-accept request) (request-host request)
                            (uri->string (request-referer request)))))
          (string-fill! (request-user-agent request) #\X)
          (set-car! (car (request-accept request)) 'changed)
          (set-car! (request-host request) "other")
          (string-fill! (uri-path (request-referer request)) #\X)
          (values '() seen)))
    (lambda (new server)
      (define text
        (crlf "GET / HTTP/1.1" "Host: abc" "User-Agent: agent"
              "Accept: text/html" "Referer: http://a/path" ""))
      (define (seen)
        (body-of (exchange new text)))
      (test-equal "what one has changed, the next does not see"
        (make-list 3 "agent ((text/html)) (abc . #f) http://a/path")
        (list (seen) (seen) (seen))))))

(test-case "limits, each with its answer"
  (call-with-http handler
    (lambda (new server)
      (define (code . lines)
        (try new (apply crlf lines)))
      (test-equal "a long target" '((414) ())
        (code (string-append "GET /" (make-string 100 #\x) " HTTP/1.1") host ""))
      (test-equal "a target without an end" '((414) ())
        (code (string-append "GET /" (make-string 300 #\x))))
      (test-equal "a long head" '((431) ())
        (code "GET / HTTP/1.1" host
              (string-append "X: " (make-string 1000 #\x)) ""))
      (test-equal "many blank lines" '((431) ())
        (list (codes (exchange new (make-string 2000 #\newline))) handled))
      (test-equal "many fields" '((431) ())
        (list (codes (exchange new
                               (string-append
                                "GET / HTTP/1.1\nHost: a\n"
                                (string-concatenate
                                 (make-list 101 "X:\n"))
                                "\n")))
              handled)))
    #:target-limit 64 #:head-limit 1000))

(test-case "blank lines count as the request behind them"
  (call-with-http handler
    (lambda (new server)
      (for-each
       (lambda (lines)
         (let-ports ((sock (new)))
           (send sock lines)
           (test-equal (list "for its time" lines) '(408) (codes (soon-all sock)))))
       '("\r\n\r\n" "\n" "\r" "\r\nGET / HTTP/1.1\r\n")))
    #:request-seconds 1/5))

(test-case "connections of one address"
  (call-with-http handler
    (lambda (new server)
      (let-ports ((first (new)) (second (new)))
        (send first get)
        (get-line first)
        (send second get)
        (get-line second)
        (let ((text (exchange new get)))
          (test-equal "a third" '(503) (codes text))
          (test-equal "and when to come again" '("1")
            (header-of "Retry-After" text))))
      (await (lambda () (zero? (server-connections server))))
      (test-equal "later" '(200) (codes (exchange new get))))
    #:connections-per-address 2))

(test-end "web-strict")
