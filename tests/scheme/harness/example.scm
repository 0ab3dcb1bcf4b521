;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The programs of examples/, as commands for (harness process).

(define-module (harness example)
  #:use-module (harness process)
  #:export (example
            output-of
            output-and-errors-of))

(define (example name)
  "Return a procedure that makes the command for the example NAME of its arguments."
  (lambda arguments
    (cons* "guile" "--no-auto-compile" "-s"
           (string-append (getenv "SOCKPORT_SOURCE") "/examples/" name)
           arguments)))

(define (output-of command)
  "Run COMMAND to its end; return a list of its exit code and its output."
  (call-with-values (lambda () (apply run-program command)) list))

(define (output-and-errors-of command)
  "The same, with what it writes to its standard error among the output."
  (output-of (cons* "sh" "-c" "exec \"$@\" 2>&1" "sh" command)))
