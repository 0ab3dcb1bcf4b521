;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (sockport web-client): bodies of every kind, whole and cut, from servers that
;;; send what they should and what they should not, slowly, or not at all.

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

(define (ask-raw text . options)
  "What http-get returns for a server that sends TEXT and closes."
  (let ((result #f))
    (call-with-replies (list text)
      (lambda (server seen)
        (set! result (reason-of
                      (lambda ()
                        (apply get-values (uri-of server "/") options))))))
    (match result
      (('returned (value)) value)
      (reason reason))))

(test-begin "web-client-body")

(test-case "bodies and how they end"
  (define* (http lines #:optional (body ""))
    (string-append (apply crlf (append lines '(""))) body))
  (define chunked '("HTTP/1.1 200 OK" "Transfer-Encoding: chunked"))
  (define html "Content-Type: text/html; charset=utf-8")
  (define (bytes text) (string->utf8 text))
  (for-each
   (match-lambda
     ((name text expected . options)
      (test-equal name expected (apply ask-raw text options))))
   `(("length" ,(reply "abc") (200 "abc"))
     ("an empty one" ,(reply "") (200 ""))
     ("charset" ,(http `("HTTP/1.1 200 OK" "Content-Length: 2" ,html)
                       "\xc3\xa4") (200 "ä"))
     ("no text" ,(http '("HTTP/1.1 200 OK" "Content-Length: 2"
                         "Content-Type: image/png") "ab")
      (200 ,(bytes "ab")))
     ("until the end" ,(http '("HTTP/1.1 200 OK") "abc") (200 ,(bytes "abc")))
     ("of HTTP/1.0" ,(http '("HTTP/1.0 200 OK") "abc") (200 ,(bytes "abc")))
     ("chunks" ,(http chunked "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
      (200 ,(bytes "abcde")))
     ("no reason" ,(http '("HTTP/1.1 200" "Content-Length: 0"))
      (200 ,(bytes "")))
     ("204" ,(http '("HTTP/1.1 204 No Content" "Content-Length: 5")) (204 #f))
     ("304" ,(http '("HTTP/1.1 304 Not Modified" "Content-Length: 5"))
      (304 #f))
     ("interim responses" ,(string-append
                            (http '("HTTP/1.1 100 Continue"))
                            (http '("HTTP/1.1 103 Early Hints" "Link: </a>"))
                            (reply "abc"))
      (200 "abc"))
     ("lines that end in LF" "HTTP/1.1 200 OK\nContent-Length: 1\n\na"
      (200 ,(bytes "a")))
     ("a body that is too short"
      ,(http '("HTTP/1.1 200 OK" "Content-Length: 5") "abc") truncated)
     ("no last chunk" ,(http chunked "3\r\nabc\r\n") truncated)
     ("no end of the chunks" ,(http chunked "3\r\nabc\r\n0\r\n") truncated)
     ("a chunk that is cut" ,(http chunked "3\r\nab") truncated)
     ("no chunks" ,(http chunked "hello") bad-response)
     ("a chunk that is longer than it says" ,(http chunked "1\r\nab\r\n0\r\n")
      bad-response)
     ("trailers that are none" ,(http chunked "0\r\n x\r\n\r\n") bad-response)
     ("nothing" "" no-response)
     ("a piece of a head" "HTTP/1.1 200 OK\r\nContent-" truncated)
     ("no HTTP" "hello\r\n" bad-response)
     ("version 2" ,(http '("HTTP/2.0 200 OK")) bad-response)
     ("two lengths" ,(http '("HTTP/1.1 200 OK" "Content-Length: 1"
                             "Content-Length: 2") "ab") bad-response)
     ("a length and chunks" ,(http `(,@chunked "Content-Length: 2") "ab")
      bad-response)
     ("another coding" ,(http '("HTTP/1.1 200 OK"
                                "Transfer-Encoding: gzip, chunked")) bad-response)
     ("a code that is none" ,(http '("HTTP/1.1 999 Odd")) bad-response)
     ("a huge head" ,(http `("HTTP/1.1 200 OK"
                             ,(string-append "X: " (make-string 70000 #\x))))
      head-limit)
     ("a head within its limit"
      ,(http `("HTTP/1.1 200 OK" "Content-Length: 0"
               ,(string-append "X: " (make-string 70000 #\x))))
      (200 ,(bytes "")) #:head-limit 100000)
     ("a body within its limit" ,(reply "abc") (200 "abc") #:body-limit 3)
     ("a length beyond it" ,(reply "abcd") body-limit #:body-limit 3)
     ("chunks beyond it" ,(http chunked "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")
      body-limit #:body-limit 3)
     ("until the end, beyond it" ,(http '("HTTP/1.1 200 OK") "abcd")
      body-limit #:body-limit 3)
     ("a length that nobody has"
      ,(http '("HTTP/1.1 200 OK" "Content-Length: 99999999999999") "abc")
      truncated))))

(define (streamed text proc . options)
  (call-with-replies (list text)
    (lambda (server seen)
      (call-with-values
          (lambda () (apply http-get (uri-of server "/") #:streaming? #t
                            options))
        proc))))

(test-case "a body as a port"
  (streamed (reply "one\ntwo\n")
    (lambda (response port)
      (test-equal "a line" "one" (get-line port))
      (test-equal "the rest" "two\n" (get-string-all port))
      (test-assert "the end" (eof-object? (get-u8 port)))
      (close-port port)
      (test-assert "is closed" (port-closed? (response-port response)))))
  (streamed (string-append (crlf "HTTP/1.1 200 OK" "Transfer-Encoding: chunked"
                                 "Content-Type: text/plain; charset=utf-8" "")
                           "1\r\n\xc3\r\n1\r\n\xa4\r\n0\r\nA: b\r\n\r\n")
    (lambda (response port)
      (test-equal "a character in two chunks" "ä" (get-string-all port))
      (test-equal "trailers" '((a . "b")) (response-trailers response))
      (close-port port)))
  (streamed (string-append (crlf "HTTP/1.1 200 OK" "Content-Length: 10" "")
                           "abc")
    (lambda (response port)
      (test-equal "what came" #vu8(97 98 99) (get-bytevector-n port 3))
      (test-equal "then an error" 'truncated
        (reason-of (lambda () (get-u8 port))))
      (test-equal "and again" 'truncated
        (reason-of (lambda () (get-u8 port))))
      (test-assert "closed" (port-closed? (response-port response)))))
  (streamed (reply (make-string 100000 #\a))
    (lambda (response port)
      (get-u8 port)
      (close-port port)
      (test-assert "closing it early closes the connection"
        (port-closed? (response-port response)))))
  (streamed (crlf "HTTP/1.1 204 No Content" "")
    (lambda (response port)
      (test-equal "no body, no port" #f port))))

;; The server is one of them.
(test-case "other tasks go on in every kind of body"
  (define text (make-string 4000 #\a))
  (define (body-of sock kind)
    (define (head . lines)
      (send sock (apply crlf "HTTP/1.1 200 OK" (append lines '("")))))
    (case kind
      ((length)
       (head "Content-Length: 4000")
       (send-slowly sock text))
      ((chunks)
       (head "Transfer-Encoding: chunked")
       (send-slowly sock (string-append "fa0\r\n" text "\r\n0\r\n\r\n")))
      (else
       (head)
       (send-slowly sock text))))
  (for-each
   (lambda (kind)
     (call-with-raw (lambda (sock number)
                      (read-until-blank sock)
                      (body-of sock kind))
       (lambda (server)
         (test-equal kind 4000
           (bytevector-length (cadr (get-values (uri-of server "/"))))))))
   '(length chunks close)))

(test-case "a deadline ends a request wherever it is, and nothing is left"
  (define stages
    (list (lambda (sock) #t)
          (lambda (sock) (send sock "HTTP/1.1 200"))
          (lambda (sock)
            (send sock (crlf "HTTP/1.1 200 OK" "Content-Length: 5" ""))
            (send sock "abc"))
          (lambda (sock)
            (send sock (crlf "HTTP/1.1 200 OK" "Transfer-Encoding: chunked" ""))
            (send sock "3\r\na"))
          (lambda (sock)
            (send sock (crlf "HTTP/1.1 200 OK" ""))
            (send sock "abc"))))
  (for-each
   (lambda (stage)
     (call-with-raw (lambda (sock number)
                      (read-until-blank sock)
                      (stage sock)
                      (end-of sock))
       (lambda (server)
         (define (ask)
           (http-get (uri-of server "/")))
         (test-equal "deadline" 'late
           (with-deadline 1/20 ask (const 'late)))
         (test-assert "cancelled" (ends-cancelled? ask)))))
   stages))

(test-case "after a deadline a body that is a port goes on where it was"
  (let ((go? #f))
    (call-with-raw
        (lambda (sock number)
          (read-until-blank sock)
          (send sock (crlf "HTTP/1.1 200 OK" "Content-Length: 6" ""))
          (send sock "abc")
          (wait-for-task (lambda () go?))
          (send sock "def")
          (end-of sock))
      (lambda (server)
        (call-with-values
            (lambda () (http-get (uri-of server "/") #:streaming? #t))
          (lambda (response port)
            (test-equal "late" 'late
              (with-deadline 1/20
                (lambda () (get-bytevector-n port 6))
                (const 'late)))
            (set! go? #t)
            (test-equal "all of it" (string->utf8 "abcdef")
              (get-bytevector-n port 6))
            (close-port port)))))))

(test-case "a body that is a port and is not read to its end"
  (for-each
   (lambda (read-all? expected)
     (call-with-replies (list (reply "abc") (reply "abc"))
       (lambda (server seen)
         (define uri (uri-of server "/"))
         (define (closed? . options)
           (call-with-values
               (lambda () (apply http-get uri #:streaming? #t #:keep-alive? #t
                                 options))
             (lambda (response body)
               (when read-all? (get-string-all body))
               (close-port body)
               (let ((closed? (port-closed? (response-port response))))
                 (close-port (response-port response))
                 closed?))))
         (test-equal "over one that is kept" expected (closed?))
         (test-equal "over the user's" expected
           (closed? #:port (open-socket-for-uri uri))))))
   '(#t #f) '(#f #t)))

(test-end "web-client-body")
