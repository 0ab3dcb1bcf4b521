;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Certificates of servers, good ones and bad ones, and what is wrong with them.

(define-module (harness certificates)
  #:use-module (harness process)
  #:use-module (harness tls)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:export (certificates
            make-certificates
            option))

(define (concatenate-files to . from)
  (call-with-output-file to
    (lambda (port)
      (for-each (lambda (file)
                  (put-string port (call-with-input-file file get-string-all)))
                from)))
  to)

;;; Name, host, what the client says, lines of the template, and options.
(define certificates
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

(define (make-certificates directory)
  "Make those certificates in DIRECTORY, and crl.pem, which revokes one of them."
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
   certificates)
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
