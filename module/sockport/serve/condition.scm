;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests that depend on what the client has already (RFC 9110, 13) and that
;;; want parts (14): decided here, without looking at a file.

(define-module (sockport serve condition)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-19)
  #:export (precondition
            range-wanted?
            values-of
            resolve-ranges))

;;; An entity's tag is a pair of a string and whether it is strong, as (web http)
;;; has it; MODIFIED is in seconds since 1970.

(define (seconds date)
  (time-second (date->time-utc date)))

(define (matches? etag strong? tags)
  (or (eq? tags '*)
      (any (match-lambda
             ((tag . other-strong?)
              (and (string=? tag (car etag))
                   (or (not strong?) (and other-strong? (cdr etag))))))
           tags)))

(define (values-of headers name)
  "Return the values of all lines of the header NAME."
  (filter-map (match-lambda
                ((key . value) (and (eq? key name) value)))
              headers))

(define (tags-of headers name)
  "Return the tags in the lines of the header NAME, or *."
  (let ((lines (values-of headers name)))
    (if (memq '* lines) '* (concatenate lines))))

(define (precondition headers invalid etag modified)
  "Return #f if the request with HEADERS, and with those that are INVALID, is to be
answered as it is, or the code to answer with: 412 or 304.  The order is that of RFC
9110, 13.2.2."
  (define (tags name) (tags-of headers name))
  ;; One that is no list of tags is there all the same.
  (define (told? name)
    (or (assq name headers) (assq name invalid)))
  (define (since name compare)
    (match (assq-ref headers name)
      ((? date? date) (compare modified (seconds date)))
      (_ #f)))
  (cond ((if (told? 'if-match)
             (not (matches? etag #t (tags 'if-match)))
             (since 'if-unmodified-since >))
         412)
        ((if (told? 'if-none-match)
             (matches? etag #f (tags 'if-none-match))
             (since 'if-modified-since <=))
         304)
        (else #f)))

(define (range-wanted? headers invalid etag modified)
  "Does the request with HEADERS, and with those that are INVALID, want its range, if
the client has the entity that there is?  Nobody can tell of a date that it is the only
one of its second, so that it has to be the same, and a while ago (RFC 9110, 8.8.2.2)."
  (match (append (values-of headers 'if-range) (values-of invalid 'if-range))
    (() #t)
    (((? date? date))
     (and (= modified (seconds date))
          (< (+ modified 1) (current-time*))))
    (((tag . strong?)) (matches? etag #t (list (cons tag strong?))))
    (_ #f)))

(define (current-time*)
  (time-second (current-time time-utc)))

;;; Ranges.

(define most-ranges 64)

(define (resolve-range range size)
  "Return a pair of the first byte and the one after the last, or #f."
  (match range
    ((#f . count) (and (positive? count) (positive? size)
                       (cons (max 0 (- size count)) size)))
    ((from . #f) (and (< from size) (cons from size)))
    ((from . to) (and (< from size) (cons from (min size (+ to 1)))))))

(define (backwards? range)
  (match range
    (((? number? from) . (? number? to)) (< to from))
    (_ #f)))

(define (overlapping? ranges)
  (match ranges
    ((a b . rest) (or (> (cdr a) (car b)) (overlapping? (cdr ranges))))
    (_ #f)))

(define (merge ranges)
  (match ranges
    (((a . b) (c . d) . rest)
     (if (>= b c)
         (merge (cons (cons a (max b d)) rest))
         (cons (cons a b) (merge (cdr ranges)))))
    (_ ranges)))

(define (total ranges)
  (fold (lambda (range sum) (+ sum (- (cdr range) (car range)))) 0 ranges))

(define (resolve-ranges range size)
  "Return the parts that RANGE, the value of the header, asks for of SIZE bytes, as
pairs of the first byte and the one after the last; () if there are none of them, and
#f if the header is to be ignored.  Parts that overlap become one: asking for the same
bytes over and over must not make a response larger than the whole."
  (match range
    (('bytes . (? pair? ranges))
     (if (or (any backwards? ranges) (> (length ranges) most-ranges))
         #f
         (let* ((found (filter-map (lambda (range) (resolve-range range size))
                                   ranges))
                (sorted (sort found (lambda (a b) (< (car a) (car b)))))
                (parts (if (overlapping? sorted) (merge sorted) found)))
           (if (and (pair? parts) (pair? (cdr parts)) (>= (total parts) size))
               #f
               parts))))
    (_ #f)))
