;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Waiting in a crowd: of threads on one port, and of descriptors.

(use-modules (harness)
             (harness socket)
             (harness waiting)
             (ice-9 atomic)
             (ice-9 match)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(test-begin "wait-crowd")

(define (increase! box)
  (let ((old (atomic-box-ref box)))
    (unless (eqv? old (atomic-box-compare-and-swap! box old (+ old 1)))
      (increase! box))))

(test-case "several threads wait on one port"
  (let-ports ((pair (unix-pair)))
    (define (get) (recv! (car pair) (make-bytevector 1)))
    ;; So that its names are looked up: a thread may sleep for Guile's lock of modules.
    (send (cdr pair) "x")
    (get)
    (let ((threads (map (lambda (i) (in-waiting-thread get)) (iota 8))))
      (send (cdr pair) "abc")
      (wait-until (lambda () (= 3 (count thread-exited? threads))))
      (wait-until-asleep threads)
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
                          (increase! taken)
                          (loop))))))
                 (iota 8))))
      (do ((i 0 (+ i 1))) ((= i count))
        (let-ports ((client (socket AF_UNIX SOCK_STREAM 0)))
          (connect client (getsockname server))))
      (wait-until (lambda () (= count (atomic-box-ref taken))))
      (test-equal "each connection once" count (atomic-box-ref taken))
      (wait-until-asleep threads)
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
    (define begun (make-atomic-box 0))
    ;; Guile itself cannot start a thread by then.
    (define (receiver sock)
      (in-thread
       (lambda ()
         (wait-until (lambda () (atomic-box-ref full?)))
         (increase! begun)
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
       ;; They look up now and then, so nothing tells when they have begun to wait.
       (wait-until (lambda () (= 3 (atomic-box-ref begun))))
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

(test-end "wait-crowd")
