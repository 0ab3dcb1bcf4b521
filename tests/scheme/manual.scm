;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Runs each @lisp example of the manual as a program of its own, and compares
;;; what an expression gives with the datum after its @result{}.  An example
;;; after a line "@c norun REASON" is only read.

(use-modules (harness)
             (harness process)
             (ice-9 ftw)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (srfi srfi-1))

(define arrow (string->symbol "⇒"))

(define (replace-all text replacements)
  (fold (match-lambda*
          (((from . to) text)
           (let loop ((start 0) (done ""))
             (match (string-contains text from start)
               (#f (string-append done (substring text start)))
               (at (loop (+ at (string-length from))
                         (string-append done (substring text start at)
                                        to)))))))
        text replacements))

(define (plain line)
  "Return LINE of Texinfo as the Scheme that a reader sees."
  (replace-all line '(("@result{}" . "⇒") ("@dots{}" . "…")
                      ("@{" . "{") ("@}" . "}") ("@@" . "@"))))

;; An example: line number, reason not to run it or #f, and lines.
(define (read-example port first norun)
  (let loop ((lines '()))
    (match (read-line port)
      ("@end lisp" (list first norun (reverse lines)))
      ((? eof-object?) (error "no @end lisp after line" first))
      (line (loop (cons (plain line) lines))))))

(define (examples-of file)
  (call-with-input-file file
    (lambda (port)
      (let loop ((norun #f) (found '()))
        (match (read-line port)
          ((? eof-object?) (reverse found))
          ("@lisp"
           (loop #f (cons (read-example port (port-line port) norun) found)))
          (line
           (loop (and (string-prefix? "@c norun " line) line) found)))))
    #:encoding "UTF-8"))

(define (forms-of text)
  (call-with-input-string text
    (lambda (port)
      (let loop ((forms '()))
        (match (read port)
          ((? eof-object?) (reverse forms))
          (form (loop (cons form forms))))))))

(define (program-of forms)
  "Return FORMS with each `FORM ⇒ DATUM' as a comparison."
  (match forms
    (() '())
    ((form (? (lambda (x) (eq? x arrow))) datum . rest)
     (cons `(let ((value ,form))
              (unless (equal? value ',datum)
                (error "gives something else:" ',form value)))
           (program-of rest)))
    ((form . rest) (cons form (program-of rest)))))

(define (run-example lines)
  "Return #t when the example ends well."
  (let ((forms (forms-of (string-join lines "\n"))))
    (with-temporary-directory
      (lambda (directory)
        (let ((file (string-append directory "/example.scm")))
          (call-with-output-file file
            (lambda (port)
              (for-each (lambda (form) (write form port) (newline port))
                        (cons '(use-modules (sockport)) (program-of forms))))
            #:encoding "UTF-8")
          (call-with-values
              (lambda () (run-program "guile" "--no-auto-compile" "-s" file))
            (lambda (status output)
              (or (eqv? status 0)
                  (begin (display output) #f)))))))))

(define (needs-more? name)
  (and (string=? name "tls.texi")
       (not (search-path %load-path "sockport/tls-primitive.scm"))))

(define documents
  (string-append (getenv "SOCKPORT_SOURCE") "/doc/"))

(test-begin "manual")

(test-case "the runner sees what an example gives"
  (test-assert "what holds" (run-example '("(+ 1 2) ⇒ 3")))
  (test-assert "what does not"
    ;; Not a void port: for that, Guile 3.0.10 opens /dev/null and leaves it open.
    (not (call-with-output-file "/dev/null"
           (lambda (port)
             (with-error-to-port port
               (lambda () (run-example '("(+ 1 2) ⇒ 4")))))))))

(for-each
 (lambda (name)
   (test-case name
     (when (needs-more? name)
       (skip "built without GnuTLS"))
     (for-each
      (match-lambda
        ((line norun lines)
         (let ((where (format #f "line ~a" line)))
           (if norun
               (test-assert (list where "is only read")
                 (forms-of (string-join lines "\n")))
               (test-assert where (run-example lines))))))
      (examples-of (string-append documents name)))))
 (scandir documents (lambda (name) (string-suffix? ".texi" name))))

(test-end "manual")
