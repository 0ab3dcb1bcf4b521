;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Follows the manual's tutorial as a reader does: types its dialogues into two
;;; REPLs, saves its programs, and talks to each server with its client.

(use-modules (harness) (harness process) (sockport)
             (ice-9 match) (ice-9 rdelim) (ice-9 regex) (ice-9 textual-ports)
             (srfi srfi-1))

(define manual
  (call-with-input-file
      (string-append (getenv "SOCKPORT_SOURCE") "/doc/tutorial.texi")
    get-string-all #:encoding "UTF-8"))

(define (plain text)
  (fold (lambda (char text)
          (regexp-substitute/global #f (string-append "@" char) text
                                    'pre (string-take-right char 1) 'post))
        text '("@" "[{]" "[}]")))

;; An alist from names to texts, in order; a name can occur more than once.
(define blocks
  (map (lambda (found)
         (cons (match:substring found 1)
               (plain (match:substring found 3))))
       (list-matches
        (string-append "@c norun ([^,\n]*),[^\n]*\n@(lisp|example)\n"
                       "(([^@]|@@|@[{}])*)@end ")
        manual)))

(define (block name)
  (or (assoc-ref blocks name) (error "the tutorial has no" name)))

(define (replace text from to)
  (match (string-contains text from)
    (#f text)
    (at (string-append (substring text 0 at) to
                       (replace (substring text (+ at (string-length from)))
                                from to)))))

;;; Step 1: two REPLs.

(define prompt "scheme@(guile-user)> ")

(define (type repl text)
  "Type what stands after the prompts of TEXT, and wait for the values shown."
  (define lines (string-split (string-trim-right text) #\newline))
  (for-each (lambda (line)
              (when (string-prefix? prompt line)
                (put-string (peer-input repl)
                            (substring line (string-length prompt)))
                (newline (peer-input repl))))
            lines)
  (force-output (peer-input repl))
  (for-each (lambda (line)
              (unless (string-prefix? prompt line)
                (test-assert line (shows? repl line))))
            lines))

(define (shows? repl expected)
  (match (read-line (peer-output repl))
    ((? eof-object?) #f)
    (line (or (string-suffix? expected line) (shows? repl expected)))))

;; A terminal would show each line at once; so does a pipe, when told to.
(define line-by-line "(setvbuf (current-output-port) 'line)\n")

(define (call-with-repl proc)
  (call-with-peer '("guile" "--no-auto-compile" "-q")
    (lambda (repl)
      (put-string (peer-input repl) line-by-line)
      (proc repl))))

(define (texts-of name)
  (filter-map (match-lambda
                ((found . text) (and (string=? found name) text)))
              blocks))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "tutorial")

(test-case "two ends of a socket"
  (call-with-repl
    (lambda (listener)
      (match (texts-of "listener")
        ((first second)
         (type listener (replace first ":7000" ":0"))
         (let ((port (number->string (listening-port listener))))
           (call-with-repl
             (lambda (client)
               (match (texts-of "client")
                 ((connects reads)
                  (type client (replace connects "7000" port))
                  (type listener second)
                  (type client reads)))))))))))

;;; The servers, each with the tutorial's client.

(define (save directory name text)
  (let ((file (string-append directory "/" name)))
    (call-with-output-file file
      (lambda (port) (put-string port text))
      #:encoding "UTF-8")
    file))

(define (program file)
  (list "guile" "--no-auto-compile" "-s" file))

(define (call-with-server text proc)
  "Run the server TEXT; call PROC with the server, its port, and the command that
runs the client."
  (with-temporary-directory
    (lambda (directory)
      (call-with-peer
          (program (save directory "server.scm" (replace text ":7000" ":0")))
        (lambda (server)
          (let ((port (listening-port server)))
            (proc server port
                  (program (save directory "chat-client.scm"
                                 (string-append
                                  line-by-line
                                  (replace (block "chat-client.scm") "7000"
                                           (number->string port))))))))))))

(define (say peer words)
  (put-string (peer-input peer) words)
  (newline (peer-input peer))
  (force-output (peer-input peer)))

(define (hear peer)
  (read-line (peer-output peer)))

(define (ends-well? peer)
  (eqv? 0 (status:exit-val (peer-status peer))))

(test-case "chat-1.scm answers one guest after the other"
  (call-with-server (block "chat-1.scm")
    (lambda (server port client)
      (call-with-peer client
        (lambda (first)
          (say first "hello")
          (test-equal "the first" "You said: hello" (hear first))
          (call-with-peer client
            (lambda (second)
              (say second "καλημέρα")
              (test-assert "the first leaves" (ends-well? first))
              (test-equal "then the second" "You said: καλημέρα" (hear second))
              (test-assert "and leaves" (ends-well? second)))))))))

(test-case "chat-2.scm answers all at once"
  (call-with-server (block "chat-2.scm")
    (lambda (server port client)
      (call-with-peer client
        (lambda (first)
          (say first "hello")
          (test-equal "the first" "You said: hello" (hear first))
          (call-with-peer client
            (lambda (second)
              (say second "hi")
              (test-equal "the second" "You said: hi" (hear second))
              (say first "again")
              (test-equal "the first again" "You said: again"
                          (hear first)))))))))

(define (check-exchange client)
  (call-with-peer client
    (lambda (first)
      (say first "anybody?")
      (test-equal "alone" "anybody?" (hear first))
      (call-with-peer client
        (lambda (second)
          (say second "me")
          (test-equal "the other" "me" (hear first))
          (test-equal "oneself" "me" (hear second))
          (test-assert "leaves" (ends-well? second))))
      (say first "gone?")
      (test-equal "goes on" "gone?" (hear first)))))

(test-case "chat-3.scm passes on what everybody says"
  (call-with-server (block "chat-3.scm")
    (lambda (server port client) (check-exchange client))))

;;; Step 5 replaces procedures of step 4.

(define (read-forms text)
  (call-with-input-string text
    (lambda (port)
      (let loop ((forms '()))
        (match (read port)
          ((? eof-object?) (reverse forms))
          (form (loop (cons form forms))))))))

(define (defined form)
  (match form
    (('define (name . _) . _) name)
    (_ #f)))

(define (with-replaced program replacements)
  (let* ((new (read-forms replacements))
         (names (map defined new)))
    (match (read-forms program)
      ((use outboxes . rest)
       (string-join
        (map (lambda (form) (format #f "~s" form))
             (append (list use outboxes)
                     new
                     (remove (lambda (form) (memq (defined form) names))
                             rest)))
        "\n")))))

(define chat-4 (with-replaced (block "chat-3.scm") (block "chat-4.scm")))

(define (connected port)
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (setsockopt sock SOL_SOCKET SO_RCVBUF 4096)
    (connect sock AF_INET INADDR_LOOPBACK port)
    sock))

(test-case "chat-4.scm does not wait for a guest who does not read"
  (call-with-server chat-4
    (lambda (server port client)
      (check-exchange client)
      (let ((deaf (connected port))
            (guest (connected port))
            (line (make-string 10000 #\x)))
        (send guest "here\n")
        (test-equal "here" (read-line guest))
        (for-each (lambda (i)
                    (send guest line)
                    (send guest "\n")
                    (unless (equal? line (read-line guest))
                      (error "another line came back" i)))
                  (iota 60))
        (test-assert "sixty long lines" #t)
        (close-port guest)
        (close-port deaf)))))

(test-case "chat-5.scm knows names, outlives a broken connection, and stops"
  (call-with-server (block "chat-5.scm")
    (lambda (server port client)
      (call-with-peer client
        (lambda (ann)
          (test-equal "What is your name?" (hear ann))
          (say ann "ann")
          (test-equal "ann has come" (hear ann))
          (let ((bob (connected port)))
            (send bob "bob\n")
            (test-equal "bob has come" (hear ann))
            ;; A reset rather than an end.
            (setsockopt bob SOL_SOCKET SO_LINGER '(1 . 0))
            (close-port bob)
            (test-equal "bob has gone" (hear ann)))
          (say ann "still there?")
          (test-equal "ann: still there?" (hear ann))
          (kill (peer-pid server) SIGINT)
          (test-assert "the guest is seen off"
            (let loop ((line (hear ann)))
              (or (eof-object? line) (loop (hear ann)))))
          (test-assert "the server ends" (ends-well? server)))))))

(test-end "tutorial")
