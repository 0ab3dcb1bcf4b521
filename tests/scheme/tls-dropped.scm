;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Ports of TLS that are left to the collector, which finds a port and its socket
;;; dropped at once; and a socket that is closed, or moved, under its port.

(use-modules (harness) (harness socket) (harness task) (harness tls)
             (ice-9 binary-ports) (ice-9 match) (ice-9 textual-ports)
             (ice-9 threads) (srfi srfi-1)
             (sockport) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)

(define (two-ends)
  "Return the client's port and the server's."
  (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
         (accepted (spawn-task
                    (lambda ()
                      (tls-accept (cdr pair) (server-context directory)))))
         (client (tls-connect (car pair) "localhost" (trusting directory))))
    (values client (join accepted))))

(define (clients count leave)
  "Return the clients' ports of COUNT connections; LEAVE is called with the other's,
which is dropped."
  (in-tasks
   (map (lambda (i)
          (call-with-values two-ends
            (lambda (client server)
              (leave server)
              client)))
        (iota count))))

;;; What looks like an address on a stack may keep one of them.
(define (collect)
  (do ((i 0 (+ i 1))) ((= i 5))
    (run-tasks (lambda () (task-yield)))
    (gc)))

(define (rest-of port)
  "Return what PORT still delivers, why it fails, or #f if nothing ends it."
  (with-deadline 1
    (lambda ()
      (catch 'tls-error
        (lambda () (get-string-all port))
        (lambda error (tls-error-reason error))))
    (const #f)))

(define (rests ports)
  (in-tasks (map join (map (lambda (port) (spawn-task (lambda () (rest-of port))))
                           ports))))

(define (pipe-pair)
  (let ((ends (pipe)))
    (values (car ends) (cdr ends))))

(define (fill port)
  "Write to PORT what its peer does not take, and leave something in its buffer."
  (with-deadline 1/50
    (lambda ()
      (let again ()
        (send port (make-string 100000 #\a))
        (again)))
    (const #f))
  (setvbuf port 'block 1000)
  (put-string port "x"))

(tls-cases (directory "tls-dropped")
  (test-case "what was written comes, and a notice of the end"
    (let* ((before (length (descriptors)))
           (ports (clients 30 (lambda (port) (put-string port "left")))))
      (collect)
      (let ((ends (delete #f (rests ports))))
        (test-equal "each" '("left") (delete-duplicates ends))
        (test-assert (list "most" (length ends)) (> (length ends) 20)))
      (for-each close-port ports)
      ;; The others go as well, once nothing looks like their address.
      (wait-until (lambda ()
                    (collect)
                    (= before (length (descriptors)))))))

  (test-case "while other threads collect, too"
    (let ((ports (append-map
                  (lambda (i)
                    (let ((ports (clients 20 (lambda (port)
                                               (put-string port "left")))))
                      (for-each join-thread
                                (map (lambda (i) (call-with-new-thread gc))
                                     (iota 3)))
                      ports))
                  (iota 5))))
      (collect)
      (test-equal "each" '("left") (delete-duplicates (delete #f (rests ports))))
      (for-each close-port ports)))

  (test-case "one whose peer takes nothing keeps no other waiting"
    (let ((ports (clients 3 fill)) (others (clients 20 (const #t))))
      (collect)
      (test-assert "others are closed" (member "" (rests others)))
      (test-equal "what was taken comes, and no notice" '(truncated)
        (delete-duplicates (delete #f (rests ports))))
      (for-each close-port (append ports others))))

  (test-case "one that has failed says nothing, and is closed"
    (define said
      (call-with-output-string
        (lambda (out)
          (parameterize ((current-error-port out)
                         (current-warning-port out))
            (for-each close-port
                      (clients 20
                               (lambda (port)
                                 (shutdown (tls-socket port) SHUT_RDWR)
                                 (setvbuf port 'block 1000)
                                 (put-string port "x"))))
            (collect)))))
    (test-equal "nothing" "" said))

  (test-case "a guardian has the socket"
    (let* ((guardian (make-guardian))
           (ports (clients 20 (lambda (port) (guardian (tls-socket port))))))
      (collect)
      (test-assert "given back, closed"
        (let ((sock (guardian))) (and sock (port-closed? sock))))
      (for-each close-port ports)))

  (test-case "the descriptor of a socket that is closed is another's"
    (in-tasks
     (call-with-values two-ends
       (lambda (client server)
         (let ((number (fileno (tls-socket client))))
           (close-port (tls-socket client))
           (let-ports ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
             (let* ((new (if (= number (fileno (car pair))) (car pair) (cdr pair)))
                    (far (if (eq? new (car pair)) (cdr pair) (car pair))))
               (test-equal "used again" number (fileno new))
               (send far "for another")
               (for-each
                (match-lambda
                  ((name . thunk)
                   (test-equal name EBADF (reason-of thunk))))
                `(("read" . ,(lambda () (get-u8 client)))
                  ("write" . ,(lambda () (send client "stray")))
                  ("end" . ,(lambda () (shutdown client 1)))))
               (close-port client)
               (test-assert "the other is open" (not (port-closed? new)))
               (test-equal "what is the other's" "for another"
                 (get-string-n new 11))
               (close-port new)
               (test-assert "nothing went there"
                 (eof-object? (get-u8 far)))))
           (close-port server))))))

  (test-case "the socket gets another descriptor"
    (in-tasks
     (call-with-values two-ends
       (lambda (client server)
         (let* ((sock (tls-socket client)) (old (fileno sock)))
           (call-with-values pipe-pair
             (lambda (in out)
               (primitive-move->fdes sock (+ 100 old))
               (dup2 (fileno out) old)
               (test-equal "goes on there" '("to" "fro")
                 (list (begin (say client "to") (get-line server))
                       (begin (say server "fro") (get-line client))))
               (close-port client)
               (test-assert "to its end" (eof-object? (get-char server)))
               (close-fdes old)
               (close-port out)
               (test-assert "nothing went to the old one"
                 (eof-object? (get-u8 in)))
               (close-port in)))
           (close-port server)))))))
