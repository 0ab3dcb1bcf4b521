;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' channels, which are Sockport's without room and without an end.

(define-module (fibers channels)
  #:use-module ((sockport channel)
                #:select ((make-channel . make-sockport-channel)
                          channel? channel-get channel-put get-operation
                          (put-operation . put-operation/value)))
  #:use-module ((sockport operation) #:select (operation-map))
  #:export (make-channel
            put-operation
            put-message)
  #:re-export (channel?
               get-operation
               (channel-get . get-message)))

(define (make-channel)
  "Return a channel."
  (make-sockport-channel))

(define (no-values . _)
  (values))

(define (put-operation channel message)
  "An operation that hands MESSAGE over CHANNEL, and has no values."
  (operation-map (put-operation/value channel message) no-values))

(define (put-message channel message)
  "Hand MESSAGE over CHANNEL, once somebody gets it."
  (channel-put channel message)
  (values))
