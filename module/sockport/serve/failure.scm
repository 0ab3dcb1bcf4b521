;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How an error of a handler stands in the log: what it was, for what request, and
;;; where, in the program's own files; and what becomes of a log that fails.

(define-module (sockport serve failure)
  #:use-module (ice-9 match)
  #:use-module (sockport task exception)
  #:use-module ((sockport task group) #:select (cancelled-with?))
  #:use-module ((sockport task origin) #:select (of-the-user? print-frames stack-frames))
  #:use-module (system vm frame)
  #:use-module (system vm program)
  #:export (failing-to
            failure->text
            passes?
            say
            with-default-prompt))

(define (passes? exception)
  "Does EXCEPTION end the connection that it is raised in, whatever it was about?"
  (or (cancelled-with? exception)
      (eq? 'quit (exception-kind exception))))

;;; There is no place for what goes wrong here, when a disk is full say, and nobody who
;;; is served has to do with it.
(define (say log text)
  "Call (LOG text); what that raises ends nothing."
  (with-exception-handler
      (lambda (exception)
        (when (passes? exception)
          (raise-exception exception)))
    (lambda () (log text))
    #:unwind? #t))

;;; How the server came to call the handler, and what is below the procedures that the
;;; handler has called, is of no use to who wrote it.
(define (of-the-program? frame)
  (let ((file (place-file (frame-source frame))))
    (and file (of-the-user? file))))

(define (place-file source)
  (and source (source:file source)))

(define (procedure-place proc)
  "Return where PROC begins in the user's program, or #f."
  (let* ((source (and (program? proc) (program-source proc 0)))
         (file (place-file source)))
    (and file
         (of-the-user? file)
         (format #f "~a:~a:~a" file (source:line-for-user source)
                 (source:column source)))))

(define most-frames 30)

(define (print-places stack handler port)
  (match (if stack (filter of-the-program? (stack-frames stack)) '())
    (()
     (format port "The handler is ~a~a~%"
             (or (procedure-name handler) "a procedure without a name")
             (match (procedure-place handler)
               (#f ".")
               (place (string-append ", " place)))))
    (frames
     (print-frames (list-head frames (min most-frames (length frames))) port))))

(define (print-failure exception port)
  (match (cons (exception-kind exception) (exception-args exception))
    (('%exception object)
     (if (exception? object)
         (print-exception port #f '%exception (list object))
         (format port "What is no exception was raised: ~s~%" object)))
    (('match-error _ _ object)
     (format port "No pattern of `match' fits: ~s~%" object))
    ((key . args)
     (print-exception port #f key args))))

(define (failure->text exception where stack handler)
  "Return the text of EXCEPTION, then of WHERE, a line, and of the program's frames of
STACK, or of HANDLER if there is none."
  (string-trim-right
   (call-with-output-string
     (lambda (port)
       (print-failure exception port)
       (format port "~a~%" where)
       (print-places stack handler port)))))

;;; Calling what the program has given.

(define (failing-to proc thunk)
  "Call THUNK; if it raises an exception, call (PROC exception stack) instead, out
of its extent."
  (call-with-prompt handler-tag
    (lambda ()
      (with-exception-handler
          (lambda (exception)
            (if (passes? exception)
                (raise-exception exception)
                (abort-to-prompt handler-tag exception
                                 (make-stack #t 2 handler-tag))))
        thunk))
    (lambda (k exception stack) (proc exception stack))))

;; One for all: what one of them calls is never a response within another.
(define handler-tag (make-prompt-tag "handler"))

;;; A handler that aborts to the default prompt expects to go on at once, as in
;;; Guile's own server.
(define (with-default-prompt thunk)
  (call-with-prompt (default-prompt-tag)
    thunk
    (lambda (k proc)
      (with-default-prompt (lambda () (proc k))))))
