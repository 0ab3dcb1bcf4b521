;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Batches: many datagrams with one call, waiting as everything else does.

(define-module (sockport batch)
  #:use-module (sockport constant)
  #:use-module (sockport primitive)
  #:use-module (sockport io keyword)
  #:use-module (sockport io wait)
  #:export (make-batch
            batch-receive!
            batch-send!)
  #:re-export (batch?
               batch-slots
               batch-slot-size
               batch-bytes
               batch-count
               batch-start
               batch-length
               batch-segment-size
               batch-cut?
               batch-address
               batch-ref
               batch-clear!
               batch-add!
               batch-add-reply!
               batch-add-segments!
               batch-resize!))

(define-keyed (make-batch slots size #:key (offload? #t))
  "A batch of SLOTS datagrams of up to SIZE bytes.  With OFFLOAD? the kernel may
join and split datagrams of UDP sockets, which is several times faster."
  (%make-batch slots size offload?))

(define* (batch-receive! batch sock #:optional (flags 0))
  "Receive the datagrams that SOCK has, at least one, in place of those that BATCH
held, and return their number."
  (retrying (wait-readable sock 'batch-receive!)
            (%batch-receive! batch sock flags)))

(define* (batch-send! batch sock #:optional (flags 0) (start 0))
  "Send the datagrams of BATCH from number START on, each to its address, and
return two values: how many went, and #f or the errno of the first that did not."
  ;; PAUSE: a UNIX socket is writable while its peer's queue is full.
  (define patience (make-patience))
  (let loop ((sent 0) (pause #f))
    (let ((n (%batch-send batch sock flags (+ start sent))))
      (cond ((pair? n)
             (values (+ sent (car n)) (cdr n)))
            ((and n (>= n 0))
             (values (+ sent n) #f))
            ((and (positive? (- sent (or n 0))) (plain-nonblocking? sock))
             (values (- sent (or n 0)) EAGAIN))
            (else
             (wait-writable sock 'batch-send! patience)
             (when pause (pause))
             (loop (- sent (or n 0))
                   (and (not n)
                        (or pause
                            (look-again-waiter sock 'batch-send! wait-writable
                                               patience)))))))))
