;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (sockport web-client): requests and responses over plain connections, from
;;; servers that send what they should and what they should not.

(use-modules (harness)
             (harness client)
             (harness server)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport web-client)
             (web request)
             (web response)
             (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "web-client")

(test-case "what is sent and what comes back"
  (call-with-replies (list (reply) (reply) (reply) (reply))
    (lambda (server seen)
      (define (last-request) (last (seen)))
      (call-with-values
          (lambda () (http-get (uri-of server "/a/b?c=d#e")
                               #:headers '((user-agent . "test")
                                           (x-other . "1"))))
        (lambda (response body)
          (test-equal "code" 200 (response-code response))
          (test-equal "reason" "OK" (response-reason-phrase response))
          (test-equal "type" '(text/plain) (response-content-type response))
          (test-equal "version" '(1 . 1) (response-version response))
          (test-equal "body" "hello" body)
          (test-assert "the port is closed"
            (port-closed? (response-port response)))))
      (test-equal "request"
        (crlf "GET /a/b?c=d HTTP/1.1"
              (string-append "Host: " (substring (uri-of server "") 7))
              "User-Agent: test" "X-Other: 1" "Connection: close" "")
        (last-request))
      (test-equal "a bytevector" #vu8(104 101 108 108 111)
        (cadr (get-values (uri-of server "/") #:decode-body? #f)))
      (http-post (string->uri (uri-of server "")) #:body "grüße")
      (test-assert "a string has a type and a length"
        (every (lambda (line) (string-contains (last-request) line))
               '("POST / HTTP/1.1\r\n"
                 "Content-Type: text/plain;charset=utf-8\r\n"
                 "Content-Length: 7\r\n")))
      (http-put (uri-of server "/ä") #:body #vu8(1 2 3) #:version '(1 . 0))
      (test-assert "version 1.0, a path that is encoded"
        (string-prefix? "PUT /%C3%A4 HTTP/1.0\r\n" (last-request))))))

(test-case "HEAD has no body, whatever its head says"
  (call-with-replies (list (crlf "HTTP/1.1 200 OK" "Content-Length: 5" ""))
    (lambda (server seen)
      (call-with-values (lambda () (http-head (uri-of server "/")))
        (lambda (response body)
          (test-equal "length" 5 (response-content-length response))
          (test-equal "body" #f body))))))

(test-case "errors have the request and the response"
  (call-with-replies (list (string-append (crlf "HTTP/1.1 404 Not Found"
                                                "Content-Length: 5" "")
                                          "abc"))
    (lambda (server seen)
      (let ((exception (with-exception-handler
                           identity
                         (lambda () (http-get (uri-of server "/x")))
                         #:unwind? #t)))
        (test-assert "kind" (http-error? exception))
        (test-equal "reason" 'truncated (http-error-reason exception))
        (test-equal "code" 404 (http-error-code exception))
        (test-equal "request" "/x"
          (uri-path (request-uri (http-error-request exception))))
        (test-equal "response" 404
          (response-code (http-error-response exception)))))))

(test-case "trailers, and headers that do not parse"
  (call-with-replies
      (list (string-append
             (crlf "HTTP/1.1 200 OK" "Transfer-Encoding: chunked"
                   "Last-Modified: never" "ETag: \"a\"" "")
             "3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"))
    (lambda (server seen)
      (call-with-values (lambda () (http-get (uri-of server "/")))
        (lambda (response body)
          (test-equal "trailers" '((x-sum . "7")) (response-trailers response))
          (test-equal "not understood" '((last-modified . "never"))
            (response-invalid-headers response))
          (test-equal "understood" '("a" . #t) (response-etag response)))))))

(test-case "https where libgnutls is missing"
  (when (false-if-exception (resolve-interface '(sockport tls)))
    (skip "(sockport tls) is here"))
  (test-equal "says so" 'no-tls
    (reason-of (lambda () (http-get "https://127.0.0.1:1/")))))

(test-case "gzip"
  (unless (false-if-exception (resolve-interface '(zlib)))
    (skip "needs guile-zlib"))
  (define text (make-string 5000 #\a))
  (define packed
    (call-with-values (lambda () (open-bytevector-output-port))
      (lambda (out bytes)
        ((module-ref (resolve-interface '(zlib)) 'call-with-zlib-output-port)
         out (lambda (port) (put-bytevector port (string->utf8 text)))
         #:format 'gzip)
        (bytes))))
  (define (answer bytes)
    (string-append (crlf "HTTP/1.1 200 OK" "Content-Encoding: gzip"
                         "Content-Type: text/plain"
                         (format #f "Content-Length: ~a"
                                 (bytevector-length bytes)) "")
                   (list->string (map integer->char
                                      (bytevector->u8-list bytes)))))
  (call-with-replies (list (answer packed) (answer packed) (answer packed)
                           (answer #vu8(1 2 3 4)))
    (lambda (server seen)
      (define uri (uri-of server "/"))
      (test-equal "unpacked" (list 200 text) (get-values uri #:gzip? #t))
      (test-assert "was asked for"
        (string-contains (car (seen)) "Accept-Encoding: gzip"))
      (test-equal "not by itself" (list 200 packed)
        (get-values uri #:decode-body? #f))
      (test-equal "beyond a limit" 'body-limit
        (reason-of (lambda ()
                     (http-get uri #:gzip? #t #:body-limit 4000))))
      (test-equal "no gzip" 'bad-response
        (reason-of (lambda () (http-get uri #:gzip? #t)))))))

(test-case "what cannot be sent is refused before anything is connected"
  (define (refused name . arguments)
    (test-equal name 'refused
      (catch #t
        (lambda () (apply http-get arguments))
        (lambda (key . args)
          (if (memq key '(misc-error bad-header bad-header-component
                          bad-request wrong-type-arg uri-error))
              'refused
              (cons key args))))))
  ;; Nobody listens there; a connection would be a system-error.
  (define host "http://127.0.0.1:1")
  (define (path text)
    (build-uri 'http #:host "127.0.0.1" #:port 1 #:path text #:validate? #f))
  (define (with-host text)
    (build-uri 'http #:host text #:port 1 #:path "/" #:validate? #f))
  (for-each
   (lambda (char)
     (let ((bad (string #\a char #\b)))
       (refused (list "header" char) host #:headers `((x-a . ,bad)))
       (refused (list "name" char) host
                #:headers `((,(string->symbol bad) . "a")))
       (refused (list "path" char) (path (string-append "/" bad)))
       (refused (list "query" char)
                (build-uri 'http #:host "127.0.0.1" #:port 1 #:path "/"
                           #:query bad #:validate? #f))
       (refused (list "host" char) (with-host bad))
       (refused (list "host header" char) host
                #:headers `((host . (,bad . #f))))
       (refused (list "method" char) host #:method (string->symbol bad))))
   '(#\return #\newline #\nul))
  (for-each
   (lambda (text) (refused (list "a NUL in a text" text) text))
   '("http://127.0.0.1:1/a\x00b" "http://127.0.0.1:1/?a\x00b" "http://127.0.0.1:1\x00b/"
     "http://a\x00b@127.0.0.1:1/"))
  (refused "a NUL in the text of a proxy" host #:proxy "http://127.0.0.1:1\x00b")
  (test-error* "no page" '(misc-error #f "http-get") (http-get "page.html"))
  (refused "a blank in a path" (path "/a b"))
  (refused "no URI" 'a)
  (refused "another scheme" "ftp://127.0.0.1:1/")
  (refused "no host" "/a")
  (refused "no body" host #:body 'a)
  (refused "a wrong length" host #:body "a" #:headers '((content-length . 2)))
  (refused "a length without a body" host #:headers '((content-length . 2)))
  (test-error "a length that is none" 'out-of-range
    (http-request host #:body (const #t) #:headers `((content-length . ,(expt 2 70)))))
  (refused "a limit" host #:body-limit 'a)
  (refused "redirects over one port" host #:redirects 1
           #:port (%make-void-port "r+")))

(test-end "web-client")
