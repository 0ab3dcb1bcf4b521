;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The procedures of (ice-9 suspendable-ports) read UTF-8 wrongly in Guile 3.0.8:
;;; characters that begin with the bytes ED (U+D000 to U+D7FF) and F4 (from U+100000
;;; on).  Since they take the place of Guile's own for the whole process, they are
;;; mended here where they have that fault; a release without it is left alone.

(define-module (sockport ports utf-8)
  #:use-module (ice-9 match)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:export (mend-utf-8!))

(define fill-input (@@ (ice-9 suspendable-ports) fill-input))
(define %port-encoding (@@ (ice-9 suspendable-ports) %port-encoding))

(define (utf-8? port)
  (eq? 'UTF-8 (%port-encoding port)))

;;; The bytes that are misread: how many make up a character, and the greatest
;;; second one.

(define first-bytes '((#xed 3 #x9f) (#xf4 4 #x8f)))

(define (misread port)
  "Return the row of the byte that comes next in PORT, or #f if it is read right."
  (and (utf-8? port)
       (call-with-values (lambda () (fill-input port))
         (lambda (buffer cur count)
           (and (positive? count)
                (assv (bytevector-u8-ref (port-buffer-bytevector buffer) cur)
                      first-bytes))))))

(define (right-bytes bytes cur count greatest)
  "Return how many of the COUNT bytes from CUR on can belong to one character."
  (let loop ((n 1))
    (if (and (< n count)
             (<= #x80 (bytevector-u8-ref bytes (+ cur n))
                 (if (= n 1) greatest #xbf)))
        (loop (+ n 1))
        n)))

(define (decode bytes cur count)
  (let ((part (make-bytevector count)))
    (bytevector-copy! bytes cur part 0 count)
    (string-ref (utf8->string part) 0)))

(define (substitute port who)
  (unless (eq? 'substitute (port-conversion-strategy port))
    (throw 'decoding-error who "input decoding error" 84 port))
  #\xFFFD)

(define (take-char! buffer cur)
  (let ((position (port-buffer-position buffer)))
    (set-port-buffer-cur! buffer cur)
    (set-port-position-column! position
                               (+ 1 (port-position-column position)))))

(define (careful-char port row take? who)
  "Return the character of PORT that begins as ROW says; it is taken from there if
TAKE?.  Of a malformed one, what could have been a character's beginning is one."
  (match row
    ((_ wanted greatest)
     (call-with-values (lambda () (fill-input port wanted))
       (lambda (buffer cur count)
         (let* ((bytes (port-buffer-bytevector buffer))
                (right (right-bytes bytes cur (min count wanted) greatest))
                (char (if (= right wanted)
                          (decode bytes cur right)
                          (substitute port who))))
           (when take?
             (take-char! buffer (+ cur right)))
           char))))))

;;; What takes the procedures' place.

(define (char-reader plain take? who)
  (lambda* (#:optional (port (current-input-port)))
    (let ((row (misread port)))
      (if row
          (careful-char port row take? who)
          (plain port)))))

(define (finish chars end port handling)
  (let ((text (if (and (null? chars) (eof-object? end))
                  end
                  (reverse-list->string chars))))
    (case handling
      ((trim) text)
      ((split) (cons text end))
      ((concat) (if (eof-object? end) text (string-append text (string end))))
      ((peek)
       (unless (eof-object? end)
         (unread-char end port))
       text)
      (else (error "unexpected handle-delim value: " handling)))))

(define (delimited-reader plain read-char)
  (lambda* (delimiters #:optional (port (current-input-port)) (handling 'trim))
    (if (utf-8? port)
        (let loop ((chars '()))
          (let ((char (read-char port)))
            (if (or (eof-object? char) (string-index delimiters char))
                (finish chars char port handling)
                (loop (cons char chars)))))
        (plain delimiters port handling))))

(define (line-reader read-delimited default)
  (lambda* (#:optional (port (current-input-port)) (handling default))
    (read-delimited "\n" port handling)))

(define (faulty? read-char)
  (let ((port (open-input-string "\uD000")))
    (set-port-conversion-strategy! port 'substitute)
    (set-port-encoding! port "UTF-8")
    (not (eqv? #\xD000 (read-char port)))))

(define (mend-utf-8!)
  "Mend the procedures that install-suspendable-ports! has put in place, if they
are those that misread UTF-8."
  (let* ((core (resolve-module '(guile)))
         (lines (resolve-module '(ice-9 rdelim)))
         (plain-read (module-ref core 'read-char)))
    (when (faulty? plain-read)
      (let* ((read-char (char-reader plain-read #t "read-char"))
             (read-delimited
              (delimited-reader (module-ref lines 'read-delimited) read-char)))
        (module-set! core 'read-char read-char)
        (module-set! core 'peek-char
                     (char-reader (module-ref core 'peek-char) #f "peek-char"))
        (module-set! lines 'read-delimited read-delimited)
        (module-set! lines 'read-line (line-reader read-delimited 'trim))
        (module-set! lines '%read-line (line-reader read-delimited 'split))))))
