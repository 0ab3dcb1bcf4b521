;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What servers are told is looked at before anything listens: an error names the
;;; procedure that was called, the keyword, and what would be right.

(use-modules (harness)
             (harness error)
             (harness process)
             (harness socket)
             (ice-9 match)
             (ice-9 threads)
             (sockport)
             (sockport http)
             (srfi srfi-1)
             ((system base compile) #:select (compile))
             (web server))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "server-options")

(define (handler one two) (values '() #f))

(define (refused name server expected . options)
  "Assert that SERVER, called with OPTIONS, refuses them with EXPECTED words."
  (define listening '())
  (define (note made)
    (set! listening (server-addresses made))
    (stop-server! made #t))
  (test-equal (cons name options)
    (string-append "In procedure " name ": " expected)
    (words (lambda ()
             (apply server "127.0.0.1:0" handler
                    (if (memq #:on-listen options)
                        options
                        (cons* #:on-listen note options))))))
  (test-equal (list name options 'listens-nowhere) '() listening))

(define (refused-by-both words . options)
  (apply refused "serve" serve words options)
  (apply refused "serve-http" serve-http words options))

(define (wrong-type keyword expected value)
  (refused-by-both (format #f "Wrong type argument in position ~s (expecting ~a): ~s"
                           keyword expected value)
                   keyword value))

(define (out-of-range keyword bounds value)
  (refused-by-both (format #f "Argument ~s out of range (~a): ~s"
                           keyword bounds value)
                   keyword value))

(test-case "counts"
  (wrong-type #:connections "exact integer" "many")
  (wrong-type #:connections "exact integer" 1.5)
  (out-of-range #:connections "1 to 2147483647" 0)
  (out-of-range #:connections "1 to 2147483647" (expt 2 31))
  (wrong-type #:workers "exact integer" "2")
  (out-of-range #:workers "1 to 4096" 0)
  (out-of-range #:workers "1 to 4096" 4097)
  (wrong-type #:backlog "exact integer" 'long)
  (out-of-range #:backlog "0 to 2147483647" -2))

(test-case "times"
  (for-each
   (lambda (keyword)
     (wrong-type keyword "number of seconds, or #f" "5")
     (out-of-range keyword "0 seconds or more, or #f" -1)
     (out-of-range keyword "0 seconds or more, or #f" +nan.0))
   '(#:grace-seconds #:connection-seconds #:handshake-seconds))
  (refused "serve" serve
           "Argument #:idle-seconds out of range (0 seconds or more, or #f): -1"
           #:idle-seconds -1)
  (refused "serve-http" serve-http
           "Argument #:request-seconds out of range (more than 0 and less than 10^9 seconds, or #f): 0"
           #:request-seconds 0))

(test-case "procedures, with as many arguments as they get"
  (define server "procedure of 1 argument: the server")
  (wrong-type #:on-listen server 5)
  (wrong-type #:on-stop server 'stop)
  (wrong-type #:log "procedure of 1 argument: a text, or #f" "file")
  (wrong-type #:on-stop server (lambda () #t))
  (wrong-type #:on-stop server (lambda (one two) #t))
  (wrong-type #:on-stop server
              (compile '(case-lambda (() #t) ((one two) #t))
                       #:env (current-module)))
  (refused "serve-http" serve-http
           "Wrong type argument in position #:body-port? (expecting procedure of 1 argument: the request, or #t or #f): yes"
           #:body-port? 'yes)
  (test-error* "a handler of one argument" '(wrong-type-arg 2 "serve")
    (serve "127.0.0.1:0" (lambda (sock) #t)))
  (test-error* "a handler of three" '(wrong-type-arg 2 "serve-http")
    (serve-http "127.0.0.1:0" (lambda (request body more) #t))))

(test-case "procedures that take what they get are taken"
  (for-each
   (lambda (proc)
     (test-assert proc
       (unspecified?
        (serve "127.0.0.1:0" proc #:on-listen (lambda (made) (stop-server! made))))))
   (list (lambda (one two) #t) (lambda args #t) (lambda* (one #:optional two) #t)
         (compile '(case-lambda ((one) #t) ((one two) #t))
                  #:env (current-module))
         (const #t) list
         (lambda* (one two #:key three) #t))))

(test-case "signals, TLS and modes"
  (wrong-type #:signals "list of signals, as (list SIGINT SIGTERM)" SIGTERM)
  (refused-by-both "Wrong type argument in position #:signals (expecting exact integer): term"
                   #:signals '(term))
  (refused-by-both "Argument #:signals out of range (1 to 64): 999"
                   #:signals '(999))
  (refused-by-both "Argument #:signals out of range (signals that can be handled): 9"
                   #:signals (list SIGTERM SIGKILL))
  (wrong-type #:tls "TLS context" "cert.pem")
  (wrong-type #:mode "exact integer" "644")
  (wrong-type #:owner "exact integer" 'me))

(test-case "keywords that there are not"
  (for-each
   (match-lambda
     ((name server options ...)
      (let ((words (words (lambda ()
                            (apply server "127.0.0.1:0" handler options)))))
        (test-assert (list name options 'name)
          (string-prefix? (string-append "In procedure " name ": ") words))
        (test-assert (list name options 'keyword)
          (string-suffix? (format #f ": ~s" (car options)) words))
        (when (pair? (cdr options))
          (test-assert (list name options 'others)
            (string-contains words " #:connections "))))))
   `(("serve" ,serve #:connection 5)
     ("serve-http" ,serve-http #:port 8080)
     ("serve" ,serve "8080" 5)
     ("serve" ,serve #:connections)
     ("serve-http" ,serve-http #:body-limit)))
  (test-error* "the key is Guile's" '(keyword-argument-error)
    (serve "127.0.0.1:0" handler #:body-limit 5)))

(test-case "no place at all"
  (test-error* "serve" '(wrong-type-arg 1 "serve") (serve '() handler))
  (test-error* "serve-http" '(wrong-type-arg 1 "serve-http")
    (serve-http '() handler)))

(test-case "what opens only a part closes it"
  (call-with-values (lambda () (getrlimit 'nofile))
    (lambda (soft hard)
      (dynamic-wind
        (lambda () (setrlimit 'nofile 64 hard))
        (lambda ()
          (test-error* "too many listeners" `(system-error ,EMFILE "serve")
            (serve "127.0.0.1:0" handler #:workers 200)))
        (lambda () (setrlimit 'nofile soft hard)))))
  (test-assert "and there is room again"
    (let-ports ((sock (socket AF_INET SOCK_STREAM 0)))
      (< (fileno sock) 64))))

(test-case "the back end of Guile's server"
  (define back-end (lookup-server-impl 'sockport))
  (define (run . options)
    (run-server handler 'sockport (cons* #:port 0 options)))
  (test-error* "what there is not" '(keyword-argument-error) (run #:bogus 1))
  (test-error* "without a value" '(keyword-argument-error) (run #:workers))
  (test-error* "what cannot be" '(out-of-range #:workers "run-server")
    (run #:workers 0))
  (for-each
   (match-lambda
     ((expected . options)
      (test-words (string-append "run-server: " expected)
        (run-server handler 'sockport options))))
   '(("Wrong type argument in position #:port (expecting exact integer): \"80\""
      #:port "80")
     ("Argument #:port out of range (0 to 65535): 65536" #:port 65536)
     ("Wrong type argument in position #:host (expecting text of a numeric address of #:family; #:listen takes names): \"localhost\""
      #:host "localhost" #:port 0)
     ("Wrong type argument in position #:socket (expecting open file port): 5"
      #:socket 5)
     ("Wrong type argument in position #:listen (expecting text such as host:port, :port for every address, an address object or a port): \"127.0.0.1\""
      #:listen "127.0.0.1")
     ("Argument #:backlog out of range (0 to 2147483647): -1"
      #:listen "127.0.0.1:0" #:backlog -1)))
  (with-temporary-directory
    (lambda (directory)
      (let* ((path (string-append directory "/web"))
             (told #f)
             (server (open-server back-end
                                  (list #:listen (string-append "unix:" path)
                                        #:mode #o600 #:on-listen
                                        (lambda (made) (set! told made))))))
        (test-equal "the mode of its file" #o600 (stat:perms (stat path)))
        (let ((reader (call-with-new-thread
                       (lambda ()
                         (catch 'interrupt
                           (lambda () (read-client back-end server))
                           (const #t))))))
          (wait-until (lambda () told))
          (close-server back-end server)
          (join-thread reader))
        (test-assert "who listens is told" (server? told))))))

(test-case "the back end of Guile's server, closed"
  (define back-end (lookup-server-impl 'sockport))
  (define (open) (open-server back-end '(#:port 0)))
  (define (reading server)
    (catch 'interrupt
      (lambda () (read-client back-end server))
      (const 'interrupted)))
  (test-equal "before a request is asked for" 'interrupted
    (let ((server (open)))
      (close-server back-end server)
      (reading server)))
  (test-equal "while it begins" (make-list 100 'interrupted)
    (map (lambda (round)
           (let* ((server (open))
                  (reader (call-with-new-thread (lambda () (reading server)))))
             (usleep (* 20 round))
             (close-server back-end server)
             (join-thread reader)))
         (iota 100))))

(test-case "the end of serve-http is told"
  (let ((ended #f))
    (serve-http "127.0.0.1:0" handler
                #:on-listen (lambda (made) (stop-server! made))
                #:on-stop (lambda (made) (set! ended (server? made))))
    (test-equal "to on-stop" #t ended)))

(test-end "server-options")
