;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What clients of HTTP and WebSocket do not take, or send, though a server says so or
;;; the program asks for it: that one message could be taken for another.

(use-modules (harness)
             (harness client)
             (harness https)
             (harness server)
             (ice-9 binary-ports)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport channel)
             ((sockport primitive) #:select (%websocket-accept))
             (sockport web-client)
             (sockport websocket)
             (web response))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(https-cases "web-client-strict"
  ;; The next request would have it for its response.
  (test-case "what a server has sent behind a response, unasked"
    (for-each
     (lambda (apart?)
       (call-with-https
        (lambda (server seen)
          (let ((pool (make-http-pool)))
            (http-head (https server) #:context client-context #:pool pool)
            (test-equal (list apart? "is nobody's response") '(200 "hello")
              (get-values (https server) #:context client-context #:pool pool))
            (test-equal (list apart? "the connection is left") 2 (length (seen)))
            (close-http-pool pool)))
        #:answer (lambda (port head count)
                   (let ((asked? (string-prefix? "GET" (car head))))
                     (unless asked?
                       (put-string port (crlf "HTTP/1.1 200 OK" "Content-Length: 5" ""))
                       (when apart? (force-output port)))
                     (put-string port (if asked?
                                          (reply)
                                          (crlf "HTTP/1.1 403 No" "Content-Length: 0" "")))
                     #t))))
     '(#t #f)))

  (test-case "what a server says before 100 Continue"
    (call-with-raw
     (lambda (sock number)
       (read-until-blank sock)
       (send sock (crlf "HTTP/1.1 103 Early Hints" "Link: </a>" ""
                        "HTTP/1.1 100 Continue" ""))
       (read-until-blank sock "abc")
       (send sock (reply)))
     (lambda (server)
       (test-equal "is no response" 200
         (response-code (http-post
                         (uri-of server "/") #:body "abc"
                         #:headers '((expect . ((100-continue))))))))))

  ;; The server, which has not read the body, would take the next request for a part
  ;; of it.
  (test-case "a body that goes on behind a write which a deadline has ended"
    (define large (make-bytevector 30000000 97))
    (define over (make-event))
    (define (body port)
      (with-deadline 1/5
        (lambda ()
          (put-bytevector port large)
          (force-output port))
        (const #f))
      (put-string port "end"))
    (call-with-raw
     (lambda (sock number)
       (read-until-blank sock)
       (send sock (reply))
       (recv! sock (make-bytevector 1) MSG_PEEK)
       (event-wait over))
     (lambda (server)
       (let ((pool (make-http-pool)))
         (for-each
          (lambda (headers)
            (test-error* (list headers "cannot be sent")
                '(misc-error #f "http-post")
              (http-post (uri-of server "/") #:body body #:pool pool
                                #:headers headers))
            (test-equal (list headers "nothing is kept") 0
              (http-pool-idle pool)))
          '(() ((content-length . 30000003))))
         (event-set! over)
         (close-http-pool pool)))))

  (test-case "headers in other letters"
    (define heads '())
    (call-with-raw
     (lambda (sock number)
       (set! heads (cons (read-until-blank sock "abc") heads))
       (send sock (reply)))
     (lambda (server)
       (http-post (uri-of server "/") #:body "abc"
                         #:headers '((Host . "other") (Content-Length . "1")))
       (for-each
        (lambda (name)
          (test-equal name 1
            (length (filter (lambda (line) (string-prefix? name line))
                            (string-split (car heads) #\newline)))))
        '("Host: " "Content-Length: ")))))

  (test-case "a WebSocket that was not offered"
    (define (answer . lines)
      (define result #f)
      (call-with-raw
       (lambda (sock number)
         (let* ((head (read-until-blank sock))
                (start (+ 19 (string-contains-ci head "Sec-WebSocket-Key: ")))
                (key (string-take (string-drop head start) 24)))
           (send sock (apply crlf "HTTP/1.1 101 Switching Protocols"
                             "Upgrade: websocket" "Connection: Upgrade"
                             (string-append "Sec-WebSocket-Accept: "
                                            (%websocket-accept key))
                             (append lines '(""))))))
       (lambda (server)
         (set! result
               (catch 'misc-error
                 (lambda ()
                   (let ((ws (open-websocket (uri-of server "/" "ws")
                                             #:protocols '("a" "b"))))
                     (close-port (websocket-socket ws))
                     (list (websocket-protocol ws))))
                 (lambda (key who message . rest) (list who message))))))
      result)
    (define refused
      '("open-websocket" "What the server says is not WebSocket: ~S"))
    (test-equal "no protocol" '(#f) (answer))
    (test-equal "one" '("b") (answer "Sec-WebSocket-Protocol: b"))
    (test-equal "another" refused (answer "Sec-WebSocket-Protocol: c"))
    (test-equal "two" refused (answer "Sec-WebSocket-Protocol: a"
                                      "Sec-WebSocket-Protocol: b"))
    (test-equal "an extension" refused
      (answer "Sec-WebSocket-Extensions: permessage-deflate"))))
