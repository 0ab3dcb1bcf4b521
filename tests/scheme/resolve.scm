;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; getaddrinfo and getnameinfo against Guile's own, where no name server is
;;; asked.

(use-modules (harness) (harness error) (harness process) (ice-9 exceptions)
             (ice-9 match) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1)
             (sockport))

(define core-getaddrinfo (@ (guile) getaddrinfo))

(define-syntax-rule (outcome expr)
  (catch #t
    (lambda () expr)
    (lambda (key . args)
      (if (eq? key 'getaddrinfo-error) (cons key args) key))))

(define rows
  `(("127.0.0.1" "80") (#f #f) ("localhost" "http") ("localhost") (#f "http")
    ("localhost" "80" ,AI_CANONNAME) (#f "80" ,AI_PASSIVE)
    ("::1" "80" 0 ,AF_INET) ("127.0.0.1" "80" 0 ,AF_INET6)
    ("127.0.0.1" "nosuchservice") ("127.0.0.1" "80" 0 99)
    ("127.0.0.1" "80" 0 0 99) ("127.0.0.1" "80" #x40000000) ("127.1" "80")
    ("127.0.0.1" "80" 0 0 ,SOCK_STREAM) ("::1" "65535" 0 ,AF_INET6)
    ("fe80::1%lo" "80") ("127.0.0.1" "0") ("127.0.0.1" #f ,AI_NUMERICHOST)
    ("localhost" "80" ,AI_NUMERICHOST) ("127.0.0.1" "http" ,AI_NUMERICSERV)
    ("::1" "80" ,AI_V4MAPPED ,AF_INET6) ("" "80") (1 "80") ("localhost" 80)
    ("::1" "80") ("::ffff:127.0.0.1" "80") ("fe80::1%lo") ("fe80::1%nosuch" "80")
    ("127.0.0.1" "443" 0 0 ,SOCK_DGRAM) ("127.0.0.1" "80" 0 0 ,SOCK_RAW)
    ("127.0.0.1" "domain" 0 0 ,SOCK_DGRAM) ("127.0.0.1" "" ,AI_NUMERICSERV)
    ("0x7f000001" "80") ("017700000001" "80") ("127.0.0.256" "80" ,AI_NUMERICHOST)
    ("1.2.3.4.5" "80" ,AI_NUMERICHOST) (#f "80" ,AI_PASSIVE ,AF_INET6)
    (#f "80" 0 ,AF_INET6) ("localhost" "80" 0 ,AF_INET ,SOCK_STREAM)
    ("127.0.0.1" "080") (#f "") ("localhost" #f ,AI_CANONNAME ,AF_INET)))

(define (refused-service service)
  (list (outcome (getaddrinfo "127.0.0.1" service))
        (outcome (getaddrinfo "127.0.0.1" service AI_NUMERICSERV))))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "resolve")

(test-case "the same as Guile's own"
  (for-each (lambda (row)
              (test-equal row
                (outcome (apply core-getaddrinfo row))
                (outcome (apply getaddrinfo row))))
            rows))

(test-case "in a task"
  (for-each (lambda (row)
              (test-equal row
                (outcome (apply core-getaddrinfo row))
                (run-tasks (lambda () (outcome (apply getaddrinfo row))))))
            '(("127.0.0.1" "80") ("localhost" "http")
              ("127.0.0.1" "nosuchservice"))))

(test-case "the protocol counts"
  (test-equal "UDP alone" (list IPPROTO_UDP)
    (map addrinfo:protocol (getaddrinfo "127.0.0.1" "80" 0 0 0 IPPROTO_UDP))))

(test-case "ports are not cut to size"
  (for-each (lambda (service)
              (test-equal service
                (make-list 2 (list 'getaddrinfo-error EAI_SERVICE))
                (refused-service service)))
            '("65536" "65616" "4294967376" "-1" "+80" " 80")))

(test-case "NUL ends nothing"
  (test-error* "in the host" '(wrong-type-arg 1 "getaddrinfo")
    (getaddrinfo "127.0.0.1\x00.evil" "80"))
  (test-error* "in the service" '(wrong-type-arg 2 "getaddrinfo")
    (getaddrinfo "127.0.0.1" "80\x00x")))

(test-case "a handler of two parameters gets each error"
  (test-equal EAI_NONAME
    (catch 'getaddrinfo-error
      (lambda () (getaddrinfo #f #f))
      (lambda (key code) code))))

;; As print-exception has it for handlers that keep the exception; where it was raised
;; in a task follows.
(define (first-line exception)
  (let ((text (printed exception)))
    (string-take text (1+ (string-index text #\newline)))))

(define (failure-of thunk)
  (with-exception-handler identity thunk
    #:unwind? #t #:unwind-for-type 'getaddrinfo-error))

(define (reason code)
  (if (= code EAI_SERVICE) "there is no such service" (gai-strerror code)))

(define (test-names name who what code thunk)
  "What THUNK raises says that WHO could not look up WHAT, for the reason CODE."
  (for-each
   (match-lambda
     ((where . failure)
      (test-equal (list name where "as a kind") (list 'getaddrinfo-error code)
        (cons (exception-kind failure) (exception-args failure)))
      (test-equal (list name where "in its parts")
        (list #t who (list what (reason code)))
        (list (external-error? failure) (exception-origin failure)
              (exception-irritants failure)))
      (test-equal (list name where "where it is printed")
        (format #f "In procedure ~a: ~a: ~a\n" who what (reason code))
        (first-line failure))))
   `(("in a thread" . ,(failure-of thunk))
     ("in a task" . ,(failure-of (lambda () (run-tasks thunk))))
     ("in a joined task"
      . ,(failure-of
          (lambda () (run-tasks (lambda () (join (spawn-task thunk))))))))))

(test-case "an error names what was looked up"
  (test-names "a host" 'getaddrinfo "localhost, 80" EAI_NONAME
    (lambda () (getaddrinfo "localhost" "80" AI_NUMERICHOST)))
  (test-names "a service" 'getaddrinfo "127.0.0.1, nosuchservice" EAI_SERVICE
    (lambda () (getaddrinfo "127.0.0.1" "nosuchservice")))
  (test-names "nothing" 'getaddrinfo "neither a host nor a service" EAI_NONAME
    (lambda () (getaddrinfo #f #f)))
  (test-names "an address" 'getnameinfo "192.0.2.1:80" EAI_NONAME
    (lambda ()
      (getnameinfo (make-socket-address AF_INET #xc0000201 80)
                   (logior NI_NUMERICHOST NI_NAMEREQD))))
  (test-names "a peer" 'connect-to "127.0.0.1, nosuchservice" EAI_SERVICE
    (lambda () (connect-to "127.0.0.1" #:port "nosuchservice")))
  (test-equal "another's error is printed as ever"
    (format #f "In procedure getaddrinfo: ~a\n" (gai-strerror EAI_FAIL))
    (first-line (failure-of (lambda () (throw 'getaddrinfo-error EAI_FAIL))))))

(define (name-of . args)
  (call-with-values (lambda () (apply getnameinfo args)) list))

(test-case "getnameinfo"
  (let ((http (make-socket-address AF_INET INADDR_LOOPBACK 80))
        (numeric (logior NI_NUMERICHOST NI_NUMERICSERV)))
    (test-equal "names" '("localhost" "http") (name-of http))
    (test-equal "numbers" '("127.0.0.1" "80") (name-of http numeric))
    (test-equal "a scope" '("fe80::1%lo" "80")
      (name-of (make-socket-address AF_INET6 (inet-pton AF_INET6 "fe80::1") 80 0
                                    1)
               numeric))
    (test-equal "in a task" '("localhost" "http")
      (run-tasks (lambda () (name-of http)))))
  (test-error* "no address" '(wrong-type-arg 1 "getnameinfo") (getnameinfo 1))
  (test-error* "no flags" '(wrong-type-arg 2 "getnameinfo")
    (getnameinfo #(2 0 0) "x")))

;; What the kernel is asked for between the two calls of access?.
(define numbers "
(use-modules (sockport))
(define address (make-socket-address AF_INET6 1 80))
(define (look-up)
  (getaddrinfo \"127.0.0.1\" \"80\")
  (getaddrinfo \"fe80::1%lo\" \"65535\" 0 AF_INET6 SOCK_STREAM)
  (getaddrinfo \"127.0.0.1\" \"70000\" AI_NUMERICSERV)
  (getnameinfo address (logior NI_NUMERICHOST NI_NUMERICSERV)))
(define (look-up-quietly)
  (catch 'getaddrinfo-error look-up (const #f)))
(define (repeat)
  (do ((i 0 (+ i 1))) ((= i 250)) (look-up-quietly)))
(run-tasks
 (lambda ()
   (repeat)
   (access? \"/marker\" R_OK)
   (repeat)
   (access? \"/marker\" R_OK)))
")

(define (between-markers lines)
  (define (marker? line) (string-contains line "/marker"))
  (match (find-tail marker? lines)
    (#f (skip "strace is not allowed here"))
    ((_ . rest) (take-while (negate marker?) rest))))

(test-case "numbers take no thread and no descriptor for it, a thousand times"
  (require-program "strace")
  (call-with-peer
   (list "strace" "-f" "-qq" "-o" "/dev/stdout" "-e"
         "trace=clone,clone3,fork,vfork,eventfd,eventfd2,pipe2,access,faccessat"
         "guile" "--no-auto-compile" "-c" numbers)
   (lambda (peer)
     (test-equal '()
       (filter (lambda (line) (string-match "clone|fork|eventfd" line))
               (between-markers
                (string-split (get-string-all (peer-output peer)) #\newline)))))))

(test-end "resolve")
