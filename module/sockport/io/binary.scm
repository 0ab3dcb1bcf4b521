;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What most programs for ports do with each message: get-bytevector-some,
;;; put-bytevector and force-output, in one step for file ports (guile/port-buffer.c).

(define-module (sockport io binary)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 suspendable-ports)
  #:use-module (sockport io wait)
  #:use-module (sockport ports guile)
  #:use-module (sockport primitive)
  #:export (quick-procedures))

(define (quick-get-some plain)
  (define (get-bytevector-some port)
    (let ((some (%get-some port)))
      (cond ((eqv? some 0)
             ((fluid-ref sleeper) port 0)
             (goes-on!)
             (get-bytevector-some port))
            ((not some)
             ((current-read-waiter) port)
             (get-bytevector-some port))
            ((eq? some #t) (plain port))
            (else some))))
  get-bytevector-some)

(define (quick-put plain)
  (define put-bytevector
    (case-lambda
      ((port bytes) (or (%put-bytes port bytes) (plain port bytes)))
      ((port bytes start)
       (or (%put-bytes port bytes start) (plain port bytes start)))
      ((port bytes start count)
       (or (%put-bytes port bytes start count)
           (plain port bytes start count)))))
  put-bytevector)

(define (quick-flush plain)
  (define force-output
    (case-lambda
      (() (force-output (current-output-port)))
      ((port)
       (let ((done (%flush port)))
         (cond ((eq? done #t) *unspecified*)
               (done (plain port))
               (else
                (wait-keeping port)
                (force-output port)))))))
  force-output)

(define (quick-procedures)
  "Return rows of a module, a name there, and what makes what is to be called instead
of what is called now."
  (if (%use-port-buffers! (list port-read-buffer port-write-buffer
                                port-read-buffering port-random-access?
                                port-clear-stream-start-for-bom-read))
      `(((ice-9 binary-ports) get-bytevector-some ,quick-get-some)
        ((ice-9 binary-ports) put-bytevector ,quick-put)
        ((guile) force-output ,quick-flush))
      '()))
