;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Reading that loses nothing.  Guile's procedures that take several bytes keep what
;;; they have in variables while they wait for more, and a deadline that passes then,
;;; or cancel!, would lose it.  So, where either may come, what such a procedure is
;;; going to take is first gathered in the port's buffer; from a port of TLS under any
;;; scheduler, so that what is in C there does not wait.

(define-module (sockport ports gather)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 iconv)
  #:use-module (ice-9 match)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 suspendable-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport ports fill)
  #:use-module (sockport primitive)
  #:re-export (read-bytes)
  #:export (gathering-first!
            plain-read-waiter))

(define (find-byte port bytes start)
  "Return whether one of BYTES, a list, is in PORT's buffer, START bytes on or
later."
  (let* ((buffer (port-read-buffer port))
         (data (port-buffer-bytevector buffer))
         (end (port-buffer-end buffer)))
    (let search ((at (+ start (port-buffer-cur buffer))))
      (and (< at end)
           (or (memv (bytevector-u8-ref data at) bytes)
               (search (+ at 1)))))))

;;; What is gathered is up to the first byte that looks like the last one of a
;;; delimiter.
(define (last-byte char port)
  (let ((bytes (catch #t
                 (lambda ()
                   (string->bytevector (string char)
                                       (or (port-encoding port) "UTF-8")))
                 (const #vu8(10)))))
    (bytevector-u8-ref bytes (- (bytevector-length bytes) 1))))

(define* (gather-line! port delimiters #:optional (most most-positive-fixnum))
  (let ((bytes (map (lambda (char)
                      (if (char<? char #\x80)
                          (char->integer char)
                          (last-byte char port)))
                    delimiters)))
    (let gather ((start 0))
      (let ((count (buffered port)))
        (unless (or (>= count most) (find-byte port bytes start))
          (when (gather-more! port 1)
            (gather count)))))))

;;; What each procedure gathers, given its arguments.

(define (input? port)
  (and (input-port? port) (not (port-closed? port)) (not (%string-port? port))))

(define (text? port wanted)
  "Can PORT be read?  Where WANTED bytes of text or more are gathered next."
  (and (input? port)
       (begin
         (skip-mark! port wanted)
         #t)))

(define line-gatherer
  (case-lambda
    (() (line-gatherer (current-input-port)))
    ((port . _) (when (text? port 1) (gather-line! port '(#\newline))))))

(define delimited-gatherer
  (case-lambda
    ((delimiters) (delimited-gatherer delimiters (current-input-port)))
    ((delimiters port . _)
     (when (and (string? delimiters) (text? port 1))
       (gather-line! port (string->list delimiters))))))

(define delimited-gatherer!
  (case-lambda
    ((delimiters text) (delimited-gatherer! delimiters text (current-input-port)))
    ((delimiters text port . rest)
     (when (and (string? delimiters) (string? text) (text? port 1))
       ;; Bytes are at least as many as characters.
       (gather-line! port (string->list delimiters)
                     (match rest
                       ((_ start end . _) (- end start))
                       ((_ start . _) (- (string-length text) start))
                       (_ (string-length text))))))))

(define (counting gather? proc)
  (define (taking port count take)
    (if (and (gather? port) (input? port) (exact-integer? count) (positive? count))
        (let ((count (gather-or-end! port count)))
          (if count (take count) (eof-object)))
        (take count)))
  (case-lambda
    ((port count)
     (taking port count (lambda (count) (proc port count))))
    ((port bytes start count)
     (taking port count (lambda (count) (proc port bytes start count))))))

(define (all-gatherer port)
  (when (input? port)
    (gather-all! port)))

(define (all-text-gatherer port)
  (when (text? port most-positive-fixnum)
    (gather-all! port)))

(define (utf8-length byte)
  (cond ((< byte #xc0) 1) ((< byte #xe0) 2) ((< byte #xf0) 3) (else 4)))

(define (missing-bytes port count)
  "Return how many bytes are missing, at least, until COUNT characters are in PORT's
buffer."
  (let* ((buffer (port-read-buffer port))
         (data (port-buffer-bytevector buffer))
         (end (port-buffer-end buffer))
         (utf8? (equal? (port-encoding port) "UTF-8")))
    (let next ((at (port-buffer-cur buffer)) (count count))
      (if (or (zero? count) (>= at end))
          (+ count (max 0 (- at end)))
          (next (+ at (if utf8? (utf8-length (bytevector-u8-ref data at)) 1))
                (- count 1))))))

(define (gather-characters! port count)
  (let ((missing (missing-bytes port count)))
    (when (and (positive? missing) (gather-more! port missing))
      (gather-characters! port count))))

(define (gather-text! port count)
  (when (and (exact-integer? count) (positive? count) (text? port count))
    (gather-characters! port count)))

(define (slice-size text start end)
  (if (and (string? text) (exact-integer? start) (exact-integer? end))
      (max 0 (- (min end (string-length text)) start))
      0))

(define string-gatherer!
  (case-lambda*
    ((text #:optional (port (current-input-port)) (start 0)
           (end (and (string? text) (string-length text))))
     (gather-text! port (slice-size text start end)))))

(define (text-gatherer! port text start count)
  (gather-text! port count))

;;; A datum has no end that could be looked for: it is read from a copy of what there
;;; is, until that has it.
(define datum-gatherer
  (case-lambda
    (() (datum-gatherer (current-input-port)))
    ((port)
     (when (and (copied? port) (text? port 1) (not (whole-datum? port))
                (gather-more! port 1))
       (datum-gatherer port)))))

;;; Which order of bytes a mark has told cannot be asked for.
(define (copied? port)
  (and (input? port) (not (member (port-encoding port) '("UTF-16" "UTF-32")))))

(define (whole-datum? port)
  (let* ((buffer (port-read-buffer port))
         (bytes (make-bytevector (buffered port))))
    (bytevector-copy! (port-buffer-bytevector buffer) (port-buffer-cur buffer)
                      bytes 0 (bytevector-length bytes))
    (let ((copy (open-bytevector-input-port bytes)))
      (set-port-encoding! copy (or (port-encoding port) "UTF-8"))
      ;; The last character may not be whole.
      (set-port-conversion-strategy! copy 'substitute)
      (catch #t
        (lambda ()
          (let ((datum (plain-read copy)))
            (or (not (eof-object? (peek-char copy)))
                (ends-itself? datum))))
        ;; What is wrong is not mended by more.
        (lambda _ (not (eof-object? (peek-char copy))))))))

(define (ends-itself? datum)
  (or (pair? datum) (null? datum) (string? datum) (vector? datum)
      (bytevector? datum)))

(define plain-read read)

(define (string-gatherer port count)
  (gather-text! port count))

;;; Guile's own waits for a character more than it was asked for, and drops it.
(define (string-reader guarded? proc get-string-n)
  (case-lambda
    (() (proc (current-input-port)))
    ((port)
     (when (or (guarded?) (and (layered? port) (waiting-elsewhere?)))
       (all-text-gatherer port))
     (proc port))
    ((port count)
     (let ((text (get-string-n port count)))
       (if (eof-object? text) "" text)))))

(define (gathering? guarded?)
  (lambda args
    (or (guarded?)
        (and (or-map layered? args) (waiting-elsewhere?)))))

(define (sometimes guarded? gather proc)
  (define gather? (gathering? guarded?))
  (lambda args
    (when (apply gather? args)
      (apply gather args))
    (apply proc args)))

;;; Those that are in C wait there, and keep every task waiting, when they are not
;;; spared all waiting.
(define (wrappers guarded? waiting-elsewhere?)
  `(((ice-9 rdelim) %read-line ,guarded? ,line-gatherer)
    ((ice-9 rdelim) read-line ,guarded? ,line-gatherer)
    ((ice-9 rdelim) read-delimited ,guarded? ,delimited-gatherer)
    ((ice-9 rdelim) read-delimited! ,waiting-elsewhere?
     ,delimited-gatherer!)
    ((ice-9 rdelim) read-string! ,guarded? ,string-gatherer!)
    ((guile) read ,guarded? ,datum-gatherer)
    ((ice-9 textual-ports) get-string-n! ,waiting-elsewhere? ,text-gatherer!)
    ((ice-9 textual-ports) get-string-all ,guarded? ,all-text-gatherer)
    ((ice-9 textual-ports) get-string-n ,waiting-elsewhere? ,string-gatherer)
    ((ice-9 binary-ports) get-bytevector-all ,waiting-elsewhere?
     ,all-gatherer)))

;;; Not the parameter's value here: this may be loaded inside a scheduler.
(define plain-read-waiter
  (@@ (ice-9 suspendable-ports) default-read-waiter))

(define (waiting-elsewhere?)
  (not (eq? (current-read-waiter) plain-read-waiter)))

(define (gathering-first! guarded?)
  "Have Guile's own procedures gather first, where (GUARDED?) returns true."
  (for-each
   (match-lambda
     ((module name when? gather)
      (let ((module (resolve-module module)))
        (module-set! module name
                     (sometimes when? gather (module-ref module name))))))
   (wrappers guarded? waiting-elsewhere?))
  (let ((binary (resolve-module '(ice-9 binary-ports))))
    (for-each (lambda (name)
                (module-set! binary name
                             (counting (gathering? guarded?)
                                       (module-ref binary name))))
              '(get-bytevector-n get-bytevector-n!)))
  (let ((rdelim (resolve-module '(ice-9 rdelim))))
    (module-set! rdelim 'read-string
                 (string-reader guarded? (module-ref rdelim 'read-string)
                                (module-ref
                                 (resolve-module '(ice-9 textual-ports))
                                 'get-string-n)))))
