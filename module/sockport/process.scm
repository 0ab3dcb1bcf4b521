;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Child processes: starting programs with the descriptors that they shall have,
;;; and waiting for children, without a thread or a signal for each.

(define-module (sockport process)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport io argument)
  #:use-module (sockport io called)
  #:use-module (sockport io keyword)
  #:use-module (sockport deadline)
  #:use-module (sockport task operation)
  #:use-module (sockport primitive)
  #:use-module (sockport task)
  #:use-module (sockport io close)
  #:use-module (sockport io wait)
  #:export (start-process
            end-process
            wait-process
            run-process
            process-operation))

;;; Starting.

(define (name-of listener)
  (match listener
    (((? string? name) . (? port?))
     (when (string-any (lambda (char)
                         (or (char=? char #\:) (char<? char #\space)))
                       name)
       (refuse-range "start-process" #:listeners "a name without a colon" name))
     name)
    (_ (refuse-type "start-process" #:listeners "pair of a name and a port"
                    listener))))

(define (listeners->variables listeners)
  (list (format #f "LISTEN_FDS=~a" (length listeners))
        (string-append "LISTEN_FDNAMES="
                       (string-join (map name-of listeners) ":"))))

(define (of-listeners? variable)
  (any (lambda (name) (string-prefix? name variable))
       '("LISTEN_FDS=" "LISTEN_PID=" "LISTEN_FDNAMES=")))

(define (set-variables variables environment)
  "Return ENVIRONMENT with VARIABLES instead of those of their names."
  (define (set? one)
    (any (lambda (variable)
           (string-prefix? variable one 0 (1+ (string-index variable #\=))))
         variables))
  (if (null? variables)
      environment
      (append variables (remove set? environment))))

(define-keyed (start-process program #:optional (arguments '()) #:key (input 0)
                         (output 1) (error 2) (environment (%environment))
                         (variables '()) (listeners '()))
  "Start PROGRAM, a file's name that is looked for in PATH if it has no slash, with
ARGUMENTS, a list of strings; return the number of the process, for
`wait-process'.  INPUT, OUTPUT and ERROR are ports or descriptors; VARIABLES, a list of
strings, are set besides those of ENVIRONMENT; LISTENERS, an
alist from names to sockets, is what `listen-fds' returns there."
  (for-each (lambda (end keyword)
              (if (port? end)
                  (check-port end keyword "start-process")
                  (check-integer end 0 #x7fffffff keyword "start-process")))
            (list input output error) '(#:input #:output #:error))
  (check-strings environment #:environment "start-process")
  (check-strings variables #:variables "start-process")
  (for-each (lambda (variable)
              (when (memv (string-index variable #\=) '(#f 0))
                (refuse-range "start-process" #:variables "a name, = and a value"
                              variable)))
            variables)
  (unless (list? listeners)
    (refuse-type "start-process" #:listeners "alist" listeners))
  (if (null? listeners)
      (%process-start program arguments (set-variables variables environment)
                      (list input output error)
                      #f)
      (%process-start program arguments
                      (append (remove of-listeners?
                                      (set-variables variables environment))
                              (listeners->variables listeners))
                      (cons* input output error (map cdr listeners))
                      #t)))

;;; Waiting.

(define (reap pid)
  (cdr (waitpid pid)))

(define (wait-process pid)
  "Wait until PID, a child of this process, has ended; return its status, as
@code{waitpid} does in its second value."
  (let ((port (%process-port pid #f)))
    (call-with-cleanup (lambda ()
                         (wait-until-readable port 'wait-process)
                         (reap pid))
                       (lambda () (close-port port)))))

(define* (end-process pid #:optional (seconds 1))
  "Ask PID, a child of this process, to end, by SIGTERM, and make it end if it has
not after SECONDS; return its status, as wait-process does."
  (check-integer pid 1 #x7fffffff 1 "end-process")
  (unless (and (real? seconds) (>= seconds 0))
    (refuse-range "end-process" 2 "0 or more seconds" seconds))
  (let ((port (raising-as "end-process" '("wait-process")
                (%process-port pid #f))))
    (call-with-cleanup
     (lambda ()
       (kill pid SIGTERM)
       (unless (with-deadline seconds
                 (lambda () (wait-until-readable port 'end-process) #t)
                 (const #f))
         (kill pid SIGKILL)
         (wait-until-readable port 'end-process))
       (reap pid))
     (lambda () (close-port port)))))

(define (run-process program . rest)
  "Start PROGRAM with the REST of what @code{start-process} takes, and wait until it
has ended; return its status.  If that is left before, by a deadline for one, the
process is ended as @code{end-process} does."
  (let ((pid (raising-as "run-process" '("start-process")
               (apply start-process program rest)))
        (status #f))
    (call-with-cleanup
     (lambda ()
       (set! status (wait-process pid))
       status)
     (lambda ()
       (unless status
         (end-process pid))))))

(define (process-operation pid)
  "An operation that waits until PID, a child of this process, has ended, and
returns its status.  Whether or not it is done, it can be used once."
  (operation-map (readable-operation (%process-port pid #t))
                 (lambda (port)
                   (close-port port)
                   (reap pid))))
