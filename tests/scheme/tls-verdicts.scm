;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The same certificates as in tls-verify, as the clients of GnuTLS and of OpenSSL
;;; judge them: what these refuse a client of ours does, and what it refuses alone is
;;; named here.

(use-modules (harness) (harness certificates) (harness process) (harness server)
             ((harness tls) #:hide (echo say)) (ice-9 match) (ice-9 textual-ports)
             (rnrs bytevectors) (srfi srfi-1) (sockport) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)
(define (file name) (in-directory directory name))

;;; Names in a certificate's subject are what both still look at; that a certificate
;;; demands a staple is what OpenSSL's client does not.
(define stricter
  '((gnutls "localhost") (openssl "localhost" "stapled")))

;;; As the programs take it.
(define (plain host)
  (match host
    ("localhost." "localhost")
    ("bücher.test" "xn--bcher-kva.test")
    (_ host)))

(define (numeric? host)
  (or (string-index host #\:)
      (string-every (char-set-adjoin char-set:digit #\.) host)))

(define (gnutls port name host)
  (list "gnutls-cli" "--logfile=/dev/null" "-p" (number->string port)
        (string-append "--x509cafile=" (file "ca.pem"))
        (string-append "--x509crlfile=" (file "crl.pem"))
        "--priority=NORMAL:%PROFILE_MEDIUM"
        (string-append "--verify-hostname=" host)
        "127.0.0.1"))

(define (openssl port name host)
  `("openssl" "s_client" "-brief" "-verify_return_error"
    "-CAfile" ,(file "ca.pem") "-connect" ,(format #f "127.0.0.1:~a" port)
    "-cipher" "DEFAULT@SECLEVEL=2"
    ,(if (numeric? host) "-verify_ip" "-verify_hostname") ,host
    ;; It wants the list of every authority that it meets, or of none.
    ,@(if (string=? name "revoked")
          (list "-crl_check" "-CRL" (file "crl.pem"))
          '())))

(define programs `((gnutls . ,gnutls) (openssl . ,openssl)))

(define (judged command)
  (call-with-values
      (lambda ()
        (apply run-program "sh" "-c" "exec \"$@\" </dev/null >/dev/null 2>&1" "sh"
               command))
    (lambda (status output) (if (eqv? 0 status) 'ok 'refused))))

(define (verdicts name host options)
  "What each of the programs says of the certificate NAME for HOST."
  (let ((result #f))
    (call-with-server
     (lambda (port peer) (get-string-all port))
     (lambda (server)
       (let ((port (sockaddr:port (car (server-addresses server)))))
         (set! result
               (call-in-thread
                (lambda ()
                  (map (match-lambda
                         ((program . command)
                          (cons program
                                (judged (command port name (plain host))))))
                       programs))))))
     #:tls (tls-context #:certificate (file (string-append name ".pem"))
                        #:key (file (string-append
                                     (option #:key options "leaf") ".key"))))
    result))

(define (expected program name ours)
  (cond ((eq? ours 'ok) 'ok)
        ((member name (assq-ref stricter program)) 'ok)
        (else 'refused)))

(tls-cases (directory "tls-verdicts")
  (test-case "each certificate"
    (require-program "gnutls-cli")
    (require-program "openssl")
    (make-certificates directory)
    (for-each
     (match-lambda
       ((name host ours lines . options)
        (for-each
         (match-lambda
           ((program . verdict)
            (test-equal (list program name host) (expected program name ours)
              verdict)))
         (verdicts name host options))))
     certificates)))
