;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What there is for programs: the public modules of this build, and the procedures
;;; that they export.

(define-module (harness exported)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:export (exported-procedures
            public-stems))

;; Modules that are there for the others, besides those in folders.
(define (internal)
  (append '("log" "primitive")
          (if (file-exists? (string-append (getenv "SOCKPORT_BUILD")
                                           "/module/sockport/tls-primitive.scm"))
              '()
              '("tls"))))

(define (public-stems)
  "Return the names, strings, of the modules (sockport NAME) that are public."
  (lset-difference string=?
                   (map (lambda (file) (basename file ".scm"))
                        (scandir (string-append (getenv "SOCKPORT_SOURCE")
                                                "/module/sockport")
                                 (lambda (file) (string-suffix? ".scm" file))))
                   (internal)))

(define (exported-procedures)
  "Return an alist from names to what is a procedure of the public modules."
  (delete-duplicates
   (filter (match-lambda
             ((name . value) (and (procedure? value) (not (macro? value)))))
           (append-map (lambda (stem)
                         (module-map
                          (lambda (name variable)
                            (cons name (variable-ref variable)))
                          (resolve-interface
                           (list 'sockport (string->symbol stem)))))
                       (public-stems)))
   (lambda (a b) (eq? (car a) (car b)))))
