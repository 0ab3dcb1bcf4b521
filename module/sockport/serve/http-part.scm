;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The bodies of responses that are not made by a procedure: bytes, files and parts
;;; of files, and how responses are sent while the client takes them.

(define-module (sockport serve http-part)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport bulk)
  #:use-module (sockport constant)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport serve bytes)
  #:use-module (sockport serve http-phase)
  #:use-module (sockport serve http-site)
  #:use-module (sockport transfer)
  #:export (body->parts
            parts-size
            send-bytes
            send-response
            note-moved!
            note-cut!
            close-body-files))

;;; A part of a body is a bytevector, or a pair (FILE OFFSET . COUNT).

(define (file? object)
  (and (port? object) (file-port? object)))

;; A descriptor is one only in a part: a number that a handler returns by mistake
;; would send, and close, a file that is somebody else's.
(define (file-of-part? object)
  (or (file? object)
      (and (exact-integer? object) (>= object 0))))

(define (file->part file)
  (let ((offset (ftell file)))
    (cons* file offset (max 0 (- (stat:size (stat file)) offset)))))

(define (part? object)
  (match object
    ((? bytevector?) #t)
    (((? file-of-part?) . ((? exact-integer? offset) . (? exact-integer? count)))
     (and (>= offset 0) (>= count 0)))
    (_ #f)))

(define (body->parts body)
  "Return the list of the parts of BODY, a file, a part, or a list of parts; #f if
it is something else."
  (cond ((file? body) (list (file->part body)))
        ((part? body) (list body))
        ((and (pair? body) (list? body) (every part? body)) body)
        (else #f)))

(define (part-size part)
  (if (bytevector? part)
      (bytevector-length part)
      (cddr part)))

(define (parts-size parts)
  (fold (lambda (part sum) (+ sum (part-size part))) 0 parts))

(define (body-files body)
  "Return the files in BODY, right or not: what a handler has opened is closed."
  (define (file part)
    (match part
      ((? file?) part)
      (((? file? file) . _) file)
      (((? file-of-part? file) . ((? exact-integer?) . (? exact-integer?))) file)
      (_ #f)))
  (delete-duplicates
   (if (list? body)
       (filter-map file body)
       (or (and=> (file body) list) '()))
   eqv?))

(define (close-file file)
  (if (port? file)
      (false-if-exception (close-port file))
      (%file-close file)))

(define (close-body-files body)
  "Close the files that BODY, what a handler has returned, is made of."
  (when (or (pair? body) (port? body))
    (for-each close-file (body-files body))))

;;; Sending.

;;; As much of it as the kernel takes at once, so that a large body needs few calls,
;;; between which the sweeper sees that it moves.
(define (send-both connection head body)
  "Send the bytes of HEAD and of BODY behind them."
  (let ((sock (connection-sock connection))
        (size (+ (bytevector-length head) (bytevector-length body))))
    (let next ((start 0))
      (when (< start size)
        (let ((sent (%http-send sock head body start)))
          (cond ((not sent)
                 (wait-writable sock 'serve-http)
                 (next start))
                (else
                 (set-connection-begun! connection #t)
                 (note-moved! connection sent)
                 (next (+ start sent)))))))))

(define (send-bytes connection bytes)
  (send-both connection #vu8() bytes))

(define (note-moved! connection count)
  (set-connection-moved! connection (+ count (connection-moved connection))))

;;; What a body would have been says nothing of what was sent of it.
(define (note-cut! connection)
  "The last response ends here."
  (let ((output (connection-output connection)))
    (set-connection-sent! connection
                          (if output
                              (%http-output-sent output)
                              (max 0 (- (connection-moved connection)
                                        (connection-first connection)))))))

;;; The kernel cannot encrypt what it sends by itself; a record holds so much.
(define record 16384)

;;; As much as is sent of a file between two looks of the sweeper.
(define piece 262144)

(define (send-piece connection file count offset)
  (let ((sock (connection-sock connection)))
    (cond ((not (layered? sock)) (sendfile sock file count offset))
          ((%http-send-file sock #vu8() (share-memory (connection-share connection))
                            file offset (min count record)))
          (else
           (wait-writable sock 'serve-http)
           (send-piece connection file count offset)))))

(define (send-file connection file offset count)
  (when (positive? count)
    (let ((sent (send-piece connection file (min count piece) offset)))
      (when (zero? sent)
        (error "a file became shorter while it was sent:" file))
      (note-moved! connection sent)
      (send-file connection file (+ offset sent) (- count sent)))))

(define (send-part connection part)
  (match part
    ((? bytevector? bytes) (send-bytes connection bytes))
    ((file offset . count) (send-file connection file offset count))))

;;; Responses: the head, and what is behind it.

;;; What goes of a file in one send with the head.
(define small 32768)

(define (send-with-file connection head file offset count)
  "Send HEAD and a small part of FILE together.  If that cannot be read, nothing has
been sent."
  (let* ((sock (connection-sock connection)) (first (bytevector-length head))
         (sent (%http-send-file sock head
                                (share-memory (connection-share connection))
                                file offset count)))
    (cond ((not sent)
           (wait-writable sock 'serve-http)
           (send-with-file connection head file offset count))
          (else
           (set-connection-begun! connection #t)
           (note-moved! connection sent)
           (when (< sent first)
             (send-bytes connection (bytes-part head sent first)))
           (let ((gone (max 0 (- sent first))))
             (send-file connection file (+ offset gone) (- count gone)))))))

(define (send-head connection head part)
  "Send HEAD and PART of a body."
  (match part
    ((? bytevector? bytes) (send-both connection head bytes))
    ((file offset . count)
     (if (<= count small)
         (send-with-file connection head file offset count)
         (begin
           (set-connection-begun! connection #t)
           (send-all (connection-sock connection) head 0
                     (bytevector-length head) MSG_MORE)
           (note-moved! connection (bytevector-length head))
           (send-file connection file offset count))))))

(define (send-response connection head parts)
  "Send HEAD and then PARTS, as the client takes them."
  (set-connection-first! connection
                         (+ (connection-moved connection) (bytevector-length head)))
  (if (null? parts)
      (send-bytes connection head)
      (begin
        (send-head connection head (car parts))
        (for-each (lambda (part) (send-part connection part)) (cdr parts)))))
