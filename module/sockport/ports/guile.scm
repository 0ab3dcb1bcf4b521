;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Guile's own port procedures, made to suspend and to lose nothing.

(define-module (sockport ports guile)
  #:use-module (ice-9 match)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 suspendable-ports)
  #:use-module ((ice-9 threads) #:select (make-mutex))
  #:use-module (sockport ports gather)
  #:use-module (sockport ports lock)
  #:use-module (sockport ports utf-8)
  #:use-module (sockport primitive)
  #:replace (force-output)
  #:re-export (read-bytes plain-read-waiter)
  #:export (use-suspendable-ports!
            set-layer-flusher!
            wait-keeping
            plain-write-waiter))

(define plain-write-waiter
  (@@ (ice-9 suspendable-ports) default-write-waiter))

;;; Guile's own forgets what it has not written yet when it is interrupted.
(define (flush-keeping port)
  (let* ((buffer (port-write-buffer port))
         (cur (port-buffer-cur buffer)) (end (port-buffer-end buffer)))
    (when (< cur end)
      (let ((count (%write-or-errno port (port-buffer-bytevector buffer)
                                    cur (- end cur))))
        (cond ((not count)
               (wait-keeping port)
               (flush-keeping port))
              ((negative? count)
               (drop! buffer)
               (%write-failed count))
              (else
               (set-port-buffer-cur! buffer (+ cur count))
               (flush-keeping port)))))))

;;; As Guile: what has failed is not met again by the next call.
(define (drop! buffer)
  (set-port-buffer-cur! buffer (port-buffer-end buffer)))

(define (wait-keeping port)
  "Wait for PORT to write what it has, which is dropped only if that has failed."
  (let ((buffer (port-write-buffer port)))
    (catch 'system-error
      (lambda () ((current-write-waiter) port))
      (lambda error
        (drop! buffer)
        (apply throw error)))))

(define* (force-output #:optional (port (current-output-port)))
  (unless (and (output-port? port) (not (port-closed? port)))
    (error "not an open output port" port))
  (cond ((file-port? port) (flush-keeping port))
        ((layered? port) (flush-layer port))
        (else (plain-force-output port))))
(define plain-force-output #f)

;;; (FLUSH port) is for ports over sockets (io/layer).
(define flush-layer #f)
(define (set-layer-flusher! flush) (set! flush-layer flush))

;;; What puts another file under a number has to be known to the loops.
(define (forgetting numbers proc)
  (lambda args
    (call-with-values (lambda () (apply proc args))
      (lambda results
        (for-each %forget-descriptor (apply numbers results args))
        (apply values results)))))

(define moving-descriptors
  `((dup2 ,(lambda (result old new) (list new)))
    (redirect-port ,(lambda (result from to) (list (fileno to))))
    (primitive-move->fdes ,(lambda (result port fd) (list fd)))))

(define installed? #f)
(define installing (make-mutex))

(define (use-suspendable-ports! guarded? wait-for-c around waiter quicker)
  "Make Guile's own port procedures wait where tasks and deadlines can see it.
(GUARDED?) says whether a wait may be ended; (WAIT-FOR-C port direction) waits where
libguile would by itself, or returns #f if it may.  (AROUND try direction) returns what
is called in place of TRY, a procedure of file ports.  WAITER is the read waiter of
tasks.  (QUICKER) returns rows of a module, a name there, and what returns the procedure
to call instead of the one that it is given."
  (unless installed?
    (with-lock installing
      (unless installed?
        (install! guarded? wait-for-c around waiter)
        (for-each (match-lambda
                    ((module name quick)
                     (let ((module (resolve-module module)))
                       (module-set! module name
                                    (quick (module-ref module name))))))
                  (quicker))
        (set! installed? #t)))))

(define (install! guarded? wait-for-c around waiter)
  (install-suspendable-ports!)
  (mend-utf-8!)
  (%hook-file-ports! wait-for-c around
                     (parameter-fluid current-read-waiter) waiter)
  (let ((guile (resolve-module '(guile))))
    (set! plain-force-output (module-ref guile 'force-output))
    (module-set! guile 'force-output force-output)
    (for-each (match-lambda
                ((name numbers)
                 (module-set! guile name
                              (forgetting numbers (module-ref guile name)))))
              moving-descriptors))
  (gathering-first! guarded?))
