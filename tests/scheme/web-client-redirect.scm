;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (sockport web-client): redirects, and what follows them.

(use-modules (harness)
             (harness client)
             (harness server)
             (ice-9 binary-ports)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport web-client)
             (web request)
             (web response)
             (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "web-client-redirect")

(define (redirect code location . lines)
  (string-append (apply crlf (format #f "HTTP/1.1 ~a Go" code)
                        (string-append "Location: " location)
                        "Content-Length: 3" (append lines '("")))
                 "xyz"))

(define (request-lines requests)
  (map (lambda (request)
         (substring request 0 (string-contains request " HTTP/")))
       requests))

(test-case "redirects are followed if that is asked for"
  (call-with-counter
   (lambda (server connections requests)
     (test-equal "not by itself" 302
       (car (get-values (uri-of server "/"))))
     (let ((pool (make-http-pool)))
       (test-equal "three times" '(200 "hello")
         (get-values (uri-of server "/a/b?c") #:redirects 3 #:pool pool))
       (test-equal "where to" '("GET /" "GET /a/b?c" "GET /x" "GET /y/z"
                                "GET /y/z?q")
         (request-lines (requests)))
       (test-equal "over one connection" 2 (connections))
       (close-http-pool pool)))
   (keep (redirect 302 "/x"))
   (keep (redirect 301 "/x")) (keep (redirect 302 "y/./a/../z"))
   (keep (redirect 307 "?q" "Content-Type: text/html")))
  (call-with-counter
   (lambda (server connections requests)
     (test-equal "one too many" 'too-many-redirects
       (reason-of (lambda () (http-get (uri-of server "/") #:redirects 1)))))
   (redirect 302 "/a") (redirect 302 "/b")))

(test-case "what a redirect does to the method and the body"
  (define (after code method)
    (let ((result #f))
      (call-with-counter
       (lambda (server connections requests)
         (http-request (uri-of server "/") #:method method
                       #:body (and (not (eq? method 'HEAD)) "abc")
                       #:redirects 1)
         (let ((request (last (requests))))
           (set! result
                 (list (substring request 0 (string-index request #\space))
                       (->bool (string-contains request "Content-Type"))
                       (->bool (string-contains request "Content-Length: 3"))))))
       (redirect code "/b"))
      result))
  (for-each
   (match-lambda
     ((code method . expected)
      (test-equal (list code method) expected (after code method))))
   '((303 POST "GET" #f #f) (303 PUT "GET" #f #f)
     (301 POST "GET" #f #f) (302 POST "GET" #f #f) (302 PUT "PUT" #t #t)
     (307 POST "POST" #t #t) (308 PUT "PUT" #t #t)))
  (test-equal "HEAD stays" '("HEAD" #f #f) (after 303 'HEAD))
  (call-with-counter
   (lambda (server connections requests)
     (test-equal "a port is gone" 'bad-redirect
       (reason-of (lambda ()
                    (http-post (uri-of server "/") #:redirects 1
                               #:body (open-bytevector-input-port
                                       #vu8(1 2 3)))))))
   (redirect 307 "/b")))

(test-case "secrets stay with the host that they are for"
  (define secrets '((authorization . (basic . "YTpi")) (cookie . "a=b")
                    (x-other . "1")))
  (define (told text)
    (filter (lambda (name) (string-contains text name))
            '("Authorization" "Cookie" "X-Other")))
  (call-with-counter
   (lambda (other connections other-requests)
     (call-with-counter
      (lambda (server connections requests)
        (get-values (uri-of server "/") #:redirects 2 #:headers secrets)
        (test-equal "the same host" '("Authorization" "Cookie" "X-Other")
          (told (last (requests))))
        (test-equal "another" '("X-Other") (told (last (other-requests)))))
      (redirect 302 "/b") (redirect 302 (uri-of other "/c"))))))

(test-case "where a redirect must not lead"
  (define (to location)
    (let ((result #f))
      (call-with-counter
       (lambda (server connections requests)
         (set! result (reason-of (lambda ()
                                   (http-get (uri-of server "/")
                                             #:redirects 1)))))
       (redirect 302 location))
      result))
  (test-equal "another scheme" 'bad-redirect (to "ftp://127.0.0.1/"))
  (test-equal "a file" 'bad-redirect (to "file:///etc/passwd")))

(test-case "the name and the password of a URI"
  (call-with-counter
   (lambda (server connections requests)
     (let ((uri (uri-of server "/")))
       (get-values (string-append "http://Aladdin:open%20sesame@"
                                  (substring uri 7)))
       (test-assert "are told"
         ;; The scheme has a capital since Guile 3.0.11.
         (string-contains (last (requests))
                          "asic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))
       (test-assert "not with the host"
         (not (string-contains (last (requests)) "Aladdin")))))))

(test-end "web-client-redirect")
