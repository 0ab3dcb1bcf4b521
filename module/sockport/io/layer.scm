;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The procedures of ports that lie over a socket, such as those of TLS.  They try
;;; in C and wait here, so that nothing of C is between them and the scheduler.
;;;
;;; What a layer has taken counts as written.  It may still have to go: the next
;;; write sees to that, and so does a read if nobody waits for it.

(define-module (sockport io layer)
  #:use-module (ice-9 ports internal)
  #:use-module (sockport io wait)
  #:use-module (sockport ports guile)
  #:use-module (sockport primitive)
  #:export (layer-read
            layer-write
            flush-layer
            end-layer))

;;; As libguile calls them.

(define (layer-read port bytes start count)
  (or (%layer-read port bytes start count)
      (begin
        (wait-readable port 'read)
        (layer-read port bytes start count))))

;;; What writes in C, display say, would keep all other tasks waiting.
(define (layer-write port bytes start count)
  (let ((taken (%layer-write port bytes start count)))
    (cond ((and taken (%layer-flush port)) taken)
          ((below-c?) (or taken (%layer-queue port bytes start count)))
          (taken (finish port) taken)
          (else
           (wait-writable port 'write)
           (layer-write port bytes start count)))))

(define (finish port)
  "Wait until what PORT has taken has gone."
  (unless (%layer-flush port)
    (%layer-flushing! port #t)
    (catch #t
      (lambda ()
        (let again ()
          (wait-writable port 'write)
          (unless (%layer-flush port) (again))))
      (lambda args
        (%layer-flushing! port #f)
        (apply throw args)))
    (%layer-flushing! port #f)))

;;; What has been taken is not in the buffer any more when a wait is ended.
(define (flush-layer port)
  "Write what PORT has buffered."
  (let ((buffer (port-write-buffer port)))
    (define (write-some)
      (let ((cur (port-buffer-cur buffer)) (end (port-buffer-end buffer)))
        (when (< cur end)
          (let ((taken (%layer-write port (port-buffer-bytevector buffer)
                                     cur (- end cur))))
            (if taken
                (set-port-buffer-cur! buffer (+ cur taken))
                (wait-writable port 'write)))
          (write-some))))
    (catch #t
      (lambda ()
        (write-some)
        (finish port))
      (lambda (key . args)
        ;; The next call is not to meet it again.
        (when (memq key '(system-error tls-error))
          (set-port-buffer-cur! buffer (port-buffer-end buffer)))
        (apply throw key args)))))

(define (end-layer port)
  "Say that no more comes from PORT."
  (flush-layer port)
  (let again ()
    (unless (%layer-end port)
      (wait-writable port 'shutdown)
      (again))))

(set-layer-flusher! flush-layer)
