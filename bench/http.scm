;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests of HTTP as browsers send them, each different from the one before, on
;;; connections that are kept: a small page, a form, larger pages, a file.  Sockport
;;; against Node, Go, nginx, Python, Guile's own server, and that of Fibers where
;;; it is found (FIBERS_PREFIX).  wrk makes the requests, of peers/http-load.lua.

(use-modules (bench harness)
             (bench server)
             (ice-9 match)
             (ice-9 regex)
             (srfi srfi-1))

(define source (dirname (dirname (current-filename))))
(define (peer name) (string-append source "/bench/peers/" name))
(define (built name)
  (string-append (or (getenv "SOCKPORT_BUILD") "build") "/bench/" name))

(define directory (mkdtemp "/tmp/bench-http-XXXXXX"))
(define (in-directory name) (string-append directory "/" name))
(define file (in-directory "file.html"))
(define configuration (in-directory "nginx.conf"))
(define (write-files)
  (chmod directory #o755)
  (call-with-output-file file
    (lambda (port) (display (make-string 10240 #\a) port)))
  (chmod file #o644))

;;; Servers.  Each is given a port.

;;; Some have much to say of each connection that is reset.
(define (program . command)
  (lambda (port)
    (append '("sh" "-c" "exec \"$@\" 2>/dev/null" "sh")
            command (list (number->string port) file))))

(define (guile back-end)
  (compose (lambda (command) (append command (list back-end)))
           (program "guile" "--no-auto-compile" "-s" (peer "http-guile.scm"))))

;;; One process, as the others have one; it reads the file anew each time, as they
;;; do.
(define (nginx port)
  (call-with-output-file configuration
    (lambda (out)
      (format out "daemon off; master_process off; error_log stderr crit;
pid ~a.pid;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; sendfile on;
  types { text/html html; } default_type text/html;
  client_body_temp_path ~a.1; proxy_temp_path ~a.2; fastcgi_temp_path ~a.3;
  uwsgi_temp_path ~a.4; scgi_temp_path ~a.5;
  server { listen 127.0.0.1:~a backlog=4096;
    location = /file.html { alias ~a; } } }
" directory directory directory directory directory directory port file)))
  (list "nginx" "-c" configuration))

(define servers
  `(("Sockport" . ,(guile "serve"))
    ("Node" . ,(program "node" (peer "http-node.js")))
    ("Go" . ,(program (built "http-go")))
    ("nginx" . ,nginx)
    ("aiohttp" . ,(program "/usr/bin/python3" (peer "http-aiohttp.py")))
    ("Guile" . ,(guile "http"))
    ("Fibers" . ,(compose with-fibers (guile "fibers")))))

;;; Measuring: one run of wrk has all the numbers.

;;; Whatever else the machine does comes and goes within a second, so turns are shorter
;;; than that where the difference is small, which only a signal makes wrk's.  The
;;; others need longer: what the last turn has left them takes some of them a while.
;;; Each group is measured by itself, beside Sockport: what it is called, its peers, how
;;; often each takes its turn, and seconds for it.
(define groups
  '(("" ("Node" "Go" "nginx") 15 0.3)
    ("-slower" ("aiohttp" "Guile" "Fibers") 3 0.8)))

(define (run-wrk kind port pid connections seconds)
  "Return requests a second, microseconds of processor a request, and the
percentiles 50, 99 and 99.9 of the microseconds they took; or #f."
  (let* ((before (cpu-us pid))
         (numbers (apply command-numbers
                         (on-processor
                          1 (list "sh" "-c"
                                  (format #f "timeout -s INT -k 3 ~a wrk -t1 -c~a \
-d60 -s ~a http://127.0.0.1:~a/ -- ~a | tail -n 1"
                                          ;; Some of it goes into making many.
                                          (+ seconds (* 0.0004 connections))
                                          connections
                                          (peer "http-load.lua") port
                                          kind))))))
    (match numbers
      ((count duration p50 p99 p999 0)
       (and (positive? count)
            (list (/ (* count 1e6) duration)
                  (/ (- (cpu-us pid) before) count 1.)
                  p50 p99 p999)))
      (_ #f))))

;;; BENCH_CASES and BENCH_PEERS, regular expressions, choose some, and BENCH_ROUNDS
;;; is how often each takes its turn.
(define (chosen variable names)
  (filter (match-lambda
            ((name . _) (string-match (or (getenv variable) "") name)))
          names))

(define rounds-wanted (and=> (getenv "BENCH_ROUNDS") string->number))

;;; The last one is the end of Guile's own server.
(define cases
  (chosen "BENCH_CASES"
          '(("get, 20 connections" "get" 20)
            ("get, 200 connections" "get" 200)
            ("post of 1 KiB" "post" 20)
            ("page of 10 KiB" "10k" 20)
            ("page of 1 MiB" "1m" 20)
            ("file of 10 KiB" "file" 20)
            ("get, 1000 connections" "get" 1000))))

(define (takes-part? name kind)
  (or (not (string=? name "nginx")) (string=? kind "file")))

;;; From (case . peer) to lists of what its rounds have measured, the last first.
(define measured (make-hash-table))

(define (measure seconds)
  (lambda (name kind connections peer port pid)
    (define (turn)
      (run-wrk kind port pid connections seconds))
    (lambda ()
      (let* ((key (cons name peer))
             ;; Not counted: compilers that work while it runs have something to do.
             (numbers (and (or (hash-ref measured key) (turn)) (turn))))
        (hash-set! measured key (cons numbers (hash-ref measured key '())))
        (and numbers (first numbers))))))

(define (recall name peer select)
  (lambda ()
    (let* ((key (cons name peer)) (rounds (hash-ref measured key)))
      (hash-set! measured key (append (cdr rounds) (list (car rounds))))
      (and (car rounds) (select (car rounds))))))

(define (make-cases servers make)
  (map (match-lambda
         ((name kind connections)
          (cons name
                (filter-map
                 (match-lambda
                   ((peer port pid)
                    (and (takes-part? peer kind)
                         (cons peer (make name kind connections peer port pid)))))
                 servers))))
       cases))

(define (recalling servers select)
  (make-cases servers
              (lambda (name kind connections peer port pid)
                (recall name peer select))))

(define (on-gets ratio)
  (map (lambda (connections)
         (cons (format #f "get, ~a connections" connections) ratio))
       '(20 200 1000)))

(define (measure-group servers suffix rounds seconds)
  (hash-clear! measured)
  (bench (string-append "http" suffix) #:title "Requests of HTTP"
         #:unit "requests/s" #:better 'higher #:rounds rounds
         #:promises `(("Node" . ,(on-gets 1.5))
                      ("Go" . ,(on-gets 1.0))
                      ("Guile" . ,(on-gets 3.0))
                      ("Fibers" . ,(on-gets 3.0))
                      ("nginx" . (("file of 10 KiB" . 0.5))))
         #:cases (make-cases servers (measure seconds)))
  (for-each
   (match-lambda
     ((name title unit select)
      (bench (string-append "http-" name suffix) #:title title #:unit unit
             #:rounds rounds #:cases (recalling servers select))))
   `(("cost" "What a request of HTTP costs" "us of processor" ,second)
     ("p50" "Half of the requests take" "us" ,third)
     ("p99" "99% of the requests take" "us" ,fourth)
     ("p999" "99.9% of the requests take" "us" ,fifth))))

(define (run)
  (call-with-servers (cons (car servers) (chosen "BENCH_PEERS" (cdr servers)))
    (lambda (servers)
      (for-each
       (match-lambda
         ((suffix peers rounds seconds)
          (let ((others (filter (match-lambda ((name . _) (member name peers)))
                                (cdr servers))))
            (unless (null? others)
              (measure-group (cons (car servers) others) suffix
                             (or rounds-wanted rounds) seconds)))))
       groups))))

(if (in-path? "wrk")
    (begin
      (write-files)
      (run)
      (system* "rm" "-r" directory))
    (display "http: needs wrk\n"))
