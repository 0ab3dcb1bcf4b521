;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Errors of tasks keep their place: the file, the line and the procedures of the
;;; program, and nothing of what runs the tasks.

(use-modules (harness)
             (harness process)
             (ice-9 match)
             (ice-9 textual-ports)
             (srfi srfi-1)
             (sockport)
             (sockport task)
             (system base compile))

(test-begin "task-origin")

;;; A program, and in which line of it something stands.
(define program
  '("(use-modules (sockport))"
    "(define (fail x)"
    "  (let ((y (car x))) ; here"
    "    (+ 1 y)))"
    "(define (between x)"
    "  (task-yield)"
    "  (+ 1 (fail x))) ; above"
    "(define (alone) (between '()))"
    "(define (joined)"
    "  (let ((task (spawn-task alone #:name 'child #:on-end identity)))"
    "    (+ 1 (join task)))) ; joining"
    "(define (in-group)"
    "  (with-task-group (lambda (group) (between '())))"
    "  1)"
    "(define (cleaned-up)"
    "  (call-with-cleanup alone (const #f))"
    "  1)"
    "(define (in-thread) (+ 1 (call-in-thread alone)))"
    "(define (with-others)"
    "  (spawn-task alone #:name 'one)"
    "  (spawn-task (lambda () (call-with-cleanup (lambda () (sleep 1000))"
    "                                            (lambda () (error \"other\")))) ; other"
    "              #:name 'two)"
    "  (sleep 1000))"
    "(define (twice e)"
    "  (run-tasks (lambda () (raise-exception e) 1)) ; raising"
    "  1)"))

(define (line-of comment)
  (+ 1 (list-index (lambda (line)
                     (string-suffix? (string-append "; " comment) line))
                   program)))

(define-syntax-rule (with-program (file) body ...)
  (with-temporary-directory
    (lambda (directory)
      (let ((file (string-append directory "/prog.scm")))
        (call-with-output-file file
          (lambda (port)
            (for-each (lambda (line) (display line port) (newline port))
                      program)))
        body ...))))

(define loaded
  (let ((module (make-fresh-user-module)))
    (with-program (file)
      (save-module-excursion
       (lambda ()
         (set-current-module module)
         (load-compiled (compile-file file #:env module
                                      #:output-file
                                      (string-append file ".go"))))))
    module))

(define (failure-of thunk)
  (with-exception-handler identity
    (lambda () (run-tasks thunk) #f)
    #:unwind? #t))

(define (shown exception)
  (call-with-output-string
    (lambda (port) (display-task-failure exception port))))

(define (text-of name)
  (shown (failure-of (module-ref loaded name))))

(define (mentions? text line)
  (and (string-contains text (format #f "prog.scm:~a:" (line-of line))) #t))

(define (in-order? text . parts)
  (let next ((parts parts) (start 0))
    (or (null? parts)
        (let ((at (string-contains text (car parts) start)))
          (and at (next (cdr parts) (+ at 1)))))))

;;; Of ours and of the core's.
(define (others? text)
  (any (lambda (file) (string-contains text file))
       '("sockport/" "ice-9/" "loop.scm" "run.scm")))

(test-case "the error, then where, and nothing of the loop"
  (for-each
   (match-lambda
     ((name who)
      (let ((text (text-of name)))
        (test-assert (list name 'error-first)
          (in-order? text "In procedure car" (string-append "raised in " who)
                     (format #f "prog.scm:~a:" (line-of "here"))))
        (test-assert (list name 'no-frames-of-the-loop)
          (not (others? text)))
        (unless (memq name '(joined in-thread))
          (test-equal (list name 'once-in-each-task) #f
            (string-contains text "and again"))))))
   '((alone "task main") (joined "task child") (in-group "task main")
     (cleaned-up "task main") (in-thread "a thread") (with-others "task one"))))

(test-case "who joins says where, too"
  (let ((text (text-of 'joined)))
    (test-assert "both places"
      (in-order? text (format #f "prog.scm:~a:" (line-of "here"))
                 "and again in task main"
                 (format #f "prog.scm:~a:" (line-of "joining"))))
    (test-assert "the error itself once"
      (not (in-order? text "In procedure car" "In procedure car")))))

(test-case "what others raised has its place as well"
  (let ((text (text-of 'with-others)))
    (test-assert "the first"
      (mentions? text "here"))
    (test-assert "the other"
      (in-order? text "besides: " "other" "raised in task two"
                 (format #f "prog.scm:~a:" (line-of "other"))))))

(test-case "where it was raised first, and where last"
  (let* ((exception (make-exception-from-throw 'some-key '()))
         (twice (module-ref loaded 'twice)))
    (define (raise-it)
      (with-exception-handler identity
        (lambda () (twice exception))
        #:unwind? #t))
    (test-eq "the same exception" exception (raise-it))
    (raise-it)
    (raise-it)
    (let ((text (shown exception)))
      (test-assert "two places"
        (in-order? text "raised in" "prog.scm" "and again in" "prog.scm"))
      (test-assert "not three"
        (not (in-order? text "and again in" "and again in"))))))

(test-case "what is no exception is shown"
  (test-equal "a symbol" #t
    (and (string-contains (shown (failure-of (lambda () (raise-exception 'a))))
                          "a")
         #t))
  (test-assert "a task that was cancelled"
    (string-contains
     (shown (failure-of
             (lambda ()
               (let ((task (spawn-task (lambda () (sleep 1000)))))
                 (cancel! task)
                 (join task)))))
     "cancelled")))

(test-case "an end handler sees the place"
  (let ((text #f))
    (run-tasks
     (lambda ()
       (spawn-task (module-ref loaded 'alone)
                   #:on-end (lambda (exception)
                              (set! text (shown exception))
                              #t))))
    (test-assert "here" (mentions? text "here"))
    (test-assert "named after its procedure"
      (string-contains text "raised in task alone"))))

(test-case "code that is not compiled"
  (let ((text (shown (failure-of (eval '(lambda () (car '())) (current-module))))))
    (test-assert "the error" (string-contains text "In procedure car"))
    (test-assert "it says so" (string-contains text "outside of the program's compiled code"))
    (test-assert "no frames of the loop" (not (others? text)))))

(test-case "where an exception was raised keeps nothing alive"
  (let ((guardian (make-guardian)))
    (for-each (lambda (_)
                (guardian (failure-of (lambda () (error "some" (make-string 100))))))
              (iota 100))
    (test-assert "most are collected"
      (wait-until
       (let ((collected 0))
         (lambda ()
           (gc)
           (while (guardian) (set! collected (+ collected 1)))
           (> collected 50)))))))

;;; What Guile prints of an error that nobody handles.

(define (printed . form)
  (with-program (file)
    (let ((go (string-append file ".go")))
      (compile-file file #:output-file go)
      (call-with-values
          (lambda ()
            (run-program "sh" "-c" "\"$@\" 2>&1; true" "sh"
                         "guile" "--no-auto-compile" "-c"
                         (format #f "(load-compiled ~s) ~s" go form)))
        (lambda (status output) output)))))

(test-case "an error that nobody handles"
  (let ((text (printed 'run-tasks 'joined)))
    (test-assert "as Guile prints it" (string-contains text "\nIn procedure car: Wrong type argument"))
    (test-assert "then where"
      (in-order? text "In procedure car" "raised in task child"
                 (format #f "prog.scm:~a:" (line-of "here"))
                 "and again in task main"
                 (format #f "prog.scm:~a:" (line-of "joining"))))
    (test-assert "no frames of the loop"
      (not (any (lambda (name) (string-contains text name))
                '("turns!" "run-task!" "loop-run!" "task/run.scm"
                  "task/loop.scm" "task/origin.scm"))))))

(test-case "the log of a server"
  (let ((lines '()))
    (define (visit server)
      (let ((sock (connect-to (car (server-addresses server)))))
        (get-char sock)
        (close-port sock)
        (stop-server! server)))
    (run-tasks
     (lambda ()
       (serve "127.0.0.1:0" (lambda (sock peer) ((module-ref loaded 'alone)))
              #:signals '()
              #:log (lambda (text) (set! lines (cons text lines)))
              #:on-listen (lambda (server)
                            (spawn-task (lambda () (visit server)))))))
    (test-equal "one line" 1 (length lines))
    (test-assert "where"
      (in-order? (car lines) "connection from" "In procedure car"
                 (format #f "prog.scm:~a:" (line-of "here"))))))

(test-end "task-origin")
