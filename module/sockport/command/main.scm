;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The command sockport: what it can do, its help, and what it exits with.

(define-module (sockport command main)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (sockport)
  #:use-module (sockport command arguments)
  #:use-module (sockport command bench)
  #:use-module (sockport command list)
  #:use-module (sockport command probe)
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

;;; Help.

(define (print-line . words)
  (for-each display words)
  (newline))

(define (print-usage)
  (print-line "usage: sockport COMMAND [OPTION...] ARGUMENT...\n")
  (for-each (match-lambda
              ((name takes _ _ _ _ words)
               (print-line "  " name " " takes)
               (print-line "      " words)))
            commands)
  (print-line "\nWHERE is host:port, [::1]:80, unix:/run/name, unix:@abstract or
vsock:CID:PORT.  sockport COMMAND --help shows its options; sockport(1) has more."))

(define (print-help command)
  (match command
    ((name takes _ _ allowed _ words)
     (print-line "usage: sockport " name " [OPTION...] " takes)
     (print-line words "\n")
     (for-each (lambda (option) (print-line (describe-option option)))
               (append allowed '(help))))))

;;; Running.

(define (run-command command arguments)
  (match command
    ((name takes least most allowed procedure _)
     (call-with-values (lambda ()
                         (parse-arguments arguments (cons 'help allowed)))
       (lambda (options others after)
         (define (go)
           (apply procedure options
                  (if (string=? name "listen") (list (car others) after) others)))
         (cond ((assq-ref options 'help) (print-help command) 0)
               ((or (not (<= least (length others) most))
                    (and after (not (string=? name "listen"))))
                (refuse-usage name " takes " takes))
               (else
                (run-tasks
                 (lambda ()
                   (if (member name limits-itself)
                       (go)
                       (with-deadline (assq-ref options 'deadline) go)))))))))))

(define (dispatch version arguments)
  (match arguments
    ((or () ("--help" . _) ("-h" . _) ("help")) (print-usage) 0)
    (("--version" . _) (print-line "sockport " version) 0)
    (((= (lambda (name) (assoc name commands)) (? pair? command)) . rest)
     (run-command command rest))
    ((name . _) (refuse-usage "there is no command " name))))

(define (exit-status value)
  (if (exact-integer? value) value 0))

;;; Errors.

(define (exception->text key args)
  (match (cons key args)
    ((or ('wrong-type-arg _ _ (_ wanted value) _)
         ('out-of-range _ _ (_ wanted value) _))
     (format #f "~a is not right: expecting ~a" value wanted))
    (_
     (plain (call-with-output-string
              (lambda (port) (print-exception port #f key args)))))))

(define (fail status . words)
  (apply say "sockport: " words)
  status)

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
  (match key
    ('usage (fail status-usage (car args) "; see sockport --help"))
    ('deadline-exceeded (fail status-deadline "the deadline has passed"))
    ('getaddrinfo-error
     (fail status-unknown-name (looked-up exception)))
    ((or 'wrong-type-arg 'out-of-range)
     (fail status-usage (exception->text key args)))
    (_ (fail status-failed (exception->text key args)))))

(define (main version arguments)
  "Do what ARGUMENTS ask for, and exit."
  ;; Until a server takes it, it ends the program without a word.
  (sigaction SIGINT SIG_DFL)
  (let ((status (with-exception-handler status-of
                  (lambda () (exit-status (dispatch version arguments)))
                  #:unwind? #t)))
    (force-output (current-output-port))
    (primitive-exit status)))
