;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Sockets to try options on, and the C library's getsockopt and setsockopt on
;;; bytevectors, so that the kernel is asked past Sockport.

(define-module (harness option)
  #:use-module (harness)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:use-module (system foreign)
  #:export (call-with-connection
            call-with-pair
            where-allowed
            with-socket
            with-tcp
            with-udp
            with-udp6
            raw-get
            raw-get-int
            raw-set!
            raw-set-int!))

(define (function name . types)
  (pointer->procedure int (dynamic-func name (dynamic-link)) types
                      #:return-errno? #t))

(define c-getsockopt (function "getsockopt" int int int '* '*))
(define c-setsockopt (function "setsockopt" int int int '* uint32))

(define (check who thunk)
  (call-with-values thunk
    (lambda (result errno)
      (unless (zero? result)
        (scm-error 'system-error who "~a" (list (strerror errno))
                   (list errno))))))

(define (raw-get sock level number size)
  "The bytes that the kernel answers, at most SIZE."
  (let ((bytes (make-bytevector size 0))
        (length (u32vector size)))
    (check "raw-get"
           (lambda ()
             (c-getsockopt (fileno sock) level number
                         (bytevector->pointer bytes)
                         (bytevector->pointer length))))
    (let ((answer (make-bytevector (u32vector-ref length 0))))
      (bytevector-copy! bytes 0 answer 0 (bytevector-length answer))
      answer)))

(define (raw-set! sock level number bytes)
  (check "raw-set!"
         (lambda ()
           (c-setsockopt (fileno sock) level number (bytevector->pointer bytes)
                       (bytevector-length bytes)))))

(define (raw-get-int sock level number)
  (bytevector-s32-native-ref (raw-get sock level number 4) 0))

(define (raw-set-int! sock level number value)
  (raw-set! sock level number (s32vector value)))

;;; Sockets.

(define-syntax-rule (with-socket (name family style proto) body ...)
  (let ((name (socket family style proto)))
    (dynamic-wind
      (const #t)
      (lambda () body ...)
      (lambda () (close-port name)))))

(define-syntax-rule (with-tcp name body ...)
  (with-socket (name AF_INET SOCK_STREAM 0) body ...))
(define-syntax-rule (with-udp name body ...)
  (with-socket (name AF_INET SOCK_DGRAM 0) body ...))
(define-syntax-rule (with-udp6 name body ...)
  (with-socket (name AF_INET6 SOCK_DGRAM 0) body ...))

(define (call-with-pair proc)
  (match (socketpair AF_UNIX SOCK_STREAM 0)
    ((a . b) (proc a b) (close-port a) (close-port b))))

(define (call-with-connection proc)
  (with-tcp listener
    (bind listener AF_INET INADDR_LOOPBACK 0)
    (listen listener 1)
    (with-tcp client
      (connect client (getsockname listener))
      (match (accept listener)
        ((server . _)
         (proc client server)
         (close-port server))))))

(define (skip-if-refused thunk)
  (catch 'system-error thunk
    (lambda args
      (if (memv (system-error-errno args)
                (list EPERM EACCES ENOPROTOOPT EOPNOTSUPP))
          (skip "the kernel or the rights of the tests do not allow it")
          (apply throw args)))))

;; What follows a refusal of the kernel in the case that is running is skipped.
(define-syntax-rule (where-allowed body ...)
  (skip-if-refused (lambda () body ...)))
