;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The recipes of the manual's chapter on TLS as programs follow them: certificates
;;; that another program renews and tells of by a signal, and clients that are known by
;;; their certificates.

(use-modules (harness) (harness server) ((harness tls) #:hide (echo))
             (ice-9 match) (ice-9 rdelim) (ice-9 textual-ports) (sockport)
             (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)
(define (file . parts) (apply in-directory directory parts))

(define* (connected-to server #:optional (context (trusting directory)))
  (tls-connect (client server) "localhost" context))

(define (round-trip port)
  (put-string port "hello\n")
  (force-output port)
  (read-line port))

;;; As certbot does: each time new files, which two links lead to.
(define (make-chain number)
  (certificate directory (format #f "fullchain~a" number) '((dns_name . "localhost"))
               #:key (format #f "privkey~a" number)))

(define (renew! number)
  (for-each
   (lambda (link target)
     (let ((new (string-append link ".new")))
       (symlink target new)
       (rename-file new link)))
   (list (file "live.pem") (file "live.key"))
   (list (format #f "fullchain~a.pem" number) (format #f "privkey~a.key" number))))

(define (subject port)
  (assq-ref (certificate->alist (car (tls-peer-certificates port))) 'subject))

(define (subject-now server)
  (let* ((port (connected-to server)) (name (subject port)))
    (close-port port)
    name))

(tls-cases (directory "tls-recipes")
  (test-case "a certificate and its key are renewed, and a signal says so"
    (make-chain 1)
    (make-chain 2)
    (renew! 1)
    (let* ((context (tls-context #:certificate (file "live.pem")
                                 #:key (file "live.key")))
           (before (sigaction SIGHUP))
           (reloaded? #f))
      (call-with-server (lambda (port peer)
                          (let next ()
                            (let ((line (read-line port)))
                              (unless (eof-object? line)
                                (put-string port line)
                                (newline port)
                                (force-output port)
                                (next)))))
        (lambda (server)
          (sigaction SIGHUP (lambda (signal)
                              (tls-reload! context)
                              (set! reloaded? #t)))
          (let ((old (connected-to server)))
            (test-equal "the first" "CN=fullchain1" (subject old))
            (renew! 2)
            (test-equal "as long as nobody says so" "CN=fullchain1"
              (subject-now server))
            (kill (getpid) SIGHUP)
            (wait-for-task (lambda () reloaded?))
            (test-equal "the second, with its key" "CN=fullchain2"
              (subject-now server))
            (test-equal "who is there goes on" "hello" (round-trip old))
            (close-port old)))
        #:tls context)
      (sigaction SIGHUP (car before) (cdr before))))

  (test-case "clients are known by their certificates"
    (make-authority directory "ours" #f)
    (certificate directory "jo" '((email . "jo@example.org")) #:issuer "ours"
                 #:purpose 'tls_www_client)
    (certificate directory "stranger" '((email . "no@example.org"))
                 #:purpose 'tls_www_client)
    (call-with-server
        (lambda (port peer)
          (let ((client (certificate->alist (car (tls-peer-certificates port)))))
            (format port "good morning, ~a~%"
                    (assq-ref (assq-ref client 'names) 'mail))))
      (lambda (server)
        (define (greeting . options)
          (let ((port (connected-to server (apply trusting directory options))))
            (call-with-cleanup
             (lambda ()
               (catch 'tls-error
                 (lambda () (read-line port))
                 (lambda error (tls-error-alert error))))
             (lambda () (close-port port)))))
        (define (showing name)
          (greeting #:certificate (file name ".pem") #:key (file "leaf.key")))
        (test-equal "known" "good morning, jo@example.org" (showing "jo"))
        (test-equal "of another authority" 'unknown-ca (showing "stranger"))
        (test-equal "of nobody" 'certificate-required (greeting)))
      #:tls (server-context directory "localhost" #:trust (file "ours.pem")
                            #:client-certificates 'require))))
