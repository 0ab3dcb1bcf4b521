;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' conditions, which are Sockport's events.

(define-module (fibers conditions)
  #:use-module (sockport channel)
  #:use-module ((sockport operation) #:select (operation-map))
  #:export (wait
            wait-operation)
  #:re-export ((make-event . make-condition)
               (event? . condition?)
               (event-set! . signal-condition!)))

(define (no-values . _)
  (values))

(define (wait-operation condition)
  "An operation that waits until CONDITION was signalled, and has no values."
  (operation-map (event-operation condition) no-values))

(define (wait condition)
  "Wait until CONDITION was signalled."
  (event-wait condition)
  (values))
