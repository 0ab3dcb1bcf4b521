;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' operations on ports.

(define-module (fibers io-wakeup)
  #:use-module (ice-9 control)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 suspendable-ports)
  #:use-module (fibers operations)
  #:use-module (sockport primitive)
  #:use-module ((sockport task) #:select (task-yield))
  #:use-module (sockport task operation)
  #:export (make-read-operation
            make-write-operation
            wait-until-port-readable-operation
            wait-until-port-writable-operation
            accept-operation
            with-read-waiting-is-failure
            with-write-waiting-is-failure))

;;; What is there when the port is ready is only tried once this operation was
;;; chosen, because what was taken could not be given back.
(define (ready-operation try place direction ready?)
  (define operation
    (descriptor-operation place direction ready?
                          (lambda ()
                            (let ((thunk (try)))
                              (and thunk (list thunk))))
                          (lambda (found)
                            (let ((thunk (if (procedure? found) found (try))))
                              (if thunk
                                  (thunk)
                                  (perform-operation operation))))))
  operation)

(define (place-of port wait-fd)
  (if (file-port? port) port (wait-fd port)))

(define (polled place events)
  "Return what tells whether PLACE, a port or a descriptor, is ready."
  (if (port? place)
      (lambda ()
        (catch 'system-error
          (lambda () (%wait place events 0 'wait))
          (const #t)))
      (lambda ()
        (let ((set (vector place)))
          (call-with-values
              (lambda ()
                (apply values (if (eqv? events 1)
                                  (select set #() #() 0)
                                  (select #() set #() 0))))
            (lambda (readable writable _)
              (positive? (+ (vector-length readable)
                            (vector-length writable)))))))))

(define (make-read-operation try port)
  "An operation that does what the thunk that (TRY) returns does, and while that is #f
waits for PORT, which is read."
  (unless (input-port? port)
    (error "cannot be read, so it would be waited for without an end:" port))
  (let ((place (place-of port port-read-wait-fd)))
    (ready-operation try place 0 (polled place 1))))

(define (make-write-operation try port)
  "As `make-read-operation', for PORT, which is written."
  (unless (output-port? port)
    (error "cannot be written, so it would be waited for without an end:" port))
  (let ((place (place-of port port-write-wait-fd)))
    (ready-operation try place 1 (polled place 4))))

(define (thunk-when ready?)
  (lambda () (and (ready?) values)))

(define (wait-until-port-readable-operation port)
  "An operation that waits until PORT can be read."
  (make-read-operation (thunk-when (polled (place-of port port-read-wait-fd) 1))
                       port))

(define (wait-until-port-writable-operation port)
  "An operation that waits until PORT can be written."
  (make-write-operation (thunk-when (polled (place-of port port-write-wait-fd) 4))
                        port))

;;; A waiter is also called when the turn of its task is over, and when the loop has not
;;; looked yet whether more has come: neither is a failure.
(define (failing-instead waiter port thunk)
  (lambda ()
    (let/ec fail
      (let ((outer (waiter)))
        (parameterize ((waiter (lambda (other)
                                 (cond ((not (eq? other port)) (outer other))
                                       ((%turn-was-over?) (task-yield))
                                       ((%poller-doubt port))
                                       (else (fail #f))))))
          (thunk))))))

(define (with-read-waiting-is-failure port thunk)
  "Return a thunk as THUNK, which returns #f where that waits to read PORT."
  (failing-instead current-read-waiter port thunk))

(define (with-write-waiting-is-failure port thunk)
  "Return a thunk as THUNK, which returns #f where that waits to write PORT."
  (failing-instead current-write-waiter port thunk))

(define* (accept-operation port
                           #:key (flags (logior SOCK_CLOEXEC SOCK_NONBLOCK)))
  "An operation that accepts a connection on PORT, with FLAGS."
  (define (try)
    (let ((connection (accept port flags)))
      (and connection
           (lambda () connection))))
  (make-read-operation (with-read-waiting-is-failure port try) port))
