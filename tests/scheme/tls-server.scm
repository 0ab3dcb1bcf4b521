;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers of TLS: which certificate they show and whose they want, protocols of the
;;; application, resumption, reloading, and clients that never finish their handshake.

(use-modules (harness) (harness process) (harness server) (harness socket)
             ((harness tls) #:hide (echo say)) (ice-9 match) (ice-9 rdelim)
             (ice-9 textual-ports) (srfi srfi-1) (sockport) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)
(define (file name) (in-directory directory name))

(define* (with-tls options serve-options proc #:key (handler echo))
  "Call PROC with a server of TLS; return what it has logged."
  (apply call-with-server handler proc
         #:tls (apply server-context directory "localhost" options)
         serve-options))

(define* (told server #:optional (host "localhost") (context (trusting directory))
               (proc (lambda (port) 'connected)))
  "What a client of SERVER gets from PROC, or the reason why there is none."
  (catch 'tls-error
    (lambda ()
      (let ((port (tls-connect (client server) host context)))
        (call-with-cleanup
         (lambda () (proc port))
         (lambda () (false-if-exception (close-port port))))))
    (lambda error
      (if (tls-error-alert error)
          (list (tls-error-reason error) (tls-error-alert error))
          (tls-error-reason error)))))

(define (round-trip port)
  (put-string port "hello\n")
  (force-output port)
  (read-line port))

(define (common-name port)
  "Which of the test's certificates the peer of PORT has shown."
  (assoc-ref shown-as (car (tls-peer-certificates port))))

(define shown-as '())

(define (der-of pem)
  (call-with-values
      (lambda () (run-program "openssl" "x509" "-in" pem "-outform" "DER"
                              "-out" (file "der")))
    (lambda (status output)
      (call-with-input-file (file "der") (@ (ice-9 binary-ports) get-bytevector-all)
                            #:binary #t))))

(define (make-response name to)
  "Have the authority say that the certificate NAME is good."
  (define (openssl . arguments)
    (call-with-values (lambda () (apply run-program "openssl" arguments))
      (lambda (status output) (string-trim-right output))))
  (let ((serial (openssl "x509" "-noout" "-serial" "-in"
                         (file (string-append name ".pem")))))
    (call-with-output-file (file "index")
      (lambda (port)
        (format port "V\t350101000000Z\t\t~a\tunknown\t/CN=~a~%"
                (substring serial (+ 1 (string-index serial #\=))) name)))
    (openssl "ocsp" "-index" (file "index") "-CA" (file "ca.pem")
             "-rsigner" (file "ca.pem") "-rkey" (file "ca.key")
             "-issuer" (file "ca.pem") "-cert" (file (string-append name ".pem"))
             "-ndays" "2" "-no_nonce" "-respout" (file to))))

(define (make-more)
  (certificate directory "one" '((dns_name . "one.test")))
  (certificate directory "two" '((dns_name . "*.two.test")))
  (certificate directory "client" '() #:purpose 'tls_www_client)
  (set! shown-as
        (map (lambda (name)
               (cons (der-of (file (string-append name ".pem"))) name))
             '("localhost" "one" "two" "client"))))

(define* (client-context #:rest options)
  (apply trusting directory #:certificate (file "client.pem")
         #:key (file "leaf.key") options))

(tls-cases (directory "tls-server")

  (test-case "serve, with a port in place of the socket"
    (make-more)
    (test-equal "nothing is logged" '()
      (with-tls '() '()
        (lambda (server)
          (test-equal "answer" "hello"
            (told server "localhost" (trusting directory) round-trip))
          (test-equal "another" "hello"
            (told server "127.0.0.1" (trusting directory) round-trip)))))
    (test-equal "a port of TLS, a peer" '(#t #t)
      (let ((seen #f))
        (with-tls '() '()
          (lambda (server) (told server) (wait-for-task (lambda () seen)))
          #:handler (lambda (port peer)
                      (set! seen (list (tls-port? port)
                                       (= AF_INET (sockaddr:fam peer))))))
        seen))
    (test-equal "what is buffered is sent, and the end told" "good morning"
      (let ((text #f))
        (with-tls '() '()
          (lambda (server)
            (set! text (told server "localhost" (trusting directory)
                             get-string-all)))
          #:handler (lambda (port peer) (display "good morning" port)))
        text)))

  (test-case "what fails is logged, and cut: no end is told"
    (let* ((seen #f)
           (lines (with-tls '() '()
                    (lambda (server)
                      (set! seen (told server "localhost" (trusting directory)
                                       get-string-all)))
                    #:handler (lambda (port peer)
                                (display "half" port)
                                (force-output port)
                                (error "as asked")))))
      (test-equal "cut" 'truncated seen)
      (test-assert "logged" (string-contains (car lines) "as asked")))
    (test-assert "a handshake that fails is logged"
      (match (with-tls '() '()
               (lambda (server)
                 (told server "other.test" (trusting directory))
                 (wait-for-task (lambda ()
                                  (zero? (server-connections server))))))
        ((line) (and (string-contains line "In procedure tls-accept: the peer has refused")
                     (not (string-index line #\newline)))))))

  (test-case "a client that says nothing"
    ;; Before the ten seconds that there are otherwise.
    (test-equal "is left" 0
      (let ((seen #f))
        (with-tls '() '(#:handshake-seconds 1/20)
          (lambda (server)
            (let-ports ((sock (client server)))
              (set! seen (with-deadline 5 (lambda () (end-of sock))
                                        (const 'late))))))
        seen)))

  (test-case "which certificate, by the name that is asked for"
    (define (shown host . options)
      (let ((seen #f))
        (with-tls (append `(#:certificates ((,(file "one.pem") ,(file "leaf.key"))
                                            (,(file "two.pem") ,(file "leaf.key"))))
                          options)
            '()
          (lambda (server)
            (set! seen (told server host (trusting directory) common-name))))
        seen))
    (test-equal "the first" "localhost" (shown "localhost"))
    (test-equal "another" "one" (shown "one.test"))
    (test-equal "a wildcard" "two" (shown "a.two.test"))
    (test-equal "an address" "localhost" (shown "127.0.0.1"))
    (test-equal "none: the first, which is refused" 'wrong-host
      (shown "three.test"))
    (test-equal "none: refused" '(alert unrecognized-name)
      (shown "three.test" #:strict-names? #t))
    (test-equal "strict, and there" "one"
      (shown "one.test" #:strict-names? #t)))

  (test-case "protocols of the application"
    (define (agreed ours theirs)
      (let ((seen #f))
        (with-tls `(#:alpn ,theirs) '()
          (lambda (server)
            (set! seen (told server "localhost" (trusting directory #:alpn ours)
                             (lambda (port) (round-trip port) (tls-alpn port))))))
        seen))
    (test-equal "the server's best" "http/1.1"
      (agreed '("h2" "http/1.1") '("http/1.1" "h2")))
    (test-equal "none in common" '(alert no-application-protocol)
      (agreed '("h2") '("http/1.1")))
    (test-equal "not asked for" #f (agreed '() '("http/1.1")))
    (test-equal "not known" #f (agreed '("h2") '())))

  (test-case "certificates of clients"
    (define (with-clients which context)
      (let* ((seen #f)
             (lines
              (with-tls `(#:trust ,(file "ca.pem") #:client-certificates ,which) '()
                (lambda (server)
                  (set! seen (told server "localhost" context round-trip)))
                #:handler (lambda (port peer)
                            (put-string port
                                        (format #f "~a\n"
                                                (if (null? (tls-peer-certificates port))
                                                    'nobody
                                                    (common-name port))))
                            (force-output port)
                            (read-line port)))))
        seen))
    (test-equal "required and shown" "client"
      (with-clients 'require (client-context)))
    (test-equal "required and missing" '(alert certificate-required)
      (with-clients 'require (trusting directory)))
    (test-equal "asked for and shown" "client"
      (with-clients 'ask (client-context)))
    (test-equal "asked for and missing" "nobody"
      (with-clients 'ask (trusting directory)))
    (test-equal "not asked for" "nobody" (with-clients 'none (client-context)))
    (test-equal "of a server" '(alert unsupported-certificate)
      (with-clients 'require
        (trusting directory #:certificate (file "one.pem")
                  #:key (file "leaf.key")))))

  (test-case "sessions are resumed, by one context for one host"
    (with-tls '() '()
      (lambda (server)
        (define (resumed? host context)
          (told server host context
                (lambda (port) (round-trip port) (tls-resumed? port))))
        (let ((context (trusting directory)))
          (test-equal "first" #f (resumed? "localhost" context))
          (test-equal "again" #t (resumed? "localhost" context))
          (test-equal "another host" #f (resumed? "127.0.0.1" context))
          (test-equal "another context" #f
            (resumed? "localhost" (trusting directory)))
          (test-equal "turned off" '(#f #f)
            (let ((context (trusting directory #:resume? #f)))
              (list (resumed? "localhost" context)
                    (resumed? "localhost" context))))))))

  (test-case "a context reads whom to trust once"
    (copy-file (file "ca.pem") (file "gone.pem"))
    (let ((context (tls-context #:trust (file "gone.pem"))))
      (delete-file (file "gone.pem"))
      (with-tls '() '()
        (lambda (server)
          (test-equal "a hundred connections" (make-list 100 "hello")
            (map (lambda (i) (told server "localhost" context round-trip))
                 (iota 100)))))))

  (test-case "a certificate that is made anew while the server goes on"
    (certificate directory "renewed" '((dns_name . "two.test")))
    (copy-file (file "one.pem") (file "live.pem"))
    (let ((context (tls-context #:certificate (file "live.pem")
                                #:key (file "leaf.key"))))
      (call-with-server echo
        (lambda (server)
          (define client (trusting directory))
          (define (now host) (told server host client round-trip))
          (test-equal "before" "hello" (now "one.test"))
          (test-equal "not for that" 'wrong-host (now "two.test"))
          (copy-file (file "renewed.pem") (file "live.pem"))
          (test-equal "not read yet" 'wrong-host (now "two.test"))
          (tls-reload! context)
          (test-equal "read" "hello" (now "two.test"))
          (call-with-output-file (file "live.pem")
            (lambda (port) (display "nothing" port)))
          (test-equal "no certificate" 'bad-certificate
            (reason-of (lambda () (tls-reload! context))))
          (test-equal "as before" "hello" (now "two.test")))
        #:tls context)))

  (test-case "a certificate that demands word of its revocation"
    (require-program "openssl")
    (certificate directory "stapled"
                 '((dns_name . "localhost") (tls_feature . 5)))
    (make-response "stapled" "response")
    (make-response "one" "other")
    (define (with-staple . staple)
      (apply tls-context #:certificate (file "stapled.pem")
             #:key (file "leaf.key") staple))
    (define (twice . staple)
      (let ((seen #f))
        (call-with-server echo
          (lambda (server)
            (define context (trusting directory))
            (define (once)
              (told server "localhost" context
                    (lambda (port) (round-trip port) (tls-resumed? port))))
            (let ((first (once)))
              (set! seen (list first (once)))))
          #:tls (apply with-staple staple))
        seen))
    (test-equal "comes with it, and each time" '(#f #f)
      (twice #:staple (file "response")))
    (test-equal "without" '(no-staple no-staple) (twice))
    (test-equal "about another" 'bad-response
      (reason-of (lambda () (with-staple #:staple (file "other"))))))

  (test-case "what is no context"
    (test-error* "serve" '(wrong-type-arg #:tls "serve")
                 (serve "127.0.0.1:0" echo #:tls 1))))
