;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Where the exceptions of tasks were raised.  What is noted is a few addresses of
;;; code, which costs microseconds and keeps nothing alive; what they stand for is
;;; looked up when it is shown, which takes milliseconds.

(define-module (sockport task origin)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport ports failure)
  #:use-module (sockport primitive)
  #:use-module (sockport task exception)
  #:use-module (sockport task loop)
  #:export (note-origin!
            call-noting
            with-others
            raise-failure
            display-task-failure
            of-the-user?
            failure->text
            stack-frames
            print-frames))

;;; Stacks.

(define (stack-frames stack)
  "Return the frames of STACK, the innermost first."
  (map (lambda (index) (stack-ref stack index)) (iota (stack-length stack))))

;;; Guile's own print-frames ends at a frame that an async has interrupted before all of
;;; its values were there, and its display-backtrace prints nothing in a thread.
(define (print-frames frames port)
  "Write FRAMES, a list of them, the innermost first, to PORT as Guile does."
  (let next ((frames (reverse frames)) (index (- (length frames) 1)) (last #f))
    (match frames
      (() #t)
      ((frame . inner)
       (next inner (- index 1)
             (with-exception-handler
                 (lambda (exception)
                   (format port "~a (~a ...)\n" (string-pad (number->string index) 12)
                           (or (name-of (frame-instruction-pointer frame)) "_"))
                   last)
               (lambda ()
                 ((@ (system repl debug) print-frame) frame port
                  #:index index #:last-source last)
                 (frame-source frame))
               #:unwind? #t))))))

;;; Origins.

;;; For an exception, one or two of (who id address ...): where it was raised first
;;; and, in another task that joined that one say, last.
(define origins (make-weak-key-hash-table))

(define most-frames 64)

(define (addresses in-task?)
  "Return the addresses of the code that runs here, the innermost first."
  (if known?
      (%code-addresses in-task? most-frames)
      (let ((stack (if in-task? (make-stack #t 0 task-tag) (make-stack #t))))
        (let collect ((frame (and stack (stack-ref stack 0)))
                      (left (if stack (min most-frames (stack-length stack)) 0)))
          (if (and frame (positive? left))
              (cons (frame-instruction-pointer frame)
                    (collect (frame-previous frame) (- left 1)))
              '())))))

;;; A procedure's own name takes longer to find than all else here.
(define (shown-name name)
  "Return NAME, of a task, as a datum that keeps nothing else alive."
  (cond ((procedure? name) (list (%code-address name)))
        ((or (symbol? name) (string? name) (number? name)) name)
        (else #f)))

(define (origin-here)
  (let ((task (current-task)))
    (cons* (if task (shown-name (task-name task)) 'thread)
           (object-address (or task (current-loop) origins))
           (addresses (and task (loop-inside? (task-loop task)))))))

;;; Nothing here may raise: in a handler, Guile's catch and with-exception-handler
;;; have no effect in 3.0.8.
(define (note-origin! exception)
  "Note that EXCEPTION was raised here, unless the same task has noted it before.
To be called by a handler, before anything is unwound."
  (when (and (exception? exception) (not (task-cancelled? exception)))
    (let ((here (origin-here)) (before (hashq-ref origins exception '())))
      (unless (and (pair? before) (eqv? (cadr (last before)) (cadr here)))
        (hashq-set! origins exception
                    (if (null? before)
                        (list here)
                        (list (car before) here)))))))

(define (call-noting thunk failed)
  "Return the values of THUNK; if it raises an exception, note where, and return
those of (FAILED exception), called out of its extent."
  (let ((tag (make-prompt-tag "noting")))
    (call-with-prompt tag
      (lambda ()
        (with-exception-handler
            (lambda (exception)
              (note-origin! exception)
              (abort-to-prompt tag exception))
          thunk))
      (lambda (k exception) (failed exception)))))

(define (with-others exception others)
  "Return EXCEPTION with the exceptions OTHERS attached, if there are any."
  (if (null? others)
      exception
      (let ((all (make-exception (as-exception exception)
                                 (make-task-errors others))))
        (hashq-set! origins all (hashq-ref origins exception '()))
        all)))

(define (as-exception object)
  (if (exception? object)
      object
      (make-exception-from-throw
       'misc-error (list #f "a task has raised: ~S" (list object) #f))))

;;; Showing.

;;; Neither what raises and handles nor what runs the tasks.
(define (of-the-user? file)
  (not (or (string-prefix? "sockport/" file)
           (string-prefix? "ice-9/" file)
           (string=? file "web/server/sockport.scm"))))

;;; What reads debug information is loaded when it is needed first.
(define-syntax-rule (debug name arg)
  ((@ (system vm debug) name) arg))

(define (place address)
  "Return the text of the place in the user's program that ADDRESS stands for, or #f
if it is not there."
  (let* ((source (debug find-source-for-addr address))
         (file (and source (debug source-file source))))
    (and file
         (of-the-user? file)
         (format #f "~a:~a:~a~a" file
                 (debug source-line-for-user source)
                 (debug source-column source)
                 (name-in-parentheses (name-of address))))))

(define (name-of address)
  (let ((info (debug find-program-debug-info address)))
    (and info (debug program-debug-info-name info))))

(define (named-task name)
  (if name (format #f "task ~a" name) "a task"))

(define (name-in-parentheses name)
  (if name (format #f " (~a)" name) ""))

(define only-places? (make-parameter #f))

(define (display-origin port verb origin)
  (match origin
    ((who _ . addresses)
     (let ((places (filter-map place addresses)))
       (unless (and (null? places) (only-places?))
         (format port "~a in ~a~a\n" verb
                 (match who
                   ((or #f (#f)) "a task")
                   ((address) (named-task (name-of address)))
                   ('thread "a thread")
                   (name (named-task name)))
                 (if (null? places)
                     ", outside of the program's compiled code"
                     (string-append ":\n  " (string-join places "\n  ")))))))))

(define (display-origins exception port)
  (match (hashq-ref origins exception '())
    (() #f)
    ((first . again)
     (display-origin port "raised" first)
     (for-each (lambda (origin) (display-origin port "and again" origin)) again)))
  (when (task-errors? exception)
    (for-each (lambda (other)
                (display "besides: " port)
                (display-task-failure other port))
              (task-errors-others exception))))

(define* (display-task-failure exception #:optional (port (current-error-port)))
  "Write EXCEPTION, then where in the program it was raised, to PORT."
  (plain-print-exception port #f (exception-kind exception)
                         (exception-args exception))
  (display-origins exception port))

(define (failure->text exception)
  "Return what `display-task-failure' shows; the logs of servers have no line for a
failure that the program's own code has no part in, as that of a handshake."
  (string-trim-right
   (call-with-output-string
     (lambda (port)
       (parameterize ((only-places? #t))
         (display-task-failure exception port))))))

;; Not compiled into what calls it: Guile 3.0.10 shows that as the place of the error.
(define raise #f)
(set! raise raise-exception)

(define (raise-failure exception)
  "Raise EXCEPTION of a task; if nobody handles it, Guile shows where it was raised
as well."
  (show-failure-as exception display-origins)
  (raise exception))
