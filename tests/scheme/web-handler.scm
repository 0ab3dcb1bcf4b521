;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What handlers of HTTP do that they should not: no program's mistake may end the
;;; server, or put something into another response.

(use-modules (harness)
             (harness socket)
             (harness web)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1)
             (web request)
             (web response)
             (web uri))

(define text/plain '((content-type . (text/plain))))

(define (path-of request)
  (uri-path (request-uri request)))

(define (post path body . lines)
  (string-append (apply crlf (string-append "POST " path " HTTP/1.1") "Host: a"
                        (append lines '("")))
                 body))

(define (key-of thunk)
  (catch #t
    (lambda () (thunk) 'none)
    (lambda (key . args) key)))

(test-begin "web-handler")

(test-case "a handler that joins a task which was cancelled"
  (define (join-cancelled)
    (let ((task (spawn-task (lambda () (sleep 60)))))
      (cancel! task)
      (join task)))
  (let ((lines
         (call-with-http
             (lambda (request body)
               (match (path-of request)
                 ("/handler" (join-cancelled) (values text/plain "text"))
                 ("/body" (values text/plain (lambda (port) (join-cancelled))))
                 ("/good" (values text/plain "text"))))
           (lambda (new server)
             (test-equal "is told" '((500) (500))
               (map (lambda (path) (codes (ask new "GET" path))) '("/handler" "/body")))
             (test-equal "and the server goes on" '(200)
               (codes (ask new "GET" "/good")))))))
    (test-equal "each is logged" 2 (length lines))))

(test-case "a log that fails"
  (call-with-http (lambda (request body) (error "failed"))
    (lambda (new server)
      (test-equal "ends nothing" '((500) (500))
        (list (codes (ask new "GET" "/")) (codes (ask new "GET" "/")))))
    #:log (lambda (text) (error "the disk is full"))))

(test-case "what is called for each response fails"
  (let ((lines
         (call-with-http (lambda (request body) (values text/plain "text"))
           (lambda (new server)
             (test-equal "and the connection is kept" '(200 200)
               (codes (exchange new (string-append get get)))))
           #:on-response (lambda noting (error "no place to note that")))))
    (test-equal "each time is logged" 2
      (count (lambda (line) (string-contains line "no place to note that"))
             lines))))

(test-case "lengths that are none"
  (call-with-http
      (lambda (request body)
        (match (path-of request)
          ("/negative" (values '((content-length . -5)) (lambda (port) #t)))
          ("/huge" (values `((content-length . ,(expt 2 70))) (lambda (port) #t)))
          ("/head" (values `((content-length . ,(expt 2 70))) #f))
          ("/part" (values text/plain
                           (cons (open-fdes "/dev/null" O_RDONLY)
                                 (cons 0 (expt 2 70)))))))
    (lambda (new server)
      (for-each (lambda (path method)
                  (test-equal path '(500) (codes (ask new method path))))
                '("/negative" "/huge" "/head" "/part") '("GET" "GET" "HEAD" "GET")))))

(test-case "an error of a socket of the handler's own"
  (test-equal "is logged" 1
    (length
     (call-with-http
         (lambda (request body)
           (scm-error 'system-error "recv!" "~A" '("reset") (list ECONNRESET)))
       (lambda (new server)
         (test-equal '(500) (codes (ask new "GET" "/"))))))))

(test-case "the port of a body after its response"
  (define kept #f)
  (define outcomes '())
  (call-with-http
      (lambda (request body)
        (match (path-of request)
          ("/use"
           (set! outcomes
                 (cons (key-of (lambda ()
                                 (put-string kept "evil")
                                 (force-output kept)))
                       outcomes))
           (values text/plain "used"))
          (path
           (values text/plain
                   (lambda (port)
                     (set! kept port)
                     (put-string port "text")
                     (match path
                       ("/whole" #t)
                       ("/parts" (force-output port))
                       ("/failed" (error "failed"))))))))
    (lambda (new server)
      (for-each
       (lambda (path)
         (let ((text (exchange new (crlf (string-append "GET " path " HTTP/1.1") "Host: a"
                                         "" "GET /use HTTP/1.1" "Host: a" ""))))
           (test-assert (list path "cannot write into the next")
             (not (string-contains text "evil")))
           (test-equal (list path "and the next comes") 2 (length (codes text)))))
       '("/whole" "/parts" "/failed"))))
  (test-equal '(misc-error misc-error misc-error) outcomes))

;;; What is lost of it must not be made up for by what follows, least of all by the
;;; next response.
(test-case "a body that goes on behind a write which a deadline has ended"
  (define large (make-bytevector 30000000 97))
  (define ended #f)
  (let ((lines
         (call-with-http
             (lambda (request body)
               (match (path-of request)
                 ("/next" (values text/plain "next"))
                 (_ (values text/plain
                            (lambda (port)
                              (with-deadline 1/5
                                (lambda () (put-bytevector port large))
                                (lambda () (set! ended #t)))
                              (put-string port "end"))))))
           (lambda (new server)
             (let-ports ((sock (new)))
               (send sock (crlf "GET /large HTTP/1.1" "Host: a" ""
                                "GET /next HTTP/1.1" "Host: a" ""))
               (await (lambda () ended))
               (test-equal "the connection is reset" (list 'system-error ECONNRESET)
                 (catch 'system-error
                   (lambda () (soon-all sock))
                   (lambda args
                     (list (car args) (system-error-errno args))))))))))
    (test-equal "and that is logged" 1 (length lines))))

(test-case "a header that is none, of a body that a procedure writes"
  (call-with-http
      (lambda (request body)
        (values '((x . "a\r\nY: b"))
                (lambda (port) (put-bytevector port (make-bytevector 20000 97)))))
    (lambda (new server)
      (test-equal "however long that is" '(500) (codes (ask new "GET" "/"))))))

(test-case "a body that closes its port"
  (test-equal "is not logged" '()
    (call-with-http
        (lambda (request body)
          (values text/plain
                  (lambda (port)
                    (match (path-of request)
                      ("/empty" #t)
                      ("/text" (put-string port "text")))
                    (close-port port))))
      (lambda (new server)
        (test-assert "nothing" (string-suffix? "\r\n\r\n0\r\n\r\n" (ask new "GET" "/empty")))
        (test-assert "something"
          (string-suffix? "4\r\ntext\r\n0\r\n\r\n" (ask new "GET" "/text")))))))

(test-case "a handler that closes the port of the request's body"
  (test-equal "is not logged" '()
    (call-with-http
        (lambda (request body)
          (close-port body)
          (values text/plain "text"))
      (lambda (new server)
        (test-assert "the client is told that no request may follow"
          (has? (exchange new (post "/" "abc" "Content-Length: 3")) "Connection: close")))
      #:body-port? #t)))

(test-case "a response that begins before the body is asked for"
  (call-with-http
      (lambda (request body)
        (values text/plain
                (lambda (port)
                  (put-string port "begun")
                  (force-output port)
                  (put-string port (get-string-all body)))))
    (lambda (new server)
      (let-ports ((sock (new)))
        (send sock (post "/" "" "Content-Length: 3" "Expect: 100-continue"))
        (let ((head (make-string 8)))
          (recv! sock head)
          (send sock "abc")
          (setvbuf sock 'block)
          (test-assert "has no 100 Continue in it"
            (string-suffix? "\r\n5\r\nbegun\r\n3\r\nabc\r\n0\r\n\r\n"
                            (get-string-all sock))))))
    #:body-port? #t))

(test-case "a connection that is handed over with a body behind its head"
  (call-with-http
      (lambda (request body)
        (values (build-response #:code 101 #:headers '((upgrade . ("x"))))
                (lambda (sock)
                  (put-string sock (get-string-n sock 3))
                  (force-output sock))))
    (lambda (new server)
      (define (upgrade . lines)
        (exchange new (apply crlf "GET / HTTP/1.1" "Host: a" "Upgrade: x"
                             "Connection: upgrade" lines)))
      (test-assert "a length" (string-suffix? "\r\nend" (upgrade "Content-Length: 4" ""
                                                                 "bodyend")))
      (test-assert "chunks" (string-suffix? "\r\nend" (upgrade "Transfer-Encoding: chunked"
                                                               "" "4" "body" "0" "" "end")))
      (test-equal "one that did not come" '(500)
        (codes (upgrade "Content-Length: 4" "Expect: 100-continue" ""))))
    #:body-port? #t))

(test-case "a body that ends with the connection, which is cancelled"
  (call-with-http
      (lambda (request body)
        (values text/plain
                (lambda (port)
                  (put-string port "begun")
                  (force-output port)
                  (sleep 60))))
    (lambda (new server)
      (let-ports ((sock (new)))
        (send sock (crlf "GET / HTTP/1.0" ""))
        (let ((text (make-string 1000)))
          (let next ((at 0))
            (unless (string-suffix? "begun" (substring text 0 at))
              (next (+ at (recv! sock text 0 at)))))
          (stop-server! server #t)
          (test-error* "does not look whole" `(system-error ,ECONNRESET "recv!")
                       (recv! sock text)))))))

(test-case "numbers, which are not descriptors"
  (call-with-http
      (lambda (request body)
        (values text/plain (if (string=? (path-of request) "/one") 0 '(0 1 2))))
    (lambda (new server)
      (test-equal "one" '(500) (codes (ask new "GET" "/one")))
      (test-equal "several" '(500) (codes (ask new "GET" "/several")))
      (test-equal "nothing is closed" '(0 1 2)
        (filter (lambda (fd) (false-if-exception (fcntl fd F_GETFD))) '(0 1 2))))))

(test-end "web-handler")
