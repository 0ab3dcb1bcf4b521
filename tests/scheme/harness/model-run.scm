;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Carries out the operations of (harness model) by Sockport, beside Python, and
;;; tells what differs from what Python does or from what the model foretells.

(define-module (harness model-run)
  #:use-module (harness)
  #:use-module (harness model)
  #:use-module (harness process)
  #:use-module (ice-9 match)
  #:use-module (ice-9 rdelim)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:use-module (srfi srfi-1)
  #:export (call-with-python
            differences))

(define families
  `(("unix" . ,AF_UNIX) ("inet" . ,AF_INET) ("inet6" . ,AF_INET6)
    ("netlink" . ,AF_NETLINK)))
(define types
  `(("stream" . ,SOCK_STREAM) ("dgram" . ,SOCK_DGRAM)
    ("seqpacket" . ,SOCK_SEQPACKET) ("raw" . ,SOCK_RAW)))
(define options
  `(("reuseaddr" . ,SO_REUSEADDR) ("keepalive" . ,SO_KEEPALIVE)
    ("broadcast" . ,SO_BROADCAST) ("rcvbuf" . ,SO_RCVBUF)
    ("sndbuf" . ,SO_SNDBUF) ("type" . ,SO_TYPE) ("error" . ,SO_ERROR)
    ("acceptconn" . ,SO_ACCEPTCONN)))

;; Both sides bind names at the same time.
(define prefix (format #f "skp~a-" (getpid)))

(define (hex->bytes text)
  (let ((bytes (make-bytevector (quotient (- (string-length text) 1) 2))))
    (for-each (lambda (i)
                (bytevector-u8-set! bytes i
                                    (string->number
                                     (substring text (+ 1 (* 2 i)) (+ 3 (* 2 i)))
                                     16)))
              (iota (bytevector-length bytes)))
    bytes))

(define (bytes->hex bytes size)
  (string-append
   "x"
   (string-concatenate
    (map (lambda (i)
           (string-pad (number->string (bytevector-u8-ref bytes i) 16) 2 #\0))
         (iota size)))))

(define (address-text address)
  (define port (lambda (n) (if (zero? n) " 0" " p")))
  (let ((family (sockaddr:fam address)))
    (cond ((= family AF_UNIX)
           (match (sockaddr:path address)
             ((? string? name)
              (if (string-null? name)
                  "-"
                  (substring name (+ 1 (string-length prefix)))))
             (_ "-")))
          ((= family AF_NETLINK)
           (format #f "netlink ~a ~a" (if (zero? (sockaddr:pid address)) "0" "p")
                   (sockaddr:groups address)))
          (else
           (string-append (inet-ntop family (sockaddr:addr address))
                          (port (sockaddr:port address)))))))

(define (name-for sock word)
  (match (sockaddr:fam (getsockname sock))
    ((? (lambda (f) (= f AF_UNIX)))
     (list AF_UNIX (string-append "\0" prefix word)))
    ((? (lambda (f) (= f AF_INET))) (list AF_INET INADDR_LOOPBACK 0))
    ((? (lambda (f) (= f AF_INET6))) (list AF_INET6 1 0))
    (family (list family 0 0))))

(define slots (make-vector 4 #f))
(define (in-slot i) (vector-ref slots i))

(define (put! i sock)
  (set-nonblocking! sock #t)
  (let ((old (in-slot i)))
    (vector-set! slots i sock)
    (when old (close-port old)))
  "ok")

(define (wait! sock word)
  (select (list sock) '() '() (match word ("now" 0) ("soon" 0) ("wait" 10))
          (if (equal? word "soon") 5000 0)))

(define (connect-to sock to)
  (let ((unix? (= AF_UNIX (sockaddr:fam (getsockname sock)))))
    (dynamic-wind
      (lambda () (set-nonblocking! sock unix?))
      (lambda () (if (connect sock (getsockname to)) "ok" "again"))
      (lambda () (set-nonblocking! sock #t)))))

(define (do-with sock operation)
  (match operation
    (("close" i)
     (vector-set! slots i #f)
     (close-port sock)
     "ok")
    (("bind" _ word) (apply bind sock (name-for sock word)) "ok")
    (("listen" _ backlog) (listen sock backlog) "ok")
    (("connect" _ j) (connect-to sock (in-slot j)))
    (("accept" _ j word)
     (wait! sock word)
     (match (accept sock)
       (#f "again")
       ((new . _) (put! j new))))
    (("send" _ data) (number->string (send sock (hex->bytes data))))
    (("sendto" _ data j)
     (number->string (sendto sock (hex->bytes data) (getsockname (in-slot j)))))
    (("recv" _ size how word)
     (wait! sock word)
     (let ((buffer (make-bytevector size)))
       (bytes->hex buffer
                   (recv! sock buffer (if (equal? how "peek") MSG_PEEK 0)))))
    (("shutdown" _ how) (shutdown sock how) "ok")
    (("getsockname" _) (address-text (getsockname sock)))
    (("getpeername" _) (address-text (getpeername sock)))
    (("get" _ name)
     (number->string (getsockopt sock SOL_SOCKET (assoc-ref options name))))
    (("set" _ name value)
     (setsockopt sock SOL_SOCKET (assoc-ref options name) value)
     "ok")))

(define (do-one operation)
  (match operation
    (("open" i family type)
     (put! i (socket (assoc-ref families family) (assoc-ref types type) 0)))
    (("pair" i j type)
     (match (socketpair AF_UNIX (assoc-ref types type) 0)
       ((a . b) (put! i a) (put! j b))))
    ((_ i . _)
     (if (in-slot i) (do-with (in-slot i) operation) "none"))))

(define (result-of operation)
  (catch #t
    (lambda () (do-one operation))
    (lambda (key . args)
      (match (describe-error key args)
        (('system-error (or 11 115) _) "again")
        (('system-error errno _) (format #f "E~a" errno))
        (error (format #f "~s" error))))))

(define (close-all!)
  (for-each (lambda (i)
              (when (in-slot i)
                (close-port (in-slot i))
                (vector-set! slots i #f)))
            (iota 4)))

(define (call-with-python proc)
  "Call PROC with the peer that carries out the same operations."
  (require-program "python3")
  (call-with-peer
   (list "python3"
         (string-append (getenv "SOCKPORT_SOURCE")
                        "/tests/scheme/peers/model.py")
         (string-append prefix "py-"))
   proc))

(define (write-operation operation port)
  (display (string-join (map (lambda (word) (format #f "~a" word)) operation))
           port)
  (newline port))

(define (differences seed length python)
  "What differs in the sequence made of SEED: lists of the number of the operation,
itself, what was foretold, what Python got and what Sockport got."
  (let ((sequence (random-sequence seed length)) (to (peer-input python)))
    (for-each (match-lambda ((operation _) (write-operation operation to)))
              sequence)
    (display "reset\nflush\n" to)
    (force-output to)
    (let ((ours (map (match-lambda ((operation _) (result-of operation)))
                     sequence)))
      (close-all!)
      (filter-map
       (lambda (number step our)
         (let ((theirs (read-line (peer-output python))))
           (match step
             ((operation foretold)
              (and (or (not (equal? our theirs))
                       (and foretold (not (equal? our foretold))))
                   (list number operation foretold theirs our))))))
       (iota length) sequence ours))))
