;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Arguments come first: nothing has happened, and no system call was made, when
;;; one of them is refused.

(use-modules (harness)
             (harness process)
             (harness socket)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(test-begin "arguments-first")

(define (refused? thunk)
  (catch #t
    (lambda () (thunk) #f)
    (lambda (key . args)
      (memq key '(wrong-type-arg out-of-range)))))

(define read-only (symbol->string 'literals))

(test-case "nothing happens before the arguments are good"
  (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
         (a (car pair)) (b (cdr pair))
         (buffer (make-bytevector 4 0)))
    (test-assert "send" (refused? (lambda () (send a "data" 0 0 5))))
    (test-assert "send a wide string"
      (refused? (lambda () (send a "dat\u0100"))))
    (test-assert "shutdown" (refused? (lambda () (shutdown a 3))))
    (test-error* "the peer has received nothing" (list 'system-error EAGAIN)
      (recv! b buffer MSG_DONTWAIT))
    (send a "data")
    (test-assert "recv!" (refused? (lambda () (recv! b buffer 0 2 5))))
    (test-assert "recv! backwards" (refused? (lambda () (recv! b buffer 0 3 2))))
    (test-assert "recv! into a literal"
      (refused? (lambda () (recv! b read-only))))
    (test-assert "recvfrom!" (refused? (lambda () (recvfrom! b buffer -1))))
    (test-equal "the data is still there" 4 (recv! b buffer))
    (test-equal "and whole" "data" (utf8->string buffer))
    (close-port a)
    (close-port b))
  (let ((server (socket AF_INET SOCK_STREAM 0))
        (client (socket AF_INET SOCK_STREAM 0)))
    (test-assert "bind"
      (refused? (lambda () (bind server AF_INET INADDR_LOOPBACK 65536))))
    (test-equal "nothing was bound" 0 (sockaddr:port (getsockname server)))
    (bind server AF_INET INADDR_LOOPBACK 0)
    (listen server 1)
    (test-assert "connect"
      (refused? (lambda ()
                  (connect client AF_INET INADDR_LOOPBACK
                           (+ 65536 (sockaddr:port (getsockname server)))))))
    (connect client (getsockname server))
    (test-assert "accept" (refused? (lambda () (accept server 1))))
    (let ((accepted (accept server)))
      (test-assert "the connection is still there" (port? (car accepted)))
      (close-port (car accepted)))
    (close-port server)
    (close-port client)))

;;; The same as the kernel sees it.

(define bad-calls "
(use-modules (sockport))
(define sock (socket AF_INET SOCK_DGRAM 0))
(define-syntax-rule (try expr ...)
  (begin (catch #t (lambda () expr) (const #f)) ...))
(access? \"/marker\" R_OK)
(try (socket -1 1 0) (socket 1.5 1 0) (socket 1 (expt 2 32) 0) (socket 1)
     (socketpair 1 1 -1) (listen sock -2) (listen sock (expt 2 31))
     (bind sock AF_INET 1 65536) (bind sock AF_INET (expt 2 64) 1)
     (bind sock AF_INET 1) (bind sock AF_INET 1 1 1) (bind sock 'x 1 1)
     (connect sock AF_INET 1 -1) (connect sock AF_INET6 (expt 2 128) 1)
     (connect sock AF_UNIX \"a\\0b\") (accept sock 1) (accept sock 1.5)
     (shutdown sock 3) (recv! sock \"x\" -1) (recv! sock (make-string 3) 0 4)
     (recvfrom! sock 'x) (send sock \"\\u0100\") (send sock \"x\" 0 2)
     (send sock \"x\" (expt 2 70)) (sendto sock \"x\" AF_INET 1 65536)
     (sendto sock \"x\" AF_INET 1 1 0 0 2) (sendto sock 1 AF_INET 1 1)
     (setsockopt sock 1 2 'x) (getsockopt sock 1 1.5) (getsockname 1)
     (getpeername (current-module)))
(access? \"/marker\" R_OK)
")

(test-case "no system call is made before the arguments are good"
  (require-program "strace")
  (call-with-peer
   (list "strace" "-e" "trace=%network,fcntl,poll,ppoll,access,faccessat"
         "-o" "/dev/stdout" "guile" "--no-auto-compile" "-c" bad-calls)
   (lambda (peer)
     (let* ((lines (string-split (get-string-all (peer-output peer)) #\newline))
            (marker? (lambda (line) (string-contains line "/marker")))
            (between (find-tail marker? lines)))
       (unless between
         (skip "strace is not allowed here"))
       (test-equal "the socket was made, and everything was tried" '(#t #t)
         (list (->bool (any (lambda (line) (string-contains line "AF_INET")) lines))
               (->bool (any marker? (cdr between)))))
       (test-equal "nothing in between" '()
         (take-while (negate marker?) (cdr between)))))))

(test-end "arguments-first")
