#lang racket/base
;; SPDX-License-Identifier: LGPL-3.0-or-later
;; An echo server on Racket, one thread per connection, for bench/echo.scm.
(require racket/tcp)

(define (echo in out)
  (define buffer (make-bytes 4096))
  (let loop ()
    (define n (read-bytes-avail! buffer in))
    (unless (eof-object? n)
      (write-bytes buffer out 0 n)
      (flush-output out)
      (loop)))
  (close-input-port in)
  (close-output-port out))

(module+ main
  (define port
    (string->number (vector-ref (current-command-line-arguments) 0)))
  (define listener (tcp-listen port 4096 #t "127.0.0.1"))
  (let loop ()
    (define-values (in out) (tcp-accept listener))
    (thread (lambda ()
              ;; A peer may go away in the middle.
              (with-handlers ([exn:fail:network? void])
                (echo in out))))
    (loop)))
