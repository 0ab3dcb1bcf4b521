;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Waiting for a connection and taking it.

(define-module (sockport io accept)
  #:use-module (sockport io answer)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:export (accept-connection))

(define address-length 3)

(define (accept-connection sock flags)
  "Return the next connection on SOCK, with FLAGS, and its peer's address, a pair;
#f where SOCK must not wait for one."
  (answering address-length pair
    (or (%accept pair sock flags)
        (accept-later pair sock flags (make-patience)))))

(define (accept-later pair sock flags patience)
  (and (not (plain-nonblocking? sock))
       (begin
         (wait-readable sock 'accept patience)
         (or (%accept pair sock flags)
             (accept-later pair sock flags patience)))))
