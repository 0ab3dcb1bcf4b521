;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What connect-to and serve need to know of TLS, so that they work with its contexts
;;; and nothing loads it but who makes one.

(define-module (sockport io secure)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io argument)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:export (make-security
            security?
            security-state
            check-security
            begin-client
            lenient-server
            begin-server
            handshake-step
            finish-handshake
            cut-short?))

;;; (CLIENT sock host lenient-eof?) and (SERVER sock lenient-eof?) return a port over the socket
;;; SOCK, of which (STEP port) is #t once its handshake is done, and #f as long as it
;;; has to wait for what `%awaits-writing?' says of reading.
(define-record-type <security>
  (make-security state client server step)
  security?
  (state security-state)
  (client security-client)
  (server security-server)
  (step security-step))

(set-record-type-printer! <security>
  (lambda (security port) (display "#<tls-context>" port)))

(define (check-security object position who)
  (unless (security? object)
    (refuse-type who position "TLS context" object)))

(define* (begin-client security sock host #:optional lenient-eof?)
  ((security-client security) sock host lenient-eof?))

(define (begin-server security sock)
  ((security-server security) sock #f))

(define (lenient-server security)
  "Return SECURITY for a protocol that knows by itself where its messages end."
  (make-security (security-state security) (security-client security)
                 (lambda (sock lenient-eof?)
                   ((security-server security) sock #t))
                 (security-step security)))

(define (handshake-step security port)
  ((security-step security) port))

(define* (finish-handshake security port who #:optional (refused #f))
  "Wait for the handshake of PORT; on every other way out PORT is closed, after
REFUSED, if that is a procedure, was called with the socket when TLS has failed."
  (catch #t
    (lambda ()
      (let again ()
        (unless (handshake-step security port)
          (wait-readable port who)
          (again))))
    (lambda (key . args)
      (when (and refused (eq? key 'tls-error))
        (refused (bottom-port port)))
      (%close-port port)
      (apply throw key args)))
  port)

(define (cut-short? key args)
  "Is this the error of TLS that a connection has ended without a notice?"
  (and (eq? 'tls-error key)
       (match args
         ((_ _ _ ('truncated . _)) #t)
         (_ #f))))
