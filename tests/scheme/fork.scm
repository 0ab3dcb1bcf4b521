;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Waiting after a fork, in both processes.

(use-modules (harness)
             (harness socket)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport))

(test-begin "fork")

;;; After a fork, both processes wait, and a close in one is none in the other.

(define (in-child thunk)
  "Run THUNK in a child; #t if it returns true there."
  (match (primitive-fork)
    (0 (primitive-_exit
        (catch #t (lambda () (if (thunk) 0 1)) (const 2))))
    (pid (eqv? 0 (status:exit-val (cdr (waitpid pid)))))))

(define (quietly thunk)
  (parameterize ((current-warning-port (%make-void-port "w")))
    (thunk)))

;; Not a case: Guile itself closes descriptors of its own to fork.
(alarm 60)
(let-ports ((pair (unix-pair)) (idle (unix-pair)))
  (define (echo)
    (let ((buffer (make-bytevector 1)))
      (in-thread (lambda () (usleep 30000) (send (cdr pair) "x")))
      (= 1 (recv! (car pair) buffer))))
  (let ((waiting (in-thread
                  (lambda () (recv! (car idle) (make-bytevector 1))))))
    (test-assert "before" (echo))
    (test-assert "in the child"
      (quietly
       (lambda ()
         (in-child (lambda ()
                     (alarm 10)
                     (and (echo)
                          (close-port (car idle))
                          (echo)))))))
    (test-assert "the parent's thread still waits"
      (not (thread-exited? waiting)))
    (test-assert "in the parent" (echo))
    (send (cdr idle) "x")
    (test-equal "the parent's thread" 1
      (join-thread waiting (+ 10 (current-time)) 'late))))

(test-end "fork")
