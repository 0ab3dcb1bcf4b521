;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Making, connecting, accepting and shutting down sockets.

(define-module (sockport socket)
  #:use-module (sockport io accept)
  #:use-module (sockport primitive)
  #:use-module (sockport transfer)
  #:use-module (sockport io close)
  #:use-module (sockport io layer)
  #:use-module (sockport io wait)
  #:re-export (adopt-socket nonblocking? set-nonblocking!)
  #:replace (socket socketpair accept connect shutdown)
  #:re-export-and-replace (bind listen getsockname getpeername
                           close-port close))

(define SOCK_NONBLOCK #o4000)
(define SOCK_CLOEXEC #o2000000)         ; every socket is
(define SHUT_WR 1)
(define SHUT_RDWR 2)

;;; A blocking descriptor would stop every task when one of Guile's own port
;;; procedures reads it, so under a scheduler sockets are born non-blocking.

(define (socket family style proto)
  "Return a new socket port of FAMILY, STYLE and PROTO, three integers.  It is
close-on-exec."
  (%socket family style proto (scheduler?)))

(define (socketpair family style proto)
  "Return a pair of connected socket ports."
  (%socketpair family style proto (scheduler?)))

(define accept
  (case-lambda
    "Accept a connection on SOCK: a pair of a new socket port and the peer's
address.  FLAGS may hold SOCK_NONBLOCK for the new socket.  #f if SOCK is in
non-blocking mode, no scheduler is running and no connection is pending."
    ((sock) (accept sock 0))
    ((sock flags)
     (let ((flags (if (and (or (eqv? flags 0) (eqv? flags SOCK_CLOEXEC))
                           (scheduler?))
                      SOCK_NONBLOCK
                      flags)))
       (accept-connection sock flags)))))

(define (connect sock family . args)
  "Connect SOCK to an address: an address object, or FAMILY and its parts.
Return #t; or #f if SOCK is in non-blocking mode, no scheduler is running and the
connection is still being made."
  (let ((result (apply %connect sock family args)))
    (case result
      ((#t) #t)
      ((#f) (connect-finish sock family args))
      (else (connect-later sock family args)))))

;;; On the same machine it has mostly ended before the first look.
(define (connect-finish sock family args)
  (and (not (plain-nonblocking? sock))
       (or (apply %connect-result sock family args)
           (begin
             (wait-writable sock 'connect)
             (connect-finish sock family args)))))

;;; The listener's queue is full (UNIX sockets): nothing reports when there is
;;; room, so look again, less and less often.
(define (connect-later sock family args)
  (let ((pause (look-again-waiter sock 'connect)))
    (let loop ()
      (pause)
      (case (apply %connect sock family args)
        ((#t) #t)
        ((#f) (connect-finish sock family args))
        (else (loop))))))

(define (shutdown sock how)
  "Shut down reception (HOW 0), transmission (1) or both (2) on SOCK.  Output
that SOCK has buffered is sent first."
  (if (layered? sock)
      (shutdown-layer sock how)
      (begin
        (when (memv how (list SHUT_WR SHUT_RDWR))
          (flush sock))
        (%shutdown sock how))))

;;; TLS reports the end of transmission by itself, and the socket goes on.
(define (shutdown-layer port how)
  (when (memv how (list SHUT_WR SHUT_RDWR))
    (end-layer port))
  (unless (eqv? how SHUT_WR)
    (%shutdown (bottom-port port) how)))

(define (flush sock)
  (catch 'system-error
    (lambda () (send-buffered sock 'shutdown))
    (lambda error
      ;; For shutdown itself to tell.
      (unless (eqv? (system-error-errno error) ENOTSOCK)
        (apply throw error)))))
