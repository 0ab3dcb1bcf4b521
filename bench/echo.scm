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

;; As many seconds are measured; a tenth of them is spent on warming up before.
(define seconds 1.5)

(define connection-counts '(50 1000 5000))

(define (peer-file name)
  (string-append source "/bench/peers/" name))

(define echo-server (string-append source "/examples/echo-server.scm"))

;; As ./dev run would.
(define compile-program
  (list "guile" "--no-auto-compile"
        (string-append source "/build-aux/compile-program.scm")))

(apply system* (append compile-program (list echo-server)))
(when (getenv "FIBERS_PREFIX")
  (apply system* (append (with-fibers compile-program)
                         (list (peer-file "echo-fibers.scm")))))

(define (guile program)
  (list "guile" "--no-auto-compile" "-s" program))

;;; What comes after the port's number may be MORE.
(define (server name command . more)
  (and (in-path? (car command))
       (cons name
             (lambda (port)
               (append command (list (number->string port)) more)))))

;;; Debian's modules are for Debian's interpreter, which may not be the first.
(define python-with-uvloop
  (find (lambda (python)
          (and (in-path? python)
               (zero? (status:exit-val
                       (system* python "-c" "
import importlib.util, sys
sys.exit(importlib.util.find_spec('uvloop') is None)")))))
        '("python3" "/usr/bin/python3")))

(define lua
  (find (lambda (lua)
          (and (in-path? lua)
               (zero? (system (string-append
                               lua " -l cqueues -e '' 2>/dev/null")))))
        '("lua5.4" "lua5.3" "lua")))

(define servers
  (filter identity
          (list (server "Sockport" (guile echo-server))
                (server "C epoll" (list (string-append build
                                                       "/bench/echo-server")))
                (and (getenv "FIBERS_PREFIX")
                     (server "Fibers"
                             (with-fibers (guile (peer-file
                                                  "echo-fibers.scm")))))
                (server "Node" (list "node" (peer-file "echo-node.js")))
                (let ((program (string-append build "/bench/echo-go")))
                  (and (file-exists? program)
                       (server "Go" (list "env" "GOMAXPROCS=1" program))))
                (server "asyncio"
                        (list "python3" (peer-file "echo-asyncio.py")))
                (and python-with-uvloop
                     (server "uvloop"
                             (list python-with-uvloop
                                   (peer-file "echo-asyncio.py"))
                             "uvloop"))
                (server "Racket" (list "racket" (peer-file "echo.rkt")))
                (and lua
                     (server "cqueues" (list lua (peer-file "echo.lua")))))))

(define (load port connections)
  "Return the requests a second and three percentiles of their microseconds."
  (apply command-numbers
         (on-processor 1 (list (string-append build "/bench/echo-load")
                               (number->string port)
                               (number->string connections)
                               (number->string seconds)))))

(define (cases servers)
  (map (lambda (connections)
         (cons (format #f "~a connections" connections)
               (map (match-lambda
                      ((name port pid)
                       (cons name
                             (lambda ()
                               (and=> (load port connections) first)))))
                    servers)))
       connection-counts))

(define (print-details connections name port pid)
  (let ((before (cpu-us pid)))
    (match (load port connections)
      ((rate p50 p99 p999)
       (let ((requests (* rate seconds 1.1)))
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
           #:better 'higher #:rounds 5
           #:promises '(("C epoll" . (("5000 connections" . 0.85) (else . 0.90)))
                        ("Node" . 1.5)
                        ("Fibers" . 1.5))
           #:cases (cases servers))
    (details servers)))
