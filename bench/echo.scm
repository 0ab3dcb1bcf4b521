;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Echo servers: requests a second of 64 bytes over 50, 1,000 and 5,000 TCP
;;; connections, the server on one processor and the load on another; then, once
;;; for each, how long requests take, what they cost, and the server's memory.

(use-modules (bench harness)
             (bench server)
             (ice-9 match)
             (srfi srfi-1))

(define source (or (getenv "SOCKPORT_SOURCE")
                   (dirname (dirname (current-filename)))))
(define build (or (getenv "SOCKPORT_BUILD") "build"))

;; Of a round, after a tenth of them for warming up.  A machine's speed changes within
;; seconds, so that only neighbours are compared that do not take longer.
(define seconds 0.4)
(define seconds-of-details 1.5)

(define connection-counts '(50 1000 5000))

(define (peer-file name)
  (string-append source "/bench/peers/" name))

(define echo-server (string-append source "/examples/echo-server.scm"))

;; Not every server raises the limit of descriptors by itself.
(call-with-values (lambda () (getrlimit 'nofile))
  (lambda (soft hard)
    (when (and soft (< soft 10000))
      (setrlimit 'nofile (min 10000 (or hard 10000)) hard))))

;; As ./dev run would.
(for-each (lambda (program)
            (apply system*
                   (with-fibers
                    (list "guile" "--no-auto-compile"
                          (string-append source
                                         "/build-aux/compile-program.scm")
                          program))))
          (cons echo-server
                (if (getenv "FIBERS_PREFIX")
                    (list (peer-file "echo-fibers.scm"))
                    '())))

(define (guile program)
  (list "guile" "--no-auto-compile" "-s" program))

(define (first-that-runs interpreters option code)
  "Return the first of INTERPRETERS that runs CODE, given with OPTION, or #f."
  (find (lambda (interpreter)
          (zero? (system (format #f "~a ~a ~s >/dev/null 2>&1"
                                 interpreter option code))))
        interpreters))

;; A python3 earlier in the path may lack what Debian's has.
(define uvloop-python
  (first-that-runs '("python3" "/usr/bin/python3") "-c" "import uvloop"))

(define cqueues-lua
  (first-that-runs '("lua5.4" "lua5.3" "lua") "-e" "require 'cqueues'"))

(define (server name command)
  (and (in-path? (car command))
       (cons name
             (lambda (port)
               (append command (list (number->string port)))))))

(define servers
  (filter identity
          (list (server "Sockport" (guile echo-server))
                (server "C epoll" (list (string-append build
                                                       "/bench/echo-server")))
                (and (getenv "FIBERS_PREFIX")
                     (server "Fibers"
                             (with-fibers (guile (peer-file
                                                  "echo-fibers.scm")))))
                (server "Go" (list (string-append build "/bench/echo-go")))
                (server "Node" (list "node" (peer-file "echo-node.js")))
                (server "asyncio"
                        (list (or uvloop-python "python3")
                              (peer-file "echo-asyncio.py") "asyncio"))
                (and uvloop-python
                     (server "uvloop"
                             (list uvloop-python
                                   (peer-file "echo-asyncio.py") "uvloop")))
                (and cqueues-lua
                     (server "cqueues" (list cqueues-lua
                                             (peer-file "echo-cqueues.lua"))))
                (server "Racket"
                        (list "racket" (peer-file "echo-racket.rkt"))))))

(define (load port connections seconds)
  "Return the command that prints requests a second, and more of their time."
  (on-processor 1 (list (string-append build "/bench/echo-load")
                        (number->string port)
                        (number->string connections)
                        (number->string seconds))))

(define (cases servers)
  (map (lambda (connections)
         (cons (format #f "~a connections" connections)
               (map (match-lambda
                      ((name port pid)
                       (cons name
                             (apply command-rounds
                                    (load port connections seconds)))))
                    servers)))
       connection-counts))

(define (print-details connections name port pid)
  (let ((before (cpu-us pid)))
    (match (apply command-numbers (load port connections seconds-of-details))
      ((rate p50 p99 p999)
       (let ((requests (* rate seconds-of-details 1.1)))
         (format #t "~5@a ~10a ~9,0f ~9,1f ~9,1f ~9,1f ~9,2f ~9,1f~%"
                 connections name rate p50 p99 p999
                 (/ (- (cpu-us pid) before) requests)
                 (/ (memory-kib pid) 1024.))))
      (_ (format #t "~5@a ~10a failed~%" connections name)))))

(define (details servers)
  (format #t "~%Once each; latency in us, processor time in us a request, ~
memory in MiB~%~5@a ~10a ~9@a ~9@a ~9@a ~9@a ~9@a ~9@a~%"
          "conns" "server" "requests/s" "p50" "p99" "p99.9" "cpu" "memory")
  (for-each (lambda (connections)
              (for-each (lambda (server)
                          (apply print-details connections server))
                        servers))
            connection-counts))

(call-with-servers servers
  (lambda (servers)
    (bench "echo"
           #:title "Echo of 64 bytes" #:unit "requests a second"
           #:better 'higher #:rounds 20
           #:promises '(("C epoll" ("50 connections" . 0.90)
                                   ("1000 connections" . 0.90)
                                   ("5000 connections" . 0.85))
                        ("Node" . 1.5) ("Fibers" . 1.5))
           #:cases (cases servers))
    (details servers)))
