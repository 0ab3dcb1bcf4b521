;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Compiles the Scheme modules in one process, each after what it uses:
;;;
;;;   guile build-aux/compile-modules.scm [--werror] SRCDIR OUTDIR FILE…
;;;
;;; A FILE is looked for under SRCDIR, then under OUTDIR (generated ones); its
;;; object goes to OUTDIR under the same name, ending in .go.  What is older than
;;; its source, or than what it uses, is compiled again.
;;; --werror: a warning is a failure.

(use-modules (ice-9 match)
             (srfi srfi-1)
             (srfi srfi-9)
             (srfi srfi-26)
             (system base compile)
             (system base message))

;; Those that every release of Guile has, so that a new one breaks no build, less
;; those that what define-record-type and match leave behind sets off.
(define warnings
  '(shadowed-toplevel unbound-variable macro-use-before-definition
    use-before-definition non-idempotent-definition arity-mismatch
    duplicate-case-datum bad-case-datum format))

(define-record-type <unit>
  (make-unit name source object uses)
  unit?
  (name unit-name)
  (source unit-source)
  (object unit-object)
  (uses unit-uses))

(define (die . parts)
  (for-each (cut display <> (current-error-port))
            `("compile-modules: " ,@parts "\n"))
  (exit 1))

(define (interface-name spec)
  (match spec
    (((? symbol?) . _) spec)
    (((? pair? name) . _) name)))

(define (used-modules clauses)
  (match clauses
    ((#:use-module spec . rest)
     (cons (interface-name spec) (used-modules rest)))
    ((_ . rest) (used-modules rest))
    (() '())))

(define (object-name outdir file)
  (string-append outdir "/" (string-drop-right file 4) ".go"))

(define (find-source file directories)
  (or (find file-exists?
            (map (cut string-append <> "/" file) directories))
      (die file ": not found in " directories)))

(define (file->unit srcdir outdir file)
  (let ((source (find-source file (list srcdir outdir))))
    (match (call-with-input-file source read)
      (('define-module name . clauses)
       (make-unit name source (object-name outdir file)
                  (used-modules clauses)))
      (_ (die source ": does not begin with define-module")))))

(define (in-order units)
  "Return UNITS, each after those that it uses."
  (define (visit unit path done)
    (cond ((memq unit done) done)
          ((memq unit path)
           (die "these modules use each other: "
                (map unit-name (cons unit path))))
          (else
           (cons unit
                 (fold (cut visit <> (cons unit path) <>) done
                       (filter (lambda (other)
                                 (member (unit-name other) (unit-uses unit)))
                               units))))))
  (reverse (fold (cut visit <> '() <>) '() units)))

(define (older? object source)
  (or (not (file-exists? object))
      (let ((a (stat object)) (b (stat source)))
        (< (+ (* 1000000000 (stat:mtime a)) (stat:mtimensec a))
           (+ (* 1000000000 (stat:mtime b)) (stat:mtimensec b))))))

(define (make-directories directory)
  (unless (file-exists? directory)
    (make-directories (dirname directory))
    (mkdir directory)))

(define (compile-unit unit)
  "Compile UNIT and return the warnings, a string."
  (format (current-error-port) "  GUILEC ~a~%" (unit-name unit))
  (make-directories (dirname (unit-object unit)))
  (let ((said
         (call-with-output-string
           (lambda (port)
             (parameterize ((current-warning-port port))
               (compile-file (unit-source unit)
                             #:output-file (unit-object unit)
                             #:optimization-level 2
                             #:opts `(#:warnings ,warnings)))))))
    ;; The compiler has left a module of this name that holds syntax only;
    ;; the units that use it need the procedures behind the syntax as well.
    (load-compiled (unit-object unit))
    (display said (current-error-port))
    said))

(define (newer-elsewhere? name units object)
  "Was module NAME, if it is none of UNITS, compiled after OBJECT?  What a record's
procedures stand for is in the objects of those that use it."
  (let ((its (and (not (find (lambda (unit) (equal? name (unit-name unit))) units))
                  (every symbol? name)
                  (search-path %load-compiled-path
                               (string-append
                                (string-join (map symbol->string name) "/") ".go")))))
    (and its (older? object its))))

(define (stale? unit units fresh)
  "Is UNIT to be compiled, where those named FRESH were?"
  (or (older? (unit-object unit) (unit-source unit))
      (any (lambda (name)
             (or (member name fresh)
                 (newer-elsewhere? name units (unit-object unit))))
           (unit-uses unit))))

(define (compile-units all)
  "Compile what is stale among the ordered ALL; return those that warned."
  (let loop ((units all) (fresh '()) (warned '()))
    (match units
      (() warned)
      ((unit . rest)
       (if (stale? unit all fresh)
           (loop rest (cons (unit-name unit) fresh)
                 (if (string-null? (compile-unit unit))
                     warned
                     (cons unit warned)))
           (begin
             ;; Otherwise Ninja would start us again each time.
             (utime (unit-object unit))
             (loop rest fresh warned)))))))

(define (main werror? srcdir outdir files)
  (set! %load-should-auto-compile #f)
  (read-enable 'positions)
  (set! %load-path (cons* outdir srcdir %load-path))
  (set! %load-compiled-path (cons outdir %load-compiled-path))
  (let* ((units (in-order (map (cut file->unit srcdir outdir <>) files)))
         (warned (compile-units units)))
    (when (and werror? (pair? warned))
      ;; Gone, so that the next run says it again.
      (for-each (compose delete-file unit-object) warned)
      (die "warnings in " (map unit-name warned)))))

(match (command-line)
  ((_ "--werror" srcdir outdir files ...) (main #t srcdir outdir files))
  ((_ srcdir outdir files ...) (main #f srcdir outdir files))
  (_ (die "usage: compile-modules.scm [--werror] SRCDIR OUTDIR FILE…")))
