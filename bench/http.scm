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

(define (with-fibers command)
  (let ((prefix (getenv "FIBERS_PREFIX")))
    (lambda (port)
      (define (variable name directory)
        (format #f "~a=~a/~a:~a" name prefix directory (or (getenv name) "")))
      (if prefix
          (cons* "env"
                 (variable "GUILE_LOAD_PATH" "share/guile/site/3.0")
                 (variable "GUILE_LOAD_COMPILED_PATH"
                           "lib/guile/3.0/site-ccache")
                 (variable "GUILE_EXTENSIONS_PATH" "lib/guile/3.0/extensions")
                 (command port))
          (command port)))))

(define node "
require('http').createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain;charset=utf-8');
  response.end('Hello, World!');
}).listen(+process.argv[1], '127.0.0.1');")

(define servers
  `(("Sockport" . ,(guile 'sockport))
    ("Guile" . ,(guile 'http))
    ("Fibers" . ,(with-fibers (guile 'fibers)))
    ("Node" . ,(lambda (port)
                 (list "node" "-e" node (number->string port))))))

(define (requests port connections)
  "Return a thunk that answers the requests a second, the last number that wrk
prints on the line that tells it."
  (lambda ()
    (apply command-number
           (on-processor
            1 (list "sh" "-c"
                    (format #f "wrk -t1 -c~a -d1 http://127.0.0.1:~a/ |
 sed -n 's|^Requests/sec: *||p'" connections port))))))

(if (in-path? "wrk")
    (call-with-servers servers
      (lambda (ports)
        (bench "http" #:title "Requests of HTTP" #:unit "requests/s"
               #:better 'higher #:rounds 5
               #:cases
               (map (lambda (connections)
                      (cons (format #f "~a connections" connections)
                            (map (match-lambda
                                   ((name . port)
                                    (cons name (requests port connections))))
                                 ports)))
                    '(10 100)))))
    (display "http: needs wrk\n"))
