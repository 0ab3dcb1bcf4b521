;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The arguments of a program that has commands: two tables are all that it takes, its
;;; help, and what is refused.
;;;
;;; A command is a name, a procedure, what it takes in words, how many of these, the
;;; names of its options, and a word.  How many is a number; + or *, at least one or
;;; any, as a list; or `command', one, and after "--" a list, #:command.  An option is a
;;; name, what its value is called or #f, what makes the value of a text or refuses it
;;; by #f, and a word.  The procedure gets options as keywords.

(define-module (sockport terminal arguments)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:export (arguments->thunk
            text->seconds
            text->count
            one-of))

(define (refuse-usage . words)
  "Raise that the program was called in a wrong way, which WORDS tell."
  (throw 'usage (string-append (string-concatenate words) "; see --help")))

;;; What makes values of texts.

(define (text->seconds text)
  (let ((number (string->number text)))
    (and (real? number) (positive? number) number)))

(define (text->count text)
  (let ((number (string->number text 10)))
    (and (exact-integer? number) (<= 1 number 1000000000) number)))

(define (one-of . values)
  "What VALUES, pairs of a text and a value, have for a text."
  (lambda (text) (assoc-ref values text)))

;;; Options.

(define option-rx (make-regexp "^--([^=]+)(=(.*))?$"))

(define (read-option name given rest option)
  "Return the value of OPTION, its row or #f, with GIVEN after \"=\"; and what is left of
the arguments REST."
  (match option
    (#f (refuse-usage "there is no option --" name " here"))
    ((_ #f . _)
     (when given (refuse-usage "--" name " takes no value"))
     (values #t rest))
    ((_ wanted convert _)
     (match (if given (cons given rest) rest)
       (() (refuse-usage "--" name " needs " wanted))
       ((text . rest)
        (values (or (convert text)
                    (refuse-usage "--" name " is to be " wanted ", not " text))
                rest))))))

(define (parse arguments options)
  "Return what is in ARGUMENTS besides OPTIONS, a list; these, as keywords and values;
and what follows \"--\", a list or #f."
  (let next ((rest arguments) (others '()) (found '()))
    (match rest
      (() (values (reverse others) (reverse found) #f))
      (("--" . after) (values (reverse others) (reverse found) after))
      (("-h" . rest) (next (cons "--help" rest) others found))
      (((= (lambda (text) (regexp-exec option-rx text)) (? identity parts)) . rest)
       (let ((name (string->symbol (match:substring parts 1))))
         (call-with-values
             (lambda ()
               (read-option (symbol->string name) (match:substring parts 3) rest
                            (assq name options)))
           (lambda (value rest)
             (next rest others (cons* value (symbol->keyword name) found))))))
      ((other . rest) (next rest (cons other others) found)))))

;;; Help.

(define help-option '(help #f #f "print this"))

(define (print-usage program commands words)
  (format #t "usage: ~a COMMAND [OPTION...] ARGUMENT...~%~%" program)
  (for-each (match-lambda
              ((name _ takes _ _ words)
               (format #t "  ~a ~a~%      ~a~%" name takes words)))
            commands)
  (format #t "~%~a~%" words))

(define (print-help program name takes options words)
  (format #t "usage: ~a ~a [OPTION...] ~a~%~a~%~%" program name takes words)
  (for-each (match-lambda
              ((key wanted _ words)
               (format #t "  ~26a~a~%"
                       (format #f "--~a~@[=~a~]" key wanted) words)))
            options))

;;; The whole.

(define (right-count? many others after)
  (match many
    ('command (= 1 (length others)))
    ('* (not after))
    ('+ (and (pair? others) (not after)))
    (number (and (= number (length others)) (not after)))))

(define (command->thunk program command options arguments)
  (match command
    ((name procedure takes many allowed words)
     (let ((options (append (map (lambda (key) (assq key options)) allowed)
                            (list help-option))))
       (call-with-values (lambda () (parse arguments options))
         (lambda (others keywords after)
           (cond ((memq #:help keywords)
                  (lambda () (print-help program name takes options words)))
                 ((not (right-count? many others after))
                  (refuse-usage name " takes " takes))
                 ((null? (or after '(#f)))
                  (refuse-usage "there is no command after --"))
                 (else
                  (lambda ()
                    (apply procedure
                           (append (if (memq many '(+ *)) (list others) others)
                                   (if after (list #:command after) '())
                                   keywords)))))))))))

(define (arguments->thunk program version commands options words arguments)
  "Return a procedure that does what ARGUMENTS, a list of strings, ask PROGRAM for, or
raise `usage' with a text.  WORDS end its help."
  (match arguments
    ((or () ("--help" . _) ("-h" . _) ("help"))
     (lambda () (print-usage program commands words)))
    (("--version" . _)
     (lambda () (format #t "~a ~a~%" program version)))
    ((name . rest)
     (command->thunk program
                     (or (assoc name commands)
                         (refuse-usage "there is no command " name))
                     options rest))))
