;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Keywords that a procedure does not have, and those without a value, refused by the
;;; procedure's name, with the keywords that it has: Guile's own words name neither.
;;; The key of the error is Guile's.

(define-module (sockport io keyword)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:export (check-keywords
            filter-keywords
            set-keywords!
            define-keyed))

;;; The data begins as Guile's does; that there is more shows whose error it is.
(define (refuse who message keywords value)
  (scm-error 'keyword-argument-error who message '() (list value keywords)))

(define (expecting message keywords)
  (format #f "~a (expecting ~a)" message
          (string-join (sort (map object->string keywords) string<?))))

(define (check-keywords options optional keywords who)
  "Refuse OPTIONS, what WHO was called with behind what it requires, unless they are
up to OPTIONAL values and then KEYWORDS, each with its value."
  (match options
    (() #t)
    (((? keyword? keyword) . more)
     (unless (memq keyword keywords)
       (refuse who (expecting "Unrecognized keyword" keywords) keywords keyword))
     (match more
       (() (refuse who "Keyword argument has no value" keywords keyword))
       ((_ . more) (check-keywords more 0 keywords who))))
    ((other . more)
     (when (zero? optional)
       (refuse who (expecting "Invalid keyword" keywords) keywords other))
     (check-keywords more (- optional 1) keywords who))))

(define (filter-keywords keep? options)
  "Return those of OPTIONS, each with its value, whose keyword (KEEP? keyword) is true
of."
  (match options
    (() '())
    ((keyword value . rest)
     (let ((rest (filter-keywords keep? rest)))
       (if (keep? keyword) (cons* keyword value rest) rest)))))

(define (set-keywords! proc required optional keywords)
  "Have Guile's `procedure-arguments' show what PROC takes."
  (set-procedure-property! proc 'arglist
                           (list required optional (map list keywords) #f #f)))

;;; As `define*'.  Called without keywords, nothing is looked at.
(define-syntax define-keyed
  (lambda (form)
    (define (name parameter)
      (syntax-case parameter ()
        ((name . default) #'name)
        (name #'name)))
    (define (kind? parameter)
      (keyword? (syntax->datum parameter)))
    (define (of-kind kind parameters)
      "Return the names of those that stand behind KIND, up to the next kind."
      (match (find-tail (lambda (one) (eq? kind (syntax->datum one))) parameters)
        (#f '())
        ((_ . behind) (map name (take-while (negate kind?) behind)))))
    (syntax-case form ()
      ((_ (who . parameters) documentation body ...)
       (let* ((all (syntax-case #'parameters () ((one ...) #'(one ...))))
              (optional (of-kind #:optional all)))
         (with-syntax
             (((required ...) (take-while (negate kind?) all))
              (optional optional)
              (count (length optional))
              ((keyword ...) (map (lambda (name)
                                    (symbol->keyword (syntax->datum name)))
                                  (of-kind #:key all)))
              (text (symbol->string (syntax->datum #'who))))
           #'(begin
               (define who
                 ;; Both have the name for errors and backtraces.
                 (let* ((who (lambda* parameters body ...))
                        (who (case-lambda
                               documentation
                               ((required ...) (who required ...))
                               ((required ... . options)
                                (check-keywords options count '(keyword ...)
                                                text)
                                (apply who required ... options)))))
                   who))
               (set-keywords! who '(required ...) 'optional '(keyword ...)))))))))

(define (print-keyword-error port key args default-printer)
  (match args
    ((who message _ (value keywords))
     (format port "In procedure ~a: ~a: ~s" who message value))
    ((_ message _ (value))
     (format port "~a: ~s" message value))
    (_ (default-printer))))

(set-exception-printer! 'keyword-argument-error print-keyword-error)
