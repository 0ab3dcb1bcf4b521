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
            ip
            set-sysctl!
            set-up))

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

(define (set-up namespace link addresses)
  "Set LINK up in NAMESPACE, with ADDRESSES, texts such as \"10.0.0.1/24\", which
can be used at once."
  (ip "-n" namespace "link" "set" link "up")
  (for-each (lambda (address)
              (apply ip "-n" namespace "addr" "add" address "dev" link
                     (if (string-index address #\:) '("nodad") '())))
            addresses))

(define (write-sysctl name value)
  (call-with-output-file (string-append "/proc/sys/" name)
    (lambda (port) (display value port))))

(define (set-sysctl! name value)
  "Set the setting NAME of the kernel, with slashes, in the namespace of this
thread.  Skip the case where that is not allowed."
  (catch 'system-error
    (lambda () (write-sysctl name value))
    (lambda args (skip (string-append "cannot set " name)))))

(define (make-namespace)
  "Return the name of a new network namespace, or #f where that is not allowed."
  (let ((name (format #f "skp-~a-~a" (getpid) (next-number))))
    (define (quietly . arguments)
      (call-with-values (lambda () (apply run-program "ip" arguments))
        (lambda (status output) (eqv? status 0))))
    (and (quietly "netns" "add" name)
         (or (and (quietly "-n" name "link" "set" "lo" "up")
                  (begin (trust-addresses name) name))
             (begin (ip "netns" "del" name) #f)))))

(define (trust-addresses name)
  "Let links that will be in the namespace NAME use their IPv6 addresses at once,
without asking first who else has them; else it takes seconds."
  (in-namespace name
    (lambda ()
      (false-if-exception
       (write-sysctl "net/ipv6/conf/default/accept_dad" 0)))))

(define next-number
  (let ((number 0))
    (lambda ()
      (set! number (+ number 1))
      number)))

(define (call-with-namespaces count proc)
  "Call PROC with the names of COUNT new network namespaces, whose loopback is
up; they are deleted afterwards.  Skip the case where there can be none."
  (require-program "ip")
  (let ((names '()))
    (dynamic-wind
      (const #t)
      (lambda ()
        (for-each (lambda (i)
                    (set! names (cons (or (make-namespace)
                                          (skip "no network namespaces here"))
                                      names)))
                  (iota count))
        (apply proc (reverse names)))
      (lambda ()
        (for-each (lambda (name) (ip "netns" "del" name)) names)
        (set! names '())))))
