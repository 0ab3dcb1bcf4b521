;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A million descriptors passed: closed by who received them, left to the collector, cut
;;; off for want of room, or never received at all.

(use-modules (harness soak) (ice-9 match) (ice-9 receive) (rnrs bytevectors)
             (srfi srfi-1) (sockport))

(define total 1000000)
(define most 253)                       ; SCM_MAX_FD of the kernel

(define files
  (map (lambda (name) (open-file name "r0"))
       '("/dev/null" "/dev/zero" "/etc/passwd" "/proc/self/status")))

(define (identity-of port)
  (let ((status (stat port)))
    (cons (stat:dev status) (stat:ino status))))

(define identities (map identity-of files))

(define (draw-some)
  (let ((count (if (zero? (draw 4)) (+ 1 (draw most)) (+ 1 (draw 8)))))
    (map (lambda (_) (draw (length files))) (iota count))))

(define (receive-well sock chosen)
  (receive (ports message) (recv-ports sock)
    (check "how many" (length chosen) (length ports))
    (unless (zero? (draw 4))
      (let ((i (draw (length ports))))
        (check "which" (list-ref identities (list-ref chosen i))
               (identity-of (list-ref ports i)))))
    (if (zero? (draw 50))
        'left-to-the-collector
        (for-each close-port ports))))

(define (receive-cut sock chosen)
  "Receive with room for a few only: the kernel closes the others."
  (catch 'control-cut
    (lambda ()
      (receive (ports message)
          (recv-ports sock (make-bytevector 1) 0 (+ 24 (draw 64)))
        (check "all or an error" (length chosen) (length ports))
        (for-each close-port ports)))
    (const #f)))

(define (some)
  (match (socketpair AF_UNIX (list-ref (list SOCK_STREAM SOCK_DGRAM SOCK_SEQPACKET)
                                       (draw 3))
                     0)
    ((a . b)
     (let next ((left 20) (done 0))
       (if (zero? left)
           (begin
             (close-port a)
             (close-port b)
             done)
           (let ((chosen (draw-some)))
             (send-ports a (map (lambda (i) (list-ref files i)) chosen))
             (match (draw 12)
               (0 (receive-cut b chosen))
               ;; Without room for control data.
               (1 (recv! b (make-bytevector 10)))
               ;; Closed with the last one unread.
               (2 (unless (= left 1) (receive-well b chosen)))
               (_ (receive-well b chosen)))
             (next (- left 1) (+ done (length chosen)))))))))

(soak-count total "descriptors" some)
