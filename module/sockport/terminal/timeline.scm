;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What began and ended when: noted as it happens, and drawn against time.

(define-module (sockport terminal timeline)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (sockport terminal report)
  #:export (make-timeline print-timeline))

(define (make-timeline key unended)
  "Return a procedure: (it NAME #f) notes that NAME begins, and (it NAME WORDS) that it
has ended so.  (it) returns an alist for each, in the order in which they began: KEY is
its name, start and end are times in milliseconds, outcome is its words, or UNENDED."
  (define elapsed (stopwatch))
  (define starts '())
  (define ends '())
  (define (row now)
    (match-lambda
      ((name . start)
       (match (or (assoc-ref ends name) (cons now unended))
         ((end . words)
          `((,key . ,name) (start . ,start) (end . ,end) (outcome . ,words)))))))
  (case-lambda
    ((name words)
     (if words
         (set! ends (acons name (cons (elapsed) words) ends))
         (set! starts (acons name (elapsed) starts))))
    (() (map (row (elapsed)) (reverse starts)))))

(define columns 40)

(define (print-timeline rows marks)
  "Print ROWS, which a timeline has returned, a line each and all to the same scale;
the alist MARKS has the mark for the end of each by its words, or it is x."
  (define whole
    (apply max 0.01 (map (lambda (row) (assq-ref row 'end)) rows)))
  (define (column ms)
    (min (- columns 1) (inexact->exact (floor (/ (* ms columns) whole)))))
  (for-each
   (match-lambda
     (((_ . name) (_ . start) (_ . end) (_ . words))
      (format #t "    ~30a |~va~a~va| ~,1f to ~,1f ms ~a~%" name
              (column start) ""
              (make-string (- (column end) (column start)) #\-)
              (- columns (column end)) (or (assoc-ref marks words) "x")
              start end words)))
   rows))
