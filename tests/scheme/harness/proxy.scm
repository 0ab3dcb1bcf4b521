;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Proxies: one of SOCKS 5 and one of HTTP, which note what they were asked, and
;;; refuse as the test wants.

(define-module (harness proxy)
  #:use-module (harness client)
  #:use-module (harness server)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:export (call-with-socks
            call-with-http-proxy
            relay))

(define (relay a b)
  "Copy what comes from A to B, and back, until both have ended; close B."
  (define (copy from to)
    (let ((buffer (make-bytevector 65536)))
      (let again ()
        (let ((count (catch 'system-error
                       (lambda ()
                         (catch 'tls-error
                           (lambda () (recv! from buffer))
                           (const 0)))
                       (const 0))))
          (cond ((zero? count)
                 (false-if-exception (shutdown to SHUT_WR)))
                (else
                 (false-if-exception (send to buffer 0 0 count))
                 (again)))))))
  (call-with-cleanup
   (lambda ()
     (let ((back (spawn-task (lambda () (copy b a)))))
       (copy a b)
       (join back)))
   (lambda () (close-port b))))

(define (bytes-of sock count)
  (let ((buffer (make-bytevector count)))
    (recv! sock buffer MSG_WAITALL)
    (bytevector->u8-list buffer)))

(define (text sock count)
  (utf8->string (u8-list->bytevector (bytes-of sock count))))

(define (tell sock . bytes)
  (send sock (u8-list->bytevector bytes)))

(define (destination sock)
  (match (bytes-of sock 4)
    ((5 1 0 type)
     (let* ((host (match type
                    (1 (inet-ntop AF_INET (number (bytes-of sock 4))))
                    (4 (inet-ntop AF_INET6 (number (bytes-of sock 16))))
                    (3 (text sock (car (bytes-of sock 1)))))))
       (list type host (number (bytes-of sock 2)))))))

(define (number bytes)
  (let next ((bytes bytes) (sum 0))
    (match bytes
      (() sum)
      ((byte . rest) (next rest (+ byte (* 256 sum)))))))

(define (greet sock password)
  "Return whether the client may go on."
  (let ((methods (bytes-of sock (cadr (bytes-of sock 2)))))
    (cond ((not password) (tell sock 5 0) #t)
          ((memv 2 methods)
           (tell sock 5 2)
           (let* ((name (text sock (cadr (bytes-of sock 2))))
                  (word (text sock (car (bytes-of sock 1))))
                  (right? (equal? (cons name word) password)))
             (tell sock 1 (if right? 0 1))
             right?))
          (else (tell sock 5 255) #f))))

(define* (call-with-socks proc #:key password (code 0) (place identity))
  "Call PROC with a SOCKS server and a thunk that returns what it was asked for, as
lists of type, host and port.  It wants PASSWORD, a pair, answers CODE, and connects to
what (PLACE port) returns on this machine."
  (let ((asked '()))
    (call-with-raw
     (lambda (sock number)
       (when (greet sock password)
         (match (destination sock)
           ((type host port)
            (set! asked (cons (list type host port) asked))
            (if (zero? code)
                (let ((there (connect-to "127.0.0.1" #:port (place port))))
                  (tell sock 5 0 0 3 1 65 0 0)
                  (relay sock there))
                (tell sock 5 code 0 1 0 0 0 0 0 0))))))
     (lambda (server)
       (proc server (lambda () (reverse asked)))))))

(define request-rx (make-regexp "^CONNECT ([^ ]+):([0-9]+) HTTP/1.1\r\n"))

(define* (call-with-http-proxy proc #:key refusal (before "") (place identity) tls)
  "Call PROC with a proxy of HTTP for CONNECT, reached by TLS with the context TLS, and
a thunk that returns the heads that came.  It sends REFUSAL, or BEFORE behind its head, and connects to what (PLACE port)
returns on this machine."
  (let ((heads '()))
    (call-with-raw
     (lambda (sock number)
       (let ((head (read-until-blank sock)))
         (set! heads (cons head heads))
         (match (and (not refusal) (regexp-exec request-rx head))
           (#f (send sock (or refusal "HTTP/1.1 400 What\r\n\r\n")))
           (found
            (let ((there (connect-to "127.0.0.1"
                                     #:port (place (string->number
                                                    (match:substring found 2))))))
              (send sock (string-append "HTTP/1.1 200 Connected\r\n\r\n" before))
              (relay sock there))))))
     (lambda (server)
       (proc server (lambda () (reverse heads))))
     #:tls tls)))
