;;; SPDX-License-Identifier: LGPL-3.0-or-later
(use-modules (harness)
             (harness bulk)
             (harness socket)
             (ice-9 binary-ports)
             (ice-9 control)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport))

;; A thread's first wait opens a pipe, which must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (stream-pair) (socketpair AF_UNIX SOCK_STREAM 0))

(define (close-all . ports)
  (for-each (lambda (port)
              (unless (port-closed? port) (close-port port)))
            ports))

(define (call-with-data-file proc)
  (let ((port (mkstemp "/tmp/sockport-bulk-XXXXXX")))
    (delete-file (port-filename port))
    (put-bytevector port data)
    (force-output port)
    (proc port)
    (close-port port)))

(test-begin "bulk")

(test-case "a file is sent whole, by a socket that has to wait"
  (call-with-data-file
   (lambda (file)
     (let* ((pair (stream-pair)) (thread (reader (cdr pair))))
       (test-equal "sent" size (sendfile (car pair) file size 0))
       (shutdown (car pair) 1)
       (test-assert "the same" (bytevector=? data (join-thread thread)))
       (close-all (car pair) (cdr pair))))))

(test-case "a part of a file"
  (call-with-data-file
   (lambda (file)
     (let ((pair (stream-pair)) (buffer (make-bytevector 4)))
       (test-equal "from an offset" 4 (sendfile (car pair) file 4 100))
       (recv! (cdr pair) buffer)
       (test-equal "its bytes" (logand 700 255) (bytevector-u8-ref buffer 0))
       (test-equal "up to the end" 2
         (sendfile (car pair) (fileno file) 9 (- size 2)))
       (test-equal "nothing" 0 (sendfile (car pair) file 0))
       (close-all (car pair) (cdr pair))))))

;; On machines of 32 bits 2^29 is no fixnum.
(define (count-all sock)
  "Receive to the end without looking at it; return how much it was."
  (let ((buffer (make-bytevector 1048576)))
    (let next ((total 0))
      (match (recv! sock buffer MSG_TRUNC)
        (0 total)
        (n (next (+ total n)))))))

(test-case "more than half a gibibyte"
  (let ((file (mkstemp "/tmp/sockport-bulk-XXXXXX")) (much (+ (expt 2 29) 7)))
    (delete-file (port-filename file))
    (truncate-file file much)
    (let-ports ((pair (tcp-pair)))
      (let ((thread (in-thread (lambda () (count-all (cdr pair))))))
        (test-equal "sent" much (sendfile (car pair) file much 0))
        (shutdown (car pair) 1)
        (test-equal "arrived" much (join-thread thread))))
    (close-port file)))

(test-case "one socket is spliced to another until it ends"
  (let* ((one (stream-pair)) (two (stream-pair)) (thread (reader (cdr two)))
         (writer (call-with-new-thread
                  (lambda ()
                    (send (car one) data)
                    (shutdown (car one) 1)))))
    (test-equal "moved" size (splice (car two) (cdr one)))
    (shutdown (car two) 1)
    (test-assert "the same" (bytevector=? data (join-thread thread)))
    (join-thread writer)
    (close-all (car one) (cdr one) (car two) (cdr two))))

(test-case "waiting suspends a task"
  (call-with-data-file
   (lambda (file)
     (let ((one (stream-pair)) (two (stream-pair)) (got #f))
       (run-tasks
        (lambda ()
          (for-each (lambda (pair)
                      (set-nonblocking! (car pair) #t)
                      (set-nonblocking! (cdr pair) #t))
                    (list one two))
          (spawn-task (lambda ()
                        (splice (car two) (cdr one))
                        (shutdown (car two) 1)))
          (spawn-task (lambda () (set! got (get-bytevector-all (cdr two)))))
          (sendfile (car one) file size 0)
          (shutdown (car one) 1)))
       (test-assert "file to socket to socket" (bytevector=? data got))
       (close-all (car one) (cdr one) (car two) (cdr two))))))

(test-case "as much is spliced as wanted"
  (let ((one (stream-pair)) (two (stream-pair)) (buffer (make-bytevector 9)))
    (send (car one) "abcdef")
    (test-equal "nothing" 0 (splice (car two) (cdr one) 0))
    (test-equal "a part" 4 (splice (car two) (cdr one) 4))
    (test-equal "that part came" 4 (recv! (cdr two) buffer))
    (test-equal "the rest is there" 2 (recv! (cdr one) buffer))
    (close-all (car one) (cdr one) (car two) (cdr two))))

;; Both calls set O_NONBLOCK on both sockets for a moment.
(define (splice-to-end out in)
  (in-thread (lambda ()
               (let ((count (splice out in)))
                 (shutdown out SHUT_WR)
                 count))))

(define (echo sock)
  (in-thread (lambda ()
               (let ((buffer (make-bytevector 3000)))
                 (let loop ((count (recv! sock buffer)))
                   (unless (zero? count)
                     (send sock buffer 0 0 count)
                     (loop (recv! sock buffer))))
                 (shutdown sock SHUT_WR)))))

(test-case "threads splice both ways between the same sockets"
  (do ((i 0 (+ i 1))) ((= i 4))
    (let-ports ((one (tcp-pair)) (two (tcp-pair)))
      (let* ((there (splice-to-end (car two) (cdr one)))
             (back (splice-to-end (cdr one) (car two)))
             (peer (echo (cdr two)))
             (result (reader (car one))))
        (do ((at 0 (+ at 8192))) ((= at size))
          (send (car one) data 0 at (+ at 8192)))
        (shutdown (car one) SHUT_WR)
        (test-assert "all comes back" (equal? data (join-thread result)))
        (test-equal "counted" (list size size)
          (map join-thread (list there back)))
        (join-thread peer)
        (test-equal "and the sockets wait as before" '(#f #f)
          (map nonblocking? (list (cdr one) (car two))))))))

(define (call-with-temporary-file flags proc)
  (let ((port (mkstemp "/tmp/sockport-bulk-XXXXXX")))
    (call-with-port (open (port-filename port) flags)
      (lambda (file)
        (delete-file (port-filename port))
        (close-port port)
        (proc file)))))

(test-case "files and pipes take part at both ends"
  (let ((guile-sendfile (@ (guile) sendfile)))
    ;; Guile's own procedure is the oracle.
    (define (sent sendfile input . offset)
      "What SENDFILE returns and what it has written to a file opened for
appending, from INPUT."
      (call-with-temporary-file (logior O_RDWR O_APPEND)
        (lambda (file)
          (let ((count (apply sendfile file input 300000 offset)))
            (seek file 0 SEEK_SET)
            (list count (get-bytevector-all file))))))
    (define (from-socket sendfile number?)
      (let-ports ((pair (unix-pair)))
        (let ((sender (in-thread (lambda ()
                                   (send (car pair) data 0 0 200000)
                                   (shutdown (car pair) SHUT_WR)))))
          (let ((result (sent sendfile
                              (if number? (fileno (cdr pair)) (cdr pair)))))
            (join-thread sender)
            result))))
    (define (from-pipe sendfile number?)
      (let* ((ends (pipe))
             (writer (in-thread (lambda ()
                                  (put-bytevector (cdr ends) data 0 200000)
                                  (close-port (cdr ends)))))
             (result (sent sendfile (if number? (fileno (car ends)) (car ends)))))
        (join-thread writer)
        (close-port (car ends))
        result))
    (call-with-data-file
     (lambda (file)
       (for-each (lambda (where)
                   (seek file 100 SEEK_SET)
                   (let* ((ours (apply sent sendfile file where))
                          (position (seek file 0 SEEK_CUR)))
                     (seek file 100 SEEK_SET)
                     (test-equal "a file, as Guile's"
                       (apply sent guile-sendfile file where) ours)
                     (when (null? where)
                       (test-equal "and its position" 300100 position))))
                 '(() (2000) (3145000)))))
    (for-each (lambda (number?)
                (test-equal "a socket" (from-socket guile-sendfile number?)
                  (from-socket sendfile number?))
                (test-equal "a pipe" (from-pipe guile-sendfile number?)
                  (from-pipe sendfile number?)))
              '(#f #t))))

(test-case "sendfile takes numbers and waits for them, and sends what is buffered"
  (call-with-data-file
   (lambda (file)
     (let-ports ((pair (unix-pair)))
       (let ((thread (reader (cdr pair))))
         (test-equal "a number" size
           (sendfile (fileno (car pair)) (fileno file) size 0))
         (shutdown (car pair) SHUT_WR)
         (test-assert "the same" (equal? data (join-thread thread)))))
     (let-ports ((pair (unix-pair)))
       (setvbuf (car pair) 'block 100)
       (put-string (car pair) "length 3\n")
       (test-equal "after what was buffered" 3 (sendfile (car pair) file 3 0))
       (shutdown (car pair) SHUT_WR)
       (test-equal "in order" (string-length "length 3\n...")
         (bytevector-length (get-bytevector-all (cdr pair)))))
     (test-equal "offsets are for files" ESPIPE
       (let-ports ((pair (unix-pair)))
         (catch 'system-error
           (lambda () (sendfile (car pair) (cdr pair) 9 5))
           (lambda args (system-error-errno args))))))))

(test-case "errors leave nothing open"
  (let-ports ((one (stream-pair)) (two (stream-pair)))
    (close-port (cdr two))
    (call-with-data-file
     (lambda (file)
       (test-error* "of a file too" `(system-error ,EPIPE "sendfile")
         (sendfile (car two) file 9 0))))))

(test-case "a socket that listens takes nothing, and is not waited for"
  (let-ports ((listener (tcp-listener)) (pair (stream-pair)))
    (test-error* "both ends" `(system-error ,ENOTCONN "splice")
      (splice listener listener))
    (send (car pair) "data")
    (test-error* "the output" '(system-error) (splice listener (cdr pair)))
    (test-equal "what it did not take is still there" "data"
      (let ((back (make-string 4))) (read-string! back (cdr pair)) back))))

(test-case "bad arguments"
  (let ((pair (stream-pair)))
    (define-syntax-rule (refused (expected ...) expression)
      (test-error* (format #f "~s" 'expression) '(expected ...) expression))
    (refused (wrong-type-arg 1 "sendfile") (sendfile 'out (car pair) 1))
    (refused (wrong-type-arg 2 "sendfile") (sendfile (car pair) 'in 1))
    (refused (out-of-range 2 "sendfile") (sendfile (car pair) -1 1))
    (refused (out-of-range 3 "sendfile") (sendfile (car pair) 0 -1))
    (refused (out-of-range 3 "sendfile") (sendfile (car pair) 0 (expt 2 64)))
    (refused (wrong-type-arg 3 "sendfile") (sendfile (car pair) 0 1.5))
    (refused (out-of-range 4 "sendfile") (sendfile (car pair) 0 1 -1))
    (refused (wrong-type-arg 4 "sendfile") (sendfile (car pair) 0 1 'x))
    (refused (wrong-type-arg 2 "splice") (splice (car pair) 5))
    (refused (wrong-type-arg 1 "splice") (splice 'out (cdr pair)))
    (refused (out-of-range 3 "splice") (splice (car pair) (cdr pair) -1))
    (refused (wrong-type-arg 3 "splice") (splice (car pair) (cdr pair) 1.5))
    (refused (wrong-type-arg 4 "splice") (splice (car pair) (cdr pair) 1 'x))
    (close-all (car pair) (cdr pair))))

(test-end "bulk")
