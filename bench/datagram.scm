;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Datagrams a second through loopback: a batch of Sockport's, C with one system
;;; call each, with one for many, and with joining, Guile's own, Python and Go.
;;; Everything in one thread: what is received was sent before the clock ran.

(use-modules (bench harness)
             (bench statistics)
             (ice-9 format)
             (ice-9 match)
             (rnrs bytevectors)
             (system foreign)
             ((sockport) #:prefix skp:))

;; What a receiver's queue holds: only root may have a long one.
(define root? (zero? (getuid)))
(define count (if root? 512 128))
(define times 40)

(define (udp)
  (let ((sock (socket AF_INET SOCK_DGRAM 0)))
    (bind sock AF_INET INADDR_LOOPBACK 0)
    (skp:setsockopt sock SOL_SOCKET
                    (if root? skp:SO_RCVBUFFORCE SO_RCVBUF) 8000000)
    sock))

(define (port-of sock) (sockaddr:port (getsockname sock)))

(define library
  (dynamic-link (string-append output-directory "/datagram-c")))

(define (c-function name . types)
  (pointer->procedure int64 (dynamic-func name library) types))

(define c-drain (c-function "datagram_c_drain" int))
(define c-gro (c-function "datagram_c_gro" int))
(define (c-sender name) (c-function name int '* size_t int int))
(define c-send-one (c-sender "datagram_c_send_one"))
(define c-send-many (c-sender "datagram_c_send_many"))
(define c-send-joined (c-sender "datagram_c_send_joined"))
(define c-fill (c-sender "datagram_c_fill"))
(define c-receive-one (c-function "datagram_c_receive_one" int size_t int))
(define c-receive-many
  (c-function "datagram_c_receive_many" int size_t int int))
(define c-echo-one (c-function "datagram_c_echo_one" int size_t int))
(define c-echo-many (c-function "datagram_c_echo_many" int size_t int int))

;; Where the datagrams come from, and one receiver for each way to receive.
(define client (udp))
(define plain (udp))
(define joined (udp))
(define ours (udp))
(c-gro (fileno joined))

(define (drain . socks)
  (for-each (lambda (sock) (c-drain (fileno sock))) socks))

;; Datagrams a second of WORK, which answers nanoseconds for `count' of them.
;; The first time is not counted: the one whose turn was before has left the
;; caches full of what is its own.
(define (rate before work after)
  (define (once)
    (before)
    (let ((spent (work)))
      (after)
      spent))
  (lambda ()
    (once)
    (/ (* count 1e9)
       (median (map (lambda (i) (once)) (iota times))))))

;; C looks at the clock itself; a look from Scheme takes a fiftieth of the shortest
;; of these times, and is no part of them.
(define-syntax-rule (timed expression)
  (lambda ()
    (let ((spent (elapsed-ns (lambda () expression))))
      (- spent (elapsed-ns (const #f))))))

(define-syntax-rule (repeat expression)
  (let loop ((i count))
    (unless (eq? i 0)
      expression
      (loop (- i 1)))))

(define (python work size)
  (cons "Python"
        (lambda ()
          (command-number "python3" (string-append (dirname (car (command-line)))
                                                   "/datagram.py")
                          work (number->string size) (number->string count)
                          (number->string times)))))

;; Built where Go is installed.
(define (go work size)
  (let ((program (string-append output-directory "/datagram-go")))
    (cons "Go"
          (lambda ()
            (and (file-exists? program)
                 (command-number program work (number->string size)
                                 (number->string count)
                                 (number->string times)))))))

(define (send-work batch message to)
  (skp:batch-clear! batch)
  (repeat (skp:batch-add! batch message to))
  (skp:batch-send! batch client))

(define (send-segments batch buffer size to)
  (skp:batch-clear! batch)
  (skp:batch-add-segments! batch buffer size to)
  (skp:batch-send! batch client))

(define (send-case sink size)
  (let* ((message (make-bytevector size 7))
         (pointer (bytevector->pointer message))
         (batch (skp:make-batch count size))
         (many (make-bytevector (* count size) 7))
         (to (getsockname sink))
         (port (port-of sink))
         (after (lambda () (drain sink)))
         (c (lambda (function)
              (rate (const #f)
                    (lambda ()
                      (function (fileno client) pointer size port count))
                    after))))
    (list (format #f "send ~a" size)
          (cons "Sockport"
                (rate (const #f) (timed (send-work batch message to)) after))
          (cons "Sockport, cut"
                (rate (const #f) (timed (send-segments batch many size to))
                      after))
          (cons "C sendto" (c c-send-one))
          (cons "C sendmmsg" (c c-send-many))
          (cons "C joined" (c c-send-joined))
          (cons "Guile"
                (rate (const #f)
                      (timed (repeat (sendto client message AF_INET
                                             INADDR_LOOPBACK port)))
                      after))
          (python "send" size)
          (go "send" size))))

;; From SIZE bytes to a thunk that queues `count' datagrams at SOCK.
(define (filler size sock)
  (let* ((message (make-bytevector size 7))
         (pointer (bytevector->pointer message))
         (port (port-of sock)))
    (lambda ()
      (c-fill (fileno client) pointer size port count))))

(define (receive-work batch)
  (let loop ((left count))
    (when (positive? left)
      (loop (- left (skp:batch-receive! batch ours))))))

(define (echo-work batch)
  (let loop ((left count))
    (when (positive? left)
      (let ((n (skp:batch-receive! batch ours)))
        (skp:batch-send! batch ours)
        (loop (- left n))))))

(define (arrival-case name size work c-one c-many guiles)
  (let ((batch (skp:make-batch count size))
        (buffer (make-bytevector size)))
    (define (at sock thunk)
      (rate (filler size sock) thunk (lambda () (drain client sock))))
    ;; Once, for the option to be set.
    ((filler size ours))
    (skp:batch-receive! batch ours)
    (drain ours)
    (list (format #f "~a ~a" name size)
          (cons "Sockport" (at ours (timed (work batch))))
          (cons "C one by one"
                (at plain (lambda () (c-one (fileno plain) size count))))
          (cons "C recvmmsg"
                (at plain (lambda () (c-many (fileno plain) size count 0))))
          (cons "C joined"
                (at joined (lambda () (c-many (fileno joined) size count 1))))
          (cons "Guile" (at plain (timed (repeat (guiles buffer)))))
          (python name size)
          (go name size))))

(define (receive-case size)
  (arrival-case "receive" size receive-work c-receive-one c-receive-many
                (lambda (buffer) (recvfrom! plain buffer))))

(define (echo-case size)
  (arrival-case "echo" size echo-work c-echo-one c-echo-many
                (lambda (buffer)
                  (sendto plain buffer (cdr (recvfrom! plain buffer))))))

(pin! 0)
(define sizes '(64 512 1200))
(for-each
 (match-lambda
   ((name title case promises)
    (bench (string-append "datagram-" name)
           #:title title #:unit "datagrams a second" #:better 'higher
           #:rounds 15 #:promises promises #:cases (map case sizes))
    (newline)))
 `(("send" "Sending datagrams to a plain socket" ,(lambda (size) (send-case plain size))
    (("C joined" . 0.90)))
   ;; The kernel need not split what is joined.
   ("send-joined" "Sending datagrams to a batch's socket" ,(lambda (size) (send-case joined size))
    (("Guile" . 5)))
   ("receive" "Receiving datagrams" ,receive-case (("C joined" . 0.90)))
   ("echo" "Echoing datagrams" ,echo-case (("C joined" . 0.90)))))

(format #t "Bytes allocated a datagram~%")
(let ((batch (skp:make-batch count 512)) (message (make-bytevector 512 7))
      (to (getsockname plain)) (fill (filler 512 ours)))
  (define (print name before work)
    ;; The least of several: the collector accounts for memory in blocks.
    (format #t "  ~10a ~,1f~%" name
            (apply min
                   (map (lambda (i)
                          (before)
                          (/ (allocated-by work) count 1.))
                        (iota 9)))))
  (print "send" (lambda () (drain plain))
         (lambda () (send-work batch message to)))
  (print "receive" fill (lambda () (receive-work batch)))
  (print "echo" (lambda () (drain client) (fill))
         (lambda () (echo-work batch))))
