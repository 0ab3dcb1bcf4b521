;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The examples of services under the managers that they are for: systemd's own look
;;; at its units, a socket that systemd passes, and the Shepherd.

(use-modules (harness) (harness dns) (harness process) (harness socket)
             (ice-9 match) (ice-9 rdelim) (ice-9 receive) (ice-9 regex)
             (ice-9 textual-ports) (sockport))

(in-own-network)

(define (example name)
  (string-append (getenv "SOCKPORT_SOURCE") "/examples/service/" name))

(define (write-here name directory . changes)
  "Write the example NAME into DIRECTORY as it would be on this machine, with CHANGES,
pairs of a text and what takes its place; return the file's name."
  (define file (string-append directory "/" name))
  (define text
    (let next ((text (call-with-input-file (example name) get-string-all))
               (changes (cons* (cons "/usr/bin/guile" (in-path "guile"))
                               (cons "/usr/local/share/greet/greet.scm"
                                     (example "greet.scm"))
                               changes)))
      (match changes
        (() text)
        (((from . to) . rest)
         (next (regexp-substitute/global #f (regexp-quote from) text
                                         'pre to 'post)
               rest)))))
  (call-with-output-file file (lambda (port) (display text port)))
  file)

(define (ask where)
  "Return who greets at WHERE, the number of a process."
  (let-ports ((sock (connect-to where)))
    (match (string-tokenize (read-line sock))
      (("good" "morning" "from" pid) (string->number pid)))))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "service")

(test-case "systemd finds nothing wrong with its units"
  (require-program "systemd-analyze")
  (require-program "kill")              ; what the unit has systemd call
  (with-temporary-directory
   (lambda (directory)
     (receive (status output)
         (run-program "systemd-analyze" "verify" "--man=no"
                      (write-here "greet.socket" directory)
                      (write-here "greet.service" directory))
       (test-equal "its status" 0 status)
       (test-equal "what it says" "" output)))))

(define (inherited)
  "Return the options by which a program of systemd's is given this environment."
  (map (lambda (variable) (string-append "--setenv=" variable)) (environ)))

(test-case "a socket that systemd passes is served"
  (require-program "systemd-socket-activate")
  (with-temporary-directory
   (lambda (directory)
     (define where (string-append directory "/greet"))
     (call-with-peer
      `("systemd-socket-activate" ,@(inherited) "--listen" ,where
        "--fdname=greet" "guile" "--no-auto-compile" "-s"
        ,(example "greet.scm"))
      (lambda (peer)
        (test-assert "it listens" (wait-until (lambda () (listening-at? where))))
        (let ((place (string-append "unix:" where)))
          (test-equal "the first who connects" (peer-pid peer) (ask place))
          (test-equal "the next" (peer-pid peer) (ask place)))
        (kill (peer-pid peer) SIGTERM)
        (test-equal "it ends" 0 (status:exit-val (peer-status peer))))))))

;;; The Shepherd, with a directory for all of its files.

(define (call-with-shepherd directory proc)
  "Call PROC with a procedure that runs herd with its arguments, while a Shepherd
runs that has the example for its configuration."
  (define (file name) (string-append directory "/" name))
  (define (herd . arguments)
    (receive (status output)
        (apply run-program "herd" "-s" (file "socket") arguments)
      status))
  (call-with-peer
   (list "shepherd" "--silent" (string-append "--socket=" (file "socket"))
         (string-append "--pid=" (file "pid"))
         (string-append "--logfile=" (file "log"))
         (string-append "--config=" (write-here "shepherd.scm" directory)))
   (lambda (peer)
     (test-assert "the Shepherd runs"
       (wait-until (lambda () (file-exists? (file "pid")))))
     (proc herd))))

(test-case "the Shepherd starts it, and anew, and nobody is refused"
  (require-network)
  (require-program "shepherd")
  (require-program "herd")
  (with-temporary-directory
   (lambda (directory)
     (call-with-shepherd directory
       (lambda (herd)
         (test-equal "it starts" 0 (herd "start" "greet"))
         (let ((first (ask "127.0.0.1:7000")))
           (test-equal "one serves all" first (ask "127.0.0.1:7000"))
           (test-equal "anew" 0 (herd "restart" "greet"))
           (test-assert "another serves" (not (= first (ask "127.0.0.1:7000")))))
         (test-equal "it stops" 0 (herd "stop" "greet"))
         (test-error* "nobody listens" (list 'system-error ECONNREFUSED)
           (ask "127.0.0.1:7000"))
         (test-equal "the Shepherd ends" 0 (herd "stop" "root")))))))

(test-end "service")
