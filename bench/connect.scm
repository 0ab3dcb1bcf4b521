;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What connect-to costs over socket and connect, for an address; and for a name,
;;; beside Go's Dial.

(use-modules (bench harness)
             (bench namespace)
             (sockport))

(begin-in-namespace)
(define count 1000)

(define port 7099)
;; By another process, as servers are.
(define server
  (start-process (string-append output-directory "/accept-server")
                 (list (number->string port))))

(define address (make-socket-address AF_INET INADDR_LOOPBACK port))
(define numeric (socket-address->string address))
(define name (string-append "localhost:" (number->string port)))

(define (by-hand)
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (connect sock address)
    (close-port sock)))

(define (by-connect-to where)
  (lambda () (close-port (connect-to where))))

(define (each thunk)
  (define (repeat)
    (let loop ((i 0))
      (when (< i count)
        (thunk)
        (loop (+ i 1)))))
  (lambda () (/ (elapsed-ns repeat) count 1.)))

(define (go where)
  (let ((program (string-append output-directory "/resolve-go")))
    (if (file-exists? program)
        (list (cons "Go"
                    (lambda ()
                      (command-number program "connect" (number->string count)
                                      where))))
        '())))

;; It may not listen yet.
(let wait ()
  (unless (false-if-exception (begin (by-hand) #t))
    (wait)))

(bench "connect" #:title "Cost of a connection" #:unit "ns" #:rounds 25
       #:cases
       (list `("an address"
               ("connect-to" . ,(each (by-connect-to numeric)))
               ("socket and connect" . ,(each by-hand))
               ,@(go numeric))
             `("a name"
               ("connect-to" . ,(each (by-connect-to name)))
               ,@(go name)))
       #:promises '(("socket and connect" . 1.10)))
(kill server SIGTERM)
