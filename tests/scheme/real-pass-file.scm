;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Open files passed between processes: from root to nobody, and with Python and
;;; C on the other side.

(use-modules (harness) (harness example) (harness process)
             (harness socket)
             (ice-9 match) (ice-9 textual-ports) (srfi srfi-1)
             (sockport))

(define pass-file (example "pass-file.scm"))

(define (c-peer . arguments)
  (cons (string-append (getenv "SOCKPORT_BUILD") "/tests/scheme/pass-file")
        arguments))

(define (python-peer action name . file)
  (append (list "python3" "-c"
                (match action
                  ("give" "import socket, sys
listener = socket.socket (socket.AF_UNIX)
listener.bind (sys.argv[1])
listener.listen ()
sock, _ = listener.accept ()
with open (sys.argv[2]) as file:
    socket.send_fds (sock, [b'from Python'], [file.fileno ()])")
                  ("take" "import os, socket, sys
sock = socket.socket (socket.AF_UNIX)
sock.connect (sys.argv[1])
text, fds, flags, address = socket.recv_fds (sock, 256, 4)
assert len (fds) == 1 and flags == 0
print (text.decode (), os.read (fds[0], 4096).decode (), sep=': ', end='')"))
                name)
          file))

(define (peer-of language)
  (match language
    ("Scheme" pass-file)
    ("Python" (require-program "python3") python-peer)
    ("C" c-peer)))

(define words "for the eyes of root\n")

(define-syntax-rule (with-files (socket-name file) body ...)
  (with-temporary-directory
   (lambda (directory)
     (let ((file (string-append directory "/secret"))
           (socket-name (string-append directory "/socket")))
       (call-with-output-file file (lambda (port) (display words port)))
       (chmod file #o600)
       body ...))))

(test-begin "real-pass-file")

(test-case "from root to nobody"
  (unless (zero? (geteuid))
    (skip "needs root to become nobody"))
  (with-files (name file)
    (test-equal "reads it" (list 0 words) (output-of (pass-file file)))
    (match (string-split (second (output-of
                                  `("sh" "-c" "exec \"$@\" 2>&1 >/dev/null"
                                    "sh" ,@(pass-file file))))
                         #\newline)
      ((first second . _)
       (test-equal "and could not open it"
         (format #f "user ~a cannot open ~a"
                 (passwd:uid (getpwnam "nobody")) file)
         first)
       (test-equal "it came from root" "secret, from user 0" second)))))

(define (test-passing giver taker expected)
  (test-case (string-append giver " gives to " taker)
    (let ((give (peer-of giver))
          (take (peer-of taker)))
      (with-files (name file)
        (call-with-peer (give "give" name file)
          (lambda (peer)
            (test-assert "ready" (wait-until (lambda () (listening-at? name))))
            (test-equal "arrives" (list 0 expected)
              (output-of (take "take" name)))
            (test-equal "and the giver is content" 0
              (status:exit-val (peer-status peer)))))))))

(test-passing "Scheme" "Scheme" words)
(test-passing "Scheme" "Python" (string-append "secret: " words))
(test-passing "Scheme" "C" (string-append "secret: " words))
(test-passing "Python" "Scheme" words)
(test-passing "C" "Scheme" words)

(test-case "what is passed is the open file: offset, flags, and a socket"
  (with-files (name file)
    (let-ports ((pair (unix-pair)) (port (open-file file "r0")))
      (get-string-n port 4)
      (send-ports (car pair) (list port) "x")
      (match (recv-ports (cdr pair))
        ((passed)
         (test-equal "the offset goes along" (substring words 4)
           (get-string-all passed))
         (test-equal "and is shared" (string-length words)
           (seek port 0 SEEK_CUR))
         (test-equal "close-on-exec" FD_CLOEXEC (fcntl passed F_GETFD))
         (test-assert "to be read only" (not (output-port? passed)))
         (close-port passed)))
      (let-ports ((other (tcp-pair)))
        (send-ports (car pair) (list (car other) (cdr other)))
        (match (recv-ports (cdr pair))
          ((one two)
           (send one "through what was passed")
           (test-equal "a socket is a socket" 23
             (recv! two (make-string 30)))
           (close-port one)
           (close-port two)))))))

(test-end "real-pass-file")
