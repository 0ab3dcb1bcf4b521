;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Some hundred random sequences of operations on random sockets, against a model
;;; and against Python; tests/soak/model.scm runs as many as there is time for.
;;; A seed makes its sequence again: SOCKPORT_MODEL_SEED.

(use-modules (harness)
             (harness model-run)
             (sockport)
             (srfi srfi-1))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define first-seed
  (or (string->number (or (getenv "SOCKPORT_MODEL_SEED") ""))
      (random 1000000 (random-state-from-platform))))

(test-begin "model")

(test-case (format #f "300 sequences from seed ~a" first-seed)
  (call-with-python
   (lambda (python)
     (for-each
      (lambda (seed)
        (let ((different (differences seed 25 python)))
          (unless (null? different)
            (test-equal (list "seed" seed) '() different))))
      (iota 300 first-seed))
     (test-assert "all were run" #t))))

(test-end "model")
