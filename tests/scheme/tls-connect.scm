;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; connect-to with TLS, where the winner is whose handshake is done; and recv! and
;;; send on what it returns.

(use-modules (harness) (harness process) (harness server) (harness socket)
             ((harness tls) #:hide (echo say)) (ice-9 match) (ice-9 rdelim)
             (rnrs bytevectors) (srfi srfi-1) (sockport) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)

(define (with-tls proc . options)
  (apply call-with-server echo
         (lambda (server)
           (proc (sockaddr:port (car (server-addresses server)))))
         #:tls (server-context directory)
         options))

(define (answer port)
  (let ((buffer (make-bytevector 100)))
    (send port "hello")
    (let ((count (recv! port buffer)))
      (close-port port)
      (utf8->string (bytevector-copy-part buffer count)))))

(define (bytevector-copy-part bytes count)
  (let ((part (make-bytevector count)))
    (bytevector-copy! bytes 0 part 0 count)
    part))

(define (silent-listener)
  "A listener that accepts TCP and says nothing."
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (bind sock AF_INET (+ 1 INADDR_LOOPBACK) 0)
    (listen sock 10)
    sock))

(tls-cases (directory "tls-connect")

  (test-case "to where a text leads"
    (with-tls
     (lambda (port)
       (let ((context (trusting directory)))
         (for-each
          (lambda (args)
            (test-equal args "hello"
              (answer (apply connect-to (append args (list #:tls context))))))
          `((,(format #f "localhost:~a" port))
            (,(format #f "127.0.0.1:~a" port))
            ("localhost" #:port ,port)
            (,(format #f "127.0.0.1:~a" port) #:tls-host "localhost")))
         (test-equal "another host" 'wrong-host
           (reason-of
            (lambda ()
              (connect-to (format #f "127.0.0.1:~a" port) #:tls context
                          #:tls-host "other.test"))))
         (for-each
          (lambda (host)
            (test-equal (list "no name" host) 'bad-name
              (reason-of
               (lambda ()
                 (connect-to (format #f "127.0.0.1:~a" port) #:tls context
                             #:tls-host host)))))
          '("localhost\x00.other.test" ""))))))

  (test-case "in a thread, and by a deadline"
    (let ((server #f) (context (trusting directory)))
      (with-tls
       (lambda (port)
         (test-equal "in a thread" "hello"
           (call-in-thread
            (lambda ()
              (answer (connect-to "localhost" #:port port #:tls context)))))))
      (let-ports ((silent (silent-listener)))
        (test-equal "a deadline" 'expired
          (run-tasks
           (lambda ()
             (with-deadline 1/20
               (lambda ()
                 (connect-to (getsockname silent) #:tls context))
               (const 'expired))))))))

  (test-case "who accepts and is silent does not win"
    (with-tls
     (lambda (port)
       (let-ports ((silent (silent-listener)))
         (test-equal "the other" "hello"
           (answer
            (connect-to (list (getsockname silent)
                              (make-socket-address AF_INET INADDR_LOOPBACK port))
                        #:tls (trusting directory) #:tls-host "localhost"
                        #:delay 1/20)))))))

  (test-case "when all fail, why the first handshake did"
    (with-tls
     (lambda (port)
       (test-equal "the certificate" 'unknown-issuer
         (reason-of
          (lambda ()
            (connect-to (map (lambda (port) (format #f "127.0.0.1:~a" port))
                             (list port (free-port)))
                        #:tls (tls-context #:trust 'none))))))))

  (test-case "the only address fails in the handshake"
    (define told '())
    (define (tell! address errno)
      (set! told (cons errno told)))
    (with-tls
     (lambda (port)
       (test-equal "why" 'unknown-issuer
         (reason-of
          (lambda ()
            (connect-to (format #f "127.0.0.1:~a" port) #:on-attempt tell!
                        #:tls (tls-context #:trust 'none)))))
       (test-equal "is told" (list EPROTO #f) told)
       (let-ports ((listener (silent-listener)))
         (let ((address (getsockname listener)))
           (spawn-task
            (lambda ()
              (let ((sock (car (accept listener))))
                (setsockopt sock SOL_SOCKET SO_LINGER '(1 . 0))
                (close-port sock))))
           (test-equal "of the system, with the address"
             `((,address . ,ECONNRESET))
             (catch 'system-error
               (lambda () (connect-to address #:tls (tls-context #:trust 'none)))
               (lambda args (connect-failures args)))))))))

  (test-case "recv! and send"
    (with-tls
     (lambda (port)
       (let* ((context (trusting directory))
              (tls (connect-to "localhost" #:port port #:tls context))
              (buffer (make-bytevector 10)))
         (test-equal "a part" 3 (send tls "xhellox" 0 2 5))
         (test-equal "into a part" 3 (recv! tls buffer 0 4))
         (test-equal "there" '(101 108 108)
           (map (lambda (i) (bytevector-u8-ref buffer i)) '(4 5 6)))
         (test-error* "nothing there" `(system-error ,EAGAIN "recv!")
                      (recv! tls buffer MSG_DONTWAIT))
         (test-error* "no looking" `(system-error ,EOPNOTSUPP "recv!")
                      (recv! tls buffer MSG_PEEK))
         (let* ((large (make-bytevector 2000000 7))
                (sender (spawn-task (lambda () (send tls large)))))
           (test-equal "all comes back" 2000000
             (let next ((count 0))
               (if (= count 2000000)
                   count
                   (let ((more (recv! tls (make-bytevector 100000))))
                     (if (zero? more) count (next (+ count more)))))))
           (test-equal "all was sent" 2000000 (join sender)))
         (test-equal "recv" #vu8(97)
           (begin (send tls "a") (recv tls 10)))
         (shutdown tls SHUT_WR)
         (test-equal "the end" 0 (recv! tls buffer))
         (close-port tls)
         (test-error* "closed" '(wrong-type-arg 1 "recv!") (recv! tls buffer))
         (test-error* "closed" '(wrong-type-arg 1 "send") (send tls "a"))))))

  (test-case "what is no argument"
    (test-error* "no context" '(wrong-type-arg #:tls "connect-to")
                 (connect-to "localhost:1" #:tls 1))
    (test-error* "no name" '(wrong-type-arg #:tls-host "connect-to")
                 (connect-to "unix:/nonexistent" #:tls (tls-context)))))
