;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Programs of their own for what may hang or jam the whole process: a case
;;; that fails so leaves the others as they were.

(define-module (harness apart)
  #:use-module (harness)
  #:use-module (harness process)
  #:use-module (ice-9 match)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 textual-ports)
  #:export (apart
            one-of
            run-under
            run-apart))

(define patience
  (or (string->number (or (getenv "SOCKPORT_TEST_PATIENCE") "1")) 1))

;; What hangs is ended by timeout(1): a program may use any signal and timer.
(define seconds (* 15 patience))
(case-seconds (* 300 patience))

;; The beginning of the command that runs Guile.
(define run-under (make-parameter '()))

;;; What each of the programs has at hand.
(define prelude
  `((use-modules (ice-9 atomic)
                 (ice-9 binary-ports)
                 (ice-9 control)
                 (ice-9 exceptions)
                 (ice-9 match)
                 (ice-9 rdelim)
                 (ice-9 suspendable-ports)
                 (ice-9 textual-ports)
                 (ice-9 threads)
                 (rnrs bytevectors)
                 (srfi srfi-1)
                 (sockport)
                 (sockport channel)
                 (sockport operation))
    ;; The collector closes neither, though the program has a use for one only.
    (define pairs '())
    (define (unix-pair)
      (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
        (set! pairs (cons pair pairs))
        pair))
    (define-syntax-rule (in-tasks body ...)
      (run-tasks (lambda () body ...)))
    (define (error-key thunk)
      (catch #t
        (lambda () (thunk) 'nothing)
        (lambda (key . args)
          (if (eq? key 'system-error)
              (system-error-errno (cons key args))
              key))))
    (define (wait-until ready?)
      (unless (ready?)
        (usleep 1000)
        (wait-until ready?)))
    (define (rounds n)
      (quotient n ,fewer))
    (define (spin n)
      (when (positive? n) (spin (- n 1))))))

(define (run-apart forms)
  "Run FORMS in a Guile of its own.  Return the value of the last, which has to
be a datum; hung if it does not end, (ended STATUS OUTPUT) if it ends before it
has a value."
  (define program
    (format #f "~s"
            `(begin
               ,@prelude
               (let ((value (let () ,@forms)))
                 (write value)
                 (newline)
                 (force-output)
                 (primitive-_exit 0)))))
  (call-with-peer (append (list "timeout" "-s" "KILL" (number->string seconds))
                          (run-under)
                          (list "guile" "--no-auto-compile" "-c" program))
    (lambda (peer)
      (let* ((output (get-string-all (peer-output peer)))
             (status (peer-status peer)))
        (match (or (status:exit-val status) (status:term-sig status))
          (0 (call-with-input-string output read))
          ((or 137 9) 'hung)
          (status (list 'ended status output)))))))

(define (one-of expected actual)
  "Return the first of EXPECTED, a list, if ACTUAL is in it, else ACTUAL."
  (if (member actual expected) (car expected) actual))

;; The value of the last FORM, each of them run in a Guile of its own.
(define-syntax-rule (apart form ...)
  (run-apart '(form ...)))
