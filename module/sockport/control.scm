;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Control messages: level, type and decoded data, by number or by the name that
;;; the core's table gives them; and descriptors that are nobody's port.

(define-module (sockport control)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport primitive)
  #:use-module (sockport io argument)
  #:export (control-message
            make-control-message
            control-message?
            control-message-level
            control-message-type
            control-message-data
            control-message-name
            control-message-ref
            control-message-types
            control-ref)
  #:re-export (close-descriptor
               descriptor-fileno
               descriptor-release!
               descriptor?
               own-descriptor))

(define make-record (record-constructor %control-message-type))
(define control-message? (record-predicate %control-message-type))

(define (message-reader field who)
  (record-reader (record-accessor %control-message-type field) control-message?
          "control message" who))

(define control-message-level (message-reader 'level 'control-message-level))
(define control-message-type (message-reader 'type 'control-message-type))
(define control-message-data (message-reader 'data 'control-message-data))

;;; Rows are (name level type field …).
(define types (%control-types))

(define by-name (make-hash-table))
(define by-number (make-hash-table))

(for-each
 (match-lambda
   ((and row (name level type . fields))
    ;; The first row of a name stands for it: new times follow the old ones.
    (unless (hashq-ref by-name name)
      (hashq-set! by-name name row))
    (hash-set! by-number (cons level type)
               (append (hash-ref by-number (cons level type) '())
                       (list row)))))
 types)

(define (control-message-types)
  "The known control messages: a list of (name level type field @dots{})."
  types)

(define (make-control-message level type data)
  "A control message.  LEVEL and TYPE are integers; DATA has the form of the
type's data, or is a bytevector, which goes as it is."
  (make-record level type data))

(define (control-message name data)
  "The control message called NAME, a symbol such as @code{ip-ttl}."
  (match (hashq-ref by-name name)
    ((_ level type . _) (make-record level type data))
    (#f (if (symbol? name)
            (refuse-range "control-message" 1 "the name of a control message"
                          name)
            (refuse-type "control-message" 1 "symbol" name)))))

(define (check-message message who)
  (if (control-message? message)
      message
      (refuse-type who 1 "control message" message)))

(define (rows message)
  (hash-ref by-number
            (cons (control-message-level message)
                  (control-message-type message))
            '()))

(define (fields-of message)
  "The names of the fields that the data of MESSAGE has, or #f if it is bytes or
of one value."
  (let ((data (control-message-data message)))
    (and (vector? data)
         (any (match-lambda
                ((_ _ _ . fields)
                 (and (> (length fields) 1)
                      (= (length fields) (vector-length data))
                      fields)))
              (rows message)))))

(define (control-message-name message)
  "The name of MESSAGE, a symbol, or #f if its type is not known."
  (match (rows (check-message message "control-message-name"))
    (() #f)
    (((name . _)) name)
    ;; Two forms of one type: that of several fields has the plain name.
    (several
     (car (or (find (lambda (row)
                      (eq? (> (length (cdddr row)) 1)
                           (vector? (control-message-data message))))
                    several)
              (first several))))))

(define (control-message-ref message field)
  "The value of FIELD, a symbol, in the data of MESSAGE."
  (let ((index (list-index (lambda (name) (eq? name field))
                           (or (fields-of
                                (check-message message "control-message-ref"))
                               '()))))
    (unless index
      (refuse-range "control-message-ref" 2
                    (format #f "one of ~a" (or (fields-of message) '()))
                    field))
    (vector-ref (control-message-data message) index)))

(define* (control-ref messages name #:optional default)
  "The data of the first control message in the list MESSAGES that is called
NAME, else DEFAULT."
  (unless (list? messages)
    (refuse-type "control-ref" 1 "list of control messages" messages))
  (let ((found (find (lambda (message)
                       (eq? (control-message-name message) name))
                     messages)))
    (if found (control-message-data found) default)))
