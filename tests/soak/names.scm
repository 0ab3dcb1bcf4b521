;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; 100,000 look-ups and 10,000 connections, a third of which are left, cancelled or
;;; fail, or as many as SOAK_SECONDS allow: no descriptor, thread or memory may be left.
;;; Needs root.

(add-to-load-path (string-append (getenv "SOCKPORT_SOURCE") "/tests/scheme"))
(use-modules (harness) (harness dns) (harness socket) (ice-9 ftw) (ice-9 match)
             (ice-9 threads) (srfi srfi-1) (sockport))

(define seconds (string->number (or (getenv "SOAK_SECONDS") "600")))
(define seed (string->number (or (getenv "SOAK_SEED") "1")))
(define state (seed->random-state seed))
(define (draw n) (random n state))

(unless (in-own-network)
  (format #t "not ok needs root, unshare and ip~%")
  (exit 1))
(call-with-output-file "/etc/resolv.conf"
  (lambda (port)
    (display "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n" port)))

(define end (+ (current-time) seconds))
(define faults 0)
(define (fault! . details)
  (set! faults (+ faults 1))
  (format #t "not ok SOAK_SEED=~a: ~s~%" seed details)
  (force-output))

(define total 100000)

(define (progress done)
  (format #t "progress ~a ~a~%" done total)
  (force-output))

(define (entries directory)
  (length (scandir directory string->number)))

(define (resident)
  (gc) (gc)
  (* 4 (call-with-input-file "/proc/self/statm"
         (lambda (port) (read port) (read port)))))

(define address #xc0000207)

(define (answer! server query)
  (match query
    ((name 1 . _)
     (unless (string-prefix? "dead" name)
       (if (string-prefix? "none" name)
           (reply! server query)
           (reply! server query address (+ 1 address)))))
    (_ (reply! server query))))

(define (look-up name)
  (map (lambda (entry) (sockaddr:addr (addrinfo:addr entry)))
       (getaddrinfo name "80" 0 AF_INET SOCK_STREAM)))

;;; Look-ups and connections.

(define (settled-threads)
  "Return how many threads there are once that has not changed for two seconds, longer
than the C library waits for a name server."
  (let wait ((left 20) (before 0))
    (let ((now (entries "/proc/self/task")))
      (cond ((zero? left) now)
            (else (sleep 1/10)
                  (wait (if (= now before) (- left 1) 20) now))))))

(define (expected-error thunk)
  (catch #t
    thunk
    (lambda (key . args)
      (unless (memq key '(getaddrinfo-error deadline-exceeded system-error
                          host-not-found no-data try-again))
        (fault! key args)))))

(define (one-lookup number)
  (define (name kind) (format #f "~a-~a.test" kind number))
  (expected-error
   (lambda ()
     (match (draw 12)
       (0 (with-deadline 1/1000 (lambda () (look-up (name "late")))))
       (1 (look-up (name "none")))
       (2 (let ((task (spawn-task (lambda () (look-up (name "left"))))))
            (task-yield)
            (cancel! task)))
       (3 (when (zero? (draw 50))
            (with-deadline 1/100 (lambda () (look-up (name "dead"))))))
       (4 (gethost (name "host")))
       (_ (look-up (name "good")))))))

(define (one-connection server dead)
  (expected-error
   (lambda ()
     (match (draw 6)
       (0 (with-deadline 1/500 (lambda () (connect-to dead))))
       (1 (close-port (connect-to "127.0.0.1:1")))
       (2 (let ((task (spawn-task (lambda () (close-port (connect-to server))))))
            (task-yield)
            (cancel! task)))
       (_ (close-port (connect-to server)))))))

(define (fill listener)
  "Return a socket that takes the only place in the queue of LISTENER."
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (connect sock (getsockname listener))
    sock))

(define tasks 64)

(define (run-lookups count)
  (define done 0)
  (define (work server dead)
    (let next ()
      (when (and (< done count) (< (current-time) end))
        (set! done (+ done 1))
        (let ((number done))
          (one-lookup number)
          (when (zero? (modulo number 10)) (one-connection server dead))
          (when (zero? (modulo number 1000))
            (progress number)))
        (next))))
  (let* ((names (name-server)) (server (tcp-listener 1000))
         (dead (tcp-listener 0)) (filler (fill dead)))
    (setsockopt names SOL_SOCKET SO_RCVBUF 1000000)
    (run-tasks
     (lambda ()
       (with-task-group
        (lambda (group)
          (spawn-task (lambda ()
                        (let next ()
                          (answer! names (next-query names))
                          (next)))
                      #:group group)
          (spawn-task (lambda ()
                        (let next ()
                          (close-port (car (accept server)))
                          (next)))
                      #:group group)
          (for-each join
                    (map (lambda (i)
                           (spawn-task
                            (lambda ()
                              (work (getsockname server) (getsockname dead)))))
                         (iota tasks)))
          ;; Those that were left end when the C library gives them up.
          (settled-threads)
          (cancel! group)))))
    (for-each close-port (list names server dead filler))
    (format #t "# ~a look-ups, ~a connections~%" done (quotient done 10))))

(with-deadline 0 (lambda () (sleep 1)) (const #f))
;; What is made once is made now.
(run-lookups 2000)
(let* ((threads (settled-threads)) (descriptors (entries "/proc/self/fd"))
       (memory (resident)))
  (run-lookups total)
  (let* ((threads-now (settled-threads))
         (descriptors-now (entries "/proc/self/fd"))
         (memory-now (resident)))
    (format #t "# descriptors ~a ~a, threads ~a ~a, memory ~a ~a kB~%"
            descriptors descriptors-now threads threads-now
            memory memory-now)
    (unless (= descriptors descriptors-now) (fault! 'descriptors))
    (unless (= threads threads-now) (fault! 'threads))
    (when (> memory-now (+ memory 16384)) (fault! 'memory))))
(exit (if (zero? faults) 0 1))
