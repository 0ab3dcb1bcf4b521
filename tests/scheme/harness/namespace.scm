;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Network namespaces for tests.  A namespace belongs to the thread: what the
;;; thunk opens, and the programs that it starts, live in it.

(define-module (harness namespace)
  #:use-module (harness)
  #:use-module (harness process)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (system foreign)
  #:export (call-with-namespaces
            in-namespace
            ip))

(define setns
  (pointer->procedure int (dynamic-func "setns" (dynamic-link))
                      (list int int) #:return-errno? #t))

(define CLONE_NEWNET #x40000000)

(define (enter file)
  (let ((port (open-file file "r0")))
    (call-with-values
        (lambda () (setns (fileno port) CLONE_NEWNET))
      (lambda (result errno)
        (close-port port)
        (unless (zero? result)
          (error "setns" file (strerror errno)))))))

(define (in-namespace name thunk)
  "Call THUNK in the network namespace NAME."
  (let ((here (open-file "/proc/thread-self/ns/net" "r0")))
    (dynamic-wind
      (lambda () (enter (string-append "/run/netns/" name)))
      thunk
      (lambda ()
        (enter (format #f "/proc/self/fd/~a" (fileno here)))
        (close-port here)))))

(define (ip . arguments)
  "Run the program ip, and refuse anything but success."
  (call-with-values (lambda () (apply run-program "ip" arguments))
    (lambda (status output)
      (unless (eqv? status 0)
        (error "ip" arguments output))
      output)))

(define (make-namespace name)
  (ip "netns" "add" name)
  (ip "-n" name "link" "set" "lo" "up")
  name)

(define (call-with-namespaces count proc)
  "Call PROC with the names of COUNT new network namespaces, whose loopback is
up; they are deleted afterwards.  Skip the case where that is not allowed."
  (require-program "ip")
  (unless (zero? (geteuid))
    (skip "needs root for a network namespace"))
  (let ((names (map (lambda (i) (format #f "skp-~a-~a" (getpid) i))
                    (iota count))))
    (dynamic-wind
      (lambda () (for-each make-namespace names))
      (lambda () (apply proc names))
      (lambda ()
        (for-each (lambda (name) (ip "netns" "del" name)) names)))))
