;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What fails in the middle of a request or a response of HTTP: peers that reset, files
;;; that cannot be read, ports used after their connection, transfers of a few bytes.
;;; Run with peers/fault.c preloaded.

(use-modules (harness)
             (harness fault)
             (harness process)
             (harness socket)
             (harness web)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport)
             (sockport http)
             (sockport serve-files)
             (web request)
             (web response)
             (web uri))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define text/plain '((content-type . (text/plain))))

(define (path-of request)
  (uri-path (request-uri request)))

(define (post path body . lines)
  (string-append (apply crlf (string-append "POST " path " HTTP/1.1") "Host: a"
                        (append lines '("")))
                 body))

(test-begin "web-fault")

(test-case "headers that are none"
  (let ((lines
         (call-with-http
             (lambda (request body)
               (match (path-of request)
                 ("/no-pair" (values '(x) "text"))
                 ("/no-symbol" (values '(("x" . "y")) "text"))
                 ("/media-type" (values '((content-type . (text/plain (a . 1)))) "text"))
                 ("/age" (values '((age . "young")) "text"))))
           (lambda (new server)
             (for-each (lambda (path)
                         (test-equal path '(500) (codes (ask new "GET" path))))
                       '("/no-pair" "/no-symbol" "/media-type" "/age"))))))
    (test-equal "each is logged" 4 (length lines))))

(test-case "a body that is longer than its Content-Length"
  (for-each
   (lambda (name expected write-body)
     (let ((lines
            (call-with-http
                (lambda (request body)
                  (values '((content-type . (text/plain)) (content-length . 3))
                          write-body))
              (lambda (new server)
                (test-equal name expected
                  (catch 'system-error
                    (lambda () (codes (ask new "GET" "/")))
                    (lambda args (system-error-errno args))))))))
       (test-equal "it is logged" 1 (length lines))))
   '("before anything has left" "behind what has begun, and cannot end well any more")
   (list '(500) ECONNRESET)
   (list (lambda (port) (display "four" port))
         (lambda (port)
           (display "12" port)
           (force-output port)
           (display "34" port)))))

(test-case "a file that cannot be read"
  (call-with-http
      (lambda (request body)
        (values text/plain (cons* (open-fdes "/" O_RDONLY) 0 9)))
    (lambda (new server)
      (test-equal '(500) (codes (ask new "GET" "/"))))))

(test-case "files that are neither regular nor directories"
  (with-temporary-directory
   (lambda (directory)
     (mknod (string-append directory "/pipe") 'fifo #o600 0)
     (call-with-http (file-handler directory)
       (lambda (new server)
         (test-equal '(404) (codes (ask new "GET" "/pipe"))))))))

(test-case "trailers that come in parts"
  (call-with-http
      (lambda (request body)
        (values text/plain
                (let ((bytes (get-bytevector-all body)))
                  (format #f "~a ~s" (utf8->string bytes) (body-trailers body)))))
    (lambda (new server)
      (let-ports ((sock (new)))
        (send sock (post "/" "2\r\nab\r\n0\r\nX-Su" "Transfer-Encoding: chunked"))
        (await (lambda () (positive? (server-connections server))))
        ;; The server has taken that, and waits.
        (let again ((left 50)) (unless (zero? left) (task-yield) (again (- left 1))))
        (send sock "m: 5\r\n\r\n")
        (shutdown sock SHUT_WR)
        (setvbuf sock 'block)
        (test-assert "are put together"
          (string-suffix? "ab ((x-sum . \"5\"))" (get-string-all sock))))
      (test-equal "and refused if they are none" '(400)
        (codes (exchange new (post "/" "2\r\nab\r\n0\r\nX Y: z\r\n\r\n"
                                   "Transfer-Encoding: chunked")))))
    #:body-port? #t))

(define (error-code-of thunk)
  (catch #t
    (lambda () (thunk) 'none)
    (lambda (key . args)
      (match (describe-error key args)
        (('system-error errno _) errno)
        ((key . _) key)))))

(test-case "a body read again after it was refused"
  (define outcomes '())
  (call-with-http
      (lambda (request body)
        (define (note!)
          (set! outcomes
                (cons (error-code-of (lambda () (get-bytevector-all body)))
                      outcomes)))
        (note!)
        (note!)
        (values text/plain "seen"))
    (lambda (new server)
      (exchange new (post "/" "3\r\nabcd\r\n0\r\n\r\n" "Transfer-Encoding: chunked")))
    #:body-port? #t)
  (test-equal '(refused-request refused-request) outcomes))

(test-case "the ports of a body after the connection"
  (define kept #f)
  (define written #f)
  (call-with-http
      (lambda (request body)
        (if (string=? "/read" (path-of request))
            (begin
              (set! kept body)
              (values text/plain "text"))
            (values text/plain
                    (lambda (port)
                      (set! written port)
                      (display "text" port)))))
    (lambda (new server)
      (let-ports ((sock (new)))
        (send sock (post "/read" "" "Content-Length: 9" "Expect: 100-continue"))
        (await (lambda () kept)))
      (exchange new (crlf "GET /write HTTP/1.0" ""))
      (await (lambda () (zero? (server-connections server))))
      (test-equal "to read" EBADF (error-code-of (lambda () (get-u8 kept))))
      (test-equal "to write" 'misc-error
        (error-code-of (lambda ()
                         (display (make-string 100000 #\a) written)
                         (force-output written)))))
    #:body-port? #t))

(test-case "a client that resets in the middle of its body"
  (define outcome #f)
  (call-with-http
      (lambda (request body)
        (set! outcome (error-code-of (lambda () (get-bytevector-all body))))
        (values text/plain "text"))
    (lambda (new server)
      (let ((sock (new)))
        (send sock (post "/" "abc" "Content-Length: 9"))
        (await (lambda () (positive? (server-connections server))))
        (let again ((left 50)) (unless (zero? left) (task-yield) (again (- left 1))))
        (setsockopt sock SOL_SOCKET SO_LINGER '(1 . 0))
        (close-port sock)
        (await (lambda () outcome))))
    #:body-port? #t)
  (test-equal "the handler learns of it" ECONNRESET outcome))

(test-case "responses in pieces of a few bytes"
  (define text (string-concatenate (map number->string (iota 60))))
  (define (body-for line)
    (let ((got #f))
      (call-with-http
          (lambda (request body)
            (match (path-of request)
              ("/text" (values text/plain text))
              ("/writer"
               (values text/plain
                       (lambda (port)
                         (display text port)
                         (force-output port)
                         (display text port))))))
        (lambda (new server)
          (set! got (exchange new (crlf line "Host: a" "Connection: close" "")))))
      (body-of got)))
  (test-equal "at once" (list text (string-append text text))
    (map body-for '("GET /text HTTP/1.0" "GET /writer HTTP/1.0")))
  (for-each
   (lambda (line)
     (let ((whole (list (body-for line))))
       (for-each
        (lambda (most)
          (test-equal (list line most "bytes at once") whole
            (with-short-transfers most (lambda () (body-for line)))))
        '(1 2 7))))
   '("GET /text HTTP/1.0" "GET /writer HTTP/1.0" "GET /writer HTTP/1.1")))

(test-end "web-fault")
