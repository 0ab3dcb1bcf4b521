;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; port-scanner.scm [FIRST LAST]: which ports of this machine somebody listens on,
;;; of 1 to 65535 by default; on a terminal it shows how far it is.  Two
;;; hundred are tried at a time, each for half a second at most.

(use-modules (sockport) (ice-9 exceptions) (ice-9 match) (srfi srfi-1))

(define at-once 200)
(define seconds 1/2)

(define (open? port)
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (call-with-cleanup
     (lambda ()
       (with-deadline seconds
         (lambda ()
           (catch 'system-error
             (lambda ()
               (connect sock AF_INET INADDR_LOOPBACK port)
               ;; Where nobody listens, a socket can connect to itself.
               (not (= port (sockaddr:port (getsockname sock)))))
             (lambda args
               (unless (= ECONNREFUSED (system-error-errno args))
                 (apply throw args))
               #f)))
         (const #f)))
     (lambda () (close-port sock)))))

(define (show! text)
  "Show TEXT in place of what was shown, on a terminal."
  (let ((port (current-error-port)))
    (when (isatty? port)
      (format port "\r\x1b[K~a" text)
      (force-output port))))

(define (scan first last)
  "Return the ports from FIRST to LAST that are open."
  (define next first)
  (define found '())
  (define (work)
    (let ((port next))
      (when (<= port last)
        (set! next (+ port 1))
        (when (zero? (modulo port 1000))
          (show! (format #f "port ~a of ~a" port last)))
        (when (open? port)
          (set! found (cons port found)))
        (work))))
  (with-task-group
   (lambda (group)
     (for-each (lambda (i) (spawn-task work #:group group)) (iota at-once))))
  (show! "")
  (sort found <))

(define (main first last)
  (match (run-tasks (lambda () (scan first last)))
    (()
     (format #t "no port from ~a to ~a is open~%" first last))
    (ports
     (for-each (lambda (port) (format #t "~a~%" port)) ports))))

(define (port? x)
  (and (exact-integer? x) (<= 1 x 65535)))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_) (main 1 65535))
    ((_ (= string->number (? port? first)) (= string->number (? port? last)))
     (main first last))
    (_
     (display "usage: port-scanner.scm [FIRST LAST]\n" (current-error-port))
     (exit 2))))
