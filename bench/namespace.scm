;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A network namespace with a name server of its own, in which a benchmark begins
;;; anew.

(define-module (bench namespace)
  #:use-module (bench harness)
  #:export (begin-in-namespace))

(define script "
ip link set lo up &&
echo 1024 65000 >/proc/sys/net/ipv4/ip_local_port_range &&
echo 'nameserver 127.0.0.1' >\"$BENCH_RESOLV\" &&
mount --bind \"$BENCH_RESOLV\" /etc/resolv.conf || exit 1
\"$BENCH_NAME_SERVER\" &
trap 'kill $!' EXIT
\"$@\"")

(define (begin-in-namespace)
  "Go on in namespaces of this program's own, where a name server at 127.0.0.1 knows
every name."
  (unless (getenv "BENCH_RESOLV")
    (let ((file (mkstemp! (string-copy "/tmp/bench-XXXXXX"))))
      (setenv "BENCH_RESOLV" (port-filename file))
      (close-port file))
    (setenv "BENCH_NAME_SERVER" (string-append output-directory "/name-server"))
    (let ((status (apply system* "unshare" "--net" "--mount" "sh" "-c" script "sh"
                         "guile" "--no-auto-compile" "-s" (command-line))))
      (false-if-exception (delete-file (getenv "BENCH_RESOLV")))
      (unless (zero? status)
        (display "needs root, unshare and ip\n" (current-error-port)))
      (exit (status:exit-val status)))))
