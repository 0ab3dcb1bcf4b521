;; SPDX-License-Identifier: LGPL-3.0-or-later
#lang racket/base
;; An echo server on Racket, for bench/echo.scm: a thread for each connection.

(require ffi/unsafe
         ffi/unsafe/port
         racket/tcp)

(define IPPROTO_TCP 6)
(define TCP_NODELAY 1)

;; Racket has no name for it.
(define setsockopt
  (get-ffi-obj "setsockopt" #f
               (_fun _int _int _int (_ptr i _int) (_int = (ctype-sizeof _int))
                     -> _int)))

(define (echo in out)
  (define buffer (make-bytes 1000))
  (let loop ()
    (define n (read-bytes-avail! buffer in))
    (unless (eof-object? n)
      (write-bytes buffer out 0 n)
      (loop))))

(define (serve-connection in out)
  (setsockopt (unsafe-port->socket out) IPPROTO_TCP TCP_NODELAY 1)
  ;; No copies through the ports' buffers, and nothing to flush.
  (file-stream-buffer-mode in 'none)
  (file-stream-buffer-mode out 'none)
  (with-handlers ([exn:fail:network? void])
    (echo in out))
  (close-input-port in)
  (close-output-port out))

(define (accept-all listener)
  (define-values (in out) (tcp-accept listener))
  (thread (lambda () (serve-connection in out)))
  (accept-all listener))

(define port
  (string->number (vector-ref (current-command-line-arguments) 0)))

(accept-all (tcp-listen port 4096 #t "127.0.0.1"))
