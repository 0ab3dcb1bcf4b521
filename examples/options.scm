;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The options of a new socket, as a table:
;;;
;;;   ./dev run examples/options.scm             of a TCP socket
;;;   ./dev run examples/options.scm udp6        of another sort
;;;   ./dev run examples/options.scm tcp ip-ttl  one option only
;;;
;;; A descriptor's number instead of a sort shows the socket that was inherited
;;; under it:  ./dev run examples/options.scm 0 <&3

(use-modules (ice-9 format)
             (ice-9 exceptions)
             (ice-9 match)
             (sockport))

(define sorts
  `(("tcp" ,AF_INET ,SOCK_STREAM) ("tcp6" ,AF_INET6 ,SOCK_STREAM)
    ("udp" ,AF_INET ,SOCK_DGRAM) ("udp6" ,AF_INET6 ,SOCK_DGRAM)
    ("unix" ,AF_UNIX ,SOCK_STREAM) ("netlink" ,AF_NETLINK ,SOCK_RAW)
    ("vsock" ,AF_VSOCK ,SOCK_STREAM)))

(define (usage)
  (format (current-error-port)
          "usage: options.scm [~a | DESCRIPTOR] [OPTION]~%"
          (string-join (map car sorts) " | "))
  (exit 2))

(define (open-sort name)
  (match (assoc name sorts)
    ((_ family style) (socket family style 0))
    (#f (let ((descriptor (string->number name)))
          (if descriptor (adopt-socket descriptor) (usage))))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (cdr (command-line))
    (() (display-socket-options (open-sort "tcp")))
    ((sort) (display-socket-options (open-sort sort)))
    ((sort option)
     (format #t "~s~%" (socket-option (open-sort sort) (string->symbol option))))
    (_ (usage))))
