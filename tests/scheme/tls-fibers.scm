;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; TLS in Fibers: in handshakes, reads and writes the other fibers go on, deadlines
;;; hold, and closing wakes.

(use-modules (harness)
             (harness fibers)
             (harness process)
             (harness tls)
             (ice-9 binary-ports)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (sockport tls))

(begin-with-fibers "tls-fibers"
                   (and (not (in-path "certtool")) "needs certtool"))

(define size 300000)

(define-syntax-rule (with-ends (directory client-sock server-sock) body ...)
  (call-with-authority
   (lambda (directory)
     (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
            (client-sock (car pair)) (server-sock (cdr pair)))
       (in-fibers body ...)
       (for-each (lambda (sock) (unless (port-closed? sock) (close-port sock)))
                 (list client-sock server-sock))))))

(test-case "a handshake, and much both ways, slowly"
  (with-ends (directory near far)
    (let ((server (in-fiber
                   (lambda ()
                     (fiber-sleep 0.05)
                     (let* ((port (tls-accept far (server-context directory)))
                            (got (get-bytevector-n port size)))
                       (fiber-sleep 0.05)
                       (put-bytevector port got)
                       (close-port port))))))
      (let ((port (tls-connect near "localhost" (trusting directory))))
        (put-bytevector port (make-bytevector size 7))
        (force-output port)
        ;; What sends it is another fiber of this thread.
        (test-equal "all" (make-bytevector size 7) (get-bytevector-all port))
        (close-port port))
      (until server))))

(test-case "a deadline in a handshake and in a read"
  (with-ends (directory near far)
    (test-equal "nobody begins" '(late)
      (list (with-deadline 1/20
              (lambda () (tls-connect near "localhost" (trusting directory)))
              (const 'late)))))
  (with-ends (directory near far)
    (let ((server (in-fiber
                   (lambda ()
                     (let ((port (tls-accept far (server-context directory))))
                       (say port (read-line port))
                       (read-line port)
                       (close-port port)))))
          (port (tls-connect near "localhost" (trusting directory))))
      (test-equal "nothing comes" 'late
        (with-deadline 1/20 (lambda () (read-line port)) (const 'late)))
      (test-equal "and the port lives" "hello" (ask port "hello"))
      (close-port port)
      (until server))))

(test-case "below a procedure in C"
  (define text (make-string 2000000 #\a))
  (with-ends (directory near far)
    (let ((server (in-fiber
                   (lambda ()
                     (let* ((port (tls-accept far (server-context directory)))
                            (got (get-bytevector-n port (string-length text))))
                       (put-bytevector port #vu8(97 10))
                       (close-port port)
                       (bytevector-length got)))))
          (port (tls-connect near "localhost" (trusting directory))))
      (define (below-c thunk)
        (sort '(1 2) (lambda (a b) (thunk) #f)))
      (below-c (lambda () (display text port)))
      (force-output port)
      (test-equal "what is written is queued" "a" (read-line port))
      (test-equal "all of it" (string-length text) (until server))
      (close-port port)))
  (with-ends (directory near far)
    (let ((server (in-fiber (lambda () (tls-accept far (server-context directory)))))
          (port (tls-connect near "localhost" (trusting directory))))
      (let ((far-end (until server)) (line #f))
        (call-with-new-thread
         (lambda ()
           (usleep 20000)
           (put-string far-end "late\n")
           (force-output far-end)))
        (sort '(1 2) (lambda (a b) (unless line (set! line (read-line port))) #f))
        (test-equal "and reading waits" "late" line)
        (close-port port)
        (close-port far-end)))))

(test-case "closing wakes who reads"
  (with-ends (directory near far)
    (let ((server (in-fiber (lambda ()
                              (tls-accept far (server-context directory)))))
          (port (tls-connect near "localhost" (trusting directory))))
      (let ((reader (in-fiber (lambda () (read-line port))
                              (lambda (key args) key))))
        (fiber-sleep 0.02)
        (close-port port)
        (test-equal "with an error" 'system-error (until reader)))
      (close-port (until server)))))

(test-end "tls-fibers")
