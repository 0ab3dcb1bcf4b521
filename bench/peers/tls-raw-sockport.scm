;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What tls-server.c does, on Sockport, for bench/tls.scm: PORT CERTIFICATE KEY.  It
;;; takes every request for a GET, of /large or of something small, and a bytevector
;;; for a whole request.

(use-modules (ice-9 match)
             (rnrs bytevectors)
             (sockport)
             (sockport tls))

(define large (make-bytevector 1048576 97))

(define (head size)
  (string->utf8
   (format #f "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
Content-Length: ~a\r\n\r\n" size)))

(define large-head (head (bytevector-length large)))
(define small (string->utf8 (string-append (utf8->string (head 13))
                                           "Hello, World!")))

(define (text-of bytes size)
  (let ((copy (make-bytevector size)))
    (bytevector-copy! bytes 0 copy 0 size)
    (utf8->string copy)))

(define (answer port text)
  "Answer the request TEXT; return whether another may come."
  (cond ((string-prefix? "GET /large" text)
         (send port large-head)
         (send port large))
        (else
         (send port small)))
  (not (or (string-contains text "onnection: close")
           (string-contains text " HTTP/1.0\r\n"))))

(define (converse port peer)
  (let ((request (make-bytevector 1024)))
    (let next ()
      (let ((size (recv! port request)))
        (when (and (positive? size) (answer port (text-of request size)))
          (next))))))

(match (command-line)
  ((_ port certificate key)
   (serve (string-append "127.0.0.1:" port) converse
          #:tls (tls-context #:certificate certificate #:key key)
          #:backlog 4096)))
