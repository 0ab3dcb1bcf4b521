;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; examples/echo-server.scm, as a program of its own: many connections at once,
;;; peers that vanish, and its end.

(use-modules (harness)
             (harness process)
             (ice-9 rdelim)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(define (source name)
  (string-append (getenv "SOCKPORT_SOURCE") name))

(define program (source "/examples/echo-server.scm"))

;; As ./dev run does: what is evaluated makes garbage with each request.
(system* "guile" "--no-auto-compile"
         (source "/build-aux/compile-program.scm") program)

(define command
  (list "guile" "--no-auto-compile" "-s" program "0"))

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

;;; The limit of descriptors, raised as far as may be, and what is free below it.
(define (free-descriptors)
  (call-with-values (lambda () (getrlimit 'nofile))
    (lambda (soft hard)
      (setrlimit 'nofile hard hard)
      (- hard 100))))

(define (resident-kib pid)
  (call-with-input-file (format #f "/proc/~a/status" pid)
    (lambda (port)
      (let next ((line (read-line port)))
        (if (string-prefix? "VmRSS:" line)
            (string->number (second (string-tokenize line)))
            (next (read-line port)))))))

;;; Ask on all SOCKS before any answer is read, so that all are active at once.
(define (all-answer? socks)
  (for-each (lambda (sock) (send sock "abcdefgh")) socks)
  (let ((answer (make-bytevector 8)))
    (every (lambda (sock) (eqv? 8 (recv! sock answer MSG_WAITALL))) socks)))

;; Longer than its deadline: that is what ends it on a machine that is busy.
(case-seconds (max 80 (case-seconds)))

(test-case "ten thousand connections"
  (let ((count (min 10000 (free-descriptors))))
    (call-with-peer command
      (lambda (peer)
        (let* ((port (last (map string->number
                                (string-tokenize (read-line (peer-output peer))
                                                 char-set:digit))))
               (pid (peer-pid peer))
               (before (resident-kib pid)))
          (with-deadline 60
            (lambda ()
              (let ((socks (map (lambda (_) (connected port)) (iota count))))
                (define (rounds count)
                  (every (lambda (_) (all-answer? socks)) (iota count)))
                (test-assert "all are answered" (rounds 5))
                (let ((once (resident-kib pid)))
                  (test-assert "again and again" (rounds 20))
                  (let ((then (resident-kib pid)))
                    (format #t "# ~a connections, ~,1f KiB each, then ~,1f~%"
                            count (/ (- once before) count 1.)
                            (/ (- then before) count 1.))
                    (test-assert "little memory each"
                      (< (/ (- then before) count) 16))
                    (test-assert "memory stays as it is"
                      (< (- then once) (* count 1/2)))))
                (for-each close-port socks)))))))))

(test-end "example-echo")
