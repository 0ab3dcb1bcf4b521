;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' interface on Sockport's tasks (fibers/, which is first on the load path
;;; here): schedulers, interruptions, ports and web servers.

(use-modules (harness)
             (fibers)
             (fibers channels)
             (fibers io-wakeup)
             (fibers operations)
             (fibers repl)
             (fibers scheduler)
             ((fibers timers) #:select (sleep-operation))
             (ice-9 atomic)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             ((sockport address) #:select (socket-address->string))
             ((sockport deadline) #:select (with-deadline))
             ((sockport transfer) #:select (recv! send))
             ((sockport web-client) #:select (http-get))
             (srfi srfi-1)
             (web request)
             (web server)
             (web uri))

;; The pipe that a thread sleeps by stays.
(with-deadline 0 (lambda () ((@ (sockport task) sleep) 1)) (const #f))

(test-begin "fibers-scheduler")

(define-syntax-rule (fibers body ...)
  (run-fibers (lambda () body ...) #:parallelism 1 #:hz 0))

(define (values-of thunk)
  (call-with-values thunk list))

(define (spin n)
  (when (positive? n) (spin (- n 1))))

(test-case "fibers that compute are interrupted"
  (test-equal "all of them, again and again" '(#t #t #t)
    (let ((stop? #f) (counts (vector 0 0 0)))
      (run-fibers
       (lambda ()
         (for-each (lambda (i)
                     (spawn-fiber
                      (lambda ()
                        (let loop ()
                          (unless stop?
                            (spin 1000)
                            (vector-set! counts i (+ 1 (vector-ref counts i)))
                            (loop))))))
                   '(0 1 2))
         (let loop ()
           (unless (every (lambda (count) (> count 100)) (vector->list counts))
             (spin 1000)
             (loop)))
         (set! stop? #t))
       #:parallelism 1 #:hz 1000)
      (map positive? (vector->list counts)))))

(test-case "interruptions that come faster than they are dealt with do not pile up"
  (test-eqv "all end" 4
    (let ((ended (make-atomic-box 0)))
      (run-fibers
       (lambda ()
         (let ((done (make-channel)))
           (for-each (lambda (_)
                       (spawn-fiber
                        (lambda ()
                          (let loop ((i 0))
                            (when (< i 500)
                              (spin 30)
                              (suspend-current-task schedule-task)
                              (loop (+ i 1))))
                          (put-message done #t))
                        #:parallel? #t))
                     (iota 4))
           (for-each (lambda (_)
                       (get-message done)
                       (atomic-box-set! ended (+ 1 (atomic-box-ref ended))))
                     (iota 4))))
       #:parallelism 3 #:hz 100000)
      (atomic-box-ref ended))))

;; What is scheduled may, late and in chaos, be begun after who slept for longer.
(define (sleep-until ready?)
  (let ((late (+ (get-internal-real-time) (* 5 internal-time-units-per-second))))
    (do () ((or (ready?) (>= (get-internal-real-time) late)))
      (sleep 0.003))))

(test-case "schedulers"
  (test-equal "each has its peers" '(2 2 2)
    (let ((scheduler (make-scheduler #:parallelism 3)))
      (map (lambda (scheduler) (length (scheduler-remote-peers scheduler)))
           (cons scheduler (scheduler-remote-peers scheduler)))))
  (test-assert "no other thing than itself is chosen without them"
    (let ((scheduler (make-scheduler)))
      (eq? scheduler (choose-parallel-scheduler scheduler))))
  (test-equal "can be given work before it runs, and from threads" '(before from-thread)
    (let ((scheduler (make-scheduler)) (seen '()))
      (define (note what) (lambda () (set! seen (cons what seen))))
      (schedule-task scheduler (note 'before))
      (spawn-fiber (lambda ()
                     (join-thread
                      (call-with-new-thread
                       (lambda () (spawn-fiber (note 'from-thread) scheduler)))))
                   scheduler)
      (test-assert "has work" (scheduler-work-pending? scheduler))
      (run-scheduler scheduler (lambda () (= 2 (length seen))))
      (test-eq "and no thread afterwards" #f (scheduler-kernel-thread scheduler))
      (reverse seen)))
  (fibers
   (let ((scheduler (current-scheduler)))
     (test-eq "runs here" (current-thread) (scheduler-kernel-thread scheduler))
     (test-assert "counts" (positive? (scheduler-runcount scheduler)))
     (test-equal "suspends and goes on with values" '(1 2)
       (values-of
        (lambda ()
          (suspend-current-task
           (lambda (scheduler k)
             (schedule-task scheduler (lambda () (k 1 2))))))))
     (test-equal "yields" #t (yield-current-task))
     (let ((seen '()))
       (schedule-task-at-time scheduler
                              (+ (get-internal-real-time)
                                 (/ internal-time-units-per-second 1001))
                              (lambda () (set! seen (cons 'time seen))))
       (cancel-timer scheduler
                     (schedule-task-at-time scheduler (get-internal-real-time)
                                            (lambda () (set! seen '(cancelled)))))
       (sleep-until (lambda () (pair? seen)))
       (test-equal "at a time" '(time) seen))
     (let* ((ends (socketpair AF_UNIX SOCK_STREAM 0)) (seen '())
            (note (lambda () (set! seen (cons 'readable seen))))
            (other (lambda () (set! seen (cons 'forgotten seen)))))
       (schedule-task-when-fd-readable scheduler (fileno (car ends)) other)
       (cancel-fd-waiter scheduler (fileno (car ends)) other)
       (schedule-task-when-fd-readable scheduler (fileno (car ends)) note)
       (send (cdr ends) #vu8(1))
       (sleep-until (lambda () (pair? seen)))
       (test-equal "when a descriptor can be read" '(readable) seen)
       (schedule-task-when-fd-writable scheduler (fileno (car ends)) note)
       (sleep-until (lambda () (pair? (cdr seen))))
       (test-equal "or written" '(readable readable) seen)
       (close-port (car ends))
       (close-port (cdr ends))))))

(test-case "only what would wait fails"
  (define (failures failing port thunk)
    "Return how many of 60 calls of THUNK are taken for waiting for PORT."
    (let ((try (failing port thunk)))
      (let next ((left 60) (failed 0))
        (cond ((zero? left) failed)
              ((try) (next (- left 1) failed))
              (else (next (- left 1) (+ failed 1)))))))
  (match (socketpair AF_UNIX SOCK_STREAM 0)
    ((a . b)
     (define (receive) (recv! b (make-bytevector 1)))
     (setvbuf a 'none)
     (setvbuf b 'none)
     (for-each
      (match-lambda
        ((name failing port thunk)
         (test-equal name 0 (fibers (failures failing port thunk)))))
      `(("send" ,with-write-waiting-is-failure ,a ,(lambda () (send a "12")))
        ("recv!" ,with-read-waiting-is-failure ,b ,receive)
        ("put-u8" ,with-write-waiting-is-failure ,a ,(lambda () (put-u8 a 1) #t))
        ("get-u8" ,with-read-waiting-is-failure ,b ,(lambda () (get-u8 b)))))
     (recv! b (make-bytevector 100))
     (test-equal "as this does" 60
       (fibers (failures with-read-waiting-is-failure b receive)))
     (close-port a)
     (close-port b))))

(test-case "winders"
  (test-equal "are not called when a fiber waits" '(in out)
    (fibers
     (let ((seen '()))
       (dynamic-wind* (lambda () (set! seen (cons 'in seen)))
                      (lambda ()
                        (test-eq "not rewinding" #f (rewinding-for-scheduling?))
                        (sleep 0)
                        (yield-current-task))
                      (lambda () (set! seen (cons 'out seen))))
       (reverse seen)))))

(test-case "ports"
  (fibers
   (let ((ends (socketpair AF_UNIX SOCK_STREAM 0)))
     (define (readable?)
       (perform-operation
        (choice-operation
         (wrap-operation (wait-until-port-readable-operation (car ends)) (const #t))
         (wrap-operation (sleep-operation 0.001) (const #f)))))
     (test-eq "not yet" #f (readable?))
     (spawn-fiber (lambda () (send (cdr ends) #vu8(1))))
     (test-equal "readable" '()
       (values-of (lambda ()
                    (perform-operation
                     (wait-until-port-readable-operation (car ends))))))
     (test-equal "writable" '()
       (values-of (lambda ()
                    (perform-operation
                     (wait-until-port-writable-operation (car ends))))))
     (for-each close-port (list (car ends) (cdr ends)))))
  (test-assert "a connection"
    (fibers
     (let ((sock (socket AF_INET (logior SOCK_STREAM SOCK_NONBLOCK) 0))
           (client (socket AF_INET SOCK_STREAM 0)))
       (bind sock AF_INET INADDR_LOOPBACK 0)
       (listen sock 1)
       (spawn-fiber (lambda ()
                      (sleep 0.001)
                      (connect client (getsockname sock))))
       (match (perform-operation (accept-operation sock))
         ((accepted . address)
          (for-each close-port (list sock client accepted))
          #t)))))
  (call-with-input-file "/dev/null"
    (lambda (port)
      (test-error* "not what cannot be written" '(misc-error)
        (wait-until-port-writable-operation port)))))

;;; Web servers.

(define (call-with-page-server serve proc)
  "Call (PROC url) while (SERVE socket handler) runs in a thread, which SIGINT ends; the
handler has the path from a fiber of its own."
  (define (handler request body)
    (let ((channel (make-channel)) (path (uri-path (request-uri request))))
      (spawn-fiber (lambda () (put-message channel path)))
      (values '((content-type . (text/plain))) (get-message channel))))
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (bind sock AF_INET INADDR_LOOPBACK 0)
    (let ((thread (call-with-new-thread (lambda () (serve sock handler)))))
      (proc (string-append "http://" (socket-address->string (getsockname sock))))
      (test-assert "SIGINT is for the server"
        (wait-until (lambda () (procedure? (car (sigaction SIGINT))))))
      (kill (getpid) SIGINT)
      (join-thread thread)
      (test-assert "its socket is closed" (port-closed? sock)))))

(define (page url)
  (call-with-values (lambda () (http-get url))
    (lambda (response body) body)))

(define (page-once-it-listens url)
  (wait-until (lambda () (false-if-exception (page url)))))

(define run-page-server (@ (fibers web server) run-server))

(test-case "the web server calls handlers in fibers"
  (call-with-page-server
   (lambda (sock handler) (run-page-server handler #:socket sock))
   (lambda (url)
     (test-equal "a page" "/one" (page-once-it-listens (string-append url "/one")))
     (test-equal "many at once" (iota 50)
       (map (lambda (thread) (string->number (substring (join-thread thread) 1)))
            (map (lambda (i)
                   (call-with-new-thread
                    (lambda () (page (string-append url "/" (number->string i))))))
                 (iota 50)))))))

(test-case "in a fiber, the web server serves beside the others"
  (call-with-page-server
   (lambda (sock handler)
     (fibers
      (let ((ticks 0) (over? #f))
        (spawn-fiber (lambda ()
                       (let tick ()
                         (unless over?
                           (set! ticks (+ ticks 1))
                           (sleep 0.001)
                           (tick)))))
        (run-page-server handler #:socket sock)
        (set! over? #t)
        (test-assert "they go on" (positive? ticks)))))
   (lambda (url)
     (test-equal "a page" "/two" (page-once-it-listens (string-append url "/two"))))))

(test-case "the back end of Guile's web server"
  (let* ((sock (socket AF_INET SOCK_STREAM 0))
         (address (begin
                    (bind sock AF_INET INADDR_LOOPBACK 0)
                    (socket-address->string (getsockname sock))))
         (back-end (lookup-server-impl 'fibers))
         (server (open-server back-end (list #:socket sock)))
         (thread (call-with-new-thread
                  (lambda () (page (string-append "http://" address "/three"))))))
    (serve-one-client (lambda (request body)
                        (values '((content-type . (text/plain)))
                                (uri-path (request-uri request))))
                      back-end server '())
    (test-equal "a page" "/three" (join-thread thread))
    (close-server back-end server)))

(test-end "fibers-scheduler")
