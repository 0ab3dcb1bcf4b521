;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The command sockport: what it can do, its options and help, and what it exits with.

(define-module (sockport command main)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-26)
  #:use-module (sockport)
  #:use-module (sockport command look)
  #:use-module (sockport command report)
  #:use-module (sockport command stream)
  #:export (main))

;;; sockport(1) explains them.
(define status-failed 1)
(define status-usage 2)
(define status-unknown-name 3)
(define status-deadline 4)

;;; A name, what it takes, how many arguments these are at least and at most, its
;;; options, a procedure of them, and a word.  A deadline is the command's own
;;; matter where that limits each connection.
(define commands
  `(("connect" "WHERE" 1 1 (deadline family from json) ,connect-command
     "standard input and output over a connection")
    ("listen" "WHERE [-- COMMAND [ARGUMENT...]]" 1 1 (deadline json)
     ,listen-command
     "the same for the first who connects, or COMMAND for each")
    ("proxy" "FROM TO" 2 2
     (deadline family from send-proxy-header accept-proxy-header json)
     ,proxy-command "pass connections on")
    ("probe" "WHERE..." 1 1000 (deadline family from delay json) ,probe-command
     "every address, and how long each takes")
    ("ls" "[tcp|udp|unix]..." 0 3 (listening family json) ,list-command
     "sockets of this machine")
    ("echo" "WHERE" 1 1 (deadline json) ,echo-command
     "send everybody back what they sent")
    ("bench" "WHERE" 1 1 (connections size seconds deadline family from json)
     ,bench-command "measure a server that echoes")))

(define limits-itself '("listen" "proxy" "probe" "echo"))

;;; Options: a name, what its value is called or #f, what makes the value, and a word.

(define (seconds text)
  (let ((number (string->number text)))
    (and (real? number) (positive? number) number)))

(define (count text)
  (let ((number (string->number text 10)))
    (and (exact-integer? number) (<= 1 number 1000000000) number)))

(define (family text)
  (assoc-ref `(("4" . ,AF_INET) ("inet" . ,AF_INET)
               ("6" . ,AF_INET6) ("inet6" . ,AF_INET6))
             text))

(define (version text)
  (assoc-ref '(("1" . 1) ("2" . 2)) text))

(define options
  `((deadline "SECONDS" ,seconds "end after so much time")
    (family "4|6" ,family "use this family's addresses alone")
    (from "ADDRESS" ,identity "connect from this address of the machine")
    (json #f #f "write JSON, a value a line")
    (connections "NUMBER" ,count "how many at once")
    (size "BYTES" ,count "how much is sent at a time")
    (seconds "SECONDS" ,seconds "for how long")
    (listening #f #f "only sockets that listen")
    (delay "SECONDS" ,seconds "between one address and the next (0.25)")
    (send-proxy-header "1|2" ,version
                       "say who the client is, in the PROXY protocol")
    (accept-proxy-header #f #f "be told who the client is, by a proxy")
    (help #f #f "print this")))

(define (refuse-usage . words)
  "End the command: it was called in a wrong way, which WORDS tell."
  (throw 'usage (string-concatenate (map (cut format #f "~a" <>) words))))

(define option-rx (make-regexp "^--([^=]+)(=(.*))?$"))

(define (parse-arguments arguments allowed)
  "Return an alist of the options in ARGUMENTS, and the other arguments."
  (define (convert-or-refuse key wanted convert text)
    (or (convert text)
        (refuse-usage "--" key " is to be " wanted ", not " text)))
  (let next ((rest arguments) (found '()) (others '()))
    (match rest
      (() (values found (reverse others)))
      (("-h" . rest) (next (cons "--help" rest) found others))
      (((= (cut regexp-exec option-rx <>) (? identity parts)) . rest)
       (let ((key (string->symbol (match:substring parts 1)))
             (given (match:substring parts 3)))
         (match (and (memq key allowed) (assq key options))
           (#f (refuse-usage "there is no option --" key " here"))
           ((_ #f . _)
            (when given (refuse-usage "--" key " takes no value"))
            (next rest (acons key #t found) others))
           ((_ wanted convert _)
            (match (if given (cons given rest) rest)
              (() (refuse-usage "--" key " needs " wanted))
              ((text . rest)
               (next rest
                     (acons key (convert-or-refuse key wanted convert text)
                            found)
                     others)))))))
      ((other . rest) (next rest found (cons other others))))))

;;; Help.

(define (print-lines . lines)
  (for-each (lambda (words) (for-each display words) (newline)) lines))

(define (print-usage)
  (print-lines '("usage: sockport COMMAND [OPTION...] ARGUMENT...\n"))
  (for-each (match-lambda
              ((name takes _ _ _ _ words)
               (print-lines `("  " ,name " " ,takes) `("      " ,words))))
            commands)
  (print-lines '("\nWHERE is host:port, [::1]:80, unix:/run/name, unix:@abstract or
vsock:CID:PORT.  sockport COMMAND --help shows its options; sockport(1) has more.")))

(define (print-help name takes allowed words)
  (print-lines `("usage: sockport " ,name " [OPTION...] " ,takes) `(,words "\n"))
  (for-each (lambda (key)
              (match (assq key options)
                ((_ wanted _ words)
                 (print-lines
                  `("  " ,(string-pad-right
                           (format #f "--~a~a" key
                                   (if wanted (string-append "=" wanted) ""))
                           26)
                    ,words)))))
            allowed))

;;; Running.

(define (run-command command arguments after)
  "Do what COMMAND, a row above, does with ARGUMENTS; AFTER are those behind \"--\",
or #f."
  (match command
    ((name takes least most allowed procedure words)
     (let ((allowed (append allowed '(help))))
       (call-with-values (lambda () (parse-arguments arguments allowed))
         (lambda (options others)
           (define (go)
             (apply procedure options (if after (append others after) others)))
           (cond ((assq-ref options 'help) (print-help name takes allowed words))
                 ((or (not (<= least (length others) most))
                      (and after (not (eq? procedure listen-command))))
                  (refuse-usage name " takes " takes))
                 ((equal? after '(()))
                  (refuse-usage "there is no command after --"))
                 (else
                  (run-tasks
                   (lambda ()
                     (if (member name limits-itself)
                         (go)
                         (with-deadline (assq-ref options 'deadline) go))))))))))))

(define (dispatch version arguments)
  (match arguments
    ((or () ("--help" . _) ("-h" . _) ("help")) (print-usage))
    (("--version" . _) (print-lines `("sockport " ,version)))
    ((name . rest)
     (call-with-values (lambda () (break (cut string=? "--" <>) rest))
       (lambda (before after)
         (run-command (or (assoc name commands)
                          (refuse-usage "there is no command " name))
                      before
                      (and (pair? after) (list (cdr after)))))))))

;;; Errors.

(define (exception->text key args)
  (match (cons key args)
    (((or 'wrong-type-arg 'out-of-range) _ _ (_ wanted value) _)
     (format #f "~a is not right: expecting ~a" value wanted))
    (_
     (plain (call-with-output-string
              (lambda (port) (print-exception port #f key args)))))))

(define (looked-up exception)
  "Return what could not be looked up, and why, as a text."
  (match (and (exception-with-irritants? exception)
              (exception-irritants exception))
    ((what reason) (format #f "~a cannot be looked up: ~a" what reason))
    (_ (format #f "this name cannot be looked up: ~a"
               (gai-strerror (car (exception-args exception)))))))

(define (status-of exception)
  "Say what EXCEPTION means; return the status to exit with."
  (define key (exception-kind exception))
  (define args (exception-args exception))
  (define (fail status . words)
    (apply say "sockport: " words)
    status)
  (match key
    ('usage (fail status-usage (car args) "; see sockport --help"))
    ('deadline-exceeded (fail status-deadline "the deadline has passed"))
    ('getaddrinfo-error (fail status-unknown-name (looked-up exception)))
    ((or 'wrong-type-arg 'out-of-range)
     (fail status-usage (exception->text key args)))
    (_ (fail status-failed (exception->text key args)))))

(define (main version arguments)
  "Do what ARGUMENTS ask for, and exit."
  ;; Until a server takes it, it ends the program without a word.
  (sigaction SIGINT SIG_DFL)
  (let ((status (with-exception-handler status-of
                  (lambda () (dispatch version arguments))
                  #:unwind? #t)))
    (force-output (current-output-port))
    (primitive-exit (if (exact-integer? status) status 0))))
