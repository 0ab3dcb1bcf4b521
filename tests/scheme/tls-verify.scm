;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Which certificates a client accepts, and why it refuses the others: each as a
;;; server shows it, and again as GnuTLS's own program judges it.

(use-modules (harness) (harness process) (harness task) (harness tls)
             (ice-9 binary-ports) (ice-9 match) (ice-9 textual-ports) (rnrs bytevectors) (srfi srfi-1)
             (sockport) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (concatenate-files to . from)
  (call-with-output-file to
    (lambda (port)
      (for-each (lambda (file)
                  (put-string port (call-with-input-file file get-string-all)))
                from)))
  to)

;;; Name, host, what the client says, lines of the template, and options.
(define rows
  `(("good" "localhost" ok ((dns_name . "localhost")))
    ("wildcard" "a.example.test" ok ((dns_name . "*.example.test")))
    ("address" "127.0.0.1" ok ((ip_address . "127.0.0.1")))
    ("address6" "::1" ok ((ip_address . "::1")))
    ("dot" "localhost." ok ((dns_name . "localhost")))
    ("capitals" "LocalHost" ok ((dns_name . "localhost")))
    ("idn" "bücher.test" ok ((dns_name . "xn--bcher-kva.test")))
    ("chain" "localhost" ok ((dns_name . "localhost")) #:issuer "middle")
    ("expired" "localhost" expired
     ((dns_name . "localhost") (activation_date . "2001-01-01 00:00:00 UTC")
      (expiration_date . "2002-01-01 00:00:00 UTC")))
    ("early" "localhost" not-active
     ((dns_name . "localhost") (activation_date . "2035-01-01 00:00:00 UTC")
      (expiration_date . "2036-01-01 00:00:00 UTC")))
    ("other" "localhost" wrong-host ((dns_name . "other.test")))
    ("localhost" "localhost" wrong-host ())
    ("deep" "b.c.example.test" wrong-host ((dns_name . "*.example.test")))
    ("number" "127.0.0.1" wrong-host ((dns_name . "127.0.0.1")))
    ("alone" "localhost" unknown-issuer ((dns_name . "localhost")) #:issuer #f)
    ("unlinked" "localhost" unknown-issuer ((dns_name . "localhost"))
     #:issuer "middle")
    ("sha1" "localhost" insecure ((dns_name . "localhost")) #:hash "SHA1")
    ("small" "localhost" insecure ((dns_name . "localhost"))
     #:key "small" #:type ("rsa" "--bits=1024"))
    ("client" "localhost" purpose ((dns_name . "localhost"))
     #:purpose tls_www_client)
    ("outside" "localhost" constraint ((dns_name . "localhost"))
     #:issuer "narrow")
    ("revoked" "localhost" revoked ((dns_name . "localhost")))
    ("stapled" "localhost" no-staple
     ((dns_name . "localhost") (tls_feature . 5)))))

(define* (option name options #:optional default)
  (match (memq name options)
    ((_ value . _) value)
    (_ default)))

(define (make-all directory)
  (make-authority directory "ca" #f)
  (make-authority directory "middle" "ca")
  (make-authority directory "narrow" "ca" '(nc_permit_dns . "example.test"))
  (for-each
   (match-lambda
     ((name host expected lines . options)
      (let ((file (apply certificate directory name lines options))
            (issuer (option #:issuer options "ca")))
        (unless (or (not issuer) (member issuer '("ca")) (equal? name "unlinked"))
          (let ((leaf (in-directory directory name ".leaf")))
            (rename-file file leaf)
            (concatenate-files file leaf
                               (in-directory directory issuer ".pem")))))))
   rows)
  (call-with-output-file (in-directory directory "crl.template")
    (lambda (port) (display "crl_next_update = 9\ncrl_number = 1\n" port)))
  (call-with-values
      (lambda ()
        (run-program "certtool" "--generate-crl" "--template"
                     (in-directory directory "crl.template")
                     "--load-ca-privkey" (in-directory directory "ca.key")
                     "--load-ca-certificate" (in-directory directory "ca.pem")
                     "--load-certificate" (in-directory directory "revoked.pem")
                     "--outfile" (in-directory directory "crl.pem")))
    (lambda (status output)
      (unless (eqv? 0 status) (error "certtool" output)))))

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
          (make-all directory)
          (for-each
           (match-lambda
             ((name host expected lines . options)
              (test-equal (list name host) expected
                (verdict directory name host options))))
           rows))
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
