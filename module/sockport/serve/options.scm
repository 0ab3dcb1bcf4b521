;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What servers can be told: each keyword with what its value must be.  All is looked
;;; at before anything listens.

(define-module (sockport serve options)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (system vm program)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport io secure)
  #:use-module (sockport io keyword)
  #:export (check-server-arguments
            check-options
            unchecked
            serve-options
            http-options
            listener-options))

;;; Checks are procedures of a value, its position and who was called.

(define most #x7fffffff)

(define (takes? proc count)
  "May PROC be called with COUNT arguments, as far as is known?"
  (define (right? arguments)
    (define (many kind) (length (or (assq-ref arguments kind) '())))
    (and (<= (many 'required) count)
         (or (assq-ref arguments 'rest)
             (<= count (+ (many 'required) (many 'optional))))
         #t))
  (match (and (program? proc) (program-arguments-alists proc))
    ((or #f ()) #t)
    (lists (any right? lists))))

(define* (called-with names #:optional (otherwise ""))
  (define count (length names))
  (define expected
    (format #f "procedure of ~a argument~a: ~a~a" count (if (= count 1) "" "s")
            (string-join names ", ") otherwise))
  (lambda (value position who)
    (unless (and (procedure? value) (takes? value count))
      (refuse-type who position expected value))))

(define (unless-one-of values check)
  (lambda (value position who)
    (unless (memq value values)
      (check value position who))))

(define (count-from least)
  (lambda (value position who)
    (check-integer value least most position who)))

(define (or-none check) (unless-one-of '(#f) check))

(define (check-seconds value position who)
  (cond ((not (real? value))
         (refuse-type who position "number of seconds, or #f" value))
        ((not (>= value 0))
         (refuse-range who position "0 seconds or more, or #f" value))))

(define (check-positive-seconds value position who)
  (check-seconds value position who)
  (unless (< 0 value 1e9)
    (refuse-range who position "more than 0 and less than 10^9 seconds, or #f"
                  value)))

(define (check-signals value position who)
  (unless (list? value)
    (refuse-type who position "list of signals, as (list SIGINT SIGTERM)" value))
  (for-each (lambda (signal)
              (check-integer signal 1 64 position who)
              (when (memv signal (list SIGKILL SIGSTOP))
                (refuse-range who position "signals that can be handled" signal)))
            value))

(define (unchecked keywords)
  (map (lambda (keyword) (cons keyword #f)) keywords))

;;; These are `listen-on's, which looks at their values.
(define listener-options
  '(#:backlog #:no-delay? #:v6-only? #:mode #:owner #:group))

(define serve-options
  `((#:connections . ,(or-none (count-from 1)))
    (#:idle-seconds . ,(or-none check-seconds))
    (#:connection-seconds . ,(or-none check-seconds))
    (#:grace-seconds . ,(or-none check-seconds))
    (#:signals . ,check-signals)
    (#:workers . ,(lambda (value position who)
                    (check-integer value 1 4096 position who)))
    (#:on-listen . ,(called-with '("the server")))
    (#:on-stop . ,(called-with '("the server")))
    (#:log . ,(or-none (called-with '("a text") ", or #f")))
    ,@(unchecked listener-options)
    (#:prologue . ,(or-none (called-with '("a procedure that receives" "the socket"
                                           "the address") ", or #f")))
    (#:tls . ,(or-none check-security))
    (#:handshake-seconds . ,(or-none check-seconds))))

(define of-request (called-with '("the request") ", or #t or #f"))

(define http-options
  `((#:idle-seconds . ,(or-none check-positive-seconds))
    (#:request-seconds . ,(or-none check-positive-seconds))
    (#:minimum-rate . ,(count-from 1))
    (#:head-limit . ,(count-from 1))
    (#:target-limit . ,(count-from 1))
    (#:body-limit . ,(or-none (count-from 0)))
    (#:body-port? . ,(unless-one-of '(#f #t) of-request))
    (#:connections-per-address . ,(or-none (count-from 1)))
    (#:on-response . ,(or-none (called-with '("the request" "the code"
                                              "the bytes sent" "the address"
                                              "the time it began") ", or #f")))
    (#:request-id . ,(unless-one-of '(#f #t) of-request))
    ,@(remove (lambda (option) (eq? #:idle-seconds (car option)))
              serve-options)))

(define (check-values options table who)
  (match options
    (() #t)
    ((key value . rest)
     (let ((check (assq-ref table key)))
       (when check (check value key who))
       (check-values rest table who)))))

(define (check-options options table who)
  "Refuse what OPTIONS have that TABLE does not."
  (check-keywords options 0 (map car table) who)
  (check-values options table who))

(define (check-server-arguments who handler arguments options table)
  "Refuse a HANDLER that does not take what ARGUMENTS, texts, name, and what OPTIONS
have that TABLE does not."
  ((called-with arguments) handler 2 who)
  (check-options options table who))
