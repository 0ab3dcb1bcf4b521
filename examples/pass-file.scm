;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Separation of privileges: one process opens, another, which may not, reads.
;;; What passes between them through a UNIX socket is the open file itself.
;;;
;;;   pass-file.scm FILE            a parent opens FILE, a child that has become
;;;                                 the user nobody copies it to standard output
;;;   pass-file.scm give NAME FILE  waits at the socket NAME, opens FILE for the
;;;                                 first who connects
;;;   pass-file.scm take NAME       is given a file at the socket NAME and copies
;;;                                 it to standard output

(use-modules (ice-9 binary-ports)
             (ice-9 exceptions)
             (ice-9 match)
             (sockport))

(define (opens? file)
  (catch 'system-error
    (lambda () (close-port (open-file file "r")) #t)
    (const #f)))

(define (give sock file)
  (let ((port (open-file file "r0b")))
    (send-ports sock (list port) (basename file))
    ;; The other side has its own by now.
    (close-port port)))

(define (ask-for-giver! sock)
  "Let the kernel tell who sends to SOCK: from now on, so before anybody does."
  (set-socket-option! sock 'passcred #t))

(define (take sock)
  "Receive a file; return its port, its name, and the uid of who gave it."
  (let ((name (make-string 256)))
    (call-with-values (lambda () (recv-ports sock name))
      (lambda (ports message)
        (match ports
          ((port)
           (values port
                   (substring name 0 (message-length message))
                   (match (control-ref (message-control message) 'credentials)
                     (#(pid uid gid) uid))))
          (() (error "no file came")))))))

(define (copy sock)
  (call-with-values (lambda () (take sock))
    (lambda (port name uid)
      (format (current-error-port) "~a, from user ~a~%" name uid)
      (match (get-bytevector-all port)
        ((? eof-object?) #f)
        (bytes (put-bytevector (current-output-port) bytes)))
      (force-output)
      (close-port port))))

(define (become-nobody)
  (let ((nobody (getpwnam "nobody")))
    (setgroups #())
    (setgid (passwd:gid nobody))
    (setuid (passwd:uid nobody))))

(define (separate file)
  (match (socketpair AF_UNIX SOCK_STREAM 0)
    ((parent . child)
     (ask-for-giver! child)
     (match (primitive-fork)
       (0
        (close-port parent)
        (become-nobody)
        (format (current-error-port) "user ~a can~a open ~a~%" (getuid)
                (if (opens? file) "" "not") file)
        (copy child)
        (primitive-exit 0))
       (pid
        (close-port child)
        (give parent file)
        (match (waitpid pid)
          ((_ . status) (exit (status:exit-val status)))))))))

(define (wait-and-give name file)
  (let ((listener (socket AF_UNIX SOCK_STREAM 0)))
    (bind listener AF_UNIX name)
    (listen listener 1)
    (match (accept listener)
      ((sock . _) (give sock file)))
    (delete-file name)))

(define (connect-and-take name)
  (let ((sock (socket AF_UNIX SOCK_STREAM 0)))
    (ask-for-giver! sock)
    (connect sock AF_UNIX name)
    (copy sock)))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (cdr (command-line))
    (("give" name file) (wait-and-give name file))
    (("take" name) (connect-and-take name))
    ((file) (separate file))
    (_ (display "usage: pass-file.scm FILE | give NAME FILE | take NAME\n"
                (current-error-port))
       (exit 2))))
