;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; gethost, getnet, getproto and getserv against Guile's own, where no name server
;;; is asked, and while one does not answer.

(use-modules (harness) ((harness dns) #:hide (look-up)) (harness process) (harness socket) (ice-9 match)
             (ice-9 threads) (srfi srfi-1) (sockport))

(in-own-network)

(define (core name)
  (module-ref (resolve-module '(guile)) name))

(define (ours name)
  (module-ref (resolve-interface '(sockport)) name))

(define (outcome procedure arguments)
  (catch #t
    (lambda () (apply procedure arguments))
    (lambda (key . rest) key)))

(define rows
  `((gethost "localhost") (gethost ,INADDR_LOOPBACK) (gethost "127.0.0.1")
    (gethostbyname "localhost") (gethostbyaddr ,INADDR_LOOPBACK)
    (gethost "127.1") (gethost nonsense) (gethost 1.5)
    (getnet "loopback") (getnet 127) (getnet "nosuchnet") (getnet 8675309)
    (getnetbyname "loopback") (getnetbyaddr 127)
    (getproto "tcp") (getproto 17) (getproto "nosuchproto") (getproto 254)
    (getproto "ipv6-icmp") (getprotobyname "udp") (getprotobynumber 6)
    (getserv "http" "tcp") (getserv "domain" "udp") (getserv 80 "tcp")
    (getserv "www" "tcp") (getserv "nosuchservice" "tcp") (getserv 1 "udp")
    (getserv "http" "nosuchproto") (getservbyname "https" "tcp")
    (getservbyport 53 "udp")))

;; Room for what Scheme allocates, and none for the stack of a thread.
(define little (* 512 1024))

(define (address-space)
  (* 4096 (call-with-input-file "/proc/self/statm" read)))

(define (with-little-memory thunk)
  "Call THUNK where no thread can be started."
  (define-values (soft hard) (getrlimit 'as))
  (gc)
  (dynamic-wind
    (lambda () (setrlimit 'as (+ (address-space) little) hard))
    thunk
    (lambda () (setrlimit 'as soft hard))))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "resolve-entry")

;; First, since a thread that was started once is used again.
(test-case "a look-up that cannot begin is the system's error, not the host's"
  (test-error* "gethost" (list 'system-error EAGAIN "gethost")
    (with-little-memory (lambda () (gethost "nosuch.invalid"))))
  (test-assert "and has no consequences" (vector? (gethost "localhost"))))

(test-case "the same as Guile's own"
  (for-each (match-lambda
              ((and row (name . arguments))
               (test-equal row (outcome (core name) arguments)
                           (outcome (ours name) arguments))))
            rows))

(test-case "the same in a task"
  (for-each (match-lambda
              ((and row (name . arguments))
               (test-equal row (outcome (core name) arguments)
                           (run-tasks
                            (lambda () (outcome (ours name) arguments))))))
            rows))

(test-case "what only Sockport takes"
  (test-equal "any protocol" 80 (servent:port (getserv "http")))
  (test-equal "the same" 53 (servent:port (getserv 53 #f))))

(test-case "what is refused"
  (test-error* "NUL" '(wrong-type-arg 1 "gethost") (gethost "localhost\x00;x"))
  (test-error* "an address" '(out-of-range 1 "gethost") (gethost (expt 2 32)))
  (test-error* "a negative one" '(out-of-range 1 "gethost") (gethost -1))
  (test-error* "no name" '(wrong-type-arg 1 "getnet") (getnet #f))
  (test-error* "a port" '(out-of-range 1 "getserv") (getserv 65616 "tcp"))
  (test-error* "no protocol" '(wrong-type-arg 2 "getserv") (getserv "http" 6))
  (test-error* "a number" '(out-of-range 1 "getproto")
    (getproto (expt 2 31))))

(test-case "an empty name is none"
  (test-equal 'host-not-found (outcome gethost '(""))))

(test-case "errors say what was not found"
  (test-error* "a service" (list 'system-error ENOENT)
    (getserv "nosuchservice" "tcp"))
  (test-error* "a protocol" (list 'system-error ENOENT) (getproto 254))
  (test-error* "a network" (list 'system-error ENOENT) (getnet "nosuchnet"))
  (test-assert "in words"
    (string-contains (catch #t
                       (lambda () (getserv "nosuchservice" "tcp"))
                       (lambda (key who message arguments . rest)
                         (apply format #f message arguments)))
                     "nosuchservice")))

(test-case "the procedure that was called is named"
  (for-each
   (match-lambda
     ((name key detail . arguments)
      (test-error* name (list key detail (symbol->string name))
        (apply (ours name) arguments))))
   `((gethostbyname host-not-found #f "")
     (gethostbyaddr out-of-range 1 ,(expt 2 32))
     (getnetbyname system-error ,ENOENT "nosuchnet")
     (getnetbyaddr wrong-type-arg 1 #f)
     (getprotobyname system-error ,ENOENT "nosuchproto")
     (getprotobynumber out-of-range 1 -1)
     (getservbyname system-error ,ENOENT "nosuchservice" "tcp")
     (getservbyname wrong-type-arg 2 "http" 6)
     (getservbyport out-of-range 1 65536 "tcp"))))

(test-case "the files are read one entry at a time, as ever"
  (setprotoent)
  (let ((first (getproto)))
    (test-assert "an entry" (vector? first))
    (test-equal "by its name" first (getproto (protoent:name first))))
  (endprotoent))

(define (look-up name)
  (hostent:addr-list (gethost name)))

(test-case "other tasks run while a name server thinks"
  (require-network)
  (let-ports ((server (name-server)))
    (test-equal (list address (+ 1 address))
      (run-tasks
       (lambda ()
         (let* ((task (spawn-task (lambda () (look-up "one.test"))))
                ;; It would never get here if the look-up stopped the loop.
                (query (next-query server)))
           (reply! server query address (+ 1 address))
           (join task)))))))

(test-case "a name that has no address, and one that is not there"
  (require-network)
  (let-ports ((server (name-server)))
    (let* ((thread (begin-thread (outcome gethost '("two.test"))))
           (query (next-query server)))
      (reply! server query)
      (test-equal 'no-data (join-thread thread)))))

(test-case "a deadline ends it, in a thread and in a task"
  (require-network)
  (let-ports ((server (name-server)))
    (define (expired)
      (outcome with-deadline (list 0.05 (lambda () (look-up "three.test")))))
    (test-equal "thread" 'deadline-exceeded (expired))
    (test-equal "task" 'deadline-exceeded (run-tasks expired))
    (reply! server (next-query server) address)))

(test-case "who is short of descriptors is told so, whatever wants them"
  (for-each
   (match-lambda
     ((name procedure . arguments)
      (define short (list 'system-error EMFILE name))
      (define (try more)
        (with-descriptors more
          (lambda ()
            (catch #t
              (lambda () (apply procedure arguments) 'found)
              (lambda (key . args) (describe-error key args))))))
      (let ((outcomes (map try (iota 4))))
        (test-assert (list name "says it") (member short outcomes))
        (test-equal (list name "says nothing else") '()
          (filter (match-lambda
                    (('system-error (? (lambda (errno) (eqv? errno EMFILE))) who)
                     (not (equal? who name)))
                    (_ #f))
                  outcomes)))))
   `(("getserv" ,getserv "nosuch" "tcp")
     ("getproto" ,getproto "nosuch")
     ("gethost" ,gethost "nosuch.invalid"))))

(test-end "resolve-entry")
