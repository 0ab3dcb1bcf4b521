;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Under Fibers, whatever waits suspends its fiber alone.

(use-modules (harness)
             ((harness fibers) #:hide (in-fiber))
             ((harness fibers)
              #:select ((in-fiber . in-fiber-of-its-own)))
             (harness socket)
             (harness waiting)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport))

(begin-with-fibers "fibers")

(define (run thunk)
  (in-fibers (thunk)))

(define (in-fiber thunk)
  "Run THUNK in a fiber of its own; return a thunk that says how it ended."
  (in-fiber-of-its-own thunk describe-error))

;;; The sockets are made outside, in blocking mode, and inside.

(define (for-each-way proc)
  (for-each
   (match-lambda
     ((name make waiting ending)
      (proc name
            (lambda ()
              (let ((pair (make)))
                (values (car pair) (cdr pair)
                        (lambda () (waiting (car pair) (cdr pair)))
                        (lambda () (ending (car pair) (cdr pair)))))))))
   ways))

(define (close-both a b)
  (close-port a)
  (close-port b)
  (close-queued!)
  (gc))

(define (others-run a wait! end!)
  "Does a fiber run while another one waits, and does that one end?"
  (let ((end (in-fiber wait!)) (ticks 0))
    (do ((i 0 (+ i 1))) ((= i 10))
      (fiber-sleep 0.002)
      (set! ticks (+ ticks 1)))
    (let ((waited (not (end))))
      (end!)
      (list waited ticks (until end)))))

(for-each-way
 (lambda (name make)
   (test-case (format #f "~a suspends its fiber alone" name)
     (call-with-values make
       (lambda (a b wait! end!)
         (test-equal "on a blocking socket" '(#t 10 done)
           (run (lambda () (others-run a wait! end!))))
         (test-assert "which stays so" (not (nonblocking? a)))
         (close-both a b)))
     (test-equal "on one made in a fiber" '(#t 10 done)
       (run (lambda ()
              (call-with-values make
                (lambda (a b wait! end!)
                  (let ((result (others-run a wait! end!)))
                    (close-both a b)
                    result)))))))))

(for-each-way
 (lambda (name make)
   (test-case (format #f "~a ends when another fiber closes its port" name)
     (test-equal "EBADF" (list 'system-error EBADF (symbol->string name))
       (run (lambda ()
              (call-with-values make
                (lambda (a b wait! end!)
                  (let ((end (in-fiber wait!)))
                    (fiber-sleep 0.02)
                    (close-port a)
                    (let ((result (until end)))
                      (close-both a b)
                      (match result
                        ((key errno (? symbol? who))
                         (list key errno (symbol->string who)))
                        (other other))))))))))))

(test-case "many fibers wait on one port"
  (test-equal '(8 8)
    (run (lambda ()
           (let* ((pair (unix-pair))
                  (ends (map (lambda (i)
                               (in-fiber
                                (lambda ()
                                  (recv! (car pair) (make-bytevector 1)))))
                             (iota 16))))
             (fiber-sleep 0.02)
             (send (cdr pair) "12345678")
             (until (lambda ()
                      (= 8 (length (filter (lambda (end) (end)) ends)))))
             (close-port (car pair))
             (until (lambda () (and-map (lambda (end) (end)) ends)))
             (close-port (cdr pair))
             (let ((ends (map (lambda (end) (end)) ends)))
               (list (length (filter (lambda (end) (eqv? end 1)) ends))
                     (length (filter (lambda (end)
                                       (and (pair? end) (eqv? (cadr end) EBADF)))
                                     ends)))))))))

(test-case "ten megabytes between two fibers"
  (test-equal '(10000000 10000000)
    (run (lambda ()
           (let* ((pair (unix-pair))
                  (sent (in-fiber
                         (lambda ()
                           (send (car pair) (make-bytevector 10000000 5)))))
                  (received
                   (in-fiber
                    (lambda ()
                      (recv! (cdr pair) (make-bytevector 10000000)
                             MSG_WAITALL)))))
             (until (lambda () (and (sent) (received))))
             (let ((result (list (sent) (received))))
               (close-port (car pair))
               (close-port (cdr pair))
               result))))))

(test-case "Guile's own port procedures suspend as well"
  (test-equal '(10 "a line")
    (run (lambda ()
           (let* ((pair (unix-pair))
                  (end (in-fiber (lambda () (get-line (car pair)))))
                  (ticks 0))
             (do ((i 0 (+ i 1))) ((= i 10))
               (fiber-sleep 0.002)
               (set! ticks (+ ticks 1)))
             (put-string (cdr pair) "a line\n")
             (let ((result (list ticks (until end))))
               (close-port (car pair))
               (close-port (cdr pair))
               result))))))

(test-case "connect tells its error with errno"
  (let-ports ((server (tcp-listener)))
    (let ((address (getsockname server)))
      (close-port server)
      (test-equal (list 'system-error ECONNREFUSED "connect")
        (run (lambda ()
               (let* ((client (socket AF_INET SOCK_STREAM 0))
                      (end (in-fiber (lambda () (connect client address))))
                      (result (until end)))
                 (close-port client)
                 result)))))))

(test-case "what accept makes is non-blocking, whatever is asked about exec"
  (test-equal (list #t #t)
    (run (lambda ()
           (let ((server (tcp-listener)))
             (define (accepted-mode flags)
               (let ((client (socket AF_INET SOCK_STREAM 0)))
                 (connect client (getsockname server))
                 (let* ((accepted (car (accept server flags)))
                        (mode (nonblocking? accepted)))
                   (close-port client)
                   (close-port accepted)
                   mode)))
             (let ((modes (map accepted-mode (list 0 SOCK_CLOEXEC))))
               (close-port server)
               modes))))))

(test-case "a fiber that sleeps takes no descriptor"
  (test-equal 0
    (run (lambda ()
           (let* ((before (length (descriptors)))
                  (ends (map (lambda (i) (in-fiber (lambda () (sleep 0.05))))
                             (iota 20))))
             (fiber-sleep 0.01)
             (let ((during (length (descriptors))))
               (for-each until ends)
               (- during before)))))))

(test-case "names of Fibers stay its own"
  (define (taken module)
    (filter (lambda (name)
              (and (module-variable (resolve-interface module) name)
                   (not (module-variable (resolve-interface '(guile)) name))))
            (module-map (lambda (name variable) name)
                        (resolve-interface '(sockport)))))
  (for-each (lambda (module)
              (test-equal module '() (taken module)))
            '((fibers) (fibers channels) (fibers operations)
              (fibers conditions) (fibers timers))))

(test-case "a plain thread that a fiber starts waits by itself"
  (test-equal 1
    (run (lambda ()
           (let* ((pair (unix-pair))
                  (thread (in-thread
                           (lambda ()
                             (recv! (car pair) (make-bytevector 1))))))
             (fiber-sleep 0.02)
             (send (cdr pair) "x")
             (until (lambda () (thread-exited? thread)))
             (let ((result (join-thread thread)))
               (close-port (car pair))
               (close-port (cdr pair))
               result))))))

(test-case "a deadline ends a wait"
  (let-ports ((pair (unix-pair)))
    (test-equal "recv!" 'late
      (run (lambda ()
             (with-deadline 1/20
               (lambda () (recv! (car pair) (make-bytevector 1)))
               (const 'late)))))
    (test-equal "the inner of two" '(inner 1)
      (run (lambda ()
             (with-deadline 100
               (lambda ()
                 (let ((first (with-deadline 1/20
                                (lambda () (get-u8 (car pair)))
                                (const 'inner))))
                   (send (cdr pair) "x")
                   (list first (recv! (car pair) (make-bytevector 9)))))))))))

(test-end "fibers")
