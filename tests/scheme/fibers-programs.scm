;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Programs that are written for Fibers, as they are, on Sockport's tasks: the Shepherd
;;; with services of three kinds, Goblins and knots.

(use-modules (harness) (harness process) (harness socket)
             (ice-9 match) (ice-9 rdelim) (ice-9 receive) (ice-9 textual-ports)
             (sockport)
             (srfi srfi-1))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "fibers-programs")

(case-seconds 330)

(define (require-module name package)
  (unless (search-path %load-path name)
    (skip (string-append "needs " package))))

(define (on-sockport? pid)
  "Has the process PID our library, which Fibers itself has not?"
  (string-contains (call-with-input-file (format #f "/proc/~a/maps" pid) get-string-all)
                   "libguile-sockport"))

(define (ask where)
  "Return who greets at WHERE, the number of a process."
  (let-ports ((sock (connect-to (string-append "unix:" where))))
    (match (string-tokenize (read-line sock))
      (("good" "morning" "from" pid) (string->number pid)))))

(define (number-in file)
  "Return the number that FILE has, once it does, and remove it."
  (define (found)
    (and (file-exists? file)
         (string->number (string-trim-right
                          (call-with-input-file file get-string-all)))))
  (and (wait-until found)
       (let ((number (found)))
         (delete-file file)
         number)))

(define (runs? pid)
  (file-exists? (format #f "/proc/~a" pid)))

;;; The Shepherd, with a directory for all of its files.

(define (configuration file)
  (define greeter "echo good morning from $$")
  ;; It has the listener as its third descriptor, in a mode that depends on the
  ;; Shepherd's release, and says something in the log.
  (define server
    (format #f "~s"
            '(let ((listener (fdopen 3 "r+0")))
               (let serve ()
                 (select (list listener) '() '())
                 (let ((connection (accept listener)))
                   (when connection
                     (format #t "greets\n")
                     (force-output)
                     (format (car connection) "good morning from ~a\n" (getpid))
                     (close-port (car connection)))
                   (serve))))))
  `((use-modules (shepherd service))
    (define (at name)
      (list (endpoint (make-socket-address AF_UNIX name))))
    (register-services
     (list (service '(plain)
             #:start (make-forkexec-constructor
                      '("sh" "-c" ,(string-append "echo $$ >" (file "new") " && mv "
                                                  (file "new") " " (file "plain")
                                                  " && exec sleep 1000")))
             #:stop (make-kill-destructor))
           (service '(inetd)
             #:start (make-inetd-constructor '("sh" "-c" ,greeter)
                                             (at ,(file "inetd")))
             #:stop (make-inetd-destructor))
           (service '(systemd)
             #:start (make-systemd-constructor
                      '("guile" "--no-auto-compile" "-c" ,server)
                      (at ,(file "systemd")))
             #:stop (make-systemd-destructor))))))

;; Compiled anew: what was compiled with Fibers has parts of Fibers in it.  And its own
;; script puts the directory of Debian's modules before ours.
(define without-site
  '(set! %load-compiled-path
         (let next ((path %load-compiled-path))
           (cond ((null? path) '())
                 ((string-suffix? "/site-ccache" (car path)) (next (cdr path)))
                 (else (cons (car path) (next (cdr path))))))))

;; The logger knows macros of the services if they are there when it is compiled: it comes
;; first, as each module does in the Shepherd's makefile.
(define run-shepherd
  (format #f "~s ~s ~s" without-site
          '(resolve-interface '(shepherd logger))
          '(apply (@ (shepherd) main) (cdr (command-line)))))

(define (call-with-shepherd proc)
  "Call (PROC herd file peer) while a Shepherd runs: herd runs the program with its
arguments, and file returns the name of a file of the Shepherd's."
  (with-temporary-directory
   (lambda (directory)
     (define (file name) (string-append directory "/" name))
     (define (herd . arguments)
       (receive (status output)
           (apply run-program "herd" "-s" (file "socket") arguments)
         status))
     (call-with-output-file (file "configuration")
       (lambda (port)
         (for-each (lambda (form) (write form port)) (configuration file))))
     (call-with-peer
      (list "env" "GUILE_AUTO_COMPILE=1" (string-append "XDG_CACHE_HOME=" directory)
            "guile" "--auto-compile" "-c" run-shepherd "--silent"
            (string-append "--socket=" (file "socket"))
            (string-append "--pid=" (file "pid"))
            (string-append "--logfile=" (file "log"))
            (string-append "--config=" (file "configuration")))
      (lambda (peer)
        (test-assert "the Shepherd runs"
          (wait-until (lambda () (file-exists? (file "pid"))) 240))
        (test-assert "on Sockport's tasks" (on-sockport? (peer-pid peer)))
        (proc herd file)
        (test-equal "the Shepherd ends" 0 (herd "stop" "root"))
        (test-equal "without a word about an exception" #f
          (string-contains (call-with-input-file (file "log") get-string-all)
                           "Uncaught")))))))

(define (ends? pid)
  (wait-until (lambda () (not (runs? pid)))))

(define (serves herd file name)
  "The service NAME starts, anew too, and stops; return who greeted the first, and who
after it was started anew."
  (test-equal (list name "starts") 0 (herd "start" name))
  (let ((first (ask (file name))))
    (test-equal (list name "anew") 0 (herd "restart" name))
    (let ((second (ask (file name))))
      (test-assert (list name "another greets") (not (= first second)))
      (test-equal (list name "stops") 0 (herd "stop" name))
      (test-error* (list name "nobody listens") (list 'system-error ECONNREFUSED)
        (ask (file name)))
      (list first second))))

(test-case "the Shepherd starts, restarts and stops a process and two kinds of servers"
  (require-program "herd")
  (require-module "shepherd.scm" "shepherd")
  (call-with-shepherd
   (lambda (herd file)
     (test-equal "a process: it starts" 0 (herd "start" "plain"))
     (let ((first (number-in (file "plain"))))
       (test-assert "it runs" (runs? first))
       (test-equal "anew" 0 (herd "restart" "plain"))
       (test-assert "it has ended" (ends? first))
       (let ((second (number-in (file "plain"))))
         (test-assert "another runs" (runs? second))
         (test-equal "it stops" 0 (herd "stop" "plain"))
         (test-assert "that has ended too" (ends? second))))
     (serves herd file "inetd")
     (match (serves herd file "systemd")
       (both (test-assert "one process each time" (every ends? both))))
     (test-assert "what it says is in the log"
       (wait-until
        (lambda ()
          (string-contains (call-with-input-file (file "log") get-string-all)
                           "greets")))))))

;;; Programs that print what they found, and whose fibers these are.

(define (output-of program)
  (with-temporary-directory
   (lambda (directory)
     (let ((file (string-append directory "/program.scm")))
       (call-with-output-file file
         (lambda (port)
           (for-each (lambda (form) (write form port))
                     (cons without-site program))))
       (receive (status output)
           (run-program "timeout" "100" "guile" "--no-auto-compile" "-s" file)
         output)))))

(define (prints expected program)
  (test-equal "what it prints" expected
    (string-trim-right
     (output-of `(,@program
                  (display (if (string-contains
                                (call-with-input-file "/proc/self/maps"
                                  (@ (ice-9 textual-ports) get-string-all))
                                "libguile-sockport")
                               " on Sockport's tasks"
                               " on Fibers'"))
                  (force-output)
                  (primitive-_exit 0))))))

(test-case "Goblins: actors of two vats call each other"
  (require-module "goblins.scm" "guile-goblins")
  (prints "(1 (kept 2)) on Sockport's tasks"
    '((use-modules (goblins) (fibers conditions))
      (define near (spawn-vat))
      (define far (spawn-vat))
      (define* (^counter bcom #:optional (n 0))
        (lambda () (bcom (^counter bcom (+ n 1)) (+ n 1))))
      (define (^caller bcom counter)
        (lambda () (on (<- counter) (lambda (n) (list 'kept n)) #:promise? #t)))
      (define (answer-of vat actor)
        (define over (make-condition))
        (define answer #f)
        (with-vat vat
          (on (<- actor)
              (lambda (value) (set! answer value))
              #:finally (lambda () (signal-condition! over))))
        (wait over)
        answer)
      (define counter (with-vat near (spawn ^counter)))
      (define first (with-vat near ($ counter)))
      (define caller (with-vat far (spawn ^caller counter)))
      (write (list first (answer-of near caller))))))

(test-case "knots: work in parallel, promises, a pool, a time-out"
  (require-module "knots/parallelism.scm" "guile-knots")
  (prints "((1 4 9) (a b) 42 1 late) on Sockport's tasks"
    '((use-modules (fibers) (fibers channels) (knots parallelism) (knots promise)
                   (knots resource-pool) (knots timeout))
      (define made 0)
      (write
       (run-fibers
        (lambda ()
          (let ((pool (make-resource-pool (lambda () (set! made (+ made 1)) made) 1
                                          #:min-size 1))
                (promise (fibers-delay (lambda () (sleep 0.01) 42))))
            (list (fibers-map (lambda (n) (sleep 0.01) (* n n)) '(1 2 3))
                  (call-with-values
                      (lambda () (fibers-parallel (begin (sleep 0.02) 'a) 'b))
                    list)
                  (fibers-force promise)
                  (call-with-resource-from-pool pool (lambda (number) number))
                  (with-fibers-timeout (lambda () (get-message (make-channel)))
                                       #:timeout 0.05
                                       #:on-timeout (lambda () 'late))))))))))

(test-end "fibers-programs")
