;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; examples/options.scm, with a socket that Python made as well.

(use-modules (harness)
             (harness process)
             (sockport))

(define program
  (string-append (getenv "SOCKPORT_SOURCE") "/examples/options.scm"))

(define (run . arguments)
  (call-with-values
      (lambda ()
        (apply run-program "guile" "--no-auto-compile" "-s" program arguments))
    list))

(test-begin "example-options")

(test-case "a table"
  (for-each (lambda (sort text)
              (let ((result (run sort)))
                (test-equal (list sort "exit code") 0 (car result))
                (test-assert (list sort text)
                  (string-contains (cadr result) text))))
            '("tcp" "udp6" "unix" "netlink")
            '("tcp-congestion" "ipv6-v6only" "peercred" "netlink-ext-ack")))

(test-case "one option"
  (test-equal "hops" '(0 "1\n") (run "udp" "ip-multicast-ttl")))

(test-case "a socket that another program made"
  (require-program "python3")
  (let ((script "import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1234)
os.dup2(s.fileno(), 0)
os.execvp('guile', ['guile', '--no-auto-compile', '-s', sys.argv[1],
                    '0', 'tcp-keepidle'])"))
    (test-equal "its value" '(0 "1234\n")
      (call-with-values
          (lambda () (run-program "python3" "-c" script program))
        list))))

(test-case "what is no sort"
  (test-equal "exit code" 2 (car (run "nonsense"))))

(test-end "example-options")
