;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Closing a port, once what it has buffered has gone; whoever waits for it is woken
;;; before, for good.

(define-module (sockport io close)
  #:use-module (ice-9 ports internal)
  #:use-module (sockport io layer)
  #:use-module (sockport io argument)
  #:use-module (sockport io wait)
  #:use-module (sockport ports fibers)
  #:use-module (sockport primitive)
  #:export (send-buffered)
  #:replace (close-port close))

;;; Output that a socket has buffered goes out with send, because Guile's own way
;;; raises SIGPIPE when the peer has gone.

(define (unsent? port)
  (and (file-port? port)
       (not (port-closed? port))
       (let ((buffer (port-write-buffer port)))
         (< (port-buffer-cur buffer) (port-buffer-end buffer)))))

(define (send-buffered port who)
  "Send what PORT has buffered.  An error that no later call can mend empties the
buffer, so that the port can be closed."
  (when (unsent? port)
    (let* ((buffer (port-write-buffer port))
           (cur (port-buffer-cur buffer))
           (end (port-buffer-end buffer))
           (sent (catch 'system-error
                   (lambda ()
                     (%send port (port-buffer-bytevector buffer) 0 cur end))
                   (lambda error
                     (unless (memv (system-error-errno error)
                                   (list EAGAIN ENOTSOCK))
                       (set-port-buffer-cur! buffer end))
                     (apply throw error)))))
      (if sent
          (set-port-buffer-cur! buffer (+ cur (abs sent)))
          (wait-writable port who))
      (send-buffered port who))))

;;; What a port over a socket has taken may not have gone yet; what a write that was
;;; ended has left there is not waited for.
(define (buffered-output? port)
  (let ((below (%output-below port)))
    (and below
         (or (eq? below 1)
             (let ((buffer (port-write-buffer port)))
               (< (port-buffer-cur buffer) (port-buffer-end buffer)))))))

(define (flush port)
  "Write what PORT has buffered, in the way of sockets if it is one."
  (cond ((layered? port) (flush-layer port))
        ((file-port? port)
         (catch 'system-error
           (lambda () (send-buffered port 'close-port))
           (lambda error
             (if (memv (system-error-errno error) (list EAGAIN ENOTSOCK))
                 (force-output port)
                 (apply throw error)))))
        (else (force-output port))))

(define (flush-and-close port)
  "Close PORT once its output is written, which may have to wait."
  (%closing-begin port)
  (catch #t
    (lambda () (flush port))
    (lambda (key . args)
      (%closing-end port)
      ;; No later call can mend what is not just EAGAIN, nor a deadline.
      (when (or (eq? key 'tls-error)
                (and (eq? key 'system-error)
                     (not (eqv? EAGAIN
                                (system-error-errno (cons key args))))))
        (close-unsent port))
      (apply throw key args)))
  (%closing-end port)
  (%close-port port))

(define (close-port port)
  "Close PORT after waking whoever waits on it; #t if it was open.  What waited
gets a system-error with EBADF."
  (let ((closed? (if (buffered-output? port)
                     (flush-and-close port)
                     (%close-port port))))
    (fibers-wake port)
    closed?))

(define guile-close (@ (guile) close))

(define (close-unsent port)
  "Close PORT without what it has buffered, which nobody takes any more."
  (unless (port-closed? port)
    (let ((buffer (port-write-buffer port)))
      (set-port-buffer-cur! buffer (port-buffer-end buffer)))
    (%close-port port)))

(define (close port-or-descriptor)
  "Close a port as @code{close-port}, or a descriptor as Guile's @code{close}."
  (cond ((port? port-or-descriptor) (close-port port-or-descriptor))
        ((exact-integer? port-or-descriptor) (guile-close port-or-descriptor))
        (else (refuse-type "close" 1 "port or exact integer"
                           port-or-descriptor))))
