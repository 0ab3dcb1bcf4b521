;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What connecting and listening share: addresses with a port, texts of a host and a
;;; service, and sockets that are being set up.

(define-module (sockport io internet)
  #:use-module (ice-9 regex)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport io close)
  #:export (internet?
            with-port
            text->place
            undoing-on-error
            closing-on-error))

(define (internet? address)
  "Is ADDRESS one of those that have a port?"
  (let ((family (sockaddr:fam address)))
    (or (eqv? family AF_INET) (eqv? family AF_INET6))))

(define (with-port address port)
  "Return a copy of ADDRESS, which has a port, with PORT."
  (let ((copy (vector-copy address)))
    (vector-set! copy 2 port)
    copy))

;;; A host with colons stands in brackets; without them nobody knows where it ends.
(define place-rx (make-regexp "^(\\[([^]]*)\\]|([^]:[]*)):([^:]*)$"))

(define (text->place text)
  "Return a pair of the host and the service that TEXT is, such as host:http or
[::1]:http, either of which may be empty; or #f."
  ;; A regular expression sees nothing after a NUL.
  (let ((found (and (not (string-index text #\nul)) (regexp-exec place-rx text))))
    (and found
         (cons (or (match:substring found 2) (match:substring found 3))
               (match:substring found 4)))))

;;; The exception itself is raised again: what a look-up was about goes with it.
(define (undoing-on-error thunk undo)
  "Return the value of THUNK; if that is left by an error, call UNDO before."
  (with-exception-handler
      (lambda (exception)
        (undo)
        (raise-exception exception))
    thunk
    #:unwind? #t))

(define (closing-on-error sock thunk)
  "The value of THUNK; SOCK is closed if it is left by an error."
  (undoing-on-error thunk (lambda () (close-port sock))))
