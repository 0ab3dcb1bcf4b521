;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How many connections a second are accepted and closed: by a server with a task
;;; for each, by a loop of accept and close, Guile's own, and C, which waits for
;;; connections alone, or with epoll, as what serves several at once has to.

(use-modules (bench harness)
             (bench server)
             (ice-9 match))

(define (guile expression . arguments)
  (lambda (port)
    (list "guile" "--no-auto-compile" "-c"
          (format #f "~s" (expression port)))))

(define (c . words)
  (lambda (port)
    (cons* (string-append output-directory "/accept-server")
           (number->string port) words)))

(define servers
  `(("serve" . ,(guile
                 (lambda (port)
                   `(begin
                      (use-modules (sockport))
                      (serve (make-socket-address AF_INET INADDR_LOOPBACK
                                                  ,port)
                             (lambda (sock peer) #t))))))
    ("C" . ,(c))
    ("C, epoll" . ,(c "epoll"))
    ("accept" . ,(guile
                  (lambda (port)
                    `(begin
                       (use-modules (sockport))
                       (let ((listener (car (listen-on ,(format #f "127.0.0.1:~a"
                                                                port)))))
                         (while #t (close-port (car (accept listener)))))))))
    ("Guile" . ,(guile
                 (lambda (port)
                   `(let ((listener (socket AF_INET SOCK_STREAM 0)))
                      (setsockopt listener SOL_SOCKET SO_REUSEADDR 1)
                      (bind listener AF_INET INADDR_LOOPBACK ,port)
                      (listen listener 1024)
                      (while #t (close-port (car (accept listener))))))))))

(define (load port connections)
  (lambda ()
    (apply command-number
           (on-processor 1 (list (string-append output-directory "/accept-load")
                                 (number->string port)
                                 (number->string connections) "0.2")))))

(call-with-servers servers
  (lambda (ports)
    (bench "accept" #:title "Accepting and closing" #:unit "connections/s"
           #:better 'higher #:rounds 25
           #:cases
           (map (lambda (connections)
                  (cons (format #f "~a at a time" connections)
                        (map (match-lambda
                               ((name port pid)
                                (cons name (load port connections))))
                             ports)))
                '(1 64)))))
