;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Ports of TLS: what goes through them, what is lost when a wait is ended, and how
;;; they end.

(use-modules (harness) (harness process) (harness socket) (harness task)
             (harness tls) (ice-9 binary-ports) (ice-9 match) (ice-9 rdelim)
             (ice-9 textual-ports) (ice-9 threads) (ice-9 weak-vector)
             (rnrs bytevectors) (srfi srfi-1)
             (sockport) (sockport tls))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)

(define-syntax-rule (linked proc serve option ...)
  (in-tasks (call-with-link (server-context directory) (trusting directory)
                            proc #:serve serve option ...)))

(define (bytevector-append* . all)
  (call-with-values open-bytevector-output-port
    (lambda (port get)
      (for-each (lambda (bytes) (put-bytevector port bytes)) all)
      (get))))

(define (in-pieces? all pieces)
  "Is ALL a prefix of each of PIECES, in order, with nothing between?"
  (define (run at)
    (let ((byte (bytevector-u8-ref all at)))
      (let next ((end at))
        (if (and (< end (bytevector-length all))
                 (= byte (bytevector-u8-ref all end)))
            (next (+ end 1))
            end))))
  (let next ((at 0) (last -1))
    (or (= at (bytevector-length all))
        (let ((byte (bytevector-u8-ref all at)) (end (run at)))
          (and (> byte last)
               (<= (- end at) 50000)
               (next end byte))))))

(define (open-sockets)
  (filter (lambda (fd)
            (let ((link (false-if-exception
                         (readlink (format #f "/proc/self/fd/~a" fd)))))
              (and link (string-prefix? "socket:" link))))
          (map string->number
               ((@ (ice-9 ftw) scandir) "/proc/self/fd" string->number))))

(tls-cases (directory "tls")
  (test-case "everything else does without GnuTLS"
    (call-with-values
        (lambda ()
          (run-program "guile" "--no-auto-compile" "-c"
                       "(use-modules (sockport) (sockport http) (sockport channel)
                          (sockport websocket) (sockport serve-files)
                          (ice-9 textual-ports))
                        (display (string-contains
                                  (call-with-input-file \"/proc/self/maps\"
                                    get-string-all)
                                  \"gnutls\"))"))
      (lambda (status output)
        (test-equal "not loaded" '(0 "#f") (list status output)))))

  (test-case "what goes through comes out, and what it went through is known"
    (test-equal "both ways" '("hello" #t)
      (linked (lambda (port)
                (test-equal "protocol" 'tls1.3 (tls-protocol port))
                (test-assert "cipher" (string-prefix? "TLS_" (tls-cipher port)))
                (test-equal "no protocol of the application" #f (tls-alpn port))
                (test-equal "resumed" #f (tls-resumed? port))
                (test-equal "name" "localhost" (tls-server-name port))
                (test-assert "tls-port?" (tls-port? port))
                (test-equal "no other port" #f (tls-port? (tls-socket port)))
                (test-equal "certificates" 1
                  (length (tls-peer-certificates port)))
                (ask port "hello"))
              (lambda (port)
                (test-equal "name asked for" "localhost" (tls-server-name port))
                (test-equal "no certificate" '() (tls-peer-certificates port))
                (echo port)
                #t)))
    (test-equal "a megabyte" '(#t #t)
      (let ((bytes (u8-list->bytevector (map (lambda (i) (modulo i 251))
                                             (iota 1000000)))))
        (linked (lambda (port)
                  (put-bytevector port bytes)
                  (force-output port)
                  (equal? bytes (get-bytevector-n port 1000000)))
                (lambda (port)
                  (let ((all (get-bytevector-n port 1000000)))
                    (put-bytevector port all)
                    (force-output port)
                    (equal? all bytes)))))))

  (test-case "a deadline ends handshakes, reads and writes, in tasks and threads"
    (define (expires? thunk)
      (with-deadline 1/20 (lambda () (thunk) 'done) (const 'expired)))
    (define (try name run)
      (test-equal (list name "handshake") 'expired
        (run (lambda ()
               (let-ports ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
                 (expires? (lambda ()
                             (tls-connect (car pair) "localhost"
                                          (trusting directory)))))))))
    (try "a task" (lambda (thunk) (in-tasks (thunk))))
    (try "a thread" (lambda (thunk) (thunk)))
    (test-equal "then goes on" '((expired "late" expired) #t)
      (linked (lambda (port)
                (let* ((first (expires? (lambda () (read-line port))))
                       (line (begin (say port "go") (read-line port)))
                       (bytes (make-bytevector 5000000 1)))
                  (list first line
                        (expires? (lambda ()
                                    (put-bytevector port bytes)
                                    (force-output port))))))
              (lambda (port)
                (read-line port)
                (say port "late")
                (sleep 1/5)
                (reason-of (lambda () (get-bytevector-all port)))
                #t))))

  (test-case "threads without tasks"
    (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
           (go (make-mutex))
           (context (server-context directory))
           (thread (begin (lock-mutex go)
                          (begin-thread
                           (let ((port (tls-accept (cdr pair) context)))
                             (with-mutex go
                               (say port "late"))
                             (echo port)
                             (close-port port)
                             'ended))))
           (port (tls-connect (car pair) "localhost" (trusting directory))))
      (test-equal "a deadline of a read" 'expired
        (with-deadline 1/20 (lambda () (read-line port)) (const 'expired)))
      (unlock-mutex go)
      (test-equal "what comes after it" "late" (read-line port))
      (test-equal "a deadline of a write" 'expired
        (let ((other (socketpair AF_UNIX SOCK_STREAM 0)))
          (let* ((peer (begin-thread (tls-accept (cdr other) context)))
                 (end (tls-connect (car other) "localhost"
                                   (trusting directory)))
                 (started (join-thread peer)))
            (let ((result (with-deadline 1/20
                            (lambda () (send end (make-bytevector 5000000 1)))
                            (const 'expired))))
              (close-port end)
              (close-port started)
              result))))
      (test-equal "both ways" "hello" (ask port "hello"))
      (close-port port)
      (test-equal "its end" 'ended (join-thread thread))))

  (test-case "a write that was ended, and others: nothing is lost or twice"
    (define pieces
      (list-tabulate 40 (lambda (i) (make-bytevector 50000 i))))
    (define whole (apply bytevector-append* pieces))
    (match (linked (lambda (port)
                     (let ((ended (count (lambda (bytes)
                                           (with-deadline 1/1000
                                             (lambda ()
                                               (put-bytevector port bytes)
                                               (force-output port)
                                               #f)
                                             (const #t)))
                                         pieces)))
                       (force-output port)
                       ended))
                   (lambda (port)
                     (sleep 1/10)
                     (let ((all (get-bytevector-all port)))
                       (and (in-pieces? all pieces) (bytevector-length all)))))
      ((ended count)
       (test-assert (list "some were ended" ended) (< 0 ended 41))
       (test-assert (list "a prefix of each, and others whole" count)
         (and count (<= (* 50000 (- 40 ended)) count))))))

  (test-case "an end is told from a cut"
    (define (ends-after how)
      (linked (lambda (port)
                (let* ((first (read-char port))
                       (second (reason-of (lambda () (read-char port))))
                       (third (reason-of (lambda ()
                                           (unless (eof-object? (read-char port))
                                             (error "more"))))))
                  (list first second third)))
              how))
    (define (cut port)
      (put-string port "x")
      (force-output port)
      (shutdown (tls-socket port) 2)
      #t)
    (test-equal "cut" '(#\x truncated truncated) (car (ends-after cut)))
    (test-equal "ended" '(#\x ok ok)
      (car (ends-after (lambda (port) (put-string port "x") #t))))
    (test-equal "lenient" '("x" #t)
      (in-tasks
       (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
         (let ((task (spawn-task
                      (lambda ()
                        (let ((port (tls-accept (cdr pair)
                                                (server-context directory))))
                          (cut port)
                          (close-port port))))))
           (let* ((port (tls-connect (car pair) "localhost" (trusting directory)
                                     #:lenient-eof? #t))
                  (text (get-string-all port)))
             (test-assert "again" (eof-object? (read-char port)))
             (join task)
             (close-port port)
             (list text #t))))))
    (test-equal "half an end" '("after" "before")
      (linked (lambda (port)
                (say port "before")
                (shutdown port 1)
                (read-line port))
              (lambda (port)
                (let ((line (read-line port)))
                  (test-assert "end" (eof-object? (read-char port)))
                  (say port "after")
                  line)))))

  (test-case "closing waits for nobody who takes nothing"
    (test-equal "after a write that was ended" 'closed
      (in-tasks
       (let* ((pair (socketpair AF_UNIX SOCK_STREAM 0))
              (server (spawn-task
                       (lambda ()
                         (tls-accept (cdr pair) (server-context directory)))))
              (port (tls-connect (car pair) "localhost" (trusting directory)))
              (peer (join server)))
         (with-deadline 1/50
           (lambda () (send port (make-bytevector 5000000 1)))
           (const #f))
         (let ((result (with-deadline 5
                         (lambda () (close-port port) 'closed)
                         (const 'waits))))
           (close-port (tls-socket peer))
           (close-port peer)
           result)))))

  (test-case "closing wakes who waits"
    (test-equal "the reader" EBADF
      (car (linked (lambda (port)
                     (let ((reader (spawn-task
                                    (lambda ()
                                      (reason-of (lambda () (read-char port)))))))
                       (sleep 1/50)
                       (close-port port)
                       (join reader)))
                   (lambda (port) (get-string-all port)))))
    (test-equal "the socket goes as well" #t
      (car (linked (lambda (port)
                     (close-port port)
                     (port-closed? (tls-socket port)))
                   (lambda (port) (get-string-all port))))))

  (test-case "what is dropped is closed by the collector"
    (in-tasks
     (let ((server (server-context directory)) (client (trusting directory))
           (accepted '()) (dropped (make-weak-vector 50)))
       (with-server (where (lambda (sock)
                             (set! accepted (cons sock accepted))
                             (reason-of (lambda ()
                                          (let ((port (tls-accept sock server)))
                                            (get-string-all port)
                                            (close-port port))))))
         (do ((i 0 (+ i 1))) ((= i 50))
           (weak-vector-set! dropped i
                             (tls-connect (connected where) "localhost" client)))
         (test-assert "most are gone"
           (wait-until (lambda ()
                         (gc)
                         (task-yield)
                         (< (length (open-sockets)) 10))))
         ;; The collector takes what looks like an address on a stack for one.
         (for-each (lambda (port)
                     (unless (or (not port) (port-closed? port))
                       (close-port port)))
                   (append accepted
                           (map (lambda (i) (weak-vector-ref dropped i))
                                (iota 50)))))))))
