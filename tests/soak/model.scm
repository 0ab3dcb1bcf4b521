;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Random sequences of operations on random sockets, 100,000 of them or as many as
;;; SOAK_SECONDS allow, against a model and against Python.

(add-to-load-path (string-append (getenv "SOCKPORT_SOURCE") "/tests/scheme"))
(use-modules (harness model-run) (ice-9 format))

(define total 100000)
(define seconds (string->number (getenv "SOAK_SECONDS")))
(define first-seed (string->number (getenv "SOAK_SEED")))
(define end (+ (current-time) seconds))

(define faults
  (call-with-python
   (lambda (python)
     (let loop ((done 0) (faults 0))
       (when (zero? (modulo done 100))
         (format #t "progress ~a ~a~%" done total)
         (force-output))
       (if (or (= done total) (>= (current-time) end))
           (begin
             (format #t "~a sequences from seed ~a~%" done first-seed)
             faults)
           (let* ((seed (+ first-seed done))
                  (different (differences seed 25 python)))
             (unless (null? different)
               (format #t "not ok seed ~a: ~s~%" seed different))
             (loop (+ done 1) (if (null? different) faults (+ faults 1)))))))))

(exit (if (zero? faults) 0 1))
