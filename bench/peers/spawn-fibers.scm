;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a fiber of Fibers costs, on one processor: usage: spawn-fibers.scm
;;; start|yield; prints nanoseconds.

(use-modules (fibers)
             (fibers channels)
             ((fibers scheduler) #:select (yield-current-task)))

(define count 100000)

(define (start)
  (let loop ((i 0))
    (when (< i count)
      (let ((done (make-channel)))
        (spawn-fiber (lambda () (put-message done #t)))
        (get-message done))
      (loop (+ i 1)))))

(define (yield)
  (let ((done (make-channel)))
    (let spawn ((i 0))
      (when (< i 50)
        (spawn-fiber (lambda ()
                       (let loop ((n 0))
                         (if (< n (quotient count 50))
                             (begin
                               (yield-current-task)
                               (loop (+ n 1)))
                             (put-message done #t)))))
        (spawn (+ i 1))))
    (let wait ((i 0))
      (when (< i 50)
        (get-message done)
        (wait (+ i 1))))))

(define (measure thunk)
  (let ((before (get-internal-real-time)))
    (thunk)
    (display (/ (- (get-internal-real-time) before) count 1.))
    (newline)))

(run-fibers (lambda ()
              (measure (if (string=? "start" (cadr (command-line)))
                           start
                           yield)))
            #:parallelism 1 #:hz 0)
