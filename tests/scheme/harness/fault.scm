;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Steers the preloaded tests/scheme/peers/fault.c: what system calls a thunk
;;; makes, and what becomes of it when they fail or move less.

(define-module (harness fault)
  #:use-module (harness)
  #:use-module (srfi srfi-1)
  #:use-module (system foreign)
  #:export (calls-of
            with-fault
            with-short-transfers))

(define (function result name . types)
  (pointer->procedure result
                      (or (false-if-exception (dynamic-func name (dynamic-link)))
                          (error "fault.c is not preloaded"))
                      types))

(define arm (function void "skp_fault_arm" int int int size_t))
(define disarm (function int "skp_fault_disarm"))
(define name-at (function '* "skp_fault_name" int))

(define (outcome thunk)
  "What THUNK returns as a list, or what it throws as (KEY DETAIL …)."
  (catch #t
    (lambda () (list (thunk)))
    (lambda (key . args)
      (if (memq key '(hung skip quit))
          (apply throw key args)
          (describe-error key args)))))

(define (run fail times errno most thunk)
  (arm fail times errno most)
  (let ((result (outcome thunk)))
    (disarm)
    result))

(define (calls-of thunk)
  "Call THUNK; return its outcome and the list of the names of its system calls."
  (arm -1 0 0 0)
  (let* ((result (outcome thunk)) (count (disarm)))
    (values result
            (map (lambda (i) (pointer->string (name-at i))) (iota count)))))

(define* (with-fault index errno thunk #:optional (times 1))
  "Return the outcome of THUNK, whose system call number INDEX fails by ERRNO, TIMES
times."
  (run index times errno 0 thunk))

(define (with-short-transfers most thunk)
  "Return the outcome of THUNK, whose calls move at most MOST bytes each."
  (run -1 0 0 most thunk))
