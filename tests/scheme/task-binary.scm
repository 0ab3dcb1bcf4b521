;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; get-bytevector-some, put-bytevector and force-output, which take one step where
;;; nothing is out of the ordinary, do what Guile's own do everywhere.

(use-modules (harness)
             (harness process)
             (harness socket)
             (harness task)
             (ice-9 binary-ports)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(test-begin "task-binary")

(define (refused? thunk)
  (catch #t
    (lambda () (in-tasks (thunk)) #f)
    (lambda (key . _) (memq key '(misc-error system-error wrong-type-arg)))))

;;; So that the peer is told of an error.
(define (reset! sock)
  (setsockopt sock SOL_SOCKET SO_LINGER '(1 . 0))
  (close-port sock))

(define (numbers count)
  (u8-list->bytevector (map (lambda (i) (modulo i 251)) (iota count))))

;;; Reading.

(define (somes setup . acts)
  "Return what get-bytevector-some gives after each of ACTS, on the other end."
  (let-ports ((s (tcp-pair)))
    (setup (car s))
    (in-tasks
     (map (lambda (act)
            (act (cdr s) (car s))
            (let ((some (get-bytevector-some (car s))))
              (if (eof-object? some) 'end (utf8->string some))))
          acts))))

(define (sending text)
  (lambda (sock other) (send sock text)))

(define (buffered sock)
  (setvbuf sock 'block))

(test-case "get-bytevector-some"
  (test-equal "what there is, and the end" '("abc" "de" end)
    (somes buffered (sending "abc") (sending "de")
           (lambda (sock other) (shutdown sock 1))))
  (test-equal "what has to be waited for, often" (make-list 40 "abc")
    (apply somes buffered
           (make-list 40
                      (lambda (sock other)
                        (spawn-task (lambda () (send sock "abc")))))))
  (test-equal "after a line, the rest" '("rest" "more")
    (somes buffered
           (lambda (sock other) (send sock "line\nrest") (get-line other))
           (sending "more")))
  (test-equal "what was looked at, or put back" '("abc" "xabc" "d")
    (somes buffered
           (lambda (sock other) (send sock "abc") (lookahead-u8 other))
           (lambda (sock other)
             (send sock "abc")
             (lookahead-u8 other)
             (unget-bytevector other #vu8(120)))
           (sending "d")))
  (test-equal "an end that was looked at, twice" '(end end)
    (somes buffered
           (lambda (sock other) (shutdown sock 1) (lookahead-u8 other))
           (const #f)))
  (test-equal "byte by byte without a buffer" '("a" "b")
    (somes (const #f) (sending "ab") (const #f)))
  (test-equal "as much as its buffer takes" '("abc" "d")
    (somes (lambda (sock) (setvbuf sock 'block 3)) (sending "abcd") (const #f)))
  (test-equal "as much as a larger buffer takes" 20000
    (let-ports ((s (tcp-pair)))
      (setvbuf (car s) 'block 65536)
      (in-tasks
       (send (cdr s) (make-bytevector 20000 1))
       (bytevector-length (get-bytevector-some (car s)))))))

(test-case "what would be a mark of the byte order in a text"
  (let-ports ((s (tcp-pair)))
    (buffered (car s))
    (set-port-encoding! (car s) "UTF-8")
    (in-tasks
     (send (cdr s) #vu8(#xef #xbb #xbf 97))
     (test-equal "is data" #vu8(#xef #xbb #xbf 97) (get-bytevector-some (car s)))
     (send (cdr s) #vu8(#xef #xbb #xbf 98))
     (test-equal "and only at the beginning" #\xfeff (read-char (car s))))))

(test-case "what is read is not lost to a deadline"
  (let-ports ((s (tcp-pair)))
    (buffered (car s))
    (in-tasks
     (test-eq 'late
       (with-deadline 0.01
         (lambda () (get-bytevector-some (car s)))
         (const 'late)))
     (send (cdr s) "abc")
     (test-equal #vu8(97 98 99)
       (with-deadline 1 (lambda () (get-bytevector-some (car s)))))
     (let ((task (spawn-task (lambda () (get-bytevector-some (car s))))))
       (task-yield)
       (cancel! task)
       (test-assert "cancelled" (task-cancelled? (raised (lambda () (join task))))))
     (send (cdr s) "de")
     (test-equal #vu8(100 101) (get-bytevector-some (car s))))))

(test-case "closed while it is read"
  (let-ports ((s (tcp-pair)))
    (buffered (car s))
    (test-assert
        (refused? (lambda ()
                    (let ((task (spawn-task
                                 (lambda () (get-bytevector-some (car s))))))
                      (task-yield)
                      (close-port (car s))
                      (join task)))))))

(test-case "a connection that is reset"
  (let-ports ((s (tcp-pair)))
    (buffered (car s))
    (in-tasks
     (reset! (cdr s))
     (test-error* "is an error" `(system-error ,ECONNRESET)
       (get-bytevector-some (car s)))
     (test-assert "and then its end"
       (eof-object? (get-bytevector-some (car s)))))))

;;; Writing.

(define (peer-gets setup count act)
  "Return the COUNT bytes that ACT, on a socket that SETUP was called with, writes."
  (let-ports ((s (unix-pair)))
    (setup (car s))
    (setvbuf (cdr s) 'block)
    (in-tasks
     (spawn-task (lambda () (act (car s)) (force-output (car s))))
     (get-bytevector-n (cdr s) count))))

(test-case "put-bytevector"
  (for-each
   (lambda (name setup)
     (let ((data (numbers 20000)))
       (test-equal name data
         (peer-gets setup 20000
           (lambda (sock)
             ;; Of all lengths, so that the buffer is full, or just not, at times.
             (let put ((at 0) (length 0))
               (when (< at 20000)
                 (let ((count (min length (- 20000 at))))
                   (put-bytevector sock data at count)
                   (when (zero? (modulo length 7)) (force-output sock))
                   (put (+ at count) (modulo (+ length 1) 23))))))))))
   '("no buffer" "a small one" "one as large as what is put" "a usual one")
   (list (const #f)
         (lambda (sock) (setvbuf sock 'block 10))
         (lambda (sock) (setvbuf sock 'block 22))
         buffered))
  (test-equal "all of it, or from there on" #vu8(0 1 2 1 2 2 0)
    (peer-gets buffered 7
      (lambda (sock)
        (let ((data #vu8(0 1 2)))
          (put-bytevector sock data)
          (put-bytevector sock data 1)
          (put-bytevector sock data 3)
          (put-bytevector sock data 2 1)
          (put-bytevector sock data 0 0)
          (put-u8 sock 0)))))
  (test-equal "what fills the buffer, at once" #vu8(1 2 3)
    (let-ports ((s (unix-pair)))
      (setvbuf (car s) 'block 3)
      (setvbuf (cdr s) 'block)
      (in-tasks
       (put-bytevector (car s) #vu8(1))
       (put-bytevector (car s) #vu8(2 3))
       (get-bytevector-some (cdr s)))))
  (test-equal "among text" "abcde"
    (utf8->string
     (peer-gets buffered 5
       (lambda (sock)
         (put-char sock #\a)
         (put-bytevector sock #vu8(98))
         (display "c" sock)
         (put-bytevector sock #vu8(100))
         (put-string sock "e"))))))

(test-case "a part that could not be written is kept"
  (let-ports ((s (unix-pair)))
    (let* ((size 3000000) (data (numbers size)))
      (setvbuf (car s) 'block (+ size 1))
      (setvbuf (cdr s) 'block)
      (in-tasks
       (put-bytevector (car s) data)
       (test-eq 'late
         (with-deadline 0.01 (lambda () (force-output (car s))) (const 'late)))
       (put-bytevector (car s) #vu8(1 2 3))
       (let ((got (spawn-task (lambda () (get-bytevector-n (cdr s) (+ size 3))))))
         (force-output (car s))
         (let ((got (join got)))
           (test-equal "all of it" (+ size 3) (bytevector-length got))
           (test-assert "in order"
             (every (lambda (at)
                      (= (bytevector-u8-ref got at) (bytevector-u8-ref data at)))
                    (iota 3000 0 1000)))
           (test-equal "and what came after" '(1 2 3)
             (map (lambda (at) (bytevector-u8-ref got (+ size at)))
                  (iota 3)))))))))

(test-case "a flush that fails is not met again"
  (let-ports ((s (tcp-pair)))
    (buffered (car s))
    (in-tasks
     (reset! (cdr s))
     (put-bytevector (car s) #vu8(1))
     (test-error* "once" `(system-error ,ECONNRESET) (force-output (car s)))
     (test-equal "nothing is left" *unspecified* (force-output (car s))))))

;;; Elsewhere.

(test-case "a file that is read and written"
  (with-temporary-directory
   (lambda (directory)
     (let ((file (string-append directory "/file")))
       (call-with-output-file file (lambda (port) (display "abcdef" port)))
       (let-ports ((port (open-file file "r+b")))
         (in-tasks
          (test-equal #\a (read-char port))
          (put-bytevector port #vu8(66))
          (test-equal #vu8(99 100 101 102) (get-bytevector-some port))
          (put-bytevector port #vu8(71))
          (test-assert (eof-object? (get-bytevector-some port)))))
       (test-equal "aBcdefG" (call-with-input-file file get-string-all))))))

(test-case "a pipe that had ended, and that is written again"
  (with-temporary-directory
   (lambda (directory)
     (let ((file (string-append directory "/pipe")))
       (mknod file 'fifo #o600 0)
       (let-ports ((in (open file (logior O_RDONLY O_NONBLOCK))))
         (in-tasks
          (close-port (open file O_WRONLY))
          (test-assert "its end was looked at" (eof-object? (lookahead-u8 in)))
          (let-ports ((out (open file O_WRONLY)))
            (put-bytevector out #vu8(1 2))
            (force-output out)
            (test-assert "and is read first"
              (eof-object? (get-bytevector-some in)))
            (test-equal "then it goes on" #vu8(1 2)
              (get-bytevector-some in)))))))))

(test-case "a port that is in memory"
  (in-tasks
   (test-equal #vu8(1 2 3)
     (get-bytevector-some (open-bytevector-input-port #vu8(1 2 3))))
   (test-equal #vu8(2 3)
     (call-with-values open-bytevector-output-port
       (lambda (port get)
         (put-bytevector port #vu8(1 2 3) 1)
         (force-output port)
         (get))))))

(test-case "what is refused"
  (let-ports ((s (pipe)))
    (setvbuf (cdr s) 'block)
    (for-each
     (lambda (name thunk)
       (test-assert name (refused? thunk)))
     '("to read what is written" "to write what is read" "to flush it"
       "no port" "a flush of no port" "a write to no port"
       "no bytevector" "a start beyond the end" "a negative one"
       "a count beyond the end" "no number")
     (list (lambda () (get-bytevector-some (cdr s)))
           (lambda () (put-bytevector (car s) #vu8(1)) (force-output (car s)))
           (lambda () (force-output (car s)))
           (lambda () (get-bytevector-some 1))
           (lambda () (force-output 1))
           (lambda () (put-bytevector 1 #vu8(1)))
           (lambda () (put-bytevector (cdr s) "a"))
           (lambda () (put-bytevector (cdr s) #vu8(1 2) 3))
           (lambda () (put-bytevector (cdr s) #vu8(1 2) -1))
           (lambda () (put-bytevector (cdr s) #vu8(1 2) 1 2))
           (lambda () (put-bytevector (cdr s) #vu8(1 2) 'a))))
    (close-port (car s))
    (close-port (cdr s))
    (test-assert "to read what is closed"
      (refused? (lambda () (get-bytevector-some (car s)))))
    (test-assert "to write it"
      (refused? (lambda () (put-bytevector (cdr s) #vu8(1)))))
    (test-assert "to flush it"
      (refused? (lambda () (force-output (cdr s)))))))

(test-end "task-binary")
