;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; 100,000 connections of TLS, or as many as SOAK_SECONDS allow, half of which are left
;;; to the collector: descriptors and memory stay as they are.

(add-to-load-path (string-append (getenv "SOCKPORT_SOURCE") "/tests/scheme"))
(use-modules (harness tls) (ice-9 ftw) (ice-9 rdelim) (sockport) (sockport tls))

(define seconds (string->number (or (getenv "SOAK_SECONDS") "600")))
(define end (+ (current-time) seconds))
(define total 100000)
(define at-once 20)
(define first-look 5000)

(define (descriptors)
  (length (scandir "/proc/self/fd" string->number)))

(define (resident-kb)
  (gc)
  (gc)
  (* 4 (call-with-input-file "/proc/self/statm"
         (lambda (port) (read port) (read port)))))

(define (settled-descriptors most)
  "Return how many there are once the collector has closed what was left, or when it
has been asked to a hundred times."
  (let next ((left 100))
    (run-tasks (lambda () (task-yield)))
    (gc)
    (let ((count (descriptors)))
      (if (or (<= count most) (zero? left))
          count
          (next (- left 1))))))

(define (one-connection server client left?)
  (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
         (far (spawn-task
               (lambda ()
                 (let ((port (tls-accept (cdr pair) server)))
                   (say port (read-line port))
                   (unless left? (close-port port))))))
         (port (tls-connect (car pair) "localhost" client)))
    (unless (string=? "hello" (ask port "hello"))
      (format #t "not ok something else came~%")
      (exit 1))
    (join far)
    (unless left? (close-port port))))

(define (some-connections server client)
  (run-tasks
   (lambda ()
     (with-task-group
      (lambda (group)
        (do ((i 0 (+ i 1))) ((= i at-once))
          (spawn-task (lambda () (one-connection server client (odd? i)))
                      #:group group)))))))

(call-with-authority
 (lambda (directory)
   (let ((server (server-context directory)) (client (trusting directory)))
     (define (connections done until)
       (cond ((or (>= done until) (>= (current-time) end)) done)
             (else
              (some-connections server client)
              (let ((done (+ done at-once)))
                (when (zero? (modulo done 500))
                  (gc)
                  (format #t "progress ~a ~a~%" done total)
                  (force-output))
                (connections done until)))))
     (let* ((early (connections 0 first-look))
            (fds (settled-descriptors 40))
            (memory (resident-kb))
            (done (connections early total))
            (fds-now (settled-descriptors fds))
            (memory-now (resident-kb)))
       (format #t "# ~a connections, ~a then ~a descriptors, ~a then ~a kB~%"
               done fds fds-now memory memory-now)
       ;; The collector takes what looks like an address on a stack for one.
       (when (> fds-now (+ fds 20))
         (format #t "not ok descriptors ~a ~a~%" fds fds-now))
       (when (> memory-now (+ memory 16384))
         (format #t "not ok memory ~a ~a kB~%" memory memory-now))
       (exit (if (or (> fds-now (+ fds 20)) (> memory-now (+ memory 16384)))
                 1
                 0))))))
