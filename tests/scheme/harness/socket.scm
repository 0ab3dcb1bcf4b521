;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Sockets for the tests: always closed again, and on ports that the kernel
;;; chooses.

(define-module (harness socket)
  #:use-module (harness)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (sockport)
  #:use-module ((sockport primitive) #:select (%thread-sleeps?))
  #:use-module ((sockport task loop) #:select (known?))
  #:use-module ((srfi srfi-1) #:select (every))
  #:export (call-with-ports
            cpu-seconds
            dropping
            free-port
            in-thread
            in-waiting-thread
            interrupted-after
            let-ports
            port-of
            reaches?
            seconds-of
            tcp-pair
            tcp-listener
            unix-listener
            unix-pair
            wait-until-asleep))

(define-syntax let-ports
  (syntax-rules ()                      ; what is a port or a pair of ports is
                                        ; closed in the end
    ((_ () body ...) (let () body ...))
    ((_ ((name expr) rest ...) body ...)
     (call-with-ports expr (lambda (name) (let-ports (rest ...) body ...))))))

(define (call-with-ports value proc)
  (dynamic-wind
    (const #t)
    (lambda () (proc value))
    (lambda ()
      (match value
        (((? port? a) . (? port? b)) (close-port a) (close-port b))
        (((? port? ports) ...) (for-each close-port ports))
        ((? port? port) (close-port port))
        (_ #f)))))

(define* (tcp-listener #:optional (backlog 16))
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (bind sock AF_INET INADDR_LOOPBACK 0)
    (listen sock backlog)
    sock))

(define* (unix-listener #:optional (backlog 16) (type SOCK_STREAM))
  (let ((sock (socket AF_UNIX type 0)))
    (bind sock AF_UNIX "")
    (listen sock backlog)
    sock))

(define* (unix-pair #:optional (type SOCK_STREAM))
  (socketpair AF_UNIX type 0))

(define (tcp-pair)
  (let-ports ((server (tcp-listener)))
    (let ((client (socket AF_INET SOCK_STREAM 0)))
      (connect client (getsockname server))
      (cons client (car (accept server))))))

(define* (free-port #:optional (style SOCK_STREAM) (family AF_INET))
  "A port at which nobody is."
  (let-ports ((sock (socket family style 0)))
    (bind sock family (if (= family AF_INET) INADDR_LOOPBACK 1) 0)
    (sockaddr:port (getsockname sock))))

(define (port-of sock)
  (sockaddr:port (getsockname sock)))

(define (reaches? family host port)
  "Does somebody listen at PORT of HOST?"
  (let-ports ((sock (socket family SOCK_STREAM 0)))
    (catch 'system-error
      (lambda () (connect sock (make-socket-address family host port)))
      (const #f))))

(define (in-thread thunk)
  "Run THUNK in a new thread, which has started when this returns; join-thread
returns its value, or the description of its error."
  (let* ((started (make-atomic-box #f))
         (thread (call-with-new-thread
                  (lambda ()
                    (atomic-box-set! started #t)
                    (catch #t thunk
                      (lambda (key . args) (describe-error key args)))))))
    (wait-until (lambda () (atomic-box-ref started)))
    thread))

(define (dropping thunk)
  "Call THUNK in a thread of its own.  With that thread goes its stack, where the collector
might have taken what THUNK drops for still in use."
  (match (join-thread (call-with-new-thread
                       (lambda ()
                         (catch #t (lambda () (thunk) #f) list))))
    (#f #t)
    ((key . args) (apply throw key args))))

(define (in-waiting-thread thunk)
  "As in-thread, and THUNK has begun to wait when this returns."
  (let ((thread (in-thread thunk)))
    (wait-until-asleep (list thread))
    thread))

(define (wait-until-asleep threads)
  "Return when each of THREADS waits or has ended, each time in five looks, as one may sleep
a moment for a name to be looked up; after a moment where it is not known how this
Guile's threads wait."
  (define (asleep? thread)
    (or (thread-exited? thread) (%thread-sleeps? thread)))
  (for-each (lambda (look)
              (usleep 1000)
              (wait-until (lambda () (every asleep? threads))
                          (if known? (/ (case-seconds) 2) 1/10)))
            (iota (if known? 5 1))))

(define (interrupted-after seconds handler thunk)
  "Call THUNK; after SECONDS, a signal runs HANDLER, which may throw."
  (define (set-timer! seconds)
    (let ((whole (inexact->exact (floor seconds))))
      (setitimer ITIMER_REAL 0 0 whole
                 (inexact->exact (round (* 1000000 (- seconds whole)))))))
  (define (expired?)
    (equal? '(0 . 0) (cadr (getitimer ITIMER_REAL))))
  (let ((before (sigaction SIGALRM)) (ran? #f))
    (dynamic-wind
      (lambda ()
        (sigaction SIGALRM (lambda (signal)
                             (set! ran? #t)
                             (handler)))
        (set-timer! seconds))
      thunk
      (lambda ()
        ;; The signal may have ended a system call and its handler be still to
        ;; come, which must not be the next one's.
        (when (expired?)
          (wait-until (lambda () ran?) 1))
        (set-timer! 0)
        (sigaction SIGALRM (car before) (cdr before))
        (alarm (case-seconds))))))

(define (seconds-of thunk)
  (let ((start (get-internal-real-time)))
    (thunk)
    (/ (- (get-internal-real-time) start)
       (exact->inexact internal-time-units-per-second))))

(define (cpu-seconds thunk)
  ;; A collection in the middle would count.
  (gc)
  (let ((start (get-internal-run-time)))
    (thunk)
    (/ (- (get-internal-run-time) start)
       (exact->inexact internal-time-units-per-second))))

;; A thread keeps what it waits with, which is no leak.
(let-ports ((pair (unix-pair)))
  (setsockopt (car pair) SOL_SOCKET SO_RCVTIMEO '(0 . 1000))
  (catch 'system-error
    (lambda () (recv! (car pair) (make-string 1)))
    (const #f)))
