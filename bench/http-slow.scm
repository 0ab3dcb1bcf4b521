;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What 50 good clients notice of 1,000 slow ones, of which one half sends the head of
;;; a request byte by byte, and the other takes a page of 1 MiB that way: how long 99%
;;; of the good ones' requests take, with and without them.  wrk makes those requests,
;;; of peers/http-load.lua.

(use-modules (bench harness)
             (bench server)
             (ice-9 ftw)
             (ice-9 match)
             (ice-9 popen)
             (ice-9 rdelim))

(define source (dirname (dirname (current-filename))))
(define (peer name) (string-append source "/bench/peers/" name))

(define slow-clients 1000)
(define seconds 1)
(define rounds 15)

(define (p99 port)
  "Return how many microseconds 99% of the requests take, or #f."
  (match (apply command-numbers
                (on-processor
                 1 (list "sh" "-c"
                         (format #f "timeout 10 wrk -t1 -c50 -d~a -s ~a \
http://127.0.0.1:~a/ -- get | tail -n 1" seconds (peer "http-load.lua") port))))
    ((count duration p50 p99 p999 0) p99)
    (_ #f)))

(define (descriptors pid)
  (length (scandir (format #f "/proc/~a/fd" pid))))

(define (wait-until-gone pid)
  "Wait, not for ever, until the server PID has closed the slow ones' connections."
  (let wait ((left 500))
    (when (and (positive? left) (>= (descriptors pid) (quotient slow-clients 2)))
      (usleep 10000)
      (wait (- left 1)))))

(define (call-with-slow-clients port server thunk)
  "Call THUNK while the slow clients are connected to the process SERVER, and return
its value."
  (call-with-values
      (lambda ()
        (pipeline (list (on-processor
                         1 (list "guile" "--no-auto-compile" "-s"
                                 (peer "http-slow.scm") (number->string port)
                                 (number->string slow-clients))))))
    (lambda (from to pids)
      ;; It says so when all have begun.
      (read-line from)
      (let ((value (thunk)))
        (kill (car pids) SIGKILL)
        (waitpid (car pids))
        (close-port from)
        (close-port to)
        (wait-until-gone server)
        value))))

(define (server port)
  (list "guile" "--no-auto-compile" "-s" (peer "http-guile.scm")
        (number->string port) "/dev/null" "serve"))

(if (in-path? "wrk")
    (call-with-servers `(("Sockport" . ,server))
      (match-lambda
        (((_ port pid))
         (bench "http-slow" #:title "99% of the requests take" #:unit "us"
                #:rounds rounds
                #:promises '(("without" . 2.0))
                #:cases
                `(("50 clients, beside 1,000 slow ones"
                   ("with them" . ,(lambda ()
                                     (call-with-slow-clients
                                      port pid (lambda () (p99 port)))))
                   ("without" . ,(lambda () (p99 port)))))))))
    (display "http-slow: needs wrk\n"))
