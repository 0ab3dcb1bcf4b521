;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Programs that are written for Fibers, as they are: an echo server and a page of
;;; HTTP, on Sockport's tasks and on Fibers, where FIBERS_PREFIX says that it is: requests
;;; a second, and what one costs the server.  That is on one processor, the load on
;;; another.  bench/channel.scm has the channels.

(use-modules (bench harness)
             (bench server)
             (ice-9 match)
             (srfi srfi-1))

(define source (dirname (dirname (current-filename))))
(define build (or (getenv "SOCKPORT_BUILD") "build"))

;;; Guile keeps one object file for a program, with parts of the modules that it was
;;; compiled with: each side has its own copy.

(define (compiled name side with-side)
  "Return the command that runs the peer NAME by WITH-SIDE."
  (define file
    (string-append output-directory "/" side "-" name ".scm"))
  (unless (file-exists? output-directory)
    (mkdir output-directory))
  (copy-file (string-append source "/bench/peers/" name ".scm") file)
  (apply system*
         (with-side (list "guile" "--no-auto-compile"
                          (string-append source "/build-aux/compile-program.scm")
                          file)))
  (lambda (port)
    (with-side (list "guile" "--no-auto-compile" "-s" file (number->string port)))))

(define (servers name)
  `(("its Fibers" . ,(compiled name "sockport" with-layer))
    ("Fibers" . ,(compiled name "fibers" with-fibers))))

;;; A turn is short: whatever else the machine does comes and goes within a second.

(define seconds 0.4)
(define rounds 21)

(define (echoes connections port)
  "Return how many requests were answered, and in how many microseconds."
  (match (apply command-numbers
                (on-processor 1 (list (string-append build "/bench/echo-load")
                                      (number->string port)
                                      (number->string connections)
                                      (number->string seconds))))
    ;; It begins with a tenth of the time, which is not measured.
    ((rate . _) (list (* rate seconds 1.1) (* seconds 1.1e6)))
    (_ #f)))

(define (pages connections port)
  "As `echoes', of HTTP."
  (match (apply command-numbers
                (on-processor
                 1 (list "sh" "-c"
                         (format #f "timeout -s INT -k 3 ~a wrk -t1 -c~a -d60 -s ~a \
http://127.0.0.1:~a/ -- get | tail -n 1"
                                 (+ seconds (* 0.0004 connections)) connections
                                 (string-append source "/bench/peers/http-load.lua")
                                 port))))
    ((count duration _ _ _ 0) (list count duration))
    (_ #f)))

;;; From (case . side) to what its turns have cost, the last first.
(define costs (make-hash-table))

(define (turn key load port pid connections)
  "Return the requests a second of a turn, and note what one has cost."
  (let ((before (cpu-us pid)))
    (match (load connections port)
      ((count us)
       (hash-set! costs key (cons (/ (- (cpu-us pid) before) count 1.)
                                  (hash-ref costs key '())))
       (/ (* count 1e6) us))
      (_ #f))))

(define (recall key)
  (match (hash-ref costs key)
    ((cost . rest)
     (hash-set! costs key (append rest (list cost)))
     cost)))

(define (cases name counts servers make)
  (map (lambda (connections)
         (let ((case (format #f "~a, ~a connections" name connections)))
           (cons case
                 (map (match-lambda
                        ((side port pid)
                         (cons side (make (cons case side) port pid connections))))
                      servers))))
       counts))

(define (run name peer load counts bound)
  (call-with-servers (servers peer)
    (lambda (servers)
      (bench (string-append "fibers-" name)
             #:title (string-append "Programs for Fibers: " name)
             #:unit "requests a second" #:better 'higher #:rounds rounds
             #:promises `(("Fibers" . ,bound))
             #:cases (cases name counts servers
                            (lambda (key port pid connections)
                              (lambda () (turn key load port pid connections)))))
      (bench (string-append "fibers-cost-" name)
             #:title (string-append "Programs for Fibers: " name)
             #:unit "us of processor a request" #:rounds rounds
             #:cases (cases name counts servers
                            (lambda (key port pid connections)
                              (lambda () (recall key))))))))

(cond ((not (getenv "FIBERS_PREFIX"))
       (display "fibers: needs Fibers, below FIBERS_PREFIX\n"))
      (else
       (run "echo" "echo-fibers" echoes '(50 1000) 1.8)
       (if (in-path? "wrk")
           (run "http" "http-fibers" pages '(50) 1.5)
           (display "fibers: http needs wrk\n"))))
