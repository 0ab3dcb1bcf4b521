;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Guile's own socket procedures become Sockport's in the whole process, so that
;;; programs and libraries that know nothing of Sockport run concurrently in tasks.

(define-module (sockport core)
  #:use-module (sockport io accept)
  #:use-module (sockport io argument)
  #:use-module (sockport ports core)
  #:use-module (sockport primitive)
  #:use-module ((sockport task) #:select (current-task (sleep . task-sleep)))
  #:use-module ((sockport task loop) #:select (can-wait?))
  #:use-module ((sockport task deadline) #:select (prepare-ports!))
  #:export (install-sockport!
            uninstall-sockport!))

;;; Whose exports take the place of what the core has by the same name.
(define stems '(address bulk option resolve socket transfer))

;;; Libraries in C that are given a socket, TLS among them, rely on the mode that
;;; the program has asked for; a task needs none.

(define (socket family style proto)
  (%socket family style proto #f))

(define (socketpair family style proto)
  (%socketpair family style proto #f))

(define* (accept sock #:optional (flags 0))
  (accept-connection sock flags))

;;; Outside of tasks, and where a task cannot be left, these are the core's.

(define (in-task name proc)
  (let ((core (core-procedure name)))
    (lambda (time)
      (if (and (current-task) (can-wait?))
          (proc time)
          (core time)))))

(define sleep
  (in-task 'sleep task-sleep))

;;; libguile's ends the process where its argument is not a number of C.
(define most (if (> most-positive-fixnum #xffffffff)
                 #xffffffffffffffff
                 #xffffffff))

(define usleep
  (let ((proc (in-task 'usleep
                       (lambda (microseconds)
                         (task-sleep (/ microseconds 1000000))))))
    (lambda (microseconds)
      (check-integer microseconds 0 most 1 "usleep")
      (proc microseconds))))

(define own
  `((socket . ,socket)
    (socketpair . ,socketpair)
    (accept . ,accept)
    (sleep . ,sleep)
    (usleep . ,usleep)))

(define (procedures-of stem)
  "Return an alist of what the module of STEM has a procedure for, and the core."
  (define found '())
  (module-for-each
   (lambda (name variable)
     (when (and (core-procedure name)
                (procedure? (variable-ref variable))
                (not (assq name own)))
       (set! found (acons name (variable-ref variable) found))))
   (resolve-interface `(sockport ,stem)))
  found)

(define procedures
  (append own (apply append (map procedures-of stems))))

(define (install-sockport!)
  "Have the socket procedures of Guile's core, @code{close-port} and the look-up of
names among them, be Sockport's in the whole process.  What was done already is not
done again."
  (prepare-ports!)
  (replace-core! procedures))

(define (uninstall-sockport!)
  "Give Guile's core the procedures back that @code{install-sockport!} has replaced."
  (restore-core!))
