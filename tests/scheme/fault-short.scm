;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Whatever sends and whatever receives, nothing is lost or doubled when each
;;; system call moves one byte, then two, then all that there is.  Run with
;;; peers/fault.c preloaded.

(use-modules (harness)
             (harness fault)
             (ice-9 binary-ports)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

;; Not more than a socket has room for when each byte goes by itself.
(define text (string->utf8 (string-concatenate (map number->string (iota 80)))))

(define (take-all receive-some)
  "All that RECEIVE-SOME, a procedure of a buffer that returns a count, delivers."
  (call-with-output-bytevector
   (lambda (port)
     (let ((buffer (make-bytevector 1000)))
       (let loop ()
         (let ((n (receive-some buffer)))
           (when (positive? n)
             (put-bytevector port buffer 0 n)
             (loop))))))))

(define (call-with-file proc)
  (let ((port (mkstemp "/tmp/sockport-fault-XXXXXX")))
    (delete-file (port-filename port))
    (put-bytevector port text)
    (force-output port)
    (proc port)
    (close-port port)))

(define (slices-of bytes size)
  (map (lambda (start)
         (let ((slice (make-bytevector (min size (- (bytevector-length bytes)
                                                    start)))))
           (bytevector-copy! bytes start slice 0 (bytevector-length slice))
           slice))
       (iota (quotient (+ (bytevector-length bytes) size -1) size) 0 size)))

(define (send-pieces sock)
  (let loop ((start 0))
    (when (< start (bytevector-length text))
      (loop (+ start (send sock text 0 start))))))

(define (sendmsg-all sock)
  (let loop ((rest text))
    (let ((n (sendmsg sock (slices-of rest 10))))
      (when (< n (bytevector-length rest))
        (loop (subbytevector rest n))))))

(define (subbytevector bytes start)
  (let ((rest (make-bytevector (- (bytevector-length bytes) start))))
    (bytevector-copy! bytes start rest 0 (bytevector-length rest))
    rest))

(define senders
  (list (cons "send" send-pieces)
        (cons "sendmsg" sendmsg-all)
        (cons "a port" (lambda (sock)
                         (put-bytevector sock text)
                         (force-output sock)))
        (cons "a buffered port" (lambda (sock)
                                  (setvbuf sock 'block 33)
                                  (put-bytevector sock text)
                                  (force-output sock)))
        (cons "sendfile" (lambda (sock)
                           (call-with-file
                            (lambda (file)
                              (sendfile sock file (bytevector-length text) 0)))))
        (cons "splice" (lambda (sock)
                         (match (pipe)
                           ((out . in)
                            (setvbuf in 'none)
                            (put-bytevector in text)
                            (close-port in)
                            (splice sock out)
                            (close-port out)))))))

(define receivers
  (list (cons "recv!" (lambda (sock)
                        (take-all (lambda (buffer) (recv! sock buffer)))))
        (cons "recvfrom!" (lambda (sock)
                            (take-all (lambda (buffer)
                                        (car (recvfrom! sock buffer))))))
        (cons "recvmsg!" (lambda (sock)
                           (take-all
                            (lambda (buffer)
                              (message-length (recvmsg! sock buffer))))))
        (cons "a port" get-bytevector-all)
        (cons "a buffered port" (lambda (sock)
                                  (setvbuf sock 'block 33)
                                  (get-bytevector-all sock)))))

(define (exchange send-all receive-all most in-task?)
  "What arrives of the text, each call moving at most MOST bytes."
  (define (run thunk) (if in-task? (run-tasks thunk) (thunk)))
  (match (socketpair AF_UNIX SOCK_STREAM 0)
    ((a . b)
     (let* ((sent (with-short-transfers most
                    (lambda ()
                      (run (lambda () (send-all a) (close-port a))))))
            (got (with-short-transfers most
                   (lambda () (run (lambda () (receive-all b)))))))
       (close-port b)
       (match got
         (((? bytevector? bytes)) (bytevector=? bytes text))
         (error (list sent error)))))))

(test-begin "fault-short")

(for-each
 (match-lambda
   ((sender . send-all)
    (for-each
     (match-lambda
       ((receiver . receive-all)
        (test-case (string-append sender " to " receiver)
          (for-each
           (lambda (most)
             (test-equal (list most "bytes at once") #t
               (exchange send-all receive-all most #f))
             (test-equal (list most "bytes at once, in a task") #t
               (exchange send-all receive-all most #t)))
           '(1 2 100000)))))
     receivers)))
 senders)

(test-end "fault-short")
