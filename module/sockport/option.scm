;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Socket options by name, from the core's table, and all options of a socket
;;; as a list or as a table to read.

(define-module (sockport option)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-26)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module (sockport structure)
  #:export (socket-option
            set-socket-option!
            socket-options
            display-socket-options)
  #:re-export-and-replace (getsockopt setsockopt))

;;; A row is #(name level number kind access families types purpose); what is
;;; for every family or type has #t.  Bits of access as in <sockport/option.h>.
(define access-read 1)
(define access-write 2)
(define access-effect 4)

(define (access? row bit)
  (logtest bit (vector-ref row 4)))

(define (row-symbol row)
  "The option's name as Scheme writes it: SO_KEEPALIVE is keepalive, TCP_NODELAY
is tcp-nodelay."
  (let ((name (vector-ref row 0)))
    (string->symbol
     (string-map (lambda (char)
                   (if (char=? char #\_) #\- (char-downcase char)))
                 (if (string-prefix? "SO_" name) (substring name 3) name)))))

;;; All rows, and those of a symbol; nothing is changed after loading.
(define all-rows
  (map %option-row (iota (%option-count))))

(define rows-by-symbol
  (let ((table (make-hash-table)))
    (for-each (lambda (row)
                (let ((symbol (row-symbol row)))
                  (hashq-set! table symbol
                              (append (hashq-ref table symbol '())
                                      (list row)))))
              all-rows)
    table))

(define (named-row name family)
  "The row of the option NAME, the one for FAMILY if several have the name; #f if
none has it."
  (match (hashq-ref rows-by-symbol name)
    (#f (and=> (and (not (string-index (symbol->string name) #\nul))
                    (%option-named (symbol->string name) family))
               (cut list-ref all-rows <>)))
    ((row) row)
    ((row . _) (or (find (lambda (row) (within? family (vector-ref row 5)))
                         (hashq-ref rows-by-symbol name))
                   row))))

(define (family-of sock) (getsockopt sock SOL_SOCKET SO_DOMAIN))
(define (type-of sock) (getsockopt sock SOL_SOCKET SO_TYPE))

(define (within? value set)
  (or (eq? set #t) (and (memv value set) #t)))

(define (applies? row family type)
  (and (within? family (vector-ref row 5))
       (within? type (vector-ref row 6))))

;;; Refusals, before any system call that touches the option.

(define (constant-name value names)
  (or (find (lambda (name)
              (eqv? value (module-ref (resolve-interface '(sockport constant))
                                      name)))
            names)
      value))

(define (family-name family)
  (constant-name family '(AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
                          AF_VSOCK)))

(define (type-name type)
  (constant-name type '(SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_SEQPACKET)))

(define (names set name)
  (if (eq? set #t)
      "any"
      (string-join (map (lambda (value) (format #f "~a" (name value))) set)
                   " or ")))

(define (refuse-socket who sock row family type)
  (scm-error
   'wrong-type-arg who
   (string-append "Wrong type argument in position 1: ~a is for sockets of "
                  "family ~a and type ~a, not ~a and ~a: ~s")
   (list (row-symbol row)
         (names (vector-ref row 5) family-name)
         (names (vector-ref row 6) type-name)
         (family-name family) (type-name type) sock)
   (list sock)))

(define (refuse-name who message name)
  (scm-error 'out-of-range who
             (string-append "Argument 2 out of range: " message ": ~s")
             (list name) (list name)))

(define (find-row who sock name bit)
  (check-port sock 1 who)
  (check-that (symbol? name) name 2 "symbol" who)
  (let* ((family (family-of sock))
         (type (type-of sock))
         (row (named-row name family)))
    (unless row
      (refuse-name who "no socket option has this name" name))
    (unless (applies? row family type)
      (refuse-socket who sock row family type))
    (unless (access? row bit)
      (refuse-name who
                   (if (eqv? bit access-read)
                       "this option can only be set"
                       "this option can only be read")
                   name))
    row))

;;; Values: what getsockopt returns, as the kind says it better.

(define (value-from row value)
  (match (vector-ref row 3)
    ('bool (not (eqv? value 0)))
    ('linger (make-linger (car value) (cdr value)))
    ('timeval (make-timeval (car value) (cdr value)))
    (_ value)))

(define (seconds->timeval seconds)
  (let ((microseconds (inexact->exact (ceiling (* seconds 1000000)))))
    (cons (quotient microseconds 1000000) (remainder microseconds 1000000))))

(define (refuse-value expected value)
  (refuse-type "set-socket-option!" 3 expected value))

(define (bool-to value)
  (match value
    (#t 1)
    (#f 0)
    ((or (? exact-integer?) (? bytevector?)) value)
    (_ (refuse-value "boolean" value))))

(define (linger-to value)
  (match value
    (#f '(0 . 0))
    ((? exact-integer?) (cons 1 value))
    ((or (? pair?) (? linger?) (? bytevector?)) value)
    (_ (refuse-value "seconds, #f, linger or pair" value))))

(define (timeval-to value)
  (match value
    (#f '(0 . 0))
    ((and (? real?) (? (lambda (n) (and (not (nan? n)) (not (inf? n))))))
     (seconds->timeval value))
    (_ value)))

(define (value-to row value)
  (match (vector-ref row 3)
    ('bool (bool-to value))
    ('linger (linger-to value))
    ('timeval (timeval-to value))
    ('membership
     (if (or (string? value) (integer? value))
         (refuse-value "pair of a group, an integer, and an interface" value)
         value))
    (_ value)))

(define (row-value sock row)
  (value-from row (%socket-option sock (vector-ref row 1) (vector-ref row 2))))

(define (socket-option sock name)
  "Return the value of the option NAME, a symbol, of SOCK: tcp-nodelay, ip-ttl,
and without their SO_ those of the socket level: keepalive, rcvbuf.  Booleans are
#t and #f, structures are records."
  (row-value sock (find-row "socket-option" sock name access-read)))

(define (set-socket-option! sock name value)
  "Set the option NAME, a symbol, of SOCK to VALUE.  Linger takes seconds or #f,
times take seconds or #f for ever, interfaces a name or an index; a bytevector is
taken by every option."
  (let ((row (find-row "set-socket-option!" sock name access-write)))
    (%set-socket-option! sock (vector-ref row 1) (vector-ref row 2)
                         (value-to row value))))

;;; All of them.

(define (rows family type)
  (filter (lambda (row)
            (and (applies? row family type)
                 (access? row access-read)
                 (not (access? row access-effect))))
          all-rows))

(define (row-value/false sock row)
  "A pair of the row and the option's value; #f if the kernel does not know it
or has no value now, as before connecting."
  (catch 'system-error
    (lambda () (cons row (row-value sock row)))
    (lambda _ #f)))

(define (known-rows sock)
  (let ((family (family-of sock))
        (type (type-of sock)))
    (filter-map (lambda (row) (row-value/false sock row))
                (rows family type))))

(define (socket-options sock)
  "Return an alist of every option that can be read from SOCK, by name, but for
those that reading changes (error, peerpidfd …)."
  (check-port sock 1 "socket-options")
  (map (match-lambda ((row . value) (cons (row-symbol row) value)))
       (known-rows sock)))

(define (value->lines value)
  "The lines that show VALUE: a record has one a field."
  (if (record? value)
      (let ((type (record-type-descriptor value)))
        (map (lambda (field)
               (format #f "~a: ~s" field ((record-accessor type field) value)))
             (record-type-fields type)))
      (list (format #f "~s" value))))

(define (display-row row value width port)
  (let ((lines (value->lines value)))
    (format port "~va  ~24a  ~a~%" width (row-symbol row) (first lines)
            (vector-ref row 7))
    (for-each (lambda (line) (format port "~va  ~a~%" width "" line))
              (cdr lines))))

(define* (display-socket-options sock #:optional (port (current-output-port)))
  "Write the options of SOCK to PORT as a table: name, value, purpose."
  (check-port sock 1 "display-socket-options")
  (let* ((known (known-rows sock))
         (width (fold (match-lambda*
                        (((row . _) widest)
                         (max widest
                              (string-length
                               (symbol->string (row-symbol row))))))
                      0 known)))
    (for-each (match-lambda
                ((row . value) (display-row row value width port)))
              known)))
