;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a server begins its connections with: the prologue of a proxy, which comes
;;; before TLS, and the handshake.

(define-module (sockport serve handshake)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport constant)
  #:use-module (sockport deadline)
  #:use-module (sockport io secure)
  #:use-module (sockport socket)
  #:use-module (sockport transfer)
  #:export (exact-reader
            preparing))

(define linger-seconds 1)
(define most-unread 65536)

;;; Closing a socket with input unread resets the connection, and the client would not
;;; get the alert that says what was wrong.
(define (linger sock)
  (catch #t
    (lambda ()
      (let ((scratch (make-bytevector 4096)))
        (shutdown sock SHUT_WR)
        (with-deadline linger-seconds
          (lambda ()
            (let next ((left most-unread))
              (when (positive? left)
                (let ((count (recv! sock scratch)))
                  (unless (zero? count)
                    (next (- left count)))))))
          (const #f))))
    (lambda (key . args)
      (unless (eq? key 'system-error)
        (apply throw key args)))))

(define (secured security sock)
  (finish-handshake security (begin-server security sock) 'serve linger))

(define (exact-reader sock)
  "Return a procedure that receives as many bytes as it is called with, and no more,
from SOCK; #f at the end."
  (lambda (count)
    (let ((bytes (make-bytevector count)))
      (let next ((at 0))
        (if (= at count)
            bytes
            (match (recv! sock bytes 0 at)
              (0 #f)
              (received (next (+ at received)))))))))

(define (preparing prologue security seconds)
  "Return a procedure for what comes before a conversation, within SECONDS: of a socket
and the peer's address it makes the port, of SECURITY if there is one, and the address
that the handler is called with, which PROLOGUE, unless it is #f, returns."
  (lambda (sock peer)
    (with-deadline seconds
      (lambda ()
        (let ((peer (if prologue
                        (prologue (exact-reader sock) sock peer)
                        peer)))
          (values (if security (secured security sock) sock)
                  peer))))))
