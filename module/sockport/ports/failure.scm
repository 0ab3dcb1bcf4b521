;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Guile's own printing of an exception that nobody has handled, made to show what
;;; else is known of one that a task failed with.

(define-module (sockport ports failure)
  #:use-module (ice-9 weak-vector)
  #:use-module (srfi srfi-1)
  #:export (plain-print-exception
            show-failure-as))

(define guile (resolve-module '(guile)))
(define plain-print-exception (module-ref guile 'print-exception))

;;; The one that was raised last, and what shows the rest.  Weak, or it would be kept.
(define latest (make-weak-vector 1 #f))
(define show-rest #f)

(define (latest? exception key args)
  (and exception
       (eq? key (exception-kind exception))
       (let ((its (exception-args exception)))
         (or (eq? its args)
             (and (list? its) (list? args)
                  (= (length its) (length args))
                  (every eq? its args))))))

(define (print-exception port frame key args)
  (plain-print-exception port frame key args)
  (let ((exception (weak-vector-ref latest 0)))
    (when (latest? exception key args)
      (show-rest exception port))))

(define (show-failure-as exception show)
  "Have Guile call (SHOW exception port) after it has printed EXCEPTION."
  (when (exception? exception)
    (unless show-rest
      (module-set! guile 'print-exception print-exception))
    (set! show-rest show)
    (weak-vector-set! latest 0 exception)))
