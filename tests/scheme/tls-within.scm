;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; TLS within TLS: a port of TLS in the place of a socket, which is given away.

(use-modules (harness)
             (harness https)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (sockport)
             (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (tls-reason thunk)
  (catch 'tls-error
    (lambda () (list 'returned (call-with-values thunk list)))
    (lambda error (tls-error-reason error))))

(define* (call-with-both serve proc #:key (host "localhost"))
  "Call PROC with the client's port of TLS within TLS, and SERVE with the server's, in
a task; return the two values."
  (run-tasks
   (lambda ()
     (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
            (task (spawn-task
                   (lambda ()
                     (catch 'tls-error
                       (lambda ()
                         (let* ((outer (tls-accept (cdr pair) server-context))
                                (port (tls-accept outer server-context))
                                (value (serve port)))
                           (close-port port)
                           value))
                       (lambda error (tls-error-reason error))))))
            (outer (tls-connect (car pair) "localhost" client-context))
            (value (catch 'tls-error
                     (lambda ()
                       (let* ((port (tls-connect outer host client-context))
                              (value (proc port outer)))
                         (close-port port)
                         value))
                     (lambda error (tls-error-reason error)))))
       (test-assert "both ports are closed" (port-closed? outer))
       (test-assert "and the socket" (port-closed? (car pair)))
       (list value (join task))))))

(https-cases "tls-within"
  (test-case "within TLS, both ways"
    (define text (make-string 300000 #\a))
    (test-equal "lines and much" (list "hello" text 'end #t)
      (match (call-with-both
              (lambda (port)
                (write-line (read-line port) port)
                (put-string port text)
                (force-output port)
                (shutdown port 1)
                (eof-object? (get-line port)))
              (lambda (port outer)
                (write-line "hello" port)
                (force-output port)
                (let* ((line (read-line port)) (rest (get-string-all port)))
                  (test-assert "the outer port has been given away"
                    (port-closed? outer))
                  (test-assert "one socket" (port? (tls-socket port)))
                  (shutdown port 1)
                  (list line rest 'end))))
        ((client server) (append client (list server))))))

  (test-case "within TLS, the peer is verified, and errors end both"
    (test-equal "another name" '(wrong-host alert)
      (call-with-both (const #t) (const #t) #:host "other.test"))
    (test-error* "a port that is closed" '(wrong-type-arg 1 "tls-connect")
      (tls-connect (let ((port (open-output-string))) (close-port port) port)
                   "localhost" client-context)))

  (test-case "what came before TLS begins within TLS is refused"
    (test-equal "as plain text" '(plain-text)
      (run-tasks
       (lambda ()
         (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
                (task (spawn-task
                       (lambda ()
                         (let ((port (tls-accept (cdr pair) server-context)))
                           (put-string port "one\ntwo\n")
                           (force-output port)
                           (get-string-all port)
                           (close-port port)))))
                (port (tls-connect (car pair) "localhost" client-context)))
           (read-line port)
           (let ((reason (tls-reason
                          (lambda ()
                            (tls-connect port "localhost" client-context)))))
             (test-assert "and the port is closed" (port-closed? port))
             (join task)
             (list reason)))))))

  (test-case "a deadline in the handshake within TLS"
    (test-equal "late" 'late
      (run-tasks
       (lambda ()
         (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
                (task (spawn-task
                       (lambda ()
                         (let ((port (tls-accept (cdr pair) server-context)))
                           (false-if-exception (get-bytevector-all port))
                           (close-port port)))))
                (port (tls-connect (car pair) "localhost" client-context)))
           (let ((result (with-deadline 1/20
                           (lambda ()
                             (tls-connect port "localhost" client-context))
                           (const 'late))))
             (join task)
             result)))))))
