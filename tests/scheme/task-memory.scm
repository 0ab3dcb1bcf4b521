;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Going from one task to the next allocates nothing.

(use-modules (harness)
             (harness task)
             (rnrs bytevectors)
             (sockport)
             (system base compile))

(test-begin "task-memory")

(define (allocated thunk)
  (let ((before (assq-ref (gc-stats) 'heap-total-allocated)))
    (thunk)
    (- (assq-ref (gc-stats) 'heap-total-allocated) before)))

(define (compiled expression)
  (compile expression #:env (current-module)))

;;; Answer each byte with one; FIRST? begins.
(define play
  (compiled
   '(lambda (sock rounds first?)
      (let ((buffer (make-bytevector 1)))
        (when first? (send sock buffer))
        (let loop ((left rounds))
          (unless (zero? left)
            (recv! sock buffer)
            (send sock buffer)
            (loop (- left 1))))))))

(define (guarded sock rounds first?)
  (with-deadline 100
    (lambda ()
      (with-exception-handler raise-exception
        (lambda () (play sock rounds first?))
        #:unwind? #t))))

(define yield-often
  (compiled
   '(lambda (rounds)
      (let loop ((left rounds))
        (unless (zero? left)
          (task-yield)
          (loop (- left 1)))))))

;; The clock's nanoseconds are no fixnums on machines of 32 bits.
(define for-the-clock (if (> most-positive-fixnum (expt 2 60)) 0 256))

(test-case "nothing is allocated"
  (define rounds 20000)
  (define (bytes-each . thunks)
    (in-tasks
     (let ((bytes (allocated
                   (lambda ()
                     (for-each join (map spawn-task thunks))))))
       (/ bytes rounds 1.))))
  (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
    ;; The tasks themselves, and what the compiler makes, are in it.
    (test-assert "by waiting for a socket"
      (< (bytes-each (lambda () (play (car pair) rounds #t))
                     (lambda () (play (cdr pair) rounds #f)))
         8))
    (test-assert "nor under a deadline, in a handler's reach"
      (< (bytes-each (lambda () (guarded (car pair) rounds #t))
                     (lambda () (guarded (cdr pair) rounds #f)))
         (+ 8 for-the-clock)))
    (close-port (car pair))
    (close-port (cdr pair)))
  (test-assert "by yielding"
    (< (bytes-each (lambda () (yield-often rounds))
                   (lambda () (yield-often rounds)))
       8)))

(test-end "task-memory")
