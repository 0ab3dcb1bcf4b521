;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What splice has taken and not delivered is still to be had.

(use-modules (harness)
             (harness bulk)
             (harness socket)
             (ice-9 binary-ports)
             (ice-9 control)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport))

;; A thread's first wait opens a pipe, which must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "bulk-loss")

;; What a full OUT has not taken must still be had.
(define (fill! sock)
  "Send to SOCK until it is full; return how many bytes."
  (let loop ((total 0))
    (catch 'system-error
      (lambda () (loop (+ total (send sock data MSG_DONTWAIT 0 65536))))
      (const total))))

(define (read-exactly sock count)
  (get-bytevector-n sock count))

(define (part from to)
  (let ((bytes (make-bytevector (- to from))))
    (bytevector-copy! data from bytes 0 (- to from))
    bytes))

(test-case "a full output in non-blocking mode loses nothing"
  (let-ports ((one (unix-pair)) (two (unix-pair)))
    (send (car one) data 0 0 100000)
    (shutdown (car one) SHUT_WR)
    (set-nonblocking! (car two) #t)
    (let ((filled (fill! (car two))))
      (test-error* "nothing moves" `(system-error ,EAGAIN "splice")
        (splice (car two) (cdr one)))
      (read-exactly (cdr two) filled)
      (let ((first (splice (car two) (cdr one) 60000)))
        (test-assert "a part" (<= 1 first 60000))
        (test-equal "those are the first" (part 0 first)
          (read-exactly (cdr two) first))
        (test-equal "and the rest is the input's" (part first 100000)
          (get-bytevector-all (cdr one)))))))

(test-case "neither does a deadline, nor leaving by a handler"
  (for-each
   (lambda (leave)
     (let-ports ((one (unix-pair)) (two (unix-pair)))
       (let ((moved 0))
         (define (move)
           (splice (car two) (cdr one) #f (lambda (count) (set! moved count))))
         (let ((sender (in-thread (lambda ()
                                    (send (car one) data)
                                    (shutdown (car one) SHUT_WR)))))
           (test-equal "it was left" 'left (leave move))
           (test-assert "after a part" (positive? moved))
           (let ((receiver (reader (cdr two))))
             (test-equal "the rest goes on" (- size moved)
               (splice (car two) (cdr one)))
             (shutdown (car two) SHUT_WR)
             (test-assert "all came" (equal? data (join-thread receiver))))
           (join-thread sender)))))
   (list (lambda (move)
           (with-deadline 1/20 move (const 'left)))
         (lambda (move)
           (let/ec return
             (interrupted-after 1/20 (lambda () (return 'left)) move)))
         (lambda (move)
           (run-tasks (lambda ()
                        (with-deadline 1/20 move (const 'left))))))))

(test-case "a closed output loses nothing either"
  (let-ports ((one (unix-pair)) (two (unix-pair)) (three (unix-pair)))
    (send (car one) "abcdef")
    (close-port (cdr two))
    (test-error* "a gone peer" `(system-error ,EPIPE "splice")
      (splice (car two) (cdr one)))
    (close-port (car two))
    (test-error* "a closed port" '(wrong-type-arg 1 "splice")
      (splice (car two) (cdr one)))
    (call-with-port (open-input-file "/dev/null")
      (lambda (unwritable)
        (test-error* "one that cannot be written" `(system-error ,EBADF "splice")
          (splice unwritable (cdr one)))))
    (shutdown (car one) SHUT_WR)
    (test-equal "all is there" 6 (splice (car three) (cdr one)))
    (shutdown (car three) SHUT_WR)
    (test-equal "and comes" "abcdef" (get-string-all (cdr three)))))

(test-case "what the ports have buffered goes along, in order"
  (let-ports ((one (unix-pair)) (two (unix-pair)))
    (setvbuf (cdr one) 'block 1024)
    (setvbuf (car two) 'block 1024)
    (send (car one) "header\nbody")
    (shutdown (car one) SHUT_WR)
    (test-equal "a line" "header" (read-line (cdr one)))
    (put-string (car two) "new header\n")
    (test-equal "the rest" 4 (splice (car two) (cdr one)))
    (shutdown (car two) SHUT_WR)
    (test-equal "all" "new header\nbody" (get-string-all (cdr two)))))

(test-end "bulk-loss")
