;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests of HTTP a second, on connections that are kept: the same handler on
;;; Sockport, on Guile's own web server, and on that of Fibers where it is found
;;; (FIBERS_PREFIX), and a like one on Node.  wrk makes the requests.

(use-modules (bench harness)
             (bench server)
             (ice-9 match))

(define (guile back-end)
  (lambda (port)
    (list "guile" "--no-auto-compile" "-c"
          (format #f "~s"
                  `(begin
                     (use-modules (web server))
                     (run-server
                      (lambda (request body)
                        (values '((content-type . (text/plain)))
                                "Hello, World!"))
                      ',back-end '(#:port ,port)))))))

(define node "
require('http').createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain;charset=utf-8');
  response.end('Hello, World!');
}).listen(+process.argv[1], '127.0.0.1');")

(define servers
  `(("Sockport" . ,(guile 'sockport))
    ("Guile" . ,(guile 'http))
    ("Fibers" . ,(compose with-fibers (guile 'fibers)))
    ("Node" . ,(lambda (port)
                 (list "node" "-e" node (number->string port))))))

(define (wrk port connections wanted)
  "Run wrk and return what follows WANTED, or comes before it."
  (apply command-number
         (on-processor
          1 (list "sh" "-c"
                  (format #f "wrk -t1 -c~a -d1 http://127.0.0.1:~a/ |
 sed -n 's|~a|\\1|p'" connections port wanted)))))

(define (requests port pid connections)
  (lambda ()
    (wrk port connections "^Requests/sec: *\\(.*\\)")))

(define (cost port pid connections)
  "Return a thunk that answers the microseconds that a request costs."
  (lambda ()
    (let* ((before (cpu-us pid))
           (count (wrk port connections "^ *\\([0-9]*\\) requests in .*")))
      (and count (positive? count)
           (/ (- (cpu-us pid) before) count 1.)))))

(define (cases servers measure)
  (map (lambda (connections)
         (cons (format #f "~a connections" connections)
               (map (match-lambda
                      ((name port pid)
                       (cons name (measure port pid connections))))
                    servers)))
       '(10 100)))

(if (in-path? "wrk")
    (call-with-servers servers
      (lambda (servers)
        (bench "http" #:title "Requests of HTTP" #:unit "requests/s"
               #:better 'higher #:rounds 5
               #:cases (cases servers requests))
        (bench "http-cost" #:title "What a request of HTTP costs"
               #:unit "us of processor" #:rounds 5
               #:cases (cases servers cost))))
    (display "http: needs wrk\n"))
