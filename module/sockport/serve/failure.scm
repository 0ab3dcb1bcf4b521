;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How an error of a handler stands in the log: what it was, and then where, in the
;;; handler's own frames; and what becomes of a log that fails.

(define-module (sockport serve failure)
  #:use-module (srfi srfi-1)
  #:use-module (sockport task exception)
  #:use-module ((sockport task group) #:select (cancelled-with?))
  #:use-module (system repl debug)
  #:use-module (system vm frame)
  #:export (failure->text
            passes?
            say))

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

(define (frames stack)
  (map (lambda (index) (stack-ref stack index)) (iota (stack-length stack))))

(define (servers-own? frame)
  (eq? 'with-default-prompt (frame-procedure-name frame)))

;;; How the server came to call the handler is of no use to who wrote that.
(define (handler-frames stack)
  (take-while (negate servers-own?) (frames stack)))

(define most-frames 30)

(define (failure->text exception stack)
  "Return the text of EXCEPTION, and of the frames of STACK, if it is one."
  (string-trim-right
   (call-with-output-string
     (lambda (port)
       (print-exception port #f (exception-kind exception)
                        (exception-args exception))
       (when stack
         (print-frames (list->vector (handler-frames stack)) port
                       #:count most-frames))))))
