;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What comes next, added to what a port's buffer holds.

(define-module (sockport ports fill)
  #:use-module (ice-9 match)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 suspendable-ports)
  #:use-module (rnrs bytevectors)
  #:export (buffered
            gather-all!
            gather-count!
            gather-more!
            gather-or-end!
            read-bytes
            skip-mark!))

(define read-bytes (@@ (ice-9 suspendable-ports) read-bytes))

(define (buffered port)
  (let ((buffer (port-read-buffer port)))
    (- (port-buffer-end buffer) (port-buffer-cur buffer))))

;;; How much to ask for at a time where others see that: a custom port's procedure, and
;;; the next reader of an unbuffered port.  As much as Guile's own would.  #f for a socket
;;; or a file, where any amount will do.
(define (amount port wanted)
  (let ((buffering (port-read-buffering port)))
    (and (or (= 1 buffering) (not (file-port? port)))
         (max buffering (min wanted 65536)))))

(define (make-room! port needed)
  "Have room for NEEDED bytes more behind what PORT's buffer holds, which moves to the
beginning; a larger one is taken only for more than a half of it, or where it must be."
  (let* ((buffer (port-read-buffer port))
         (bytes (port-buffer-bytevector buffer))
         (size (bytevector-length bytes))
         (held (buffered port)))
    (cond ((or (> (* 2 held) size) (< (- size held) needed))
           (expand-port-read-buffer! port (max (* 2 size) (+ held needed))))
          (else
           (bytevector-copy! bytes (port-buffer-cur buffer) bytes 0 held)
           (set-port-buffer-cur! buffer 0)
           (set-port-buffer-end! buffer held)))))

(define (gather-more! port wanted)
  "Add what comes next to PORT's buffer; #f at the end of file.  From an unbuffered
port no more than WANTED bytes are taken, because what follows may be for somebody
else."
  (let* ((buffer (port-read-buffer port))
         (bytes (port-buffer-bytevector buffer))
         (size (bytevector-length bytes))
         (end (port-buffer-end buffer))
         (asked (amount port wanted)))
    (cond ((port-buffer-has-eof? buffer) #f)
          ((< (- size end) (or asked 1))
           (make-room! port (or asked 1))
           (gather-more! port wanted))
          (else
           (let ((count (read-bytes port bytes end (or asked (- size end)))))
             (if (zero? count)
                 (set-port-buffer-has-eof?! buffer #t)
                 (set-port-buffer-end! buffer (+ end count)))
             (positive? count))))))

(define (gather-count! port count)
  (let ((missing (- count (buffered port))))
    (when (and (positive? missing) (gather-more! port missing))
      (gather-count! port count))))

(define (gather-all! port)
  (when (gather-more! port most-positive-fixnum)
    (gather-all! port)))

;;; Guile's own asks an unbuffered port once more at its end, and so waits at a terminal.
(define (gather-or-end! port count)
  "Gather COUNT bytes; return how many of these there are, or #f at the end of file."
  (let ((buffer (port-read-buffer port)))
    ;; As Guile's own, which reads past the buffer then.
    (when (>= (- count (buffered port)) (port-read-buffering port))
      (set-port-buffer-has-eof?! buffer #f))
    (gather-count! port count)
    (let ((held (buffered port)) (buffer (port-read-buffer port)))
      (cond ((or (>= held count) (not (port-buffer-has-eof? buffer))) count)
            ((positive? held) held)
            (else
             (set-port-buffer-has-eof?! buffer #f)
             #f)))))

;;; Guile's own look for a mark of the byte order only where the buffer is empty.

(define clear-start (@@ (ice-9 suspendable-ports) clear-stream-start-for-bom-read))
(define %port-encoding (@@ (ice-9 suspendable-ports) %port-encoding))

;;; What such marks begin with, and how many bytes they have.
(define marks
  '((UTF-8 3 #xef) (UTF-16 2 #xfe #xff) (UTF-32 4 #x00 #xff)))

(define (next-byte port)
  (let ((buffer (port-read-buffer port)))
    (bytevector-u8-ref (port-buffer-bytevector buffer) (port-buffer-cur buffer))))

(define (skip-mark! port wanted)
  "Skip the mark of the byte order at PORT's beginning, where WANTED bytes of text or
more are to be gathered."
  (match (assq (%port-encoding port) marks)
    ((_ length . beginnings)
     (when (or (positive? (buffered port)) (gather-more! port wanted))
       (when (memv (next-byte port) beginnings)
         (gather-count! port length))
       (clear-start port 'text)))
    (_ #f)))
