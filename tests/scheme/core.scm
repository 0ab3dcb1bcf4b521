;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The core's own procedures, once they are Sockport's: nothing here is imported but
;;; what installs them, so that each case is a program that knows nothing of Sockport.

(use-modules (harness)
             (ice-9 match)
             (ice-9 ports)
             (ice-9 rdelim)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport core)
             ((sockport task) #:select (run-tasks spawn-task))
             (srfi srfi-1))

;; The pipe that a thread sleeps by stays.
((@ (sockport deadline) with-deadline) 0
 (lambda () ((@ (sockport task) sleep) 1)) (const #f))

(test-begin "core")

(define guile (resolve-module '(guile)))

(define (bindings)
  "Return the names and values of all procedures of the core."
  (let ((found '()))
    (for-each
     (lambda (module)
       (module-for-each
        (lambda (name variable)
          (when (and (variable-bound? variable)
                     (procedure? (variable-ref variable)))
            (set! found (acons name (variable-ref variable) found))))
        module))
     (list guile (resolve-interface '(ice-9 ports))))
    found))

(define (changed before)
  "Return the names of what is not as it was BEFORE, sorted."
  (sort (delete-duplicates
         (filter-map (match-lambda*
                       (((name . old) (name . new))
                        (and (not (eq? old new)) name)))
                     before (bindings)))
        (lambda (a b) (string<? (symbol->string a) (symbol->string b)))))

(define-syntax-rule (installed body ...)
  (begin
    (install-sockport!)
    (call-with-values (lambda () body ...)
      (lambda results
        (uninstall-sockport!)
        (apply values results)))))

(define before (bindings))

(define documented
  '(accept bind close close-port connect getaddrinfo getpeername getsockname
    getsockopt inet-ntop inet-pton listen make-socket-address recv! recvfrom! send
    sendfile sendto setsockopt shutdown sleep sockaddr:addr sockaddr:fam
    sockaddr:flowinfo sockaddr:path sockaddr:port sockaddr:scopeid socket socketpair
    usleep))

(test-case "what is installed"
  (test-equal "all that is documented" '()
    (lset-difference eq? documented (installed (changed before))))
  (test-equal "what means something else is left alone" '()
    (lset-intersection eq? '(spawn dynamic-wind primitive-fork select force-output)
                       (installed (changed before))))
  (test-equal "nothing stays" '() (changed before))
  (install-sockport!)
  (let ((once (bindings)))
    (install-sockport!)
    (test-equal "twice is once" '() (changed once)))
  (uninstall-sockport!)
  (uninstall-sockport!)
  (test-equal "nor after twice" '() (changed before)))

(test-case "a binding that others have changed is theirs"
  (install-sockport!)
  (let* ((variable (module-variable guile 'inet-pton))
         (ours (variable-ref variable))
         (theirs (lambda args (apply ours args))))
    (variable-set! variable theirs)
    (uninstall-sockport!)
    (test-eq "left" theirs (variable-ref variable))
    (variable-set! variable (assq-ref before 'inet-pton))
    (test-equal "as before" '() (changed before))))

(test-case "from several threads at once"
  (for-each join-thread
            (map (lambda (i)
                   (call-with-new-thread
                    (lambda ()
                      (do ((i 0 (+ i 1))) ((= i 50))
                        (install-sockport!)
                        (uninstall-sockport!)))))
                 (iota 4)))
  (test-equal "nothing stays" '() (changed before)))

(define (listener)
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (bind sock AF_INET INADDR_LOOPBACK 0)
    (listen sock 16)
    sock))

(define (nonblocking? port)
  (logtest O_NONBLOCK (fcntl port F_GETFL)))

;;; Each of these waits for another task of the same thread: with the core's
;;; procedures it would wait for ever.

(define (serve sock count)
  (let loop ((left count))
    (unless (zero? left)
      (match (accept sock)
        ((client . address)
         (spawn-task
          (lambda ()
            (let* ((bytes (make-bytevector 100))
                   (count (recv! client bytes)))
              (sleep 0.001)
              (send client bytes 0 0 count)
              (close-port client))))
         (loop (- left 1)))))))

(define (ask address text)
  (let ((sock (socket AF_INET SOCK_STREAM 0)) (bytes (make-bytevector 100)))
    (connect sock address)
    (send sock (string->utf8 text))
    (let ((count (recv! sock bytes)) (reply (make-bytevector 4)))
      (close sock)
      (bytevector-copy! bytes 0 reply 0 count)
      (utf8->string reply))))

(test-case "a server and its clients, in the tasks of one thread"
  (let ((replies '()))
    (installed
     (run-tasks
      (lambda ()
        (let ((sock (listener)))
          (for-each (lambda (text)
                      (spawn-task
                       (lambda ()
                         (set! replies
                               (cons (ask (getsockname sock) text) replies)))))
                    '("aaaa" "bbbb" "cccc"))
          (serve sock 3)
          (close-port sock)))))
    (test-equal "all are served" '("aaaa" "bbbb" "cccc") (sort replies string<?))))

(test-case "datagrams, names and pauses let the others run"
  (test-equal "in the order in which they can" '(sent name slept "hello")
    (let ((seen '()))
      (define (note what) (set! seen (cons what seen)))
      (installed
       (run-tasks
        (lambda ()
          (let ((a (socket AF_INET SOCK_DGRAM 0)) (b (socket AF_INET SOCK_DGRAM 0))
                (bytes (make-bytevector 5)))
            (bind b AF_INET INADDR_LOOPBACK 0)
            (spawn-task (lambda ()
                          (note 'sent)
                          (getaddrinfo "127.0.0.1" "1" AI_NUMERICHOST)
                          (note 'name)
                          (sleep 0)
                          (usleep 1000)
                          (note 'slept)
                          (sendto a (string->utf8 "hello") (getsockname b))))
            (recvfrom! b bytes)
            (note (utf8->string bytes))
            (close-port a)
            (close-port b)))))
      (reverse seen))))

(test-case "sockets are in the mode that was asked for"
  (test-equal "in a task" '(#f #f #f #f #t)
    (installed
     (run-tasks
      (lambda ()
        (let* ((sock (listener))
               (client (socket AF_INET SOCK_STREAM 0))
               (pair (socketpair AF_UNIX SOCK_STREAM 0)))
          (connect client (getsockname sock))
          (let* ((accepted (car (accept sock)))
                 (modes (map nonblocking?
                             (list sock client accepted (car pair)))))
            (for-each close-port (list client accepted (car pair) (cdr pair)))
            (let ((client (socket AF_INET (logior SOCK_STREAM SOCK_NONBLOCK) 0)))
              (connect client (getsockname sock))
              (let* ((accepted (car (accept sock SOCK_NONBLOCK)))
                     (mode (nonblocking? accepted)))
                (for-each close-port (list sock client accepted))
                (append modes (list mode)))))))))))

(test-case "outside of tasks"
  (test-error* "sleep is the core's" '(wrong-type-arg #f #f)
    (installed (sleep 1/2)))
  (test-equal "so is usleep" 0 (installed (usleep 1)))
  (test-error* "of a number of C" '(out-of-range 1 "usleep")
    (installed (usleep -1)))
  (test-eqv "a thread waits" 4
    (installed
     (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
            (thread (call-with-new-thread
                     (lambda () (send (car pair) (make-bytevector 4 1)))))
            (count (recv! (cdr pair) (make-bytevector 10))))
       (join-thread thread)
       (close-port (car pair))
       (close-port (cdr pair))
       count))))

(test-case "where a task cannot be left"
  (test-equal "sleep and usleep are the core's" '(0 0)
    (installed
     (run-tasks
      (lambda ()
        (sort '(0 0) (lambda (a b) (sleep 0) (usleep 1) #f)))))))

(test-case "closing"
  (test-equal "every kind of port, once" '((#t #f) (#t #f) (#t #f) (#t #f))
    (installed
     (map (lambda (port)
            (let ((first (close-port port)))
              (list first (close-port port))))
          (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
            (close (cdr pair))
            (list (car pair)
                  (open-input-file "/dev/null")
                  (open-input-string "text")
                  (make-soft-port (vector #f #f #f (const #f) #f) "r"))))))
  (test-equal "output that is buffered is sent" "text"
    (installed
     (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
       (setvbuf (car pair) 'block)
       (display "text" (car pair))
       (close-port (car pair))
       (let ((text (read-line (cdr pair))))
         (close-port (cdr pair))
         text)))))

(test-end "core")
