;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A server in tasks, and clients of it.

(define-module (harness server)
  #:use-module (harness)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:export (call-with-server
            client
            echo
            end-of
            say
            wait-for-task))

(define (echo sock peer)
  (let ((buffer (make-bytevector 4096)))
    (let again ()
      (let ((count (recv! sock buffer)))
        (unless (zero? count)
          (send sock buffer 0 0 count)
          (again))))))

(define (wait-for-task ready?)
  ;; Before the case itself is given up.
  (with-deadline (* 3/4 (case-seconds))
    (lambda ()
      (let again ()
        (or (ready?)
            (begin (sleep 1/1000) (again)))))))

(define (in-tasks thunk)
  "Call THUNK in a task: this one, or a new loop's."
  (if (current-task) (thunk) (run-tasks thunk)))

(define (call-with-server handler proc . options)
  "Call PROC with a server in tasks, and return what the server logged."
  (define lines '())
  (define (log line) (set! lines (cons line lines)))
  (in-tasks
   (lambda ()
     (let* ((server #f)
            (task (spawn-task
                   (lambda ()
                     (apply serve "127.0.0.1:0" handler
                            #:signals '() #:log log
                            #:on-listen (lambda (made) (set! server made))
                            options)))))
       (wait-for-task (lambda () server))
       (proc server)
       (stop-server! server #t)
       (join task))))
  (reverse lines))

(define (client server)
  (let* ((address (car (server-addresses server)))
         (sock (socket (sockaddr:fam address) SOCK_STREAM 0)))
    (with-exception-handler
        (lambda (exception)
          (close-port sock)
          (raise-exception exception))
      (lambda () (connect sock address))
      #:unwind? #t)
    sock))

(define (say sock text)
  "Send TEXT and return what comes back: a string, or end or reset."
  (let ((buffer (make-string 100)))
    (catch 'system-error
      (lambda ()
        (send sock text)
        (match (recv! sock buffer)
          (0 'end)
          (count (substring buffer 0 count))))
      (lambda args
        (if (memv (system-error-errno args) (list ECONNRESET EPIPE))
            'end
            (apply throw args))))))

(define (end-of sock)
  (let ((buffer (make-string 100)))
    (catch 'system-error
      (lambda () (recv! sock buffer))
      (lambda args
        (if (= ECONNRESET (system-error-errno args)) 0 (apply throw args))))))
