;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The heads of responses: what a handler must not say, and what the server says
;;; itself.

(use-modules (harness)
             (harness socket)
             (harness web)
             (ice-9 match)
             (ice-9 regex)
             (ice-9 textual-ports)
             (sockport)
             (sockport http)
             (web request)
             (web response)
             (web uri))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "web-response")

(test-case "responses that say too much"
  (let ((lines
         (call-with-http
             (lambda (request body)
               (match (uri-path (request-uri request))
                 ("/value" (values '((x . "a\r\nY: b")) "text"))
                 ("/reason" (values (build-response #:reason-phrase "a\r\nY: b")
                                    "text"))
                 ("/cr" (values '((x . "a\rY: b")) "text"))
                 ("/lf" (values '((x . "a\nY: b")) "text"))
                 ("/nul" (values '((x . "a\x00;Y: b")) "text"))
                 ("/nul-reason" (values (build-response
                                         #:reason-phrase "a\x00;Y: b")
                                        "text"))
                 ("/type" (values '((content-type . (text/plain (a . "b\nc"))))
                                  "text"))
                 ("/wide" (values '((x . "\u2014")) "text"))
                 ("/name" (values '((#{x y}# . "a")) "text"))
                 ("/letter" (values '((xä . "a")) "text"))
                 ("/length" (values '((content-length . 3)) "text"))
                 ("/body" (values (build-response #:code 204) "text"))
                 ("/early" (values (build-response #:code 102) #f))
                 ("/switch" (values (build-response #:code 101) (const #f)))
                 ("/kind" (values '() 'text))))
           (lambda (new server)
             (for-each
              (lambda (path)
                (let ((text (ask new "GET" path)))
                  (test-equal path '(500) (codes text))
                  (test-assert (list path "no header slips through")
                    (not (string-contains text "Y: b")))))
              '("/value" "/reason" "/cr" "/lf" "/nul" "/nul-reason" "/type" "/wide" "/name" "/letter" "/length" "/body"
                "/early" "/switch" "/kind"))))))
    (test-equal "each is logged" 15 (length lines))
    (test-assert "with what it was for"
      (string-contains (car lines) "\nGET /value from 127.0.0.1:"))))

(test-case "heads: dates, coding and connection are the server's"
  (call-with-http
      (lambda (request body)
        (match (uri-path (request-uri request))
          ("/coding" (values '((transfer-encoding . ((chunked)))) "text"))
          ("/letters" (values '((Content-Length . "2")
                                (Transfer-Encoding . "chunked"))
                              "text"))
          ("/none" (values (build-response #:code 204) #f))
          ("/same" (values (build-response
                            #:code 304 #:headers '((etag . ("x" . #t)))) #f))
          ("/head" (values '((content-length . 5)) #f))
          ("/upgrade" (values (build-response
                               #:code 426 #:headers '((upgrade . ("a/1"))))
                              "text"))
          ("/nothing" (values '() #f))))
    (lambda (new server)
      (let ((text (ask new "GET" "/coding")))
        (test-assert "no coding of the handler's"
          (not (string-contains text "Transfer-Encoding")))
        (test-assert "but a length" (has? text "Content-Length: 4"))
        (test-assert "and a date"
          (string-match "\r\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT\r\n"
                         text)))
      (let ((text (ask new "GET" "/letters")))
        (test-assert "no coding, in whatever letters"
          (not (string-contains text "Transfer-Encoding")))
        (test-equal "and one length" '("Content-Length: 4")
          (filter (lambda (line) (string-prefix? "Content-Length" line))
                  (string-split (string-delete #\return text) #\newline))))
      (test-assert "204 has no length"
        (not (string-contains (ask new "GET" "/none") "Content-Length")))
      (let ((text (ask new "GET" "/same")))
        (test-assert "304 neither" (not (string-contains text "Content-Length")))
        (test-assert "but its headers" (has? text "ETag: \"x\"")))
      (test-assert "HEAD: the length that GET would have"
        (has? (ask new "HEAD" "/head") "Content-Length: 5"))
      (test-assert "HEAD: none of the server's making"
        (not (string-contains (ask new "HEAD" "/nothing") "Content-Length")))
      (test-assert "no body" (has? (ask new "GET" "/nothing")
                                   "Content-Length: 0"))
      (test-assert "Upgrade is for this connection"
        (has? (ask new "GET" "/upgrade") "Connection: Upgrade"))
      (test-assert "that may end as well"
        (has? (ask new "GET" "/upgrade" "Connection: close")
              "Connection: close, Upgrade")))))

(define (dated? text)
  (->bool (string-match "\r\nDate: [A-Z][a-z]{2}, " (head-of text))))

(test-case "every answer has a date"
  (call-with-http
      (lambda (request body)
        (match (uri-path (request-uri request))
          ("/error" (error "as asked"))
          ("/none" (values (build-response #:code 204) #f))
          ("/same" (values (build-response #:code 304) #f))
          ("/flushed" (values '() (lambda (port)
                                    (display "one" port)
                                    (force-output port))))
          ("/switch" (values (build-response #:code 101
                                             #:headers '((upgrade . ("x"))))
                             (const #t)))
          (_ (values '() "text"))))
    (lambda (new server)
      (for-each
       (lambda (path)
         (test-assert path (dated? (ask new "GET" path))))
       '("/" "/error" "/none" "/same" "/flushed" "/switch"))
      (test-assert "HEAD" (dated? (ask new "HEAD" "/")))
      (for-each
       (match-lambda
         ((name code . text)
          (let ((answer (exchange new (apply crlf text))))
            (test-equal name (list code) (codes answer))
            (test-assert (list name "has a date") (dated? answer)))))
       '(("no request" 400 "x" "")
         ("a body that is too large" 413 "POST / HTTP/1.1" "Host: a"
          "Content-Length: 11" "")
         ("a target that is too long" 414
          "GET /a-long-target-of-forty-bytes-and-more HTTP/1.1" "Host: a" "")
         ("a head that is too large" 431 "GET / HTTP/1.1" "Host: a"
          "X: 23456789012345678901234567890123456789012345678901234567890" "")
         ("a coding" 501 "POST / HTTP/1.1" "Host: a"
          "Transfer-Encoding: gzip, chunked" "")
         ("a version" 505 "GET / HTTP/2.0" "Host: a" "")))
      (let-ports ((slow (new)))
        (send slow "GET")
        (let ((answer (soon-all slow)))
          (test-equal "too slow" '(408) (codes answer))
          (test-assert "has a date" (dated? answer)))))
    #:body-limit 10 #:target-limit 32 #:head-limit 90 #:request-seconds 1/2))

(test-end "web-response")
