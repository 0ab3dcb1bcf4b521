;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What sslscan and testssl.sh find of serve-http #:tls.

(use-modules (harness) (harness process) (harness tls) (harness web)
             (ice-9 match) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1)
             (sockport) (sockport http) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)
(define (file name) (in-directory directory name))

;;; What a page says is the handler's matter, not that of TLS.
(define (handler request body)
  (values '((content-type . (text/html))
            (strict-transport-security . "max-age=31536000")
            (content-security-policy . "default-src 'self'")
            (x-frame-options . "DENY")
            (x-content-type-options . "nosniff"))
          "<!DOCTYPE html><title>t</title>"))

(define (scan . command)
  "Return the output of COMMAND with the server's address behind it."
  (let ((result #f))
    (call-with-http handler
      (lambda (new server)
        (let ((place (format #f "localhost:~a"
                             (sockaddr:port (car (server-addresses server))))))
          (set! result
                (call-in-thread
                 (lambda ()
                   (call-with-values
                       (lambda ()
                         (apply run-program "sh" "-c" "exec \"$@\" 2>/dev/null"
                                "sh" (append command (list place))))
                     (lambda (status output) output)))))))
      #:tls (server-context directory "site" #:alpn '("http/1.1")))
    result))

(define (matches pattern text)
  (map match:substring (list-matches pattern text)))

(define (severities json)
  "Return the identifiers of the findings in the file JSON, with how grave they are."
  (let ((text (call-with-input-file json get-string-all)))
    (define (values-of name)
      (map (lambda (match) (match:substring match 1))
           (list-matches (string-append "\"" name "\" *: *\"([^\"]*)\"") text)))
    (map list (values-of "id") (values-of "severity"))))

;;; Slow on a machine that has much to do: thousands of programs are started.
(parameterize ((case-seconds (* 10 (case-seconds))))
  (tls-cases (directory "tls-scan")
    ;; As an authority would: who does not say where it can be revoked is noticed.
    (certificate directory "site"
                 '((dns_name . "localhost") (expiration_days . 90)
                   (ocsp_uri . "http://127.0.0.1:1/")
                   (crl_dist_points . "http://127.0.0.1:1/crl")
                   (serial . "0x11223344556677889900")))

    (test-case "sslscan"
      (require-program "sslscan")
      (let ((text (scan "sslscan" "--no-colour")))
        (test-equal "versions" '("TLSv1.2   enabled" "TLSv1.3   enabled")
          (matches "(SSL|TLS)v[0-9.]+ +enabled" text))
        (test-assert "ciphers, with authentication and forward secrecy"
          (let ((ciphers (matches "(Accepted|Preferred)  TLS[^\n]*" text)))
            (and (pair? ciphers)
                 (every (lambda (line)
                          (and (string-match "GCM|CCM|CHACHA20" line)
                               (string-match "TLS_|ECDHE-" line)))
                        ciphers))))
        (test-equal "not vulnerable" 2
          (length (matches "not vulnerable to heartbleed" text)))
        (test-assert "no renegotiation"
          (string-contains text "Session renegotiation not supported"))))

    (test-case "testssl.sh"
      (unless (or (in-path "testssl") (in-path "testssl.sh"))
        (skip "needs testssl.sh"))
      (let ((json (file "findings.json")))
        (scan (if (in-path "testssl") "testssl" "testssl.sh")
              "--quiet" "--color" "0" "--ip" "one" "--nodns" "min"
              "--add-ca" (file "ca.pem") "--jsonfile" json
              "-p" "-s" "-f" "-P" "-S" "-h" "-U")
        (let ((all (severities json)))
          (test-assert "it has looked" (> (length all) 40))
          (test-equal "nothing above low" '()
            (remove (match-lambda
                      ;; Of the OpenSSL that it uses itself.
                      (("engine_problem" _) #t)
                      ((id severity)
                       (member severity '("OK" "INFO" "DEBUG" "LOW"))))
                    all)))))))
