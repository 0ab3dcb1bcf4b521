;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What becomes of the exception that has ended a connection of a server.

(define-module (sockport serve judge)
  #:use-module (sockport constant)
  #:use-module (sockport io secure)
  #:use-module ((sockport serve failure) #:select (passes? say))
  #:use-module (sockport serve listeners)
  #:use-module (sockport serve site)
  #:use-module (sockport task)
  #:use-module (sockport task exception)
  #:use-module (sockport task origin)
  #:export (judge))

;;; What says no more than that the peer has gone.
(define peer-gone
  (list ECONNRESET EPIPE ETIMEDOUT ENOTCONN ECONNABORTED EHOSTUNREACH
        ENETUNREACH ENETDOWN))

(define (errno-of exception)
  (and (eq? 'system-error (exception-kind exception))
       (system-error-errno (cons 'system-error (exception-args exception)))))

(define (judge site peer exception)
  "EXCEPTION, or #f, ended a connection.  Return whether it is dealt with: logged, or
let be."
  (cond ((not exception))
        ((passes? exception) #f)
        ((or (deadline-exceeded? exception)
             (memv (errno-of exception) peer-gone)
             (cut-short? (exception-kind exception)
                         (exception-args exception)))
         #t)
        (else
         ;; In a task, because what is logged to may have to be waited for.
         (let ((log (server-log (site-server site)))
               (text (format #f "connection from ~a: ~a" (address->text peer)
                             (failure->text exception))))
           (spawn-task (lambda () (say log text)) #:group (site-group site))
           #t))))
