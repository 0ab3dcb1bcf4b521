;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The handshake that a server begins its connections with.

(define-module (sockport serve handshake)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport constant)
  #:use-module (sockport deadline)
  #:use-module (sockport io secure)
  #:use-module (sockport socket)
  #:use-module (sockport transfer)
  #:export (securing))

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

(define (securing security seconds)
  "Return a procedure that returns a port of SECURITY over the socket it is given, once
the handshake is done, within SECONDS."
  (lambda (sock)
    (with-deadline seconds
      (lambda ()
        (finish-handshake security (begin-server security sock) 'serve
                          linger)))))
