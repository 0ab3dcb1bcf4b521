;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The command sockport, of this build, as a peer and run to its end.

(define-module (harness command)
  #:use-module (harness)
  #:use-module (harness process)
  #:use-module (ice-9 match)
  #:use-module (ice-9 rdelim)
  #:use-module (ice-9 textual-ports)
  #:export (call-with-server
            run-sockport
            sockport))

(define (sockport . arguments)
  "Return the command with ARGUMENTS, whose standard error goes to its output."
  (cons* "sh" "-c" "exec \"$@\" 2>&1" "sh"
         (string-append (getenv "SOCKPORT_BUILD") "/bin/sockport") arguments))

(define (run-sockport input . arguments)
  "Run the command with ARGUMENTS, and INPUT, a string, for its standard input;
return a list of its status and all that it writes."
  (call-with-peer (apply sockport arguments)
    (lambda (peer)
      (put-string (peer-input peer) input)
      (close-port (peer-input peer))
      (let ((output (get-string-all (peer-output peer))))
        (list (status:exit-val (peer-status peer)) output)))))

(define (call-with-server arguments proc)
  "Run the command with ARGUMENTS, which make it listen, and call PROC with the peer
and the address that it says."
  (call-with-peer (apply sockport arguments)
    (lambda (peer)
      (match (string-tokenize (read-line (peer-output peer)))
        (("listening" "on" address) (proc peer address))))))
