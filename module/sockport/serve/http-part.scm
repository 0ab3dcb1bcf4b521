;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The bodies of responses that are not made by a procedure: bytes, files and parts
;;; of files, and how they are sent while the client takes them.

(define-module (sockport serve http-part)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport bulk)
  #:use-module (sockport primitive)
  #:use-module (sockport serve http-site)
  #:use-module (sockport transfer)
  #:export (body->parts
            parts-size
            parts->bytes
            send-bytes
            send-parts
            note-moved!
            close-body-files))

;;; A part of a body is a bytevector, or a pair (FILE OFFSET . COUNT).

(define (file? object)
  (or (and (port? object) (file-port? object))
      (and (exact-integer? object) (>= object 0))))

(define (file->part file)
  (let ((size (stat:size (stat file))))
    (define offset
      (if (port? file) (ftell file) 0))
    (cons* file offset (max 0 (- size offset)))))

(define (part? object)
  (match object
    ((? bytevector?) #t)
    (((? file?) . ((? exact-integer? offset) . (? exact-integer? count)))
     (and (>= offset 0) (>= count 0)))
    (_ #f)))

(define (body->parts body)
  "Return the list of the parts of BODY, a file, a part, or a list of parts; #f if
it is something else."
  (cond ((file? body) (list (file->part body)))
        ((part? body) (list body))
        ((and (pair? body) (list? body) (every part? body)) body)
        (else #f)))

(define (parts-size parts)
  (fold (lambda (part sum)
          (+ sum (if (bytevector? part)
                     (bytevector-length part)
                     (cddr part))))
        0 parts))

(define (parts->bytes parts size)
  "Return the SIZE bytes of PARTS."
  (define (part->bytes part)
    (match part
      ((? bytevector?) part)
      ((file offset . count) (%http-read-file file offset count))))
  (match parts
    ((part) (part->bytes part))
    (_ (let ((all (make-bytevector size)))
         (let next ((parts parts) (at 0))
           (if (null? parts)
               all
               (let* ((bytes (part->bytes (car parts)))
                      (count (bytevector-length bytes)))
                 (bytevector-copy! bytes 0 all at count)
                 (next (cdr parts) (+ at count)))))))))

(define (body-files body)
  (define (file part)
    (match part
      ((? file?) part)
      (((? file? file) . _) file)
      (_ #f)))
  (delete-duplicates
   (filter-map file (if (and (list? body) (not (part? body))) body (list body)))
   eqv?))

(define (close-body-files body)
  "Close the files that BODY, what a handler has returned, is made of."
  (when (or (pair? body) (file? body))
    (for-each (lambda (file)
                (false-if-exception
                 (if (port? file) (close-port file) (close-fdes file))))
              (body-files body))))

;;; Sending.

(define piece 262144)

(define (send-bytes connection bytes)
  "Send BYTES, in pieces between which the sweeper sees that they move."
  (let ((sock (connection-sock connection)) (size (bytevector-length bytes)))
    (if (<= size piece)
        (send sock bytes)
        (let next ((start 0))
          (when (< start size)
            (let ((end (min size (+ start piece))))
              (send sock bytes 0 start end)
              (note-moved! connection (- end start))
              (next end)))))))

(define (note-moved! connection count)
  (set-connection-moved! connection (+ count (connection-moved connection))))

(define (send-file connection file offset count)
  (when (positive? count)
    (let ((sent (sendfile (connection-sock connection) file
                          (min count piece) offset)))
      (when (zero? sent)
        (error "a file became shorter while it was sent:" file))
      (note-moved! connection sent)
      (send-file connection file (+ offset sent) (- count sent)))))

(define (send-parts connection parts)
  (for-each (match-lambda
              ((? bytevector? bytes) (send-bytes connection bytes))
              ((file offset . count)
               (send-file connection file offset count)))
            parts))
