;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Connections whose bytes were changed at random: each gets an answer or an end,
;;; what is answered is HTTP, and the server goes on as before.  With SOCKPORT_SOAK
;;; 100,000 of them, else a few hundred; the seed is printed.

(use-modules (harness)
             (harness socket)
             (harness web)
             (ice-9 match)
             (ice-9 regex)
             (ice-9 textual-ports)
             (srfi srfi-1)
             (sockport)
             (sockport http)
             (web request))

(define soak? (getenv "SOCKPORT_SOAK"))
(define count (if soak? 100000 400))
(define seed
  (let ((given (getenv "SOCKPORT_SEED")))
    (if given (string->number given) (modulo (current-time) 1000000))))
(define state (seed->random-state seed))

(define (pick list) (list-ref list (random (length list) state)))

;;; What is changed: requests, one after the other on a connection.
(define requests
  (list
   get
   (crlf "POST /p HTTP/1.1" "Host: a" "Content-Length: 5" "" "abcd")
   (string-append
    (crlf "POST /p HTTP/1.1" "Host: a" "Transfer-Encoding: chunked" "" "3" "abc"
          "a;x=y" "0123456789" "0" "Trailer: x" ""))
   (crlf "GET /p?q=r HTTP/1.0" "Connection: keep-alive" "Cookie: a=b" "")
   (crlf "POST /p HTTP/1.1" "Host: [::1]:80" "Expect: 100-continue"
         "Content-Length: 3" "" "a")
   (crlf "OPTIONS * HTTP/1.1" "Host: a" "Connection: close" "")
   (crlf "HEAD http://a/b HTTP/1.1" "Host: a" "Accept: text/html;q=0.5, */*"
         "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT" "")))

;;; What is put in: that which ends things, or looks like it.
(define tokens
  '("\r\n" "\n" "\r" "\r\n\r\n" "\x00;" ":" " " "\t" ";" "," "0\r\n\r\n" "\xff;"
    "Content-Length: 9\r\n" "Transfer-Encoding: chunked\r\n" "HTTP/1.1"
    "fffffffffffffff" "-1" "GET / HTTP/1.1\r\nHost: a\r\n\r\n" "Host: b\r\n"
    "Connection: close\r\n" "100-continue" "[" "]" "%" "\""))

(define (mutate text)
  (let ((at (random (+ 1 (string-length text)) state)))
    (match (random 5 state)
      (0 (string-append (string-take text at) (pick tokens)
                        (string-drop text at)))
      (1 (string-append (string-take text at)
                        (string-drop text (min (string-length text)
                                               (+ at 1 (random 8 state))))))
      (2 (string-append (string-take text at) (string-take text at)))
      (3 (let ((copy (string-copy text)))
           (unless (= at (string-length text))
             (string-set! copy at (integer->char (random 256 state))))
           copy))
      (_ (string-take text at)))))

(define (mutated)
  (let ((text (string-concatenate
               (map (lambda (i) (pick requests)) (iota (+ 1 (random 3 state)))))))
    (fold (lambda (i text) (mutate text)) text (iota (+ 1 (random 4 state))))))

(define (well-formed? text)
  (or (string-null? text)
      (and (string-match "^HTTP/1\\.1 [1-5][0-9][0-9] " text) #t)))

(define (try new text)
  "Return what came back for TEXT; the end of a connection may be a reset."
  (catch 'system-error
    (lambda () (exchange new text))
    (lambda args
      (if (memv (system-error-errno args) (list ECONNRESET EPIPE))
          ""
          (apply throw args)))))

(test-begin "web-mutate")
(format #t "# seed ~a~%" seed)

(parameterize ((case-seconds (if soak? 3600 (case-seconds))))
  (test-case "every connection ends, and with HTTP"
    (let ((answered 0) (wrong '()))
      (define lines
        (call-with-http
            (lambda (request body)
              (values '((content-type . (text/plain))) "served"))
          (lambda (new server)
            (let next ((left count))
              (when (positive? left)
                (let* ((text (mutated)) (back (try new text)))
                  (set! answered (+ answered (length (codes back))))
                  (unless (well-formed? back)
                    (set! wrong (cons (cons text back) wrong))))
                (next (- left 1))))
            (test-equal "and the server goes on" '(200)
              (codes (exchange new get)))
            (await (lambda () (zero? (server-connections server))))
            (test-equal "no connection is left" 0 (server-connections server)))
          #:request-seconds 5))
      (format #t "# ~a connections, ~a answers~%" count answered)
      (test-equal "nothing else came back" '() wrong)
      (test-equal "nothing was logged" '() lines)
      (test-assert "some were served" (positive? answered)))))

(test-end "web-mutate")
