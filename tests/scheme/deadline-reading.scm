;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Every procedure of Guile's that reads, in a deadline that passes, or in a task that is
;;; cancelled, before it has what it wants: what was received is what the next call gets.

(use-modules (harness)
             (harness socket)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 ports internal)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             ((scheme base) #:prefix r7:)
             (sockport))

(test-begin "deadline-reading")

;; Guile's procedures are exchanged by the first, and taken into the table then.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (filling-bytes read! size)
  (lambda (port)
    (let* ((bytes (make-bytevector size 0)) (count (read! port bytes)))
      (list count bytes))))

(define (filling-string read! size)
  (lambda (port)
    (let* ((text (make-string size #\.)) (result (read! port text)))
      (list result text))))

;;; Name, procedure, what comes before the deadline, what comes after, and the value.
(define-syntax-rule (rows (name proc first second value) ...)
  (list (list name proc first second value) ...))

(define table
  (rows
   ("read-line" read-line "one" " two\n" "one two")
   ("get-line" get-line "one" " two\n" "one two")
   ("%read-line" %read-line "one" " two\n" '("one two" . #\newline))
   ("read-delimited" (lambda (port) (read-delimited "." port)) "a;" "b." "a;b")
   ("read-delimited, several" (lambda (port) (read-delimited ";." port 'split))
    "ab" "c." '("abc" . #\.))
   ("read-delimited!"
    (filling-string (lambda (port text) (read-delimited! "." text port)) 8)
    "ab" "c." '(3 "abc....."))
   ("read-delimited!, as much as there is room for"
    (filling-string (lambda (port text) (read-delimited! "." text port)) 4)
    "ab" "cd" '(4 "abcd"))
   ("read-delimited!, a part"
    (filling-string
     (lambda (port text) (read-delimited! "." text port 'trim 1 4)) 6)
    "ab" "c" '(3 ".abc.."))
   ("read-string!"
    (filling-string (lambda (port text) (read-string! text port)) 6)
    "abc" "def" '(6 "abcdef"))
   ("read-string!, a part"
    (filling-string (lambda (port text) (read-string! text port 1 5)) 6)
    "ab" "cd" '(4 ".abcd."))
   ("read-string" (lambda (port) (read-string port 6)) "abc" "def" "abcdef")
   ("get-string-n" (lambda (port) (get-string-n port 6)) "abc" "def" "abcdef")
   ("get-string-n!"
    (filling-string (lambda (port text) (get-string-n! port text 1 4)) 6)
    "abc" "d" '(4 ".abcd."))
   ("get-string-n, of several bytes each" (lambda (port) (get-string-n port 3))
    "é\xe2" "\x86\x92x" "é→x")
   ("get-bytevector-n" (lambda (port) (get-bytevector-n port 4)) "ab" "cd"
    #vu8(97 98 99 100))
   ("get-bytevector-n!"
    (filling-bytes (lambda (port bytes) (get-bytevector-n! port bytes 1 3)) 5)
    "ab" "c" '(3 #vu8(0 97 98 99 0)))
   ("R7RS read-bytevector" (lambda (port) (r7:read-bytevector 4 port)) "ab" "cd"
    #vu8(97 98 99 100))
   ("R7RS read-bytevector!"
    (filling-bytes (lambda (port bytes) (r7:read-bytevector! bytes port)) 3)
    "ab" "c" '(3 #vu8(97 98 99)))
   ("R7RS read-string" (lambda (port) (r7:read-string 4 port)) "ab" "cd" "abcd")
   ("read-char" read-char "\xc3" "\xa9" #\é)
   ("get-char" get-char "\xe2\x86" "\x92" #\→)
   ("peek-char" (lambda (port) (list (peek-char port) (read-char port)))
    "\xc3" "\xa9" '(#\é #\é))
   ("a list" read "(a \"b" ")\" c)" '(a "b)" c))
   ("a list in lists" read "((a) (b" ") . c)" '((a) (b) . c))
   ("a string" read "\"one\\" "\" two\"" "one\" two")
   ("a symbol" read "one" "two " 'onetwo)
   ("a number" read "12" "34\n" 1234)
   ("a vector" read " ; comment )\n#(1 " "2)" #(1 2))
   ("a quotation" read "'(a " "b)" ''(a b))
   ("get-datum" (@ (rnrs io ports) get-datum) "(a " "b)" '(a b))))

;;; Bytes as they stand in the strings above, or characters.
(define (bytes-of text)
  (if (string-any (lambda (char) (char<=? #\x80 char #\xff)) text)
      (if (string-any (lambda (char) (memv char '(#\é))) text)
          (u8-list->bytevector
           (append-map (lambda (char)
                         (if (eqv? char #\é)
                             '(#xc3 #xa9)
                             (list (char->integer char))))
                       (string->list text)))
          (string->bytevector* text))
      (string->utf8 text)))

(define (string->bytevector* text)
  (u8-list->bytevector (map char->integer (string->list text))))

(define append-map (@ (srfi srfi-1) append-map))

(define (too-early read port)
  (with-deadline 0.01 (lambda () (read port)) (const 'late)))

(define (cancelled read port)
  (let ((task (spawn-task (lambda () (read port)))))
    (do ((i 0 (+ i 1))) ((= i 10)) (task-yield))
    (cancel! task)
    (catch #t (lambda () (join task)) (const 'late))))

(define (in-halves mode end read first second)
  "Return what READ gets when it is ended by END after FIRST has come, and after SECOND
has."
  (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
    (setvbuf (car pair) mode)
    (set-port-encoding! (car pair) "UTF-8")
    (send (cdr pair) (bytes-of first))
    (let* ((late (end read (car pair)))
           (sent (send (cdr pair) (bytes-of second)))
           (then (with-deadline 5 (lambda () (read (car pair)))
                                (const 'still-late))))
      (close-port (car pair))
      (close-port (cdr pair))
      (list late then))))

(for-each
 (match-lambda
   ((where end call)
    (for-each
     (lambda (mode)
       (test-case (format #f "in a ~a, buffering ~a" where mode)
         (for-each
          (match-lambda
            ((name read first second value)
             (test-equal name (list 'late value)
               (call (lambda () (in-halves mode end read first second))))))
          table)))
     '(none line block))))
 `((thread ,too-early ,(lambda (thunk) (thunk)))
   (task ,too-early ,run-tasks)
   ("task that is cancelled" ,cancelled ,run-tasks)))

(define (to-the-end end read)
  (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
         (sent (send (cdr pair) "abc"))
         (late (end read (car pair))))
    (send (cdr pair) "def")
    (close-port (cdr pair))
    (let ((whole (read (car pair))))
      (close-port (car pair))
      (list late whole))))

(test-case "to the end"
  (for-each
   (match-lambda
     ((name read value)
      (test-equal name (list 'late value) (to-the-end too-early read))
      (test-equal (list name "that is cancelled") (list 'late value)
        (run-tasks (lambda () (to-the-end cancelled read))))))
   (list (list "get-string-all" get-string-all "abcdef")
         (list "read-string" read-string "abcdef")
         (list "get-bytevector-all" get-bytevector-all
               (string->utf8 "abcdef")))))

(test-case "much, one piece after the other"
  (run-tasks
   (lambda ()
     (define bytes (make-bytevector 1500 97))
     (match (socketpair AF_UNIX SOCK_STREAM 0)
       ((here . there)
        (setvbuf here 'block 4096)
        (let next ((left 300))
          (unless (zero? left)
            (send there bytes)
            (get-bytevector-n! here bytes 0 1500)
            (next (- left 1))))
        (test-assert "the port's buffer stays small"
          (<= (bytevector-length (port-buffer-bytevector (port-read-buffer here)))
              8192))
        (close-port here)
        (close-port there))))))

(test-end "deadline-reading")
