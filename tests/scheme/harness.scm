;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the Scheme tests share: SRFI 64 (exported again from here) with a
;;; runner that prints TAP, and cases that are watched.
;;;
;;;   (use-modules (harness) (sockport))
;;;   (test-begin "socket")
;;;   (test-case "a closed port is refused"
;;;     (test-error* "by bind" '(wrong-type-arg 1 "bind") (bind …)))
;;;   (test-end "socket")
;;;
;;; A case fails when it hangs, when it ends by an exception, and when it leaves
;;; a descriptor open or closes one that it did not open.  The process exits
;;; with 1 when anything failed.  Peers and network namespaces are in
;;; (harness process) and (harness namespace).

(define-module (harness)
  #:use-module (ice-9 format)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module ((ice-9 threads) #:select (current-processor-count))
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-64)
  #:export (case-seconds
            describe-error
            descriptors
            fewer
            leaks
            rounds
            share
            skip
            test-case
            test-error*
            wait-until))

(module-use! (module-public-interface (current-module))
             (resolve-interface '(srfi srfi-64)))

;;; TAP.

(define (tap-comment label value)
  (for-each (lambda (line) (format #t "# ~a~a~%" label line))
            (string-split (format #f "~a" value) #\newline)))

(define (test-path runner)
  (string-join (append (test-runner-group-path runner)
                       (match (test-runner-test-name runner)
                         ("" '())
                         ;; A list of what a loop is at will do as well.
                         (name (list (format #f "~a" name)))))
               ": "))

(define (tap-escape name)
  (string-map (lambda (char) (if (memv char '(#\# #\newline)) #\_ char)) name))

(define (tap-number! runner)
  (let ((number (+ 1 (or (test-runner-aux-value runner) 0))))
    (test-runner-aux-value! runner number)
    number))

(define (explain runner)
  (let ((result (test-result-alist runner)))
    (define (say key label)
      (match (assq key result)
        ((_ . value) (tap-comment label (format #f "~s" value)))
        (#f #f)))
    (tap-comment "at " (format #f "~a:~a"
                               (or (assq-ref result 'source-file) "?")
                               (or (assq-ref result 'source-line) "?")))
    (say 'expected-value "expected: ")
    (say 'actual-value "actual:   ")
    (say 'actual-error "error:    ")))

(define (print-result runner)
  (let ((kind (test-result-kind runner)))
    (format #t "~a ~a - ~a~a~%"
            (if (memq kind '(fail xfail)) "not ok" "ok")
            (tap-number! runner)
            (tap-escape (test-path runner))
            (match kind
              ('skip " # SKIP")
              ((or 'xfail 'xpass) " # TODO")
              (_ "")))
    (when (eq? kind 'fail)
      (explain runner))
    (force-output)))

;; Those that failed as a whole, which no runner counts.
(define failed-cases 0)

(define (finish runner)
  (format #t "1..~a~%" (or (test-runner-aux-value runner) 0))
  (force-output)
  (exit (if (= 0 failed-cases (test-runner-fail-count runner)) 0 1)))

(test-runner-factory
 (lambda ()
   (let ((runner (test-runner-null)))
     (start-threads!)
     (test-runner-on-test-end! runner print-result)
     (test-runner-on-final! runner finish)
     runner)))

;;; Descriptors.

(define (descriptors)
  "Return an alist of the open descriptors and what they refer to."
  (filter-map (lambda (name)
                ;; The one that read the directory is closed by now.
                (let ((link (false-if-exception
                             (readlink (string-append "/proc/self/fd/"
                                                      name)))))
                  (and link (cons (string->number name) link))))
              (scandir "/proc/self/fd" string->number)))

(define* (wait-until thunk #:optional (seconds (/ (case-seconds) 2)))
  "Call THUNK, with short rests, until it returns true; return that value, or
#f when SECONDS have passed, half of what a case may take."
  (let loop ((rest 100) (left (* seconds 1000000)))
    (or (thunk)
        (and (positive? left)
             (begin
               (usleep rest)
               (loop (min 20000 (* 2 rest)) (- left rest)))))))

;; Guile makes the threads that take signals and run finalizers when the first of
;; these is due, and they open descriptors of their own, some when they first run:
;; not in the middle of a test.  Nor while a module is loaded, where the one that
;; takes signals would wait for ever.  After `gc' it is the caller that runs finalizers,
;; so it takes a collection that allocating brings about.
(define (start-threads!)
  (let ((guardian (make-guardian))
        (arrived? #f))
    (usleep 1)
    (sigaction SIGALRM (lambda (signal) (set! arrived? #t)))
    (kill (getpid) SIGALRM)
    (wait-until (lambda () arrived?))
    (for-each (lambda (i) (guardian (list i))) (iota 100))
    (wait-until (lambda ()
                  (for-each (lambda (i) (make-vector 100000 i)) (iota 20))
                  (guardian)))))

(define (leaks before)
  "Return what differs from BEFORE, once it has stopped changing.  A thread's
own descriptors are closed a moment after it was joined, a longer one on a busy machine."
  (define (difference)
    (let ((now (descriptors)))
      (append (map (lambda (fd) (cons 'opened fd))
                   (lset-difference equal? now before))
              (map (lambda (fd) (cons 'closed fd))
                   (lset-difference equal? before now)))))
  (wait-until (lambda () (null? (difference))) (/ (case-seconds) 20))
  (difference))

;;; Repetition.

;; In chaos a test is run with seed after seed, so each run repeats less.
(define fewer (if (getenv "SOCKPORT_CHAOS") 5 1))

(define (rounds n)
  "Return how often this run does what has to be done N times to meet a race."
  (quotient n fewer))

(define (share items)
  "Return ITEMS; in chaos a part of them, so that FEWER seeds in a row have all."
  (define seed (string->number (or (getenv "SOCKPORT_CHAOS") "0")))
  (filter-map (lambda (item number)
                (and (zero? (modulo (+ number seed) fewer)) item))
              items (iota (length items))))

;;; Cases.

;; How many want each processor: what waits for its turn is not hung.  Meson's limit
;; is six times that of a case.
(define (crowd)
  (let ((load (false-if-exception (call-with-input-file "/proc/loadavg" read))))
    (max 1 (min 4 (inexact->exact
                   (round (/ (or load 1) (current-processor-count))))))))

(define case-seconds
  (make-parameter
   (* 20 (crowd)
      (or (string->number (or (getenv "SOCKPORT_TEST_PATIENCE") "1")) 1))))

;; A signal that arrives while Guile's own `read' is about to wait does not wake
;; it, hence once more each second.
(define (watch seconds)
  (setitimer ITIMER_REAL (min 1 seconds) 0 seconds 0))

(define (start-watchdog)
  ;; Meson's own timeout is behind this one, for what lets no handler run.
  (sigaction SIGALRM
    (lambda (signal)
      (watch (case-seconds))
      (throw 'hung (format #f "no end after ~a seconds" (case-seconds)))))
  (watch (case-seconds)))

(define (skip reason)
  "End the case that is running; it counts as skipped."
  (throw 'skip reason))

(define (print-verdict word name suffix)
  (let ((runner (test-runner-current)))
    (format #t "~a ~a - ~a~a~%" word (tap-number! runner)
            (tap-escape (string-join
                         (append (test-runner-group-path runner) (list name))
                         ": "))
            suffix)))

(define (fail-case name label value)
  (let ((runner (test-runner-current)))
    (set! failed-cases (+ 1 failed-cases))
    (print-verdict "not ok" name "")
    (tap-comment label value)
    (force-output)))

(define (backtrace-string)
  (call-with-output-string
    (lambda (port)
      (display-backtrace (make-stack #t 4) port 0 12))))

(define (run-guarded thunk)
  (let ((trace ""))
    (catch #t thunk
      (lambda (key . args)
        (match key
          ('skip (print-verdict "ok" "skipped"
                                (string-append " # SKIP " (car args))))
          ('quit (apply throw key args))
          (_ (fail-case "ended by an exception" ""
                        (format #f "~s ~s~%~a" key args trace)))))
      (lambda (key . args)
        (unless (memq key '(skip quit))
          (set! trace (backtrace-string)))))))

(define (run-case name thunk)
  (let ((before (descriptors)))
    (test-begin name)
    (start-watchdog)
    (run-guarded thunk)
    (watch 0)
    (let ((leaks (leaks before)))
      (unless (null? leaks)
        (fail-case "keeps the descriptors as they were" "" leaks)))
    (test-end name)))

(define-syntax-rule (test-case name body ...)
  (run-case name (lambda () body ... #t)))

;;; Errors.

(define position-rx (make-regexp "(osition|^Argument) (~A|[0-9]+)"))

(define (position-of message arguments)
  "Return the argument's position that MESSAGE tells, or #f."
  (let ((found (and (string? message) (regexp-exec position-rx message))))
    (and found
         (or (string->number (match:substring found 2))
             (car arguments)))))

(define (describe-error key args)
  "Return an error as (KEY DETAIL WHO); DETAIL is the errno of a system-error
and the position of a bad argument."
  (match (cons key args)
    (('system-error who message arguments (errno . _))
     (list key errno who))
    (((or 'wrong-type-arg 'out-of-range) who message arguments . _)
     (list key (position-of message arguments) who))
    ((_ (? (lambda (who) (or (not who) (string? who) (symbol? who))) who)
        . rest)
     (list key #f who))
    (_ (list key #f #f))))

(define (error-of thunk)
  (catch #t
    (lambda () (list 'no-error (thunk)))
    (lambda (key . args)
      (if (eq? key 'hung)
          (apply throw key args)
          (describe-error key args)))))

(define (as-far-as expected actual)
  "Return ACTUAL cut to what EXPECTED says, and its names as strings."
  (map (lambda (want have)
         (if (and (string? want) (symbol? have)) (symbol->string have) have))
       expected
       (take actual (min (length actual) (length expected)))))

(define (test-error-values expected thunk)
  (let ((actual (error-of thunk)))
    (if (= (length actual) 3)
        (as-far-as expected actual)
        actual)))

;; EXPECTED is (KEY), (KEY DETAIL) or (KEY DETAIL WHO), see describe-error:
;; (system-error 98 "bind"), (wrong-type-arg 2), (wrong-number-of-args) …
(define-syntax-rule (test-error* name expected expression)
  (let ((want expected))
    (test-equal name want
      (test-error-values want (lambda () expression)))))
