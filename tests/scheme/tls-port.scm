;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Ports of TLS and Guile's own procedures, what else runs meanwhile, what came before
;;; TLS began, and what is no argument.

(use-modules (harness) (harness error) (harness process) (harness socket) (harness task)
             (harness tls) (ice-9 binary-ports) (ice-9 rdelim)
             (ice-9 textual-ports) (rnrs bytevectors) (srfi srfi-1)
             (sockport) (sockport tls))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)

(define-syntax-rule (linked proc serve option ...)
  (in-tasks (call-with-link (server-context directory) (trusting directory)
                            proc #:serve serve option ...)))

(tls-cases (directory "tls-port")
  (test-case "why a handshake fails, for the client and for the server"
    (define* (reasons server client #:optional (host "localhost"))
      (in-tasks (call-with-link (apply server-context directory "localhost" server)
                                (apply trusting directory client)
                                (const 'ok) #:host host)))
    (define tls1.2-alone '(#:priorities "NORMAL:-VERS-TLS1.3"))
    (test-equal "no version in common" '(alert version)
      (reasons '(#:minimum tls1.3) tls1.2-alone))
    (test-equal "no cipher in common" '(alert no-cipher)
      (reasons '(#:priorities "NORMAL:-CIPHER-ALL:+AES-128-GCM")
               '(#:priorities "NORMAL:-CIPHER-ALL:+AES-256-GCM")))
    (test-equal "no protocol in common" '(alert no-protocol)
      (reasons '(#:alpn ("a")) '(#:alpn ("b"))))
    (test-equal "a name that the server does not have" '(alert unknown-name)
      (reasons '(#:strict-names? #t) '() "other.test"))
    (test-equal "no certificate" '(alert no-certificate)
      (reasons '(#:client-certificates require) tls1.2-alone))
    (test-equal "what a context is made of" '(bad-key bad-list bad-response)
      (let ((localhost (in-directory directory "localhost.pem"))
            (key (in-directory directory "leaf.key")))
        (map reason-of
             (list (lambda () (tls-context #:certificate localhost))
                   (lambda () (tls-context #:trust 'none #:revoked localhost))
                   (lambda () (tls-context #:certificate localhost #:key key
                                           #:staple #vu8(1 2 3))))))))

  (test-case "Guile's own procedures read and write, and others run meanwhile"
    ;; The other end is one of them.
    (define (slowly . parts)
      (lambda (port)
        (for-each (lambda (part)
                    (sleep 1/100)
                    (put-string port part)
                    (force-output port))
                  parts)))
    (define-syntax-rule (reads name expected proc part ...)
      (test-equal name expected
        (car (in-tasks
              (call-with-link (server-context directory) (trusting directory)
                              proc #:serve (slowly part ...))))))
    (reads "read-char" #\a read-char "" "abc")
    (reads "peek-char" #\a peek-char "" "abc")
    (reads "read-line" "ab" read-line "a" "b\n")
    (reads "read" '(a b) read "(a " "b)")
    (reads "read-string" "abcd" read-string "ab" "cd")
    (reads "read-delimited" "ab" (lambda (p) (read-delimited ";" p)) "a" "b;c")
    (reads "get-string-all" "abcd" get-string-all "ab" "cd")
    (reads "get-string-n" "abcd" (lambda (p) (get-string-n p 4)) "ab" "cde")
    (reads "get-string-n!" '(3 "abcx")
           (lambda (p)
             (let* ((text (make-string 4 #\x)) (count (get-string-n! p text 0 3)))
               (list count text)))
           "ab" "cd")
    (reads "get-line" "ab" get-line "a" "b\n")
    (reads "get-u8" 97 get-u8 "" "a")
    (reads "lookahead-u8" 97 lookahead-u8 "" "a")
    (reads "get-bytevector-n" #vu8(97 98 99)
           (lambda (p) (get-bytevector-n p 3)) "a" "bc")
    (reads "get-bytevector-some" #vu8(97 98) get-bytevector-some "" "ab")
    (reads "get-bytevector-all" #vu8(97 98) get-bytevector-all "a" "b")
    (reads "char-ready?" '(#f #t)
           (lambda (port)
             (let ((before (char-ready? port)))
               (peek-char port)
               (list before (char-ready? port))))
           "" "a")
    (test-equal "display, write, format" '("ab (1 \"x\") 7" #t)
      (linked (lambda (port)
                (display "ab " port)
                (write '(1 "x") port)
                (format port " ~a~%" 7)
                (force-output port)
                (read-line port))
              (lambda (port) (echo port) #t))))

  (test-case "what is written in C keeps no other task waiting"
    (test-equal "one that reads it" '(done 3000000)
      (in-tasks
       (call-with-link
        (server-context directory) (trusting directory)
        (lambda (port)
          (display (make-string 3000000 #\x) port)
          (force-output port)
          'done)
        #:serve (lambda (port)
                  (sleep 1/100)
                  (bytevector-length (get-bytevector-n port 3000000)))))))

  (test-case "twenty clients at a time, on one thread"
    (define (together)
      "Return a thunk that waits until it was called twenty times."
      (let ((count 0))
        (lambda ()
          (set! count (+ count 1))
          (let wait ()
            (when (< count 20)
              (sleep 1/1000)
              (wait))))))
    (test-equal "what they were sent" (map number->string (iota 20))
      (in-tasks
       (let ((server (server-context directory)) (client (trusting directory))
             (all-connected (together)) (all-accepted (together)))
         (with-server (where (lambda (sock)
                               (all-connected)
                               (let ((port (tls-accept sock server)))
                                 (all-accepted)
                                 (echo port)
                                 (close-port port))))
           (map join
                (map (lambda (i)
                       (spawn-task
                        (lambda ()
                          (let* ((port (tls-connect (connected where)
                                                    "localhost" client))
                                 (line (ask port (number->string i))))
                            (close-port port)
                            line))))
                     (iota 20))))))))

  (test-case "what came in plain text"
    (define (client-after text)
      (in-tasks
       (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
         (send (cdr pair) text)
         (setvbuf (car pair) 'block 1000)
         (read-line (car pair))
         (let ((task (spawn-task
                      (lambda ()
                        (reason-of (lambda ()
                                     (close-port
                                      (tls-accept (cdr pair)
                                                  (server-context directory)))))))))
           (let ((result (reason-of (lambda ()
                                      (close-port
                                       (tls-connect (car pair) "localhost"
                                                    (trusting directory)))))))
             (join task)
             result)))))
    (test-equal "nothing more" 'ok (client-after "220 go on\r\n"))
    (test-equal "injected" 'plain-text (client-after "220 go on\r\n250 OK\r\n"))
    (test-equal "is fed to a server" '("hello" "PROXY")
      (in-tasks
       (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
              (task (begin
                      (setvbuf (cdr pair) 'block 4000)
                      (spawn-task
                       (lambda ()
                         (sleep 1/20)
                         (let* ((line (read-line (cdr pair)))
                                (port (tls-accept (cdr pair)
                                                  (server-context directory))))
                           (echo port)
                           (close-port port)
                           line))))))
         (send (car pair) "PROXY\n")
         (let* ((port (tls-connect (car pair) "localhost" (trusting directory)))
                (line (ask port "hello")))
           (close-port port)
           (list line (join task)))))))

  (test-case "what is no argument"
    (let-ports ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
      (let ((sock (car pair)) (context (trusting directory)))
        (test-error* "no port" '(wrong-type-arg 1 "tls-connect")
                     (tls-connect 1 "localhost" context))
        (test-error* "no name" '(wrong-type-arg 2 "tls-connect")
                     (tls-connect sock 1 context))
        (test-error* "no context" '(wrong-type-arg 3 "tls-connect")
                     (tls-connect sock "localhost" 1))
        (test-error* "no port" '(wrong-type-arg 1 "tls-accept")
                     (tls-accept 1 context))
        (test-error* "no context" '(wrong-type-arg 2 "tls-accept")
                     (tls-accept sock 1))
        (test-error* "no port of TLS" '(wrong-type-arg 1 "tls-protocol")
                     (tls-protocol sock))
        (test-error* "no port of TLS" '(wrong-type-arg 1 "tls-socket")
                     (tls-socket sock))
        (test-error* "no error" '(wrong-type-arg 1 "tls-error-reason")
                     (tls-error-reason 1))
        (test-assert "nothing was closed" (not (port-closed? sock)))))
    (test-error* "minimum" '(out-of-range #:minimum "tls-context")
                 (tls-context #:minimum 'tls1.0))
    (test-error* "clients" '(out-of-range #:client-certificates "tls-context")
                 (tls-context #:client-certificates 'maybe))
    (test-error* "alpn" '(wrong-type-arg #:alpn "tls-context")
                 (tls-context #:alpn "h2"))
    (test-error* "alpn with a NUL" '(out-of-range #:alpn "tls-context")
                 (tls-context #:alpn '("h2\x00;")))
    (test-error* "key alone" '(wrong-type-arg #:certificate "tls-context")
                 (tls-context #:key "x"))
    (test-equal "priorities" 'bad-priorities
      (reason-of (lambda ()
                   (tls-context #:trust 'none #:priorities "NONSENSE"))))
    (test-equal "priorities, beside the system's authorities" 'bad-priorities
      (reason-of (lambda () (tls-context #:priorities "NONSENSE"))))
    (test-equal "trust" 'bad-certificate
      (reason-of (lambda () (tls-context #:trust #vu8(1 2 3)))))
    (test-words "tls-context: Wrong type argument in position #:trust (expecting system, none, file name or bytevector): sytem"
      (tls-context #:trust 'sytem))
    (test-words "tls-context: #:trust: there is no certificate in it"
      (tls-context #:trust #vu8(1 2 3)))
    (let ((localhost (in-directory directory "localhost.pem")))
      (test-words (format #f "tls-context: #:key ~s: there is no key in it that can be read, or it is not the certificate's"
                          localhost)
        (tls-context #:certificate localhost #:key localhost)))
    (test-equal "a context is printed" "#<tls-context>" (object->string (tls-context)))
    (test-equal "no such file" ENOENT
      (reason-of (lambda () (tls-context #:trust "/nonexistent"))))
    (test-error* "parameter" '(wrong-type-arg 1 "current-tls-context")
                 (current-tls-context 1))
    (test-error* "reload" '(wrong-type-arg 1 "tls-reload!") (tls-reload! 1))
    (test-equal "tls-context?" '(#t #f)
      (list (tls-context? (tls-context)) (tls-context? 1)))))
