;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; WebSocket as programs use it: how a connection begins and is refused, clients,
;;; and who may send when.

(use-modules (harness)
             (harness socket)
             (harness websocket)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (ice-9 threads)
             (srfi srfi-1)
             (sockport)
             (sockport websocket)
             (web request)
             (web response)
             (web uri))

(define (accepting proc . options)
  (lambda (request) (apply accept-websocket request proc options)))

(define echo (accepting echo-messages #:protocols '("new" "old")))

(define (url server)
  (format #f "ws://127.0.0.1:~a/"
          (sockaddr:port (car (server-addresses server)))))

(define (code-of lines)
  (string->number (cadr (string-split (car lines) #\space))))

(define (wait-for-end ready?)
  (with-deadline 10
    (lambda () (let again () (unless (ready?) (sleep 1/1000) (again))))))

(test-begin "websocket")

(test-case "the handshake, and what is none"
  (call-with-websockets echo
    (lambda (new server)
      (define (code . options)
        (let-ports ((sock (new)))
          (code-of (apply handshake sock options))))
      (let-ports ((sock (new)))
        (test-equal "the answer to the standard's key"
          '("Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
          (filter (lambda (line) (string-prefix-ci? "sec-websocket" line))
                  (handshake sock))))
      (let-ports ((sock (new)))
        (test-assert "the first protocol of ours that is offered"
          (member "Sec-Websocket-Protocol: new"
                  (handshake sock #:more '("Sec-WebSocket-Protocol: x, old"
                                           "Sec-WebSocket-Protocol: new")))))
      (test-equal "names in any case, lists" 101
        (code #:upgrade "WebSocket, x" #:connection "keep-alive, UPGRADE"))
      (test-equal "no key" 400 (code #:key #f))
      (test-equal "a short key" 400 (code #:key "c2hvcnQ="))
      (test-equal "a key that is no base64" 400
        (code #:key "dGhlIHNhbXBsZSBub25j_Q=="))
      (test-equal "no version" 426 (code #:version #f))
      (let-ports ((sock (new)))
        (test-assert "another version: ours is told"
          (member "Sec-Websocket-Version: 13" (handshake sock #:version "8"))))
      (let-ports ((sock (new)))
        (let ((lines (handshake sock #:upgrade "h2c")))
          (test-equal "no upgrade" 426 (code-of lines))
          (test-equal "what it could be" '(1 1)
            (map (lambda (line) (count (lambda (other) (string-ci=? line other))
                                       lines))
                 '("Upgrade: websocket" "Connection: Upgrade")))))
      (test-equal "not of the connection" 426 (code #:connection "keep-alive")))))

(test-case "pages from elsewhere are refused"
  (define (codes origins)
    (call-with-websockets
        (if origins (accepting echo-messages #:origins origins) echo)
      (lambda (new server)
        (set! result
              (map (lambda (origin)
                     (let-ports ((sock (new)))
                       (code-of (handshake sock #:more
                                           (list (string-append "Origin: "
                                                                origin))))))
                   '("http://test" "http://test:80" "http://TEST"
                     "http://test:81" "http://elsewhere" "null")))))
    result)
  (define result #f)
  (test-equal "but for the same host" '(101 101 101 403 403 403) (codes #f))
  (test-equal "all" '(101 101 101 101 101 101) (codes #t))
  (test-equal "those that are listed" '(403 403 403 403 101 403)
    (codes '("http://elsewhere"))))

(test-case "what asks for none gets a response"
  (call-with-websockets
      (lambda (request)
        (if (websocket-request? request)
            (accept-websocket request echo-messages)
            (values '((content-type . (text/plain))) "a page")))
    (lambda (new server)
      (let-ports ((sock (new)))
        (put-string sock "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        (force-output sock)
        (test-assert "a page" (string-suffix? "a page" (get-string-all sock)))))))

(test-case "frames that come with the request"
  (call-with-websockets echo
    (lambda (new server)
      (let-ports ((sock (new)))
        (put-string sock (string-join
                          '("GET / HTTP/1.1" "Host: a" "Upgrade: websocket"
                            "Connection: Upgrade" "Sec-WebSocket-Version: 13"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" "" "")
                          "\r\n"))
        (put-bytevector sock (frame 1 "early"))
        (force-output sock)
        (head-of sock)
        (test-equal "are not lost" '(text "early") (get-frame sock))))))

(test-case "a client and a server"
  (define ended #f)
  (call-with-websockets
      (accepting (lambda (ws)
                   (echo-messages ws)
                   (set! ended (list (websocket-close-code ws)
                                     (websocket-close-reason ws)
                                     (websocket-protocol ws))))
                 #:protocols '("echo"))
    (lambda (new server)
      (let ((ws (open-websocket (url server) #:protocols '("other" "echo"))))
        (test-assert "a websocket" (and (websocket? ws) (websocket-open? ws)))
        (test-equal "protocol" "echo" (websocket-protocol ws))
        (for-each
         (lambda (message)
           (websocket-send ws message)
           (test-equal "comes back" message (websocket-receive ws)))
         (list "" "κόσμε" #vu8() #vu8(0 255) (make-string 70000 #\x)
               (make-bytevector 300000 7)))
        (websocket-ping ws "x")
        (websocket-send ws "after")
        (test-equal "a pong is no message" "after" (websocket-receive ws))
        (websocket-close ws 4000 "enough")
        (test-equal "closed" '(4000 #f #t)
          (list (websocket-close-code ws) (websocket-open? ws)
                (eof-object? (websocket-receive ws))))
        (test-equal "nothing more is sent" '(#f #f)
          (list (websocket-send ws "x") (websocket-ping ws)))
        (close-port (websocket-socket ws)))
      (wait-for-end (lambda () ended))))
  (test-equal "and so it is there" '(4000 "enough" "echo") ended))

(test-case "a name and a password"
  (define login #f)
  (call-with-websockets
      (lambda (request)
        (set! login (assq-ref (request-headers request) 'authorization))
        (accept-websocket request echo-messages))
    (lambda (new server)
      (let* ((place (substring (url server) (string-length "ws://")))
             (ws (open-websocket (string-append "ws://me@home:s%C3%A9cret@"
                                                place))))
        (websocket-close ws)
        (close-port (websocket-socket ws)))))
  ;; printf 'me@home:sécret' | base64
  (test-equal "are sent" '(basic . "bWVAaG9tZTpzw6ljcmV0") login))

(test-case "in a plain thread, over a socket that is there"
  (define came #f)
  (call-with-websockets echo
    (lambda (new server)
      ;; A socket that a task had made would not wait in a thread.
      (call-with-new-thread
       (lambda ()
         (let-ports ((sock (new)))
           (let ((ws (open-websocket "ws://test/" #:socket sock)))
             (websocket-send ws "hello")
             (let ((message (websocket-receive ws)))
               (websocket-close ws)
               (set! came (list message (websocket-close-code ws))))))))
      (wait-for-end (lambda () came))))
  (test-equal "a message" '("hello" 1000) came))

(test-case "what is no address of one"
  (for-each (lambda (url)
              (test-error* (list url) '(misc-error #f "open-websocket")
                (open-websocket url)))
            '("http://a/" "wss:///a" "/path" "" #f "ws://127.0.0.1:1/a\x00b"
              "ws://127.0.0.1:1\x00b/"))
  (call-with-websockets (lambda (request)
                          (values (build-response #:code 404) "no"))
    (lambda (new server)
      (test-error* "no WebSocket there" '(misc-error #f "open-websocket")
        (open-websocket (url server))))))

(test-case "many send at once, and no frame is torn"
  (call-with-websockets
      (accepting
       (lambda (ws)
         (with-task-group
          (lambda (group)
            (for-each
             (lambda (letter)
               (spawn-task (lambda ()
                             (for-each (lambda (i)
                                         (websocket-send
                                          ws (make-string 100000 letter)))
                                       (iota 20)))
                           #:group group))
             (list #\a #\b #\c)))))
       #:message-limit 10)
    (lambda (new server)
      (let ((ws (open-websocket (url server))))
        (let next ((count 0))
          (match (websocket-receive ws)
            ((? eof-object?) (test-equal "all of them" 60 count))
            (text
             (unless (= 100000 (string-length text)
                        (string-count text (string-ref text 0)))
               (test-assert "of one sender" #f))
             (next (+ count 1)))))
        (close-port (websocket-socket ws))))))

(test-case "options"
  (for-each
   (match-lambda
     ((key . options)
      (test-error* options (list key (car options) "accept-websocket")
        (apply accept-websocket (build-request (string->uri "http://a/"))
               echo-messages options))
      (test-error* (cons 'open options) (list key (car options) "open-websocket")
        (apply open-websocket "ws://127.0.0.1:1/" options))))
   '((wrong-type-arg #:protocols "chat")
     (wrong-type-arg #:protocols (chat))
     (wrong-type-arg #:message-limit "1")
     (out-of-range #:message-limit -1)
     (out-of-range #:message-limit 1000000000000000000000)
     (wrong-type-arg #:ping-seconds "1")
     (out-of-range #:ping-seconds 0))))

(test-case "arguments"
  (call-with-websockets echo
    (lambda (new server)
      (let ((ws (open-websocket (url server))))
        (test-error* "send" '(wrong-type-arg 2 "websocket-send")
          (websocket-send ws 1))
        (test-error* "to what" '(wrong-type-arg 1 "websocket-send")
          (websocket-send 1 "x"))
        (test-error* "receive" '(wrong-type-arg 1 "websocket-receive")
          (websocket-receive #f))
        (test-error* "a long ping" '(out-of-range 2 "websocket-ping")
          (websocket-ping ws (make-string 126 #\x)))
        (test-error* "a code" '(out-of-range 2 "websocket-close")
          (websocket-close ws 1005))
        (test-error* "no code" '(wrong-type-arg 2 "websocket-close")
          (websocket-close ws "x"))
        (test-error* "a reason" '(wrong-type-arg 3 "websocket-close")
          (websocket-close ws 1000 #f))
        (test-error* "a long reason" '(out-of-range 3 "websocket-close")
          (websocket-close ws 1000 (make-string 124 #\x)))
        (let ((waiting (spawn-task (lambda () (websocket-receive ws)))))
          (task-yield)
          (test-error* "two receive" '(misc-error #f "websocket-receive")
            (websocket-receive ws))
          (websocket-close ws)
          (test-assert "the other sees the end" (eof-object? (join waiting))))
        (close-port (websocket-socket ws))))))

(test-end "websocket")
