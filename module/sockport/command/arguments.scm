;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The arguments of the command: options by a table, from which the help is made as
;;; well.

(define-module (sockport command arguments)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport)
  #:export (options
            parse-arguments
            refuse-usage
            describe-option))

(define (refuse-usage . words)
  "End the command: it was called in a wrong way, which WORDS tell."
  (throw 'usage (string-concatenate (map (lambda (word) (format #f "~a" word))
                                         words))))

;;; Values.

(define (seconds text)
  (let ((number (string->number text)))
    (and (real? number) (positive? number) number)))

(define (count low)
  (lambda (text)
    (let ((number (string->number text 10)))
      (and (exact-integer? number) (<= low number 1000000000) number))))

(define (family text)
  (assoc-ref `(("4" . ,AF_INET) ("inet" . ,AF_INET)
               ("6" . ,AF_INET6) ("inet6" . ,AF_INET6))
             text))

(define (version text)
  (and (member text '("1" "2")) (string->number text)))

;;; A name, what its value is called or #f, what makes the value, and a word on it.
(define options
  `((deadline "SECONDS" ,seconds "end after so much time")
    (family "4|6" ,family "use this family's addresses alone")
    (from "ADDRESS" ,identity "connect from this address of the machine")
    (json #f #f "write JSON, a value a line")
    (connections "NUMBER" ,(count 1) "how many at once")
    (size "BYTES" ,(count 1) "how much is sent at a time")
    (seconds "SECONDS" ,seconds "for how long")
    (listening #f #f "only sockets that listen")
    (delay "SECONDS" ,seconds "between one address and the next (0.25)")
    (send-proxy-header "1|2" ,version
                       "say who the client is, in the PROXY protocol")
    (accept-proxy-header #f #f "be told who the client is, by a proxy")
    (help #f #f "print this")
    (version #f #f "print the version")))

(define (describe-option name)
  "Return a line that explains the option NAME."
  (match (assq name options)
    ((_ value _ words)
     (format #f "  ~a~a"
             (string-pad-right (format #f "--~a~a" name
                                       (if value (string-append "=" value) ""))
                               26)
             words))))

(define (split-option argument)
  "Return the name of the option ARGUMENT, and its value or #f."
  (match (string-index argument #\=)
    (#f (values (string->symbol (substring argument 2)) #f))
    (at (values (string->symbol (substring argument 2 at))
                (substring argument (+ at 1))))))

(define (read-value name wanted convert text)
  (or (convert text)
      (refuse-usage "--" name " is to be " wanted ", not " text)))

(define (parse-option argument rest allowed)
  "Return a pair of the option ARGUMENT and its value, and what is left of REST."
  (call-with-values (lambda () (split-option argument))
    (lambda (name value)
      (match (and (memq name allowed) (assq name options))
        (#f (refuse-usage "there is no option --" name " here"))
        ((_ #f . _)
         (when value (refuse-usage "--" name " takes no value"))
         (values (cons name #t) rest))
        ((_ wanted convert _)
         (match (if value (cons value rest) rest)
           (() (refuse-usage "--" name " needs " wanted))
           ((value . rest)
            (values (cons name (read-value name wanted convert value))
                    rest))))))))

(define (parse-arguments arguments allowed)
  "Return three values: an alist of the options in ARGUMENTS, of those that are
ALLOWED; the other arguments; and those after \"--\", or #f."
  (let next ((rest arguments) (found '()) (others '()))
    (match rest
      (() (values (reverse found) (reverse others) #f))
      (("--" . command) (values (reverse found) (reverse others) command))
      (("-h" . rest) (next (cons "--help" rest) found others))
      (((? (lambda (one) (string-prefix? "--" one)) option) . rest)
       (call-with-values (lambda () (parse-option option rest allowed))
         (lambda (one rest) (next rest (cons one found) others))))
      ((other . rest) (next rest found (cons other others))))))
