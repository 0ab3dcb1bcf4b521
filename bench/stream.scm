;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Bytes through a TCP connection over loopback in writes of 64 KiB, sender and
;;; receiver in one thread: two tasks of Sockport, and a loop in C and in Guile
;;; that send and receive by turns.

(use-modules (bench harness)
             (rnrs bytevectors)
             (system foreign)
             ((sockport) #:prefix skp:))

(define write-size 65536)
(define writes 256)
(define total (* write-size writes))

(define (connected)
  (let ((listener (skp:socket AF_INET SOCK_STREAM 0))
        (client (skp:socket AF_INET SOCK_STREAM 0)))
    (skp:bind listener AF_INET INADDR_LOOPBACK 0)
    (skp:listen listener 1)
    (skp:connect client (skp:getsockname listener))
    (let ((server (car (skp:accept listener))))
      (skp:close-port listener)
      (cons client server))))

(define pair (connected))
(define out (car pair))
(define in (cdr pair))
(define bytes (make-bytevector write-size 7))
(define buffer (make-bytevector write-size))

(define (receive-all receive!)
  (let loop ((left total))
    (when (positive? left)
      (loop (- left (receive! in buffer))))))

(define (send-all)
  (do ((i 0 (+ i 1)))
      ((= i writes))
    (skp:send out bytes)))

(define (tasks)
  (skp:run-tasks
   (lambda ()
     (let ((sender (skp:spawn-task send-all)))
       (receive-all skp:recv!)
       (skp:join sender)))))

(define (guile)
  (do ((i 0 (+ i 1)))
      ((= i writes))
    (let send-rest ((sent (send out bytes)))
      (let receive ((left sent))
        (when (positive? left)
          (receive (- left (recv! in buffer)))))
      (when (< sent write-size)
        (send-rest (+ sent (send out bytes)))))))

(define c-stream
  (pointer->procedure int64
                      (dynamic-func "stream_c"
                                    (dynamic-link
                                     (string-append output-directory
                                                    "/stream-c")))
                      (list int int '* size_t int)))

(define (c)
  (c-stream (fileno out) (fileno in) (bytevector->pointer bytes) write-size
            writes))

(define (rate thunk)
  (lambda () (/ total (elapsed-ns thunk) 1.)))

(pin! 0)
(bench "stream"
       #:title "TCP over loopback in writes of 64 KiB"
       #:unit "bytes a nanosecond" #:better 'higher #:rounds 500
       #:promises '()
       #:cases `(("64 KiB"
                  ("Sockport" . ,(rate tasks))
                  ("C" . ,(rate c))
                  ("Guile" . ,(rate guile)))))
