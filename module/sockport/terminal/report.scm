;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a program says to who runs it: lines on the standard error, and errors without
;;; the names of procedures.

(define-module (sockport terminal report)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (sockport deadline)
  #:export (stopwatch timed say plain call-and-exit))

(define (stopwatch)
  "Return a procedure that returns how many milliseconds ago it was made, to a
thousandth."
  (define begun (get-internal-real-time))
  (lambda ()
    (/ (round (* 1000000. (/ (- (get-internal-real-time) begun)
                             internal-time-units-per-second)))
       1000)))

(define (reason exception)
  "Return in few words why something failed by EXCEPTION, or #f."
  (define args (exception-args exception))
  (match (exception-kind exception)
    ('system-error (strerror (system-error-errno (cons 'system-error args))))
    ('getaddrinfo-error (gai-strerror (car args)))
    ('deadline-exceeded "no answer in time")
    (_ #f)))

(define (timed seconds thunk)
  "Return a pair of the value of THUNK, which may take so many SECONDS, or #f if it
failed; and an alist: ms, how many milliseconds it took, and error, why it failed, or
#f."
  (define elapsed (stopwatch))
  (define (after value failure)
    `(,value (ms . ,(elapsed)) (error . ,failure)))
  (with-exception-handler
   (lambda (exception)
     (after #f (or (reason exception) (raise-exception exception))))
   (lambda () (after (with-deadline seconds thunk) #f))
   #:unwind? #t))

(define (say . words)
  "Write WORDS as a line, at once, to the standard error."
  (let ((port (current-error-port)))
    (for-each (lambda (word) (display word port)) words)
    (newline port)
    (force-output port)))

(define (plain text)
  "Return the first line of TEXT, what is shown of an error, without the names of
procedures."
  (regexp-substitute/global #f "In procedure [^ ]+: "
                            (car (string-split text #\newline)) 'pre 'post))

(define (looked-up exception)
  (match (and (exception-with-irritants? exception)
              (exception-irritants exception))
    ((what why) (format #f "~a cannot be looked up: ~a" what why))
    (_ (format #f "this name cannot be looked up: ~a" (reason exception)))))

(define (exception->line exception)
  "Return what EXCEPTION means, in a line."
  (define key (exception-kind exception))
  (define args (exception-args exception))
  (match (cons key args)
    (('usage text) text)
    (('deadline-exceeded . _) "the deadline has passed")
    (('getaddrinfo-error . _) (looked-up exception))
    (((or 'wrong-type-arg 'out-of-range) _ _ (_ wanted value) _)
     (format #f "~a is not right: expecting ~a" value wanted))
    (_
     (plain (call-with-output-string
              (lambda (port) (print-exception port #f key args)))))))

(define (call-and-exit program statuses thunk)
  "Call THUNK, and exit with the integer that it returns, else 0.  An error is said in
a line, and the status is what the alist STATUSES has for its key, else 1."
  (define (flush) (force-output (current-output-port)))
  (define (fail exception)
    (say program ": " (exception->line exception))
    (false-if-exception (flush))
    (or (assq-ref statuses (exception-kind exception)) 1))
  (define (run)
    (let ((status (thunk)))
      (flush)
      status))
  (let ((status (with-exception-handler fail run #:unwind? #t)))
    (primitive-exit (if (exact-integer? status) status 0))))
