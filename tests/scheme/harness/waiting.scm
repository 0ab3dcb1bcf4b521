;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Everything that waits, for tests of who waits and how.

(define-module (harness waiting)
  #:use-module (harness socket)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:export (byte
            close-later!
            close-queued!
            fill!
            full-pair
            ways))

(define (fill! sock)
  "Send until SOCK takes no more; return the number of bytes."
  (let ((bytes (make-bytevector 65536 7)))
    (let loop ((sum 0))
      (match (catch 'system-error
               (lambda () (send sock bytes MSG_DONTWAIT))
               (const #f))
        (#f sum)
        (n (loop (+ sum n)))))))

(define (drain! sock)
  "Receive all that has come, without waiting."
  (let ((bytes (make-bytevector 65536)))
    (when (catch 'system-error
            (lambda () (recv! sock bytes MSG_DONTWAIT))
            (const #f))
      (drain! sock))))

;;; Everything that waits: a name, a thunk that makes what it needs, what waits,
;;; and what ends it from outside.  The first port is the one it waits on.

(define (call-waiting-accept server _)
  (let ((accepted (accept server)))
    (close-port (car accepted))
    'done))

(define (full-pair)
  (let ((pair (unix-pair)))
    (fill! (car pair))
    pair))

(define byte (make-bytevector 1 66))

(define ways
  (list
   (list 'accept
         (lambda () (cons (unix-listener) (socket AF_UNIX SOCK_STREAM 0)))
         call-waiting-accept
         (lambda (server client) (connect client (getsockname server))))
   (list 'recv!
         unix-pair
         (lambda (a b)
           (let ((buffer (make-bytevector 1)))
             (and (= 1 (recv! a buffer)) (equal? buffer byte) 'done)))
         (lambda (a b) (send b byte)))
   (list 'recv!
         unix-pair
         (lambda (a b)
           (let ((buffer (make-bytevector 1)))
             (and (= 1 (recv! a buffer 0 0 1)) (equal? buffer byte) 'done)))
         (lambda (a b) (send b byte)))
   (list 'recvfrom!
         (lambda () (unix-pair SOCK_DGRAM))
         (lambda (a b)
           (let ((buffer (make-bytevector 1)))
             (and (= 1 (car (recvfrom! a buffer))) (equal? buffer byte) 'done)))
         (lambda (a b) (send b byte)))
   (list 'send
         full-pair
         (lambda (a b) (and (= 1 (send a byte)) 'done))
         (lambda (a b) (drain! b)))
   (list 'sendto
         (lambda ()
           (let ((server (socket AF_UNIX SOCK_DGRAM 0))
                 (client (socket AF_UNIX SOCK_DGRAM 0)))
             (bind server AF_UNIX "")
             (false-if-exception
              (let loop ()
                (sendto client byte (getsockname server) MSG_DONTWAIT)
                (loop)))
             (cons client server)))
         (lambda (client server)
           (and (= 1 (sendto client byte (getsockname server))) 'done))
         (lambda (client server) (recv! server (make-bytevector 1))))
   (list 'connect
         (lambda ()
           (let ((server (unix-listener 0)))
             (fill-queue! server)
             (cons (socket AF_UNIX SOCK_STREAM 0) server)))
         (lambda (client server)
           (connect client (getsockname server))
           (getpeername client)
           'done)
         (lambda (client server) (accept server)))))

(define queued '())

(define (close-later! ports)
  (set! queued (append ports queued)))

(define (close-queued!)
  "Close the clients that fill a listener's queue."
  (for-each close-port queued)
  (set! queued '()))

(define (fill-queue! server)
  (let ((client (socket AF_UNIX SOCK_STREAM 0)))
    (connect client (getsockname server))
    (close-later! (list client))))
