;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The harness, tested: that it sees what it is there to see.

(use-modules (harness)
             (harness namespace)
             (harness process)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports))

(define (run-body body)
  "Run BODY as a test program of its own; return its exit code and output."
  (with-temporary-directory
    (lambda (directory)
      (let ((file (string-append directory "/program.scm")))
        (call-with-output-file file
          (lambda (port)
            (for-each (lambda (form) (write form port))
                      `((use-modules (harness))
                        (test-begin "inner")
                        ,@body
                        (test-end "inner")))))
        (run-program "guile" "--no-auto-compile" "-s" file)))))

(define-syntax-rule (test-body name (status line ...) form ...)
  (test-case name
    (call-with-values (lambda () (run-body '(form ...)))
      (lambda (code output)
        (test-equal "exit code" status code)
        (test-assert (string-append "says " line)
          (string-contains output line))
        ...))))

(test-begin "harness")

(test-body "a test that holds passes" (0 "ok 1 - inner: case: one" "1..1")
  (test-case "case" (test-equal "one" 1 1)))

(test-body "a test that fails is told with what was found"
    (1 "not ok 1 - inner: case: one" "# expected: 1" "# actual:   2" "1..1")
  (test-case "case" (test-equal "one" 1 2)))

(test-body "a descriptor left open fails its case"
    (1 "ok 1" "not ok 2 - inner: case: keeps" "opened" "/dev/null")
  (define kept #f)
  (test-case "case"
    (set! kept (open-input-file "/dev/null"))
    (test-assert "open" kept)))

(test-body "a descriptor closed for others fails its case"
    (1 "not ok 2 - inner: case: keeps" "closed" "/dev/null")
  (define kept (open-input-file "/dev/null"))
  (test-case "case"
    (close-port kept)
    (test-assert "closed" (port-closed? kept))))

(test-body "an exception fails its case, and the next one still runs"
    (1 "not ok 1 - inner: case: ended by an exception" "no such thing"
       "ok 2 - inner: next: one" "1..2")
  (test-case "case" (error "no such thing"))
  (test-case "next" (test-assert "one" #t)))

(test-body "a case that hangs fails"
    (1 "not ok 1 - inner: case: ended by an exception" "hung" "1..1")
  (case-seconds 1)
  (test-case "case" (let loop () (sleep 10) (loop))))

(test-body "an expression that hangs fails, whatever error was expected"
    (1 "not ok 1 - inner: case: one" "hung" "ok 2 - inner: case: two")
  (case-seconds 1)
  (test-case "case"
    (test-error* "one" '(hung) (let loop () (sleep 10) (loop)))
    (test-assert "two" #t)))

(test-body "a skipped case is no failure"
    (0 "ok 1 - inner: case: skipped # SKIP no moon")
  (test-case "case" (skip "no moon")))

(test-case "errors are told apart"
  (test-error* "by errno" (list 'system-error ENOENT "open-file")
    (open-file "/nonexistent" "r"))
  (test-error* "by position and procedure" '(wrong-type-arg 1 "string-length")
    (string-length 'a))
  (test-error* "by range" '(out-of-range #f "integer->char")
    (integer->char -1))
  (test-error* "by arity" '(wrong-number-of-args) ((lambda (x) x)))
  (test-equal "and when there is none" '(no-error 3)
    ((@@ (harness) test-error-values) '(system-error 1) (const 3))))

(test-case "a peer is started, read, and reaped"
  (call-with-peer '("cat")
    (lambda (peer)
      (write-line "hello" (peer-input peer))
      (force-output (peer-input peer))
      (test-equal "echo" "hello" (read-line (peer-output peer)))
      (test-equal "status" 0 (status:exit-val (peer-status peer)))))
  (test-equal "one that must be ended" 'done
    (call-with-peer '("sleep" "100") (const 'done))))

(test-case "a peer's port is found"
  (require-program "socat")
  (for-each
   (lambda (address)
     (call-with-peer (list "socat" address "PIPE")
       (lambda (peer)
         (test-assert address (< 1023 (listening-port peer) 65536)))))
   '("TCP4-LISTEN:0,bind=127.0.0.1" "TCP6-LISTEN:0,bind=[::1]"
     "UDP4-RECVFROM:0")))

(test-case "namespaces are separate"
  (call-with-namespaces 2
    (lambda (left right)
      (ip "-n" left "link" "add" "l0" "type" "veth" "peer" "name" "r0"
          "netns" right)
      (test-assert "there" (string-contains
                            (in-namespace right (lambda () (ip "link"))) "r0"))
      (test-assert "not here" (not (string-contains (ip "link") "r0"))))))

(test-end "harness")
