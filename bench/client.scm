;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests that a client of HTTP makes: 2,000 small GETs over one connection, and
;;; 10,000 over 50, that are kept.  Sockport against Node, Go and aiohttp, which ask one
;;; server, in Go.

(use-modules (bench harness)
             (bench server)
             (ice-9 match)
             (srfi srfi-1))

(define source (dirname (dirname (current-filename))))
(define (peer name) (string-append source "/bench/peers/" name))
(define (built name)
  (string-append (or (getenv "SOCKPORT_BUILD") "build") "/bench/" name))

;;; Each prints how many nanoseconds its requests took, without its own start.
(define clients
  `(("Sockport" "guile" "--no-auto-compile" "-s" ,(peer "client-sockport.scm"))
    ("Node" "node" ,(peer "client-node.js"))
    ("Go" ,(built "client-go"))
    ("aiohttp" "/usr/bin/python3" ,(peer "client-aiohttp.py"))))

(define (measure command port requests connections)
  (lambda ()
    (match (apply command-numbers
                  (on-processor 1 (append command
                                          (map number->string
                                               (list port requests
                                                     connections)))))
      ((ns) (/ (* requests 1e9) ns))
      (_ #f))))

(call-with-servers
    `(("server" . ,(lambda (port)
                     (list (built "http-go") (number->string port) "/dev/null"))))
  (match-lambda
    (((_ port _))
     (bench "client" #:title "Requests that a client makes" #:unit "requests/s"
            #:better 'higher #:rounds 5
            #:promises '(("Node" . 1.0))
            #:cases (map (match-lambda
                           ((title requests connections)
                            (cons title
                                  (map (match-lambda
                                         ((name . command)
                                          (cons name
                                                (measure command port requests
                                                         connections))))
                                       clients))))
                         '(("1 connection" 2000 1)
                           ("50 connections" 10000 50)))))
    (() (display "client: needs Go\n"))))
