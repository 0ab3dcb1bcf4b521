;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Which certificates a client accepts, and why it refuses the others: each as a
;;; server shows it.

(use-modules (harness) (harness certificates) (harness process) (harness task)
             (harness tls)
             (ice-9 binary-ports) (ice-9 match) (ice-9 textual-ports) (rnrs bytevectors) (srfi srfi-1)
             (sockport) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (verdict directory name host options)
  "What a client says of the certificate NAME; and whether its reasons agree."
  (let* ((key (in-directory directory (option #:key options "leaf") ".key"))
         (server (tls-context #:certificate (in-directory directory name ".pem")
                              #:key key))
         (client (trusting directory
                           #:revoked (in-directory directory "crl.pem"))))
    (car (in-tasks
          (call-with-link
           server client
           (lambda (port) (close-port port) 'ok)
           #:host host
           #:serve get-string-all)))))

(define (der-files directory name)
  "The certificate NAME in DER, as a list of one bytevector."
  (let ((file (in-directory directory name ".der")))
    (run-program "certtool" "--certificate-info" "--infile"
                 (in-directory directory name ".pem") "--outder" "--outfile" file)
    (list (call-with-input-file file get-bytevector-all #:binary #t))))

(define (refused directory name)
  "The error with which the certificate NAME is refused for localhost."
  (let ((server (tls-context #:certificate (in-directory directory name ".pem")
                             #:key (in-directory directory "leaf.key"))))
    (in-tasks
     (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
            (task (spawn-task
                   (lambda ()
                     (catch 'tls-error
                       (lambda () (tls-accept (cdr pair) server))
                       (lambda args args)))))
            (error (raised (lambda ()
                             (tls-connect (car pair) "localhost"
                                          (trusting directory))))))
       (list error (join task))))))

(test-begin "tls-verify")

(if (in-path "certtool")
    (with-temporary-directory
      (lambda (directory)
        (test-case "each certificate is judged as it should"
          (make-certificates directory)
          (for-each
           (match-lambda
             ((name host expected lines . options)
              (test-equal (list name host) expected
                (verdict directory name host options))))
           certificates))
        (test-case "an error says all"
          (match (refused directory "alone")
            ((error told)
             (test-assert "an error of TLS" (tls-error? error))
             (test-equal "reason" 'unknown-issuer (tls-error-reason error))
             (test-equal "reasons" '(unknown-issuer) (tls-error-reasons error))
             (test-equal "no alert came" #f (tls-error-alert error))
             (test-equal "the certificate" 1
               (length (tls-error-certificates error)))
             (test-equal "the server is told" '(alert unknown-ca)
               (list (tls-error-reason told) (tls-error-alert told))))))
        (test-case "what is written in a certificate"
          (certificate directory "client"
                       '((dns_name . "one.test") (ip_address . "127.0.0.1")
                         (uri . "urn:x:1")))
          (let* ((der (car (der-files directory "client")))
                 (all (certificate->alist der)))
            (define (ref name) (assq-ref all name))
            (test-equal "subject" "CN=client" (ref 'subject))
            (test-equal "issuer" "CN=ca" (ref 'issuer))
            (test-equal "names"
              '((address . "127.0.0.1") (host . "one.test") (uri . "urn:x:1"))
              (sort (ref 'names)
                    (lambda (a b)
                      (string<? (symbol->string (car a))
                                (symbol->string (car b))))))
            (test-assert "times" (<= (ref 'begins) (current-time) (ref 'ends)))
            (test-equal "fingerprint" 32
              (bytevector-length (ref 'fingerprint)))
            (test-assert "serial" (positive? (bytevector-length (ref 'serial)))))
          (test-error* "no bytes" '(wrong-type-arg 1 "certificate->alist")
                       (certificate->alist "x"))
          (test-equal "no certificate" 'bad-certificate
            (reason-of (lambda () (certificate->alist #vu8(1 2 3))))))
        (test-case "several reasons at once"
          (certificate directory "worst"
                       '((dns_name . "other.test")
                         (activation_date . "2001-01-01 00:00:00 UTC")
                         (expiration_date . "2002-01-01 00:00:00 UTC")))
          (test-equal "both" '(expired wrong-host)
            (tls-error-reasons (car (refused directory "worst")))))
        (test-case "verification that is turned off"
          (test-equal "on purpose" '(ok "")
            (in-tasks
             (call-with-link
              (tls-context #:certificate (in-directory directory "alone.pem")
                           #:key (in-directory directory "leaf.key"))
              (tls-context #:verify? #f)
              (const 'ok) #:serve get-string-all))))))
    (test-case "verifying" (require-program "certtool")))

(test-end "tls-verify")
