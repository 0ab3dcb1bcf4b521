;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What stands in the log when a handler of HTTP makes a mistake: what was wrong, for
;;; which request, and where in the program.

(use-modules (harness)
             (harness process)
             (harness web)
             (ice-9 match)
             (ice-9 regex)
             (srfi srfi-1)
             (sockport)
             (sockport http)
             (system base compile))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "web-failure")

;;; Each line is a case: its path, and what the handler does for it.
(define program
  '("(use-modules (ice-9 match) (sockport) (web request) (web uri))"
    ;; Set again, or it would be compiled into what calls it.
    "(define helper #f)"
    "(set! helper (lambda (x) (+ 1 (car x)))) ; helper"
    "(define (handler request body) ; handler"
    "  (match (uri-path (request-uri request))"
    "    (\"/raise\" (list (helper 5)))"
    "    (\"/unbound\" (list (no-such-name 1)))"
    "    (\"/apply\" (list (\"text\" 1)))"
    "    (\"/inside\" (list (send 5 \"text\")))"
    "    (\"/body\" (values '() (lambda (port) (display \"a\" port) (list (helper 5)))))"
    "    (\"/object\" (list (raise-exception 42)))"
    "    (\"/one\" 'only)"
    "    (\"/none\" (values))"
    "    (\"/first\" (values 'first \"text\"))"
    "    (\"/second\" (values '() 'second))"
    "    (\"/header\" (values '((content-type . 5)) \"text\"))"
    "    (\"/type\" (values '((content-type . \"text/plain\")) \"text\"))"
    "    (\"/name\" (values '((#{a b}# . \"c\")) \"text\"))"
    "    (\"/pair\" (values '((\"x-a\" . \"b\")) \"text\"))"
    "    (\"/value\" (values '((x-a . 5)) \"text\"))"
    "    (\"/wide\" (values '((x-a . \"\\u2192\")) \"text\"))"
    "    (\"/charset\" (values '((content-type . (text/plain (charset . \"latin1\")))) \"\\u2192\"))"
    "    (\"/close\" (values '((connection . \"close\")) \"text\"))"
    "    (\"/length\" (values '((content-length . 3)) \"text\"))))"))

(define (line-with text)
  (+ 1 (list-index (lambda (line) (string-contains line text)) program)))

(define handler
  (let ((module (make-fresh-user-module)))
    (with-temporary-directory
     (lambda (directory)
       (let ((file (string-append directory "/site.scm")))
         (call-with-output-file file
           (lambda (port)
             (for-each (lambda (line) (display line port) (newline port))
                       program)))
         (save-module-excursion
          (lambda ()
            (set-current-module module)
            (load-compiled (compile-file file #:env module
                                         #:opts '(#:warnings ())
                                         #:output-file
                                         (string-append file ".go"))))))))
    (module-ref module 'handler)))

(define (logged path)
  "Return the lines that a request for PATH leaves in the log, and its code."
  (let* ((answered #f)
         (texts (call-with-http handler
                  (lambda (new server)
                    (set! answered (codes (ask new "GET" path)))))))
    (match texts
      ((text) (values (string-split text #\newline) answered)))))

(define (place-of text)
  (format #f "site.scm:~a:" (line-with text)))

(define (frame-of text)
  "A line of a backtrace, whose file stands above it."
  (format #f "^ *~a:[0-9]+ " (line-with text)))

(define-syntax-rule (test-logged path error place ...)
  (call-with-values (lambda () (logged path))
    (lambda (lines code)
      (test-assert (list path 'error)
        (string-prefix? error (car lines)))
      (test-assert (list path 'request)
        (string-match (string-append "^GET " path " from 127\\.0\\.0\\.1:[0-9]+$")
                      (cadr lines)))
      (test-equal (list path 'code) '(500) code)
      (test-assert (list path 'place place)
        (any (lambda (line) (string-match place line)) (cddr lines)))
      ...
      (test-assert (list path 'each-frame-once)
        (not (any (lambda (line) (string-match "^ +[0-9]+ \\(.* \\.\\.\\.\\)$" line))
                  (cddr lines))))
      (test-assert (list path 'nothing-else)
        (not (any (lambda (line)
                    (string-match "sockport/|ice-9/|web/|unknown file" line))
                  (cddr lines)))))))

(test-case "what a handler raises, with its frames"
  (test-logged "/raise" "In procedure car: Wrong type argument in position 1"
               (frame-of "\"/raise\"") (frame-of "; helper"))
  (test-logged "/unbound" "Unbound variable: no-such-name"
               (frame-of "\"/unbound\""))
  (test-logged "/apply" "Wrong type to apply: \"text\"" (frame-of "\"/apply\""))
  (test-logged "/inside" "In procedure send: Wrong type argument in position 1"
               (frame-of "\"/inside\""))
  (test-logged "/body" "In procedure car:"
               (frame-of "\"/body\"") (frame-of "; helper"))
  (test-logged "/object" "What is no exception was raised: 42"
               (frame-of "\"/object\""))
  (test-logged "/other" "No pattern of `match' fits: \"/other\""
               "site\\.scm"))

(test-case "what a handler must not return, with where it is"
  (define here (place-of "; handler"))
  (test-logged "/one" "a handler returns two values" here)
  (test-logged "/none" "a handler returns two values" here)
  (test-logged "/first" "the first value of a handler is a response or an alist"
               here)
  (test-logged "/second" "the second value of a handler is a body" here)
  (test-logged "/header" "not a value of the header content-type" here)
  (test-logged "/type"
               "not a value of the header content-type, as Guile's (web http) has them, which for this text is (text/plain): \"text/plain\"" here)
  (test-logged "/name" "In procedure serve-http: not the name of a header: #{a b}#"
               here)
  (test-logged "/pair" "In procedure serve-http: no header, a pair of a symbol" here)
  (test-logged "/value" "In procedure serve-http: the value of the header x-a" here)
  (test-logged "/wide" "In procedure serve-http: the value of the header x-a" here)
  (test-logged "/charset" "the body has characters that the charset" here)
  (test-logged "/close" "not a value of the header connection" here)
  (test-logged "/length" "Content-Length is 3, but the body has 4 bytes" here))

(test-case "a handler that is not compiled has a name"
  (match (call-with-http (let ((module (make-fresh-user-module)))
                           (eval '(define (site request body) 'x) module)
                           (module-ref module 'site))
           (lambda (new server) (ask new "GET" "/")))
    ((text)
     (test-assert "and that is shown"
       (string-contains text "The handler is site")))))

(test-end "web-failure")
