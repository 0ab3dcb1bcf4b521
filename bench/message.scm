;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a message costs, sent and received: in two slices, against one buffer
;;; with send and recv!, C and Python; and with a port.

(use-modules (bench harness)
             (ice-9 format)
             (rnrs bytevectors)
             (system foreign)
             ((sockport) #:prefix skp:))

(define calls 200)

(define pair (skp:socketpair AF_UNIX SOCK_DGRAM 0))
(define out (car pair))
(define in (cdr pair))
(define null (open-input-file "/dev/null"))

(define library
  (dynamic-link (string-append output-directory "/message-c")))
(define (c-function name . types)
  (pointer->procedure int64 (dynamic-func name library) types))
(define c-exchange (c-function "message_c_exchange" int int '* size_t int))
(define c-pass (c-function "message_c_pass" int int int int))

(define-syntax-rule (repeat expression ...)
  (lambda ()
    (let loop ((i calls))
      (unless (eq? i 0)
        expression ...
        (loop (- i 1))))))

(define (each thunk)
  (lambda () (/ (elapsed-ns thunk) calls 1.)))

(define (python work size)
  (cons "Python"
        (lambda ()
          (command-number "python3"
                          (string-append (dirname (car (command-line)))
                                         "/message.py")
                          work (number->string size) "2000"))))

(define (exchange size)
  (let* ((half (make-bytevector (quotient size 2) 7))
         (slices (list half half)))
    (repeat (skp:sendmsg out slices)
            (skp:recvmsg! in slices))))

(define (plain-exchange size)
  (let ((buffer (make-bytevector size 7)))
    (repeat (skp:send out buffer)
            (skp:recv! in buffer))))

(define (exchange-case size)
  (let* ((bytes (make-bytevector size))
         (pointer (bytevector->pointer bytes)))
    (list (format #f "~a bytes" size)
          (cons "Sockport" (each (exchange size)))
          (cons "send, recv!" (each (plain-exchange size)))
          (cons "C"
                (lambda ()
                  (/ (c-exchange (fileno out) (fileno in) pointer size calls)
                     calls 1.)))
          (python "exchange" size))))

(define pass
  (repeat (skp:send-ports out (list null))
          (call-with-values (lambda () (skp:recv-ports in))
            (lambda (ports message)
              (skp:close-port (car ports))))))

(pin! 0)
(bench "message"
       #:title "A message sent and received" #:unit "ns a message" #:rounds 60
       #:cases (map exchange-case '(64 1200 16384)))
(bench "message-port"
       #:title "A port sent, received and closed" #:unit "ns a port" #:rounds 60
       #:cases (list (list "one port"
                           (cons "Sockport" (each pass))
                           (cons "C"
                                 (lambda ()
                                   (/ (c-pass (fileno out) (fileno in)
                                              (fileno null) calls)
                                      calls 1.)))
                           (python "pass" 2))))
(format #t "Bytes allocated for one: ~,1f; with send and recv!: ~,1f~%"
        (/ (allocated-by (exchange 64)) calls 1.)
        (/ (allocated-by (plain-exchange 64)) calls 1.))
