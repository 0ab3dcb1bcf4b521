;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What comes before TLS on a connection to a server: the header of a load balancer
;;; that speaks the PROXY protocol, alone, in pieces, or together with what the client
;;; of TLS has sent.

(use-modules (harness) (harness server) (harness socket) (harness web)
             ((harness tls) #:hide (echo say)) (ice-9 match) (ice-9 textual-ports)
             (rnrs bytevectors) (srfi srfi-1) (sockport) (sockport http)
             (sockport proxy-header) (sockport tls) (web request))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)

(define one "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n")
(define two
  (proxy-header (string->socket-address "192.0.2.1:5")
                (string->socket-address "192.0.2.2:6")))

(define (text address) (socket-address->string address))

;;; What a balancer does: the header of a connection, and then all that its client has
;;; sent, in one segment if TOGETHER?.
(define (balance from to header together?)
  (define (copy from to)
    (let ((bytes (make-bytevector 65536)))
      (let next ((first? #t))
        (let ((count (catch 'system-error
                       (lambda () (recv! from bytes))
                       (const 0))))
          (cond ((zero? count)
                 (false-if-exception (shutdown to SHUT_WR)))
                (else
                 (if (and first? header together? (eq? to there))
                     (let ((all (make-bytevector
                                 (+ count (bytevector-length header)))))
                       (bytevector-copy! header 0 all 0
                                         (bytevector-length header))
                       (bytevector-copy! bytes 0 all
                                         (bytevector-length header) count)
                       (send to all))
                     (false-if-exception (send to bytes 0 0 count)))
                 (next #f)))))))
  (define there to)
  (when (and header (not together?))
    (send to header))
  (let ((back (spawn-task (lambda () (copy to from)))))
    (copy from to)
    (join back)))

(define* (call-with-balancer server header together? proc)
  "Call PROC with a socket that a balancer has connected to SERVER."
  (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)) (there (client server)))
    (let ((task (spawn-task (lambda ()
                              (balance (cdr pair) there header together?)))))
      (call-with-cleanup
       (lambda () (proc (car pair)))
       (lambda ()
         (unless (port-closed? (car pair)) (close-port (car pair)))
         (join task)
         (close-port (cdr pair))
         (close-port there))))))

(define (ask sock)
  "What a server of TLS says over SOCK."
  (let* ((port (tls-connect sock "localhost" (trusting directory)))
         (text (get-string-all port)))
    (close-port port)
    text))

(define* (serving proc #:rest options)
  "Call PROC with a server of TLS that says who its client is; return its log."
  (apply call-with-server
         (lambda (port peer) (display (text peer) port))
         proc
         #:tls (server-context directory)
         options))

(define ways
  (list (list "in one segment with the ClientHello, version 1"
              (string->utf8 one) #t)
        (list "in one segment, version 2" two #t)
        (list "before it, version 1" (string->utf8 one) #f)
        (list "before it, version 2" two #f)))

(tls-cases (directory "tls-prologue")

  (test-case "serve: the header names the peer"
    (test-equal "nothing is logged" '()
      (serving
       (lambda (server)
         (for-each
          (match-lambda
            ((name header together?)
             (test-equal name "192.0.2.1:5"
               (call-with-balancer server header together? ask))))
          ways))
       #:prologue (proxy-prologue))))

  (test-case "serve: byte by byte"
    (serving
     (lambda (server)
       (test-equal "the peer" "192.0.2.1:5"
         (let ((sock (client server)))
           (for-each (lambda (char)
                       (send sock (string char))
                       (task-yield))
                     (string->list one))
           (ask sock))))
     #:prologue (proxy-prologue)))

  (test-case "serve: without TLS"
    (call-with-server
     (lambda (sock peer)
       (let ((bytes (make-bytevector 4)))
         (recv! sock bytes)
         (send sock (string-append (text peer) " " (utf8->string bytes)))))
     (lambda (server)
       (test-equal "the peer, and what follows" "192.0.2.1:5 rest"
         (let-ports ((sock (client server)))
           (say sock (string-append one "rest")))))
     #:prologue (proxy-prologue)))

  (test-case "what does not begin with a header is closed and logged"
    (for-each
     (lambda (from header)
       (match (serving
               (lambda (server)
                 (test-assert "nothing is said"
                   (memv (reason-of
                          (lambda () (call-with-balancer server header #t ask)))
                         (list 'truncated ECONNRESET EPIPE))))
               #:prologue (proxy-prologue #:from from))
         ((line)
          (test-assert "a line" (string-contains-ci line "proxy")))))
     '(#f ("192.0.2.0/24"))
     (list #f (string->utf8 one))))

  (test-case "a balancer that says nothing has as long as a handshake"
    (test-equal "is left" 0
      (let ((result #f))
        (serving
         (lambda (server)
           (let-ports ((sock (client server)))
             (send sock "PROXY TCP4 192")
             ;; Before the ten seconds that there are otherwise.
             (set! result (with-deadline 5 (lambda () (end-of sock))
                                         (const 'late)))))
         #:prologue (proxy-prologue) #:handshake-seconds 1/20)
        result)))

  (test-case "serve-http: before TLS"
    (call-with-http
        (lambda (request body)
          (values '() (text (assq-ref (request-meta request) 'peer))))
      (lambda (new server)
        (for-each
         (match-lambda
           ((name header together?)
            (test-equal name "192.0.2.1:5"
              (call-with-balancer server header together?
                (lambda (sock)
                  (let ((port (tls-connect sock "localhost"
                                           (trusting directory))))
                    (put-string port "GET / HTTP/1.1\r\nHost: a\r\n\
Connection: close\r\n\r\n")
                    (force-output port)
                    (let ((answer (get-string-all port)))
                      (close-port port)
                      (substring answer
                                 (+ 4 (string-contains answer
                                                       "\r\n\r\n"))))))))))
         ways))
      #:tls (server-context directory)
      #:prologue (proxy-prologue #:from '("127.0.0.0/8")))))
