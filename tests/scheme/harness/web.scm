;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A server of HTTP in tasks, and clients that send it what they like.

(define-module (harness web)
  #:use-module (harness)
  #:use-module (harness socket)
  #:use-module (ice-9 regex)
  #:use-module (ice-9 textual-ports)
  #:use-module (sockport)
  #:use-module (sockport http)
  #:export (call-with-http crlf exchange codes get await
            ask head-of body-of has? soon-all))

(define (call-with-http handler proc . options)
  "Call PROC with a procedure that connects to a server; return the lines logged."
  (define lines '())
  ((if (current-task) (lambda (thunk) (thunk)) run-tasks)
   (lambda ()
     (let* ((server #f)
            (task (spawn-task
                   (lambda ()
                     (apply serve-http "127.0.0.1:0" handler
                            #:signals '()
                            #:log (lambda (line) (set! lines (cons line lines)))
                            #:on-listen (lambda (made) (set! server made))
                            options)))))
       (let wait ()
         (unless server (task-yield) (wait)))
       (proc (lambda ()
               (let ((sock (socket AF_INET SOCK_STREAM 0)))
                 (connect sock (car (server-addresses server)))
                 (set-port-encoding! sock "ISO-8859-1")
                 sock))
             server)
       (stop-server! server #t)
       (join task))))
  (reverse lines))

;; Before the case itself is given up, so that it says what it waited for.
(define (longest) (* 3/4 (case-seconds)))

(define (crlf . lines)
  (string-concatenate (map (lambda (line) (string-append line "\r\n")) lines)))

(define (exchange new text)
  "Send TEXT, end the stream, and return all that comes back."
  (let-ports ((sock (new)))
    (send sock text)
    (shutdown sock SHUT_WR)
    ;; An unbuffered port is read byte by byte.
    (setvbuf sock 'block)
    (with-deadline (longest) (lambda () (get-string-all sock)))))

(define (soon-all sock)
  "Return all that comes from SOCK, whose end is due in a second or two, long before
what a server waits for if it is told nothing."
  (setvbuf sock 'block)
  (with-deadline 15 (lambda () (get-string-all sock))))

(define (codes text)
  (map (lambda (found) (string->number (match:substring found 1)))
       (list-matches "HTTP/1\\.[01] ([0-9]{3}) " text)))

(define get (crlf "GET /one HTTP/1.1" "Host: test" ""))

(define (await ready?)
  "Let the other tasks run until (READY?) is true."
  (with-deadline (longest)
    (lambda ()
      (let again ()
        (unless (ready?)
          (sleep 1/200)
          (again))))))

(define (ask new method path . lines)
  (exchange new (apply crlf (string-append method " " path " HTTP/1.1")
                       "Host: a" (append lines '("")))))

(define (body-of text)
  (let ((end (string-contains text "\r\n\r\n")))
    (substring text (+ end 4))))

(define (head-of text)
  (substring text 0 (string-contains text "\r\n\r\n")))

(define (has? text line)
  (and (string-contains (string-append (head-of text) "\r\n")
                        (string-append "\r\n" line "\r\n"))
       #t))
