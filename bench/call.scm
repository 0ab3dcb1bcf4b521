;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a call costs: Sockport's procedures, Guile's own, and C, on the same
;;; sockets in the same process.

(use-modules (bench harness)
             (bench statistics)
             (ice-9 format)
             (ice-9 match)
             (rnrs bytevectors)
             (system foreign)
             ((sockport) #:prefix skp:))

(define calls 200)
(define connections 64)
(define size 64)

;;; The sockets.  Datagrams go to one that is full and drops them; those that are
;;; received lie ready.

(define loopback INADDR_LOOPBACK)

(define (bound style)
  (let ((sock (socket AF_INET style 0)))
    (bind sock AF_INET loopback 0)
    sock))

(define (port-of sock) (sockaddr:port (getsockname sock)))

(define sink (bound SOCK_DGRAM))
(define sink-port (port-of sink))
(define sender (bound SOCK_DGRAM))
(define connected (bound SOCK_DGRAM))
(connect connected AF_INET loopback sink-port)
(define receiver (bound SOCK_DGRAM))
(define feeder (bound SOCK_DGRAM))
(connect feeder AF_INET loopback (port-of receiver))
(define listener (bound SOCK_STREAM))
(listen listener 128)

(define message (make-bytevector size 7))
(define buffer (make-bytevector 2048 0))
(setsockopt sink SOL_SOCKET SO_RCVBUF 1)

;;; The peers.

(define library
  (dynamic-link (string-append output-directory "/call-c")))

(define (c-function name . types)
  (pointer->procedure int64 (dynamic-func name library) types))

(define c-send (c-function "call_c_send" int '* size_t int))
(define c-sendto (c-function "call_c_sendto" int '* size_t int int))
(define c-recv (c-function "call_c_recv" int '* size_t int int))
(define c-recvfrom (c-function "call_c_recvfrom" int '* size_t int int))
(define c-getsockopt (c-function "call_c_getsockopt" int int int int))
(define c-accept (c-function "call_c_accept" int int))
(define c-connect (c-function "call_c_connect" int '* int))
(define c-reset (c-function "call_c_reset" '* int))

(define-syntax-rule (repeat count expression)
  (lambda ()
    (let loop ((i count))
      (unless (eq? i 0)
        expression
        (loop (- i 1))))))

(define message-pointer (bytevector->pointer message))
(define buffer-pointer (bytevector->pointer buffer))

(define (in-place thunk) (thunk))

(define (with-datagrams thunk)
  (c-send (fileno feeder) message-pointer size calls)
  (thunk))

(define clients (make-bytevector (* 4 connections) 0))

(define (with-connections thunk)
  (let ((pointer (bytevector->pointer clients)))
    (c-connect (port-of listener) pointer connections)
    (let ((result (thunk)))
      (c-reset pointer connections)
      result)))

;; What is accepted is garbage afterwards, and what the collector has to do for it is a
;; part of the cost: enough for several collections, none of them another's.
(define batches 100)

(define (collecting thunk)
  (gc)
  (/ (apply + (map (lambda (i) (with-connections thunk)) (iota batches)))
     batches))

;; Name, Sockport's calls, Guile's calls, C's nanoseconds, and what makes the
;; calls possible, which is not measured.
(define work
  (list
   (list "sendto"
         (repeat calls (skp:sendto sender message AF_INET loopback sink-port))
         (repeat calls (sendto sender message AF_INET loopback sink-port))
         (lambda ()
           (c-sendto (fileno sender) message-pointer size sink-port calls))
         in-place)
   (list "send"
         (repeat calls (skp:send connected message))
         (repeat calls (send connected message))
         (lambda () (c-send (fileno connected) message-pointer size calls))
         in-place)
   (list "recv!"
         (repeat calls (skp:recv! receiver buffer))
         (repeat calls (recv! receiver buffer))
         (lambda ()
            (c-recv (fileno receiver) buffer-pointer 2048 0 calls))
         with-datagrams)
   (list "recvfrom!"
         (repeat calls (skp:recvfrom! receiver buffer))
         (repeat calls (recvfrom! receiver buffer))
         (lambda ()
           (c-recvfrom (fileno receiver) buffer-pointer 2048 0 calls))
         with-datagrams)
   (list "getsockopt"
         (repeat calls (skp:getsockopt receiver SOL_SOCKET SO_SNDBUF))
         (repeat calls (getsockopt receiver SOL_SOCKET SO_SNDBUF))
         (lambda ()
           (c-getsockopt (fileno receiver) SOL_SOCKET SO_SNDBUF calls))
         in-place)))

(define accept-work
  (list "accept+close"
        (repeat connections (skp:close-port (car (skp:accept listener))))
        (repeat connections (close-port (car (accept listener))))
        (lambda () (c-accept (fileno listener) connections))))

(define (per-call ns count) (/ ns count 1.))

(define (peers count ours guiles c around)
  (list (cons "Sockport"
              (lambda ()
                (around (lambda () (per-call (elapsed-ns ours) count)))))
        (cons "Guile"
              (lambda ()
                (around (lambda () (per-call (elapsed-ns guiles) count)))))
        (cons "C" (lambda () (around (lambda () (per-call (c) count)))))))

;;; What a call allocates: the median of several batches, because the collector
;;; accounts for memory in blocks.
(define (allocated count thunk around)
  (quantile (map (lambda (i)
                   (around (lambda ()
                             (per-call (allocated-by thunk) count))))
                 (iota 25))
            1/2))

(define (print-allocated name count ours guiles around)
  (format #t "  ~14a ~8,1f ~8,1f~%" name (allocated count ours around)
          (allocated count guiles around)))

(pin! 0)
(bench "call"
       #:title "Cost of a call" #:unit "ns a call" #:rounds 2000
       #:promises '(("Guile" . 1.02) ("C" . 1.10))
       #:cases (map (match-lambda
                      ((name . work)
                       (cons name (apply peers calls work))))
                    work))
(bench "call-accept"
       #:title "Cost of accepting and closing" #:unit "ns a connection"
       #:rounds 20
       #:promises '(("Guile" . 1.05) ("C" . 1.10))
       #:cases (match accept-work
                 ((name . work)
                  (list (cons name (apply peers connections
                                          (append work (list collecting))))))))

(format #t "~%Bytes allocated a call Sockport    Guile~%")
(for-each (match-lambda
            ((name ours guiles c around)
             (print-allocated name calls ours guiles around)))
          work)
(match accept-work
  ((name ours guiles c)
   (print-allocated name connections ours guiles with-connections)))
