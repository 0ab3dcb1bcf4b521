;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Going from one task to the next allocates nothing, and a choice keeps nothing.

(use-modules (harness)
             (harness task)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport)
             (sockport operation)
             (srfi srfi-1)
             (system base compile))

;; The pipe that a thread sleeps by stays.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

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

;;; The same, waiting now in one procedure and now in another that calls it.
(define answer
  (compiled
   '(lambda (sock buffer)
      (recv! sock buffer)
      (send sock buffer))))

(define answer-below
  (compiled
   '(lambda (sock buffer a b c d)
      (and (answer sock buffer) a b c d))))

(define play-deep
  (compiled
   '(lambda (sock rounds first?)
      (let ((buffer (make-bytevector 1)))
        (when first? (send sock buffer))
        (let loop ((left rounds))
          (unless (zero? left)
            (if (even? left)
                (answer sock buffer)
                (answer-below sock buffer 1 2 3 4))
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

(test-case "nothing is allocated"
  (define rounds 20000)
  (define (bytes-each . thunks)
    (in-tasks
     (let ((bytes (allocated
                   (lambda ()
                     (for-each join (map spawn-task thunks))))))
       (/ bytes rounds 1.))))
  ;; On new sockets: where a byte is left, who plays need not wait.
  (define (bytes-played play)
    (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
      (let ((bytes (bytes-each (lambda () (play (car pair) rounds #t))
                               (lambda () (play (cdr pair) rounds #f)))))
        (close-port (car pair))
        (close-port (cdr pair))
        bytes)))
  ;; The tasks themselves, and what the compiler makes, are in it.
  (test-assert "by waiting for a socket"
    (< (bytes-played play) 8))
  (test-assert "nor in one procedure and another in turn"
    (< (bytes-played play-deep) 8))
  (test-assert "nor under a deadline, in a handler's reach"
    (< (bytes-played guarded) 8))
  (test-assert "by yielding"
    (< (bytes-each (lambda () (yield-often rounds))
                   (lambda () (yield-often rounds)))
       8)))

(test-case "a choice leaves nothing behind where another task waits"
  (define (waiters)
    (fold (lambda (entry most) (if (pair? entry) (max most (length entry)) most))
          0
          (vector->list ((@@ (sockport task record) loop-slots) (current-loop)))))
  (match (socketpair AF_UNIX SOCK_STREAM 0)
    ((ours . theirs)
     (test-assert "for the same port"
       (in-tasks
        (let ((reader (spawn-task (lambda () (recv! ours (make-bytevector 1))))))
          (task-yield)
          (for-each (lambda (_)
                      (wait-first (readable-operation ours) (sleep-operation 0)))
                    (iota 100))
          (let ((found (waiters)))
            (send theirs (make-bytevector 1 1))
            (join reader)
            (< found 2)))))
     (close-port ours)
     (close-port theirs))))

(test-end "task-memory")
