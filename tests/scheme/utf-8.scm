;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; UTF-8 is read right once tasks or deadlines have put Guile's suspendable ports
;;; in place; those of Guile 3.0.8 misread what begins with the bytes ED and F4.

(use-modules (harness)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport)
             (sockport deadline)
             (sockport task))

(define (call-with-utf-8 bytes strategy proc)
  (let ((port (open-bytevector-input-port bytes)))
    (set-port-encoding! port "UTF-8")
    (set-port-conversion-strategy! port strategy)
    (proc port)))

(define (chars-of read-char bytes)
  (call-with-utf-8 bytes 'substitute
    (lambda (port)
      (let loop ()
        (match (read-char port)
          ((? eof-object?) '())
          (char (cons (char->integer char) (loop))))))))

(test-begin "utf-8")

(with-deadline 1 (const #t))

(define borders
  (list #x7f #x80 #x7ff #x800 #xcfff #xd000 #xd7a3 #xd7ff #xe000 #xffff
        #x10000 #xfffff #x100000 #x10fffe #x10ffff))

(test-case "every border of an encoding's length"
  (for-each
   (lambda (code)
     (let* ((text (string (integer->char code)))
            (bytes (string->utf8 text)))
       (define (both reader)
         (call-with-utf-8 bytes 'error reader))
       (test-equal (list code "read") (list code) (chars-of read-char bytes))
       (test-equal (list code "peeked at") (integer->char code) (both peek-char))
       (test-equal (list code "line") text (both read-line))
       (test-equal (list code "got line") text (both get-line))
       (test-equal (list code "delimited") (cons text the-eof-object)
         (both (lambda (port) (read-delimited "x" port 'split))))
       (test-equal (list code "as a delimiter") ""
         (both (lambda (port) (read-delimited text port))))))
   borders))

(test-case "what is no UTF-8"
  (for-each
   (match-lambda
     ((bytes . chars)
      (test-equal (list bytes) chars (chars-of read-char bytes))
      (test-error* (list bytes "refused") '(decoding-error)
        (call-with-utf-8 bytes 'error read-char))
      (test-error* (list bytes "not looked at") '(decoding-error)
        (call-with-utf-8 bytes 'error peek-char))))
   '((#vu8(#xed #xa0 #x80) #xfffd #xfffd #xfffd)
     (#vu8(#xed #xbf #xbf 65) #xfffd #xfffd #xfffd 65)
     (#vu8(#xf4 #x90 #x80 #x80) #xfffd #xfffd #xfffd #xfffd)
     (#vu8(#xed) #xfffd)
     (#vu8(#xed #x80) #xfffd)
     (#vu8(#xed #x80 65) #xfffd 65)
     (#vu8(#xf4 #x8f #xbf) #xfffd)
     (#vu8(#xf4 #x8f 65) #xfffd 65))))

(test-case "what remains, and where it ends"
  (call-with-utf-8 (string->utf8 "a\uD000,b\n") 'error
    (lambda (port)
      (test-equal "peek" "a\uD000" (read-delimited "," port 'peek))
      (test-equal "column" 2 (port-column port))
      (test-equal "concat" ",b\n" (read-delimited "\n" port 'concat))
      (test-equal "line" 1 (port-line port))
      (test-equal "end" the-eof-object (read-line port))
      (test-equal "still" the-eof-object (read-char port)))))

(test-case "a character that comes in pieces, in a task"
  (match (socketpair AF_UNIX SOCK_STREAM 0)
    ((from . to)
     (set-port-encoding! from "UTF-8")
     (test-equal "whole" (list #\xD000 #\x100000 the-eof-object)
       (run-tasks
        (lambda ()
          (spawn-task
           (lambda ()
             (for-each (lambda (byte)
                         (send to (u8-list->bytevector (list byte)))
                         (task-yield))
                       '(#xed #x80 #x80 #xf4 #x80 #x80 #x80))
             (close-port to)))
          (let* ((one (read-char from))
                 (two (read-char from)))
            (list one two (read-char from))))))
     (close-port from))))

(test-end "utf-8")
