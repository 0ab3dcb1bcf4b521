;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; send-mail.scm HOST PORT FROM TO [AUTHORITIES]: sends the message on its standard
;;; input by SMTP, whose connection becomes one of TLS on the way (STARTTLS, RFC 3207),
;;; and by no other.  AUTHORITIES is a file of certificates to trust, in place of the
;;; system's.
;;;
;;;   (echo Subject: hello; echo; echo good morning) |
;;;     send-mail.scm mail.example.org 25 me@example.org you@example.org

(use-modules (sockport) (sockport tls) (ice-9 exceptions) (ice-9 match)
             (ice-9 rdelim) (ice-9 textual-ports) (srfi srfi-1))

(define (read-reply port)
  "Return the code of what comes, and the words of all its lines."
  (let ((line (read-line port)))
    (when (or (eof-object? line) (< (string-length line) 4))
      (error "this is no reply of SMTP:" line))
    (let ((code (string->number (substring line 0 3)))
          (words (string-trim-right (substring line 4))))
      (if (char=? #\- (string-ref line 3))
          (match (read-reply port)
            ((_ . more) (cons* code words more)))
          (list code words)))))

(define (expect port wanted)
  (match (read-reply port)
    ((code . words)
     (unless (eqv? code wanted)
       (error "refused:" code (string-join words " ")))
     words)))

(define (ask port wanted . parts)
  (put-string port (string-append (string-concatenate parts) "\r\n"))
  (force-output port)
  (expect port wanted))

(define (hello port)
  "Return what the server can do."
  (map string-upcase (ask port 250 "EHLO " (gethostname))))

(define (secured sock host context)
  (expect sock 220)
  (unless (member "STARTTLS" (hello sock))
    (error "this server does no TLS:" host))
  (ask sock 220 "STARTTLS")
  (tls-connect sock host context))

(define (put-message port text)
  (for-each (lambda (line)
              (let ((line (string-trim-right line #\return)))
                (put-string port (if (string-prefix? "." line)
                                     (string-append "." line "\r\n")
                                     (string-append line "\r\n")))))
            (string-split (string-trim-right text #\newline) #\newline)))

(define* (send-mail host port from to text #:optional authorities)
  (let ((sock (connect-to host #:port port))
        (context (if authorities
                     (tls-context #:trust authorities)
                     (current-tls-context))))
    (setvbuf sock 'block)
    (let ((tls (secured sock host context)))
      (hello tls)
      (ask tls 250 "MAIL FROM:<" from ">")
      (ask tls 250 "RCPT TO:<" to ">")
      (ask tls 354 "DATA")
      (put-message tls text)
      (ask tls 250 ".")
      (ask tls 221 "QUIT")
      (close-port tls))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error tls-error
                   wrong-type-arg deadline-exceeded))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ host port from to . (and authorities (or () (_))))
     (with-deadline 60
       (lambda ()
         (apply send-mail host port from to
                (get-string-all (current-input-port)) authorities))))
    (_
     (display "usage: send-mail.scm HOST PORT FROM TO [AUTHORITIES]\n"
              (current-error-port))
     (exit 2))))
