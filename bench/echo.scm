;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Echo servers: requests a second of 64 bytes over 50, 1,000 and 5,000 TCP
;;; connections, the server on one processor and the load on another.

(use-modules (bench harness)
             (ice-9 match)
             (ice-9 popen)
             (ice-9 rdelim)
             (srfi srfi-1))

(define source (or (getenv "SOCKPORT_SOURCE")
                   (dirname (dirname (current-filename)))))
(define build (or (getenv "SOCKPORT_BUILD") "build"))

(define (in-path program)
  (search-path (parse-path (getenv "PATH")) program))

;; From SECONDS, a tenth is spent on warming up.
(define seconds "1.5")

(define (peer-file name)
  (string-append source "/bench/peers/" name))

;; Each is started with a port as its last argument.
(define servers
  (filter-map
   (match-lambda
     ((name program . arguments)
      (and=> (in-path program)
             (lambda (file) (cons* name file arguments)))))
   `(("Sockport" "guile" "--no-auto-compile" "-s"
      ,(string-append source "/examples/echo-server.scm"))
     ("C epoll" ,(string-append build "/bench/echo-server"))
     ,@(if (getenv "FIBERS_PREFIX")
           `(("Fibers" "guile" "--no-auto-compile" "-s"
              ,(peer-file "echo-fibers.scm")))
           '())
     ("Node" "node" ,(peer-file "echo-node.js"))
     ("asyncio" "python3" ,(peer-file "echo-asyncio.py")))))

(define pids '())

;; As ./dev run would.
(for-each (lambda (program)
            (system* "guile" "--no-auto-compile"
                     (string-append source "/build-aux/compile-program.scm")
                     program))
          (list (string-append source "/examples/echo-server.scm")
                (peer-file "echo-fibers.scm")))

(define (start! command port)
  (call-with-values
      (lambda ()
        (pipeline (list `("taskset" "-c" "0"
                          ,@(with-fibers command)
                          ,(number->string port)))))
    (lambda (from to started)
      (set! pids (append started pids)))))

(define (stop-all!)
  (for-each (lambda (pid) (false-if-exception (kill pid SIGTERM))) pids))

(define (load-number port connections)
  (lambda ()
    (command-number "taskset" "-c" "1" (string-append build "/bench/echo-load")
                    (number->string port) (number->string connections)
                    seconds)))

(define first-port (+ 20000 (modulo (getpid) 20000)))

(define peers
  (map (match-lambda*
         (((name . command) index)
          (start! command (+ first-port index))
          (cons name (+ first-port index))))
       servers (iota (length servers))))

(define (connections-case count)
  (cons (format #f "~a connections" count)
        (map (match-lambda
               ((name . port) (cons name (load-number port count))))
             peers)))

(sleep 3)
(dynamic-wind
  (const #t)
  (lambda ()
    (bench "echo"
           #:title "Echo of 64 bytes" #:unit "requests a second"
           #:better 'higher #:rounds 5
           #:promises '(("C epoll" . 0.90) ("Node" . 1.5) ("Fibers" . 1.5))
           #:cases (map connections-case '(50 1000 5000))))
  stop-all!)
