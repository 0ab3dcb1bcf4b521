;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Keywords of every exported procedure: one that it does not have, one without a
;;; value and a value of no use are refused by its name, with what would be right.

(use-modules (harness)
             (harness error)
             (harness exported)
             (ice-9 exceptions)
             (ice-9 match)
             (ice-9 session)
             (sockport)
             (srfi srfi-1)
             ((web request) #:select (build-request))
             ((web uri) #:select (string->uri)))

(test-begin "arguments-keyword")

(define exported (exported-procedures))

(define (keywords-of procedure)
  (map car (or (assq-ref (or (procedure-arguments procedure) '()) 'keyword) '())))

(define web-client '(http-get http-head http-post http-put http-delete http-trace
                     http-options))

;;; These have those of another as the rest of their arguments.
(define (keywords-behind name)
  (cond ((memq name web-client) (keywords-of (assq-ref exported 'http-request)))
        ((eq? name 'run-process)
         (keywords-of (assq-ref exported 'start-process)))
        ((eq? name 'serve) '(#:connections #:grace-seconds #:on-stop #:backlog))
        ((eq? name 'serve-http) '(#:idle-seconds #:body-limit #:on-stop #:mode))
        (else '())))

(define with-keywords
  (filter-map
   (match-lambda
     ((name . procedure)
      (match (append (keywords-of procedure) (keywords-behind name))
        (() #f)
        (keywords (cons* name procedure (delete-duplicates keywords))))))
   exported))

;;; What they take: arguments with which nothing but the keyword is wrong.

(define page "http://127.0.0.1:1/")
(define place "127.0.0.1:0")
(define group "239.0.0.1")
(define (two one other) #t)
(define sock (socket AF_INET SOCK_DGRAM 0))

(define good
  `((accept-websocket ,(build-request (string->uri page)) ,(const #t))
    (access-logger ,(%make-void-port "w"))
    (connect-to "127.0.0.1:1") (file-handler "/") (forwarded-reader ())
    (http-request ,page) (listen-on ,place) (make-batch 1 1) (make-http-pool)
    (multicast-block! ,sock ,group "127.0.0.1") (multicast-join! ,sock ,group)
    (multicast-leave! ,sock ,group) (multicast-unblock! ,sock ,group "127.0.0.1")
    (notify-manager) (open-socket-for-uri ,page)
    (open-websocket "ws://127.0.0.1:1/") (proxy-prologue)
    (relay ,sock ,sock) (run-process "true" ()) (run-tasks ,(const #t))
    (serve ,place ,two) (serve-http ,place ,two) (spawn-task ,(const #t))
    (start-process "true" ()) (system-sockets udp) (tls-connect ,sock "host")
    (tls-context) (where->addresses "127.0.0.1:1")
    ,@(map (lambda (name) (list name page)) web-client)))

(test-case "each has its arguments here"
  (test-equal "those that have keywords" '()
    (remove (lambda (name) (assq name good)) (map car with-keywords))))

(define (failure procedure . arguments)
  (guard (exception (#t exception))
    (apply procedure (append (assq-ref good (car arguments)) (cdr arguments)))))

(define (described exception)
  (if (exception? exception)
      (describe-error (exception-kind exception) (exception-args exception))
      (list 'no-error exception)))

(define (prefix name words)
  (format #f "In procedure ~a: ~a" name words))

(define (names-all? keywords text)
  (every (lambda (keyword) (string-contains text (object->string keyword)))
         keywords))

(for-each
 (match-lambda
   ((name procedure . keywords)
    (test-case (format #f "keywords of ~a" name)
      (let* ((unknown (failure procedure name #:no-such-keyword 1))
             (text (printed unknown)))
        (test-equal "the key is Guile's" 'keyword-argument-error
          (exception-kind unknown))
        (test-assert (list "who, and which there are" text)
          (and (string-prefix? (prefix name "Unrecognized keyword (expecting ")
                               text)
               (names-all? keywords text)
               (string-suffix? ": #:no-such-keyword\n" text))))
      (test-equal "without a value"
        (prefix name (format #f "Keyword argument has no value: ~s\n"
                             (car keywords)))
        (printed (failure procedure name (car keywords)))))))
 with-keywords)

(test-case "what is no keyword"
  (for-each
   (match-lambda
     ((name procedure . keywords)
      ;; There it would be in the place of the context.
      (unless (eq? name 'tls-connect)
        (test-assert name
          (string-prefix? (prefix name "Invalid keyword (expecting ")
                          (printed (failure procedure name 5)))))))
   with-keywords))

;;; Nothing takes this but what holds it for the caller, and what is a question.
(define nothing-useful (delay 1))

(define (takes-anything? name keyword)
  (or (string-suffix? "?" (symbol->string (keyword->symbol keyword)))
      (equal? (list name keyword) '(spawn-task #:name))))

;;; What a body can be is said where it is sent; what belongs to a certificate asks
;;; for that; and where one of a few symbols is meant, all else is out of range.
(define (refused name keyword)
  (match keyword
    ((or #:client-certificates #:minimum)
     (list 'out-of-range keyword (symbol->string name)))
    (#:body (list 'misc-error #f (symbol->string name)))
    ((or #:key #:staple) (list 'wrong-type-arg #:certificate (symbol->string name)))
    (_ (list 'wrong-type-arg keyword (symbol->string name)))))

(for-each
 (match-lambda
   ((name procedure . keywords)
    (test-case (format #f "values of keywords of ~a" name)
      (for-each
       (lambda (keyword)
         (unless (takes-anything? name keyword)
           (test-equal (format #f "~a" keyword) (refused name keyword)
             (described (failure procedure name keyword nothing-useful)))))
       keywords))))
 with-keywords)

(test-case "Guile prints those of other procedures as ever"
  (test-equal "unknown" "Unrecognized keyword: #:b"
    (words (lambda () ((lambda* (#:key a) a) #:b 1))))
  (test-equal "none" "Invalid keyword: 5"
    (words (lambda () ((lambda* (#:key a) a) 5)))))

(close-port sock)
(test-end "arguments-keyword")
