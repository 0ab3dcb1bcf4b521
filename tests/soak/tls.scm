;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Connections of TLS, some resumed, some closed by either side, some cut, some ended
;;; in the middle by a deadline, some left to the collector: descriptors and memory
;;; stay as they are, and what comes is what was sent.

(add-to-load-path (string-append (getenv "SOCKPORT_SOURCE") "/tests/scheme"))
(use-modules (harness soak) (harness tls) (ice-9 binary-ports) (ice-9 match)
             (rnrs bytevectors) (sockport) (sockport tls))

(define (bytes size)
  (let ((all (make-bytevector size)))
    (let next ((i 0))
      (when (< i size)
        (bytevector-u8-set! all i (modulo (* i 7) 251))
        (next (+ i 1))))
    all))

(define most 60000)
(define all (bytes most))

;;; A prefix of ALL goes; what comes is one.
(define (prefix? some)
  (or (eof-object? some)
      (let next ((i 0))
        (or (= i (bytevector-length some))
            (and (= (bytevector-u8-ref some i) (bytevector-u8-ref all i))
                 (next (+ i 1)))))))

(define (quietly thunk)
  (catch #t thunk
    (lambda (key . args)
      (unless (memq key '(tls-error system-error deadline-exceeded))
        (fault! "another error" key args))
      #f)))

(define (write-some port)
  (with-deadline (/ (draw 10) 1000)
    (lambda ()
      (send port all 0 0 (draw most))
      'sent)
    (const 'ended)))

(define (finish port)
  (match (draw 4)
    (0 #t)                              ; left to the collector
    (1 (shutdown (tls-socket port) SHUT_RDWR) (close-port port))
    (_ (close-port port))))

(define (one-connection server client)
  (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
         (task (spawn-task
                (lambda ()
                  (quietly
                   (lambda ()
                     (let ((port (tls-accept (cdr pair) server)))
                       (write-some port)
                       (finish port))))))))
    (quietly
     (lambda ()
       (let* ((port (tls-connect (car pair) "localhost" client))
              (some (with-deadline (/ (draw 15) 1000)
                      (lambda () (get-bytevector-n port (+ 1 (draw most))))
                      (const #vu8()))))
         (unless (prefix? some)
           (fault! "something else has come"))
         (finish port))))
    (join task)))

(call-with-authority
 (lambda (directory)
   (let ((server (server-context directory)) (client (trusting directory)))
     (define (one-round)
       (run-tasks
        (lambda ()
          (let next ((left 4))
            (when (positive? left)
              (one-connection server client)
              (next (- left 1)))))))
     (soak-rounds one-round (const #t)))))
