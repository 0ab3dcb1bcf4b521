;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; examples/echo-server.scm, as a program of its own: many connections at once,
;;; peers that vanish, and its end.

(use-modules (harness)
             (harness process)
             (ice-9 rdelim)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(define command
  (list "guile" "--no-auto-compile" "-s"
        (string-append (getenv "SOCKPORT_SOURCE") "/examples/echo-server.scm")
        "0"))

(define (connected port)
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (connect sock AF_INET INADDR_LOOPBACK port)
    sock))

(define (asked sock text)
  (let ((answer (make-bytevector (string-length text))))
    (send sock text)
    (recv! sock answer MSG_WAITALL)
    (utf8->string answer)))

(test-begin "example-echo")

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-case "echo-server"
  (call-with-peer command
    (lambda (peer)
      (let* ((port (last (map string->number
                              (string-tokenize (read-line (peer-output peer))
                                               char-set:digit))))
             (many (map (lambda (_) (connected port)) (iota 300))))
        (with-deadline 15
          (lambda ()
            (test-assert "all are answered"
              (every (lambda (sock i)
                       (let ((text (number->string i)))
                         (equal? text (asked sock text))))
                     many (iota 300 1000)))
            ;; A reset, in the middle of what the server sends.
            (let ((rude (first many)))
              (setsockopt rude SOL_SOCKET SO_LINGER '(1 . 0))
              (send rude (make-bytevector 100000))
              (close-port rude))
            (test-equal "the others do not notice" "still"
              (asked (last many) "still"))
            (for-each close-port (cdr many))))
        (kill (peer-pid peer) SIGTERM)
        (test-equal "ends at SIGTERM" 0 (peer-status peer))))))

(test-end "example-echo")
