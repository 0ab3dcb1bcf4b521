;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (sockport web-client): bodies that are sent, and ports that the program brings.

(use-modules (harness)
             (harness client)
             (harness server)
             ((harness web) #:select (call-with-http))
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport http)
             ((sockport web-client) #:prefix client:)
             (web request)
             (web response)
             (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (call-with-echo proc . options)
  "Call PROC with the URI of a server that returns what it was sent, with its
headers."
  (apply call-with-http
         (lambda (request body)
           (values
            (build-response
             #:headers `((x-length . ,(format #f "~a"
                                              (request-content-length request)))
                         (x-type . ,(format #f "~a"
                                            (request-content-type request)))))
            (or body #vu8())))
         (lambda (connect server) (proc (uri-of server "/")))
         options))

(define (posted uri body . options)
  "Return what came of BODY, its length, and its type."
  (call-with-values
      (lambda () (apply client:http-post uri #:body body options))
    (lambda (response body)
      (list body
            (assq-ref (response-headers response) 'x-length)
            (assq-ref (response-headers response) 'x-type)))))

(test-begin "web-client-upload")

(test-case "bodies of every kind"
  (call-with-echo
   (lambda (uri)
     (define (bytes text) (string->utf8 text))
     (define large (make-bytevector 200000 7))
     (test-equal "a string" (list (bytes "ä") "2" "(text/plain (charset . utf-8))")
       (posted uri "ä"))
     (test-equal "in another charset"
       (list #vu8(#xe4) "1" "(text/plain (charset . iso-8859-1))")
       (posted uri "ä"
               #:headers '((content-type
                            . (text/plain (charset . "iso-8859-1"))))))
     (test-equal "a large bytevector" (list large "200000" "#f")
       (posted uri large))
     (test-equal "none" (list #vu8() "0" "#f") (posted uri #f))
     (test-equal "a bytevector in chunks" (list #vu8(1 2) "#f" "#f")
       (posted uri #vu8(1 2) #:headers '((transfer-encoding . ((chunked))))))
     (test-equal "a port" (list large "#f" "#f")
       (posted uri (open-bytevector-input-port large)))
     (test-equal "a port with a length" (list #vu8(1 2 3) "3" "#f")
       (posted uri (open-bytevector-input-port #vu8(1 2 3))
               #:headers '((content-length . 3))))
     (test-equal "a procedure"
       (list (bytes "äbc") "#f" "(text/plain (charset . utf-8))")
       (posted uri (lambda (port)
                     (put-string port "ä")
                     (force-output port)
                     (display "b" port)
                     (write-char #\c port))))
     (test-equal "one that closes its port" (list (bytes "abc") "#f"
                                                  "(text/plain (charset . utf-8))")
       (posted uri (lambda (port) (put-string port "abc") (close-port port))))
     (test-equal "one that writes nothing"
       (list #vu8() "#f" "(text/plain (charset . utf-8))")
       (posted uri (const #t)))
     (test-equal "one with a length" (list (bytes "abc") "3"
                                           "(text/plain (charset . utf-8))")
       (posted uri (lambda (port) (display "abc" port))
               #:headers '((content-length . 3))))
     (test-equal "HTTP/1.0 has no chunks"
       (list (bytes "abc") "3" "(text/plain (charset . utf-8))")
       (posted uri (lambda (port) (display "abc" port)) #:version '(1 . 0)))
     (test-equal "much of C's and Scheme's, in order"
       (string-concatenate (map number->string (iota 40000)))
       (utf8->string
        (car (posted uri (lambda (port)
                           (for-each (lambda (i)
                                       (if (even? i)
                                           (display i port)
                                           (put-string port
                                                       (number->string i))))
                                     (iota 40000))))))))))

(test-case "a length that is not kept"
  (call-with-echo
   (lambda (uri)
     (define (refused body)
       (catch 'misc-error
         (lambda () (posted uri body #:headers '((content-length . 3))))
         (const 'refused)))
     (test-equal "too long" 'refused
       (refused (lambda (port) (display "abcd" port))))
     (test-equal "too short" 'refused
       (refused (lambda (port) (display "ab" port))))
     (test-equal "an error of the procedure" 'mine
       (catch 'mine
         (lambda () (posted uri (lambda (port) (display "a" port)
                                        (throw 'mine))))
         (lambda (key) key))))))

(test-case "an upload takes little memory"
  (let ((total 0) (piece (make-bytevector 65536 1)) (count 1600))
    (call-with-http
     (lambda (request body)
       (let ((buffer (make-bytevector 65536)))
         (let next ()
           (let ((got (get-bytevector-some! body buffer 0 65536)))
             (unless (eof-object? got)
               (set! total (+ total got))
               (next)))))
       (values '((content-type . (text/plain))) "done"))
     (lambda (connect server)
       (gc)
       (let ((before (assq-ref (gc-stats) 'heap-size)))
         (client:http-post (uri-of server "/")
                           #:body (lambda (port)
                                    (let next ((left count))
                                      (when (positive? left)
                                        (put-bytevector port piece)
                                        (next (- left 1))))))
         (test-equal "all came" (* count 65536) total)
         (test-assert "the heap grew by little"
           (< (- (assq-ref (gc-stats) 'heap-size) before) 16000000))))
     #:body-port? #t #:body-limit #f)))

(test-case "a server that answers before it has all"
  (call-with-raw
      (lambda (sock number)
        (read-until-blank sock)
        (send sock (crlf "HTTP/1.1 413 Too Large" "Content-Length: 0"
                         "Connection: close" ""))
        (shutdown sock SHUT_WR)
        (end-of sock))
    (lambda (server)
      (test-equal "its word is heard" 413
        (response-code
         (client:http-post (uri-of server "/")
                           #:body (make-bytevector 20000000 1)))))))

(test-case "100 Continue"
  (define (with-server converse proc)
    (call-with-raw (lambda (sock number) (converse sock)) proc))
  (define expect '((expect . ((100-continue)))))
  (let ((body #f))
    (with-server
     (lambda (sock)
       (read-until-blank sock)
       (send sock (crlf "HTTP/1.1 100 Continue" ""))
       (set! body (read-until-blank sock "abc"))
       (send sock (reply)))
     (lambda (server)
       (test-equal "the body follows" 200
         (response-code (client:http-post (uri-of server "/") #:body "abc"
                                          #:headers expect)))
       (test-equal "by itself" "abc" body))))
  (let ((after #f))
    (with-server
     (lambda (sock)
       (read-until-blank sock)
       (send sock (crlf "HTTP/1.1 403 No" "Content-Length: 0" ""))
       (shutdown sock SHUT_WR)
       (set! after (read-until-blank sock "abc")))
     (lambda (server)
       (test-equal "the server does not want it" 403
         (response-code (client:http-post (uri-of server "/") #:body "abc"
                                          #:headers expect)))
       (test-equal "and does not get it" ""
         (wait-for-task (lambda () after)))))))

;;; Ports of the program's own.

(test-case "a port that is brought"
  (call-with-http
   (lambda (request body)
     (values '((content-type . (text/plain))) (uri-path (request-uri request))))
   (lambda (connect server)
     (define (get sock path . options)
       (call-with-values
           (lambda () (apply client:http-get (uri-of server path) #:port sock
                             options))
         (lambda (response body) body)))
     (let ((sock (client:open-socket-for-uri (uri-of server "/"))))
       (test-equal "first" "/a" (get sock "/a" #:keep-alive? #t))
       (test-assert "kept" (not (port-closed? sock)))
       (test-equal "second" "/b" (get sock "/b"))
       (test-assert "closed" (port-closed? sock)))
     (let ((sock (connect)))
       (test-equal "without a buffer" "/c" (get sock "/c")))
     (call-with-values
         (lambda () (client:http-get (uri-of server "/d") #:keep-alive? #t))
       (lambda (response body)
         (test-equal "the response has the port" "/e"
           (get (response-port response) "/e")))))))

(test-case "requests that were written ahead"
  (call-with-raw
      (lambda (sock number)
        (read-until-blank sock "/b HTTP")
        (send sock (string-append (crlf "HTTP/1.1 200 OK" "Content-Length: 1" "")
                                  "a"
                                  (crlf "HTTP/1.1 200 OK" "Content-Length: 1" "")
                                  "b"))
        (end-of sock))
    (lambda (server)
      (let ((sock (client:open-socket-for-uri (uri-of server "/"))))
        (put-string sock (crlf "GET /a HTTP/1.1" "Host: a" ""))
        (call-with-values
            (lambda () (client:http-get (uri-of server "/b") #:port sock
                                        #:keep-alive? #t))
          (lambda (response body) (test-equal "first" #vu8(97) body)))
        (let ((response (read-response sock)))
          (test-equal "what follows is still there" #vu8(98)
            (read-response-body response)))
        (close-port sock)))))

(test-case "a request that is brought"
  (call-with-echo
   (lambda (uri)
     (call-with-values
         (lambda ()
           (client:http-request
            #f #:request (build-request (string->uri uri) #:method 'POST
                                        #:port (%make-void-port "w")
                                        #:headers '((x-a . "b")
                                                    (connection close)))
            #:body "abc"))
       (lambda (response body)
         (test-equal "body" "abc" (utf8->string body)))))))

(test-case "the other verbs"
  (let ((methods '()))
    (call-with-http
     (lambda (request body)
       (set! methods (cons (request-method request) methods))
       (values '((content-type . (text/plain))) "x"))
     (lambda (connect server)
       (for-each (lambda (verb) (verb (uri-of server "/")))
                 (list client:http-get client:http-head client:http-post
                       client:http-put client:http-delete client:http-trace
                       client:http-options))))
    (test-equal "each its method"
      '(GET HEAD POST PUT DELETE TRACE OPTIONS)
      (reverse methods))))

(test-end "web-client-upload")
