;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the tests of messages share: pairs of sockets and control messages.

(define-module (harness message)
  #:use-module (ice-9 binary-ports)
  #:use-module (sockport)
  #:use-module ((system foreign) #:select (sizeof size_t))
  #:export (bytevector-append*
            call-with-pair
            control-header
            rights
            with-pair))

(define (call-with-pair type proc)
  (let ((pair (socketpair AF_UNIX type 0)))
    (proc (car pair) (cdr pair))
    (for-each (lambda (port)
                (unless (port-closed? port) (close-port port)))
              (list (car pair) (cdr pair)))))

(define-syntax-rule (with-pair (type near far) body ...)
  (call-with-pair type (lambda (near far) body ...)))

(define (bytevector-append* . parts)
  (call-with-output-bytevector
   (lambda (port) (for-each (lambda (part) (put-bytevector port part)) parts))))

;; The bytes of struct cmsghdr.
(define control-header (+ 8 (sizeof size_t)))

(define (rights . ports)
  (list (control-message 'rights ports)))
