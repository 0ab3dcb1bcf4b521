;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Every procedure of Guile that writes a port, on a port of TLS whose peer is another
;;; task of the same thread: all comes, and the other task runs.

(use-modules (harness) (harness socket) (harness task) (harness tls)
             (ice-9 binary-ports) (ice-9 format) (ice-9 match)
             (ice-9 pretty-print) (ice-9 rdelim) (ice-9 textual-ports)
             (rnrs bytevectors) ((rnrs io ports) #:prefix r6:)
             ((scheme base) #:prefix r7:) (sxml simple) (web http)
             (sockport) (sockport channel) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)

(define (linked proc serve)
  (in-tasks (call-with-link (server-context directory) (trusting directory)
                            proc #:serve serve)))

;;; So much that a socket with little room is full until the peer reads.
(define much 60000)
(define text (make-string much #\x))
(define bytes (make-bytevector much 120))

(define (writes name expected proc)
  "Much that PROC writes comes, the last of it EXPECTED."
  (test-equal name (list #t #t expected)
    (match (linked (lambda (port)
                     (setsockopt (tls-socket port) SOL_SOCKET SO_SNDBUF 4096)
                     (proc port)
                     (force-output port)
                     #t)
                   (lambda (port) (get-string-all port)))
      ((sent (? string? came))
       (list sent (>= (string-length came) much)
             (string-take-right came (string-length expected))))
      (other other))))

(tls-cases (directory "tls-writing")
  (test-case "writing much"
    (writes "put-string" "xx" (lambda (p) (put-string p text)))
    (writes "put-bytevector" "xx" (lambda (p) (put-bytevector p bytes)))
    (writes "display" "xx" (lambda (p) (display text p)))
    (writes "write" "xx\"" (lambda (p) (write text p)))
    (writes "format" "xx 07" (lambda (p) (format p "~a ~2,'0d" text 7)))
    (writes "simple-format" "xx!" (lambda (p) (simple-format p "~a!" text)))
    (writes "write-line" "xx\n" (lambda (p) (write-line text p)))
    (writes "r7:write-string" "xx" (lambda (p) (r7:write-string text p)))
    (writes "r7:write-bytevector" "xx" (lambda (p) (r7:write-bytevector bytes p)))
    (writes "r6:put-datum" "xx\"" (lambda (p) (r6:put-datum p text)))
    (writes "the current output port" "xx\n"
            (lambda (p)
              (with-output-to-port p (lambda () (display text) (newline)))))
    (writes "without a buffer" "xa"
            (lambda (p) (setvbuf p 'none) (put-string p text) (put-char p #\a)))
    (writes "send" "xx" (lambda (p) (send p text))))

  (test-case "what is displayed to a peer that takes nothing"
    (define mib (make-string 1048576 #\x))
    (define taken 0)
    (define done (make-channel 1))
    (define (fill port)
      (unless (= taken 100)
        (display mib port)
        (set! taken (+ taken 1))
        (fill port)))
    (linked (lambda (port)
              (test-error* "does not fill the memory" (list 'system-error ENOBUFS)
                (fill port))
              (channel-put done #t))
            (lambda (port) (channel-get done)))
    (test-equal "64 MiB are kept" 64 taken))

  (test-case "writing behind much"
    (define-syntax-rule (filling (p) exp ...)
      (lambda (p) (put-string p text) exp ...))
    (writes "put-string, a part" "xb" (filling (p) (put-string p "abc" 1 1)))
    (writes "put-u8, put-char" "xab"
            (filling (p) (put-u8 p 97) (put-char p #\b)))
    (writes "write-char, newline" "xa\n"
            (filling (p) (write-char #\a p) (newline p)))
    (writes "r7:write-u8" "xa" (filling (p) (r7:write-u8 97 p)))
    (writes "pretty-print" "x(a \"b\")\n" (filling (p) (pretty-print '(a "b") p)))
    (writes "truncated-print" "x(1)" (filling (p) (truncated-print '(1) p)))
    (writes "sxml->xml" "x<a>b</a>" (filling (p) (sxml->xml '(a "b") p)))
    (writes "write-headers" "xHost: a\r\n"
            (filling (p) (write-headers '((host "a" . #f)) p)))
    (writes "a line" "xa\n" (filling (p) (setvbuf p 'line) (put-string p "a\n")))
    (writes "another encoding" "xé"
            (filling (p)
              (force-output p)
              (set-port-encoding! p "ISO-8859-1")
              (display "\xc3\xa9" p)))
    (writes "flush-all-ports" "xa"
            (filling (p) (put-char p #\a) (flush-all-ports)))))
