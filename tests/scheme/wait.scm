;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What waits in a plain thread: it lets the others run, lets the handlers of
;;; signals run at once and escape, ends when its port is closed or its limit has
;;; passed, and loses no data by any of it.

(use-modules (harness)
             (harness socket)
             (harness waiting)
             (ice-9 atomic)
             (ice-9 control)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(test-begin "wait")

(define-syntax-rule (for-each-way (title name a b wait! end!) body ...)
  (for-each
   (match-lambda
     ((name make waiting ending)
      (test-case (format #f "~a ~a" name title)
        (let-ports ((pair (make)))
          (let* ((a (car pair))
                 (b (cdr pair))
                 (wait! (lambda () (waiting a b)))
                 (end! (lambda () (ending a b))))
            body ...))
        (close-queued!)
        (gc))))
   ways))

(for-each-way ("lets other threads and the collector run" name a b wait! end!)
  (let ((thread (in-thread wait!)))
    (usleep 50000)
    (gc)
    (test-assert "it waits" (not (thread-exited? thread)))
    (end!)
    (test-equal "and ends" 'done (join-thread thread (+ 10 (current-time)) 'late))))

(for-each-way ("lets a signal's handler run at once" name a b wait! end!)
  (let ((ran #f))
    (test-equal "it goes on" 'done
      (interrupted-after 0.05 (lambda () (set! ran #t) (end!)) wait!))
    (test-assert "the handler ran" ran)))

(for-each-way ("lets a handler escape" name a b wait! end!)
  (test-equal "out of the call" 'escaped
    (let/ec escape
      (interrupted-after 0.05 (lambda () (escape 'escaped)) wait!)))
  (test-equal "by an exception, whatever its key"
    '(system-error 7 "handler")
    (catch 'system-error
      (lambda ()
        (interrupted-after 0.05
          (lambda () (scm-error 'system-error "handler" "x" '() '(7)))
          wait!))
      (lambda (key . args) (describe-error key args))))
  (end!)
  (test-equal "and nothing is lost" 'done (wait!)))

(for-each-way ("uses no processor while it waits" name a b wait! end!)
  (test-assert "less than a tenth of the time"
    (> 0.05
       (cpu-seconds
        (lambda ()
          (let/ec escape
            (interrupted-after 0.5 (lambda () (escape 'escaped)) wait!)))))))

(for-each-way ("ends when another thread closes its port" name a b wait! end!)
  (let ((thread (in-thread wait!)))
    (usleep 50000)
    (close-port a)
    (test-equal "EBADF" (list 'system-error EBADF (symbol->string name))
      (match (join-thread thread (+ 10 (current-time)) 'late)
        ((key errno who) (list key errno (if (symbol? who) (symbol->string who) who)))
        (other other)))))

(for-each-way ("ends when its thread is cancelled" name a b wait! end!)
  (let ((thread (in-thread wait!)))
    (usleep 50000)
    (cancel-thread thread 'cancelled)
    (test-equal 'cancelled
      (join-thread thread (+ 10 (current-time)) 'late))))

(for-each-way ("raises EAGAIN where it must not wait" name a b wait! end!)
  (set-nonblocking! a #t)
  (if (eq? name 'accept)
      (test-equal "or answers #f" #f (accept a))
      (test-error* "at once" (list 'system-error EAGAIN (symbol->string name))
        (wait!)))
  (test-assert "still" (nonblocking? a)))

(for-each-way ("raises EAGAIN when its limit has passed" name a b wait! end!)
  (setsockopt a SOL_SOCKET
              (if (memq name '(accept recv! recvfrom!)) SO_RCVTIMEO SO_SNDTIMEO)
              '(0 . 100000))
  (let ((seconds (seconds-of
                  (lambda ()
                    (test-error* "no sooner"
                        (list 'system-error EAGAIN (symbol->string name))
                      (wait!))))))
    (test-assert "not before" (>= seconds 0.09))
    (test-assert "not long after" (< seconds 5))))

(for-each-way ("has no limit when that is centuries away" name a b wait! end!)
  (setsockopt a SOL_SOCKET
              (if (memq name '(accept recv! recvfrom!)) SO_RCVTIMEO SO_SNDTIMEO)
              (cons (expt 2 33) 0))
  (test-equal 'escaped
    (let/ec escape
      (interrupted-after 0.05 (lambda () (escape 'escaped)) wait!))))

(test-case "MSG_DONTWAIT never waits"
  (let-ports ((pair (full-pair)))
    (test-error* "send" (list 'system-error EAGAIN "send")
      (send (car pair) byte MSG_DONTWAIT))
    (test-error* "recv!" (list 'system-error EAGAIN "recv!")
      (recv! (car pair) (make-bytevector 1) MSG_DONTWAIT))
    (test-error* "recvfrom!" (list 'system-error EAGAIN "recvfrom!")
      (recvfrom! (car pair) (make-bytevector 1) MSG_DONTWAIT))
    (test-assert "the socket still would" (not (nonblocking? (car pair))))))

(test-case "urgent data and the error queue are never waited for"
  (let-ports ((pair (tcp-pair))
              (datagrams (socket AF_INET SOCK_DGRAM 0)))
    (bind datagrams AF_INET INADDR_LOOPBACK 0)
    (sendto datagrams byte (getsockname datagrams))
    (for-each
     (lambda (receive! name)
       (test-error* (list name 'errors) (list 'system-error EAGAIN name)
         (receive! datagrams (make-bytevector 1) MSG_ERRQUEUE))
       (test-error* (list name 'urgent) (list 'system-error EINVAL name)
         (receive! (car pair) (make-bytevector 1) MSG_OOB)))
     (list recv! recvfrom! recvmsg!)
     '("recv!" "recvfrom!" "recvmsg!"))))

(test-case "connect tells how it ended"
  (let-ports ((server (tcp-listener)))
    (let ((address (getsockname server)))
      (let-ports ((client (socket AF_INET SOCK_STREAM 0)))
        (test-equal "made" #t (connect client address))
        (test-assert "in blocking mode" (not (nonblocking? client))))
      (close-port server)
      (let-ports ((client (socket AF_INET SOCK_STREAM 0)))
        (test-error* "refused" (list 'system-error ECONNREFUSED "connect")
          (connect client address))
        (test-assert "in blocking mode still" (not (nonblocking? client))))
      (let-ports ((client (socket AF_INET SOCK_STREAM 0)))
        (set-nonblocking! client #t)
        (test-assert "refused, in non-blocking mode"
          (member (catch 'system-error
                    (lambda () (connect client address))
                    (lambda (key . args) (describe-error key args)))
                  `(#f (system-error ,ECONNREFUSED "connect"))))))))

;; A TCP listener whose queue is full drops what comes.
(define (full-tcp-listener)
  (let* ((server (tcp-listener 0))
         (clients (map (lambda (i)
                         (let ((client (socket AF_INET SOCK_STREAM 0)))
                           (set-nonblocking! client #t)
                           (connect client (getsockname server))
                           client))
                       (iota 4))))
    (close-later! clients)
    server))

(test-case "connect to a TCP listener whose queue is full"
  (let-ports ((server (full-tcp-listener))
              (client (socket AF_INET SOCK_STREAM 0)))
    (test-equal "a handler can escape" 'escaped
      (let/ec escape
        (interrupted-after 0.1 (lambda () (escape 'escaped))
          (lambda () (connect client (getsockname server))))))
    (test-assert "in blocking mode" (not (nonblocking? client)))
    (test-error* "it is still being made" (list 'system-error EALREADY "connect")
      (begin (set-nonblocking! client #t)
             (connect client (getsockname server))))
    (set-nonblocking! client #f)
    (let ((other (socket AF_INET SOCK_STREAM 0)))
      (define thread
        (in-thread (lambda () (connect other (getsockname server)))))
      (usleep 50000)
      (close-port other)
      (test-equal "closed by another thread" (list 'system-error EBADF)
        (match (join-thread thread (+ 10 (current-time)) 'late)
          ((key errno who) (list key errno))
          (other other))))
    (close-queued!)))

(test-case "connect does not spin when somebody else has read its error"
  (let-ports ((server (full-tcp-listener))
              (client (socket AF_INET SOCK_STREAM 0)))
    (let ((thread (in-thread
                   (lambda () (connect client (getsockname server))))))
      (usleep 50000)
      (shutdown client 2)
      (getsockopt client SOL_SOCKET SO_ERROR)
      (test-assert "an error"
        (match (join-thread thread (+ 10 (current-time)) 'late)
          (('system-error errno who) #t)
          (other (format #t "# ~s~%" other) #f))))
    (close-queued!)))

(test-case "several threads wait on one port"
  (let-ports ((pair (unix-pair)))
    (let ((threads (map (lambda (i)
                          (in-thread
                           (lambda () (recv! (car pair) (make-bytevector 1)))))
                        (iota 8))))
      (usleep 50000)
      (send (cdr pair) "abc")
      (usleep 50000)
      (close-port (car pair))
      (let ((ends (map (lambda (thread)
                         (match (join-thread thread (+ 10 (current-time)) 'late)
                           ((key errno who) errno)
                           (other other)))
                       threads)))
        (test-equal "three have a byte" 3 (count (lambda (x) (eqv? x 1)) ends))
        (test-equal "five are told" 5
          (count (lambda (x) (eqv? x EBADF)) ends))))))

(test-case "many threads accept from one listener"
  (let-ports ((server (unix-listener 64)))
    (let* ((count 400)
           (taken (make-atomic-box 0))
           (threads
            (map (lambda (i)
                   (in-thread
                    (lambda ()
                      (let loop ()
                        (let ((accepted (accept server)))
                          (close-port (car accepted))
                          (let increase ((old (atomic-box-ref taken)))
                            (let ((seen (atomic-box-compare-and-swap!
                                         taken old (+ old 1))))
                              (unless (eqv? seen old) (increase seen))))
                          (loop))))))
                 (iota 8))))
      (do ((i 0 (+ i 1))) ((= i count))
        (let-ports ((client (socket AF_UNIX SOCK_STREAM 0)))
          (connect client (getsockname server))))
      (wait-until (lambda () (= count (atomic-box-ref taken))))
      (test-equal "each connection once" count (atomic-box-ref taken))
      (usleep 20000)
      (close-port server)
      (test-equal "none is left in the kernel" (map (const EBADF) threads)
        (map (lambda (thread)
               (match (join-thread thread (+ 10 (current-time)) 'late)
                 ((key errno who) errno)
                 (other other)))
             threads)))))

;; A thread has a pipe to be woken by; without a descriptor for it, the thread
;; looks up now and then.
(define (with-full-table thunk)
  "Call THUNK while no descriptor is left."
  (call-with-values (lambda () (getrlimit 'nofile))
    (lambda (soft hard)
      (dynamic-wind
        (lambda ()
          (setrlimit 'nofile (+ 1 (apply max (map car (descriptors)))) hard))
        (lambda ()
          (let fill ((fillers '()))
            (match (false-if-exception (socket AF_UNIX SOCK_STREAM 0))
              (#f
               (thunk)
               (for-each close-port fillers))
              (filler (fill (cons filler fillers))))))
        (lambda () (setrlimit 'nofile soft hard))))))

(test-case "without a descriptor left"
  (let-ports ((pair (unix-pair))
              (idle (unix-pair))
              (server (unix-listener))
              (client (socket AF_UNIX SOCK_STREAM 0)))
    (define full? (make-atomic-box #f))
    ;; Guile itself cannot start a thread by then.
    (define (receiver sock)
      (in-thread
       (lambda ()
         (wait-until (lambda () (atomic-box-ref full?)))
         (recv! sock (make-bytevector 1)))))
    (define (end-of thread)
      (match (join-thread thread (+ 10 (current-time)) 'late)
        ((key errno who) (list key errno))
        (other other)))
    (define first (receiver (car pair)))
    (define second (receiver (car idle)))
    (define third (receiver (cdr idle)))
    (connect client (getsockname server))
    (with-full-table
     (lambda ()
       (test-error* "socket" (list 'system-error EMFILE "socket")
         (socket AF_UNIX SOCK_STREAM 0))
       (test-error* "socketpair" (list 'system-error EMFILE "socketpair")
         (socketpair AF_UNIX SOCK_STREAM 0))
       (test-error* "accept" (list 'system-error EMFILE "accept")
         (accept server))
       (atomic-box-set! full? #t)
       (usleep 50000)
       (send (cdr pair) "x")
       (test-equal "data wakes a thread" 1 (end-of first))
       (cancel-thread third 'cancelled)
       (test-equal "so does cancelling it" 'cancelled (end-of third))
       (close-port (car idle))
       (test-equal "so does a close" (list 'system-error EBADF)
         (end-of second))))
    (let ((accepted (accept server)))
      (test-assert "the connection was kept" (port? (car accepted)))
      (close-port (car accepted)))))

(test-case "descriptors beyond 1024"
  (call-with-values (lambda () (getrlimit 'nofile))
    (lambda (soft hard)
      (when (and hard (< hard 6000))
        (skip "needs a limit of 6000 descriptors"))
      (setrlimit 'nofile (or hard 8192) hard)))
  (let ((many (map (lambda (i) (socket AF_UNIX SOCK_DGRAM 0)) (iota 5000))))
    (for-each
     (match-lambda
       ((name make waiting ending)
        (let-ports ((pair (make)))
          (test-assert (format #f "~a is high" name) (> (fileno (car pair)) 1024))
          (test-equal (format #f "~a" name) 'done
            (interrupted-after 0.05
              (lambda () (ending (car pair) (cdr pair)))
              (lambda () (waiting (car pair) (cdr pair))))))))
     ways)
    (close-queued!)
    (gc)
    (for-each close-port many)))

(test-end "wait")
