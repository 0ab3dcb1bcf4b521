;;; SPDX-License-Identifier: LGPL-3.0-or-later

(use-modules (harness)
             (harness process)
             (srfi srfi-1)
             (sockport))

(define constants (resolve-interface '(sockport constant)))
(define names (module-map (lambda (name variable) name) constants))

(test-begin "constant")

(test-case "all are there and are integers"
  (test-assert "more than a thousand" (< 1000 (length names)))
  (test-equal "not an integer" '()
    (remove (lambda (name) (exact-integer? (module-ref constants name)))
            names)))

(test-case "Guile's own have the same values"
  (let ((shared (filter (lambda (name)
                          (module-variable (resolve-module '(guile)) name))
                        names)))
    (test-assert "there are many" (< 40 (length shared)))
    (test-equal "different" '()
      (remove (lambda (name)
                (equal? (module-ref constants name)
                        (module-ref (resolve-module '(guile)) name)))
              shared))))

(test-case "none of Guile's socket constants is missing"
  (test-equal "missing" '()
    (filter (lambda (name)
              (and (any (lambda (prefix)
                          (string-prefix? prefix (symbol->string name)))
                        '("AF_" "PF_" "SOCK_" "SO_" "SOL_" "IPPROTO_" "MSG_"
                          "TCP_" "IP_" "IPV6_" "INADDR_" "IN6ADDR_"))
                   (not (memq name names))))
            (module-map (lambda (name variable) name)
                        (resolve-module '(guile))))))

(test-case "wide addresses are integers"
  (test-equal "any" 0 IN6ADDR_ANY)
  (test-equal "loopback" (inet-pton AF_INET6 "::1") IN6ADDR_LOOPBACK)
  (test-equal "in host order" #x7f000001 INADDR_LOOPBACK))

(test-case "using them beside Guile's warns of nothing"
  (call-with-values
      (lambda ()
        (run-program "sh" "-c" "guile --no-auto-compile -c '(use-modules (sockport)) (display (+ SO_REUSEADDR AF_INET))' 2>&1"))
    (lambda (code output)
      (test-equal "output" "4" output)
      (test-equal "exit code" 0 code))))

(test-end "constant")
