;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Refusing a bad argument by its position or its keyword, as the primitives do in C
;;; (guile/error.h): what was expected, or between which bounds.  What is no keyword of
;;; the procedure's is for io/keyword.

(define-module (sockport io argument)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:export (refuse-type
            refuse-range
            check-integer
            check-natural
            check-port
            check-bytevector
            check-procedure
            check-strings
            check-that
            record-reader
            in-place-of))

(define (refuse-type who pos expected value)
  "Raise wrong-type-arg for VALUE, the argument POS of WHO; EXPECTED are words."
  (scm-error 'wrong-type-arg who
             "Wrong type argument in position ~A (expecting ~A): ~S"
             (list pos expected value) (list value)))

(define (refuse-range who pos bounds value)
  "Raise out-of-range for VALUE, the argument POS of WHO; BOUNDS are words."
  (scm-error 'out-of-range who "Argument ~A out of range (~A): ~S"
             (list pos bounds value) (list value)))

(define (check-integer value low high pos who)
  "Refuse VALUE unless it is an exact integer from LOW to HIGH."
  (cond ((not (exact-integer? value))
         (refuse-type who pos "exact integer" value))
        ((not (<= low value high))
         (refuse-range who pos (format #f "~a to ~a" low high) value))))

(define (check-natural value pos who)
  (unless (and (exact-integer? value) (>= value 0))
    ((if (exact-integer? value) refuse-range refuse-type)
     who pos "an exact integer from 0 on" value)))

(define (check-port value pos who)
  "Refuse VALUE unless it is an open file port."
  (unless (and (file-port? value) (not (port-closed? value)))
    (refuse-type who pos "open file port" value)))

(define (check-bytevector value pos who)
  (unless (bytevector? value)
    (refuse-type who pos "bytevector" value)))

(define-inlinable (check-that right? value pos expected who)
  "Refuse VALUE unless RIGHT?; EXPECTED are words."
  (unless right?
    (refuse-type who pos expected value)))

(define-inlinable (check-procedure value pos who)
  (check-that (procedure? value) value pos "procedure" who))

(define (check-strings value pos who)
  "Refuse VALUE unless it is a list of strings that the system takes."
  (unless (and (list? value)
               (and-map (lambda (text)
                          (and (string? text) (not (string-index text #\nul))))
                        value))
    (refuse-type who pos "list of strings without NUL" value)))

(define (record-reader accessor predicate expected who)
  "Return ACCESSOR for what is right by PREDICATE; WHO, a symbol, refuses the rest."
  (let ((who (symbol->string who)))
    (lambda (object)
      (check-that (predicate object) object 1 expected who)
      (accessor object))))

;;; A procedure that is made of another one raises errors of its own.
(define (in-place-of inner positions who thunk)
  "Call THUNK.  An error that INNER raises there is raised as one of WHO, at the
position that the alist POSITIONS has for that of INNER."
  (with-exception-handler
      (lambda (exception)
        (match (cons (exception-kind exception) (exception-args exception))
          (((or 'wrong-type-arg 'out-of-range) (? (named? inner))
            message (position . rest) data)
           (scm-error (exception-kind exception) who message
                      (cons (or (assv-ref positions position) position) rest)
                      data))
          (('system-error (? (named? inner)) message arguments data)
           (scm-error 'system-error who message arguments data))
          (_ (raise-exception exception))))
    thunk
    #:unwind? #t))

(define (named? who)
  (lambda (name)
    (or (equal? name who)
        (and (symbol? name) (equal? (symbol->string name) who)))))
