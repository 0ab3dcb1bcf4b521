;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A server of HTTP in a thread of its own, for clients that are other programs.

(define-module (harness curl)
  #:use-module (harness)
  #:use-module (harness process)
  #:use-module (ice-9 threads)
  #:use-module (sockport)
  #:use-module (sockport http)
  #:export (call-with-web-server
            curl
            url-of))

(define (call-with-web-server where handler proc . options)
  "Call PROC with a server at WHERE that serves HTTP by HANDLER; return the lines that
it logged."
  (define lines '())
  (define server #f)
  (define thread
    (call-with-new-thread
     (lambda ()
       (apply serve-http where handler
              #:signals '()
              #:log (lambda (line) (set! lines (cons line lines)))
              #:on-listen (lambda (made) (set! server made))
              options))))
  (unless (wait-until (lambda () server))
    (error "no server at" where))
  (call-with-cleanup
   (lambda () (proc server))
   (lambda ()
     (stop-server! server #t)
     (join-thread thread)))
  (reverse lines))

(define* (url-of server #:optional (path "/"))
  (string-append "http://"
                 (socket-address->string (car (server-addresses server)))
                 path))

(define (curl . arguments)
  "Return what curl prints, or #f if it fails."
  (call-with-values
      (lambda ()
        (apply run-program "curl" "-sS" "--max-time" "20" "--path-as-is"
               arguments))
    (lambda (status output) (and (eqv? status 0) output))))
