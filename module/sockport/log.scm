;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Where servers say what there is to say, if they were not told where.

(define-module (sockport log)
  #:export (log-line))

(define (log-line text)
  "Write TEXT and a newline, at once, to (current-error-port)."
  (let ((port (current-error-port)))
    (display (string-append text "\n") port)
    (force-output port)))
