;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What cannot be had in procedures that fault.scm's table has no row for: connections
;;; that come to nothing, chance, memory, and room for an option.  Run with peers/fault.c
;;; preloaded.

(use-modules (harness)
             (harness fault)
             (harness socket)
             (ice-9 match)
             (ice-9 receive)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             ((sockport primitive) #:select (%websocket-frame %websocket-key)))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (failing name errno times thunk)
  "The outcome of THUNK when its call NAME fails by ERRNO, TIMES times."
  (receive (usual calls) (calls-of thunk)
    (with-fault (list-index (lambda (call) (string=? call name)) calls)
                errno thunk times)))

(test-begin "fault-wanting")

(test-case "accept goes on after a connection that came to nothing"
  (for-each
   (lambda (errno)
     (let-ports ((listener (tcp-listener)))
       (define callers '())
       (define (accept-one)
         (let-ports ((sock (car (accept listener))))
           (file-port? sock)))
       (define (call!)
         (let ((caller (socket AF_INET SOCK_STREAM 0)))
           (connect caller (getsockname listener))
           (set! callers (cons caller callers))))
       ;; One for what is usual, and one that stands for the next.
       (call!)
       (call!)
       (test-equal (strerror errno) '(#t) (failing "accept4" errno 1 accept-one))
       (for-each close-port callers)))
   (list ECONNABORTED EPROTO EPERM)))

;;; What splice and sendfile go through where the kernel does not move bytes directly.

(define (with-each-failing names errno thunk)
  "The outcomes of THUNK when its calls that NAMES has fail by ERRNO, one at a time."
  (receive (usual calls) (calls-of thunk)
    (filter-map (lambda (index call)
                  (and (member call names) (with-fault index errno thunk)))
                (iota (length calls)) calls)))

(define (call-with-pairs proc)
  "Call PROC with the four ends of two pairs of sockets."
  (match (list (socketpair AF_UNIX SOCK_STREAM 0) (socketpair AF_UNIX SOCK_STREAM 0))
    (((a . b) (c . d))
     (let-ports ((a a) (b b) (c c) (d d))
       (proc a b c d)))))

(test-case "splice between sockets wants a pipe"
  (call-with-pairs
   (lambda (in from to out)
     (define (three) (splice to in 3))
     (send from "abcdefghi")
     (test-equal "there is none" (list (list 'system-error EMFILE "splice"))
       (with-each-failing '("pipe2") EMFILE three))
     (test-equal "nothing is lost" 3 (three))
     (test-equal "all came" "abcdef" (utf8->string (recv out 9))))))

(test-case "sendfile of a descriptor's number wants a port for it"
  (call-with-pairs
   (lambda (a b to out)
     (match (pipe)
       ((in . from)
        (let-ports ((in in) (from from))
          (define number (dup->fdes in))
          (define (three) (sendfile to number 3))
          (display (make-string 300 #\a) from)
          (force-output from)
          (test-assert "there is none"
            (member (list 'system-error EMFILE "sendfile")
                    (with-each-failing '("fcntl" "fcntl64") EMFILE three)))
          (test-equal "and then there is" 3 (three))
          (close-fdes number)))))))

(test-case "a WebSocket's key and masks want chance"
  (for-each
   (lambda (name thunk)
     (test-equal (list name "fails") (list 'system-error ENOSYS name)
       (failing "getrandom" ENOSYS 1 thunk))
     (test-assert (list name "is interrupted")
       (match (failing "getrandom" EINTR 3 thunk)
         (((or (? string?) (? bytevector?))) #t)
         (_ #f))))
   '("open-websocket" "websocket-send")
   (list (lambda () (%websocket-key))
         (lambda () (%websocket-frame 1 #vu8(1 2 3) #t)))))

(test-case "an option that is refused at every size"
  (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
    (test-equal "the first error counts" (list 'system-error EINVAL "getsockopt")
      (failing "getsockopt" EINVAL 9 (lambda () (getsockopt sock SOL_SOCKET 9999))))))

(test-case "a batch that memory is not there for"
  (call-with-values (lambda () (getrlimit 'as))
    (lambda (soft hard)
      (define used
        (* 4096 (call-with-input-file "/proc/self/statm" read)))
      (dynamic-wind
        (lambda () (setrlimit 'as (+ used (expt 2 29)) hard))
        ;; The bytes have room; what is kept of each datagram has not.
        (lambda ()
          (test-error* "is refused" (list 'system-error ENOMEM "make-batch")
            (make-batch 50000000 1)))
        (lambda () (setrlimit 'as soft hard))))))

(test-end "fault-wanting")
