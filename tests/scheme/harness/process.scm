;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Other programs as peers of the tests: started without a shell, known by
;;; their process ids, found ready by what the kernel says of them rather than
;;; by a pause, and always ended and reaped.

(define-module (harness process)
  #:use-module (harness)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 rdelim)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:export (call-with-peer
            in-path
            listening-at?
            listening-port
            peer-input
            peer-output
            peer-pid
            peer-status
            require-program
            run-program
            with-temporary-directory
            with-descriptors))

(define-record-type <peer>
  (make-peer pid input output status)
  peer?
  (pid peer-pid)
  (input peer-input)                    ; to write to its standard input
  (output peer-output)                  ; to read its standard output
  (status %peer-status set-peer-status!))

(define (in-path program)
  "Return the file name of PROGRAM, or #f."
  (search-path (parse-path (string-append (getenv "PATH") ":/usr/sbin:/sbin"))
               program))

(define (require-program program)
  (unless (in-path program)
    (skip (string-append "needs " program))))

(define (start command)
  (match command
    ((program . arguments)
     (call-with-values
         (lambda ()
           (pipeline (list (cons (or (in-path program) program) arguments))))
       (lambda (from to pids)
         (make-peer (first pids) to from #f))))))

(define (reap peer flags)
  (or (%peer-status peer)
      (match (waitpid (peer-pid peer) flags)
        ((0 . _) #f)
        ((_ . status)
         (set-peer-status! peer status)
         status))))

(define (peer-status peer)
  "Close PEER's standard input, wait for it to end, and return its status."
  (close-port (peer-input peer))
  (reap peer 0))

(define (stop peer)
  (unless (reap peer WNOHANG)
    (kill (peer-pid peer) SIGTERM)
    (unless (wait-until (lambda () (reap peer WNOHANG)) 3)
      (kill (peer-pid peer) SIGKILL)
      (reap peer 0)))
  (false-if-exception (close-port (peer-input peer)))
  (close-port (peer-output peer)))

(define (call-with-peer command proc)
  "Start COMMAND, a list of strings, call PROC with the peer, and end it."
  (let ((peer (start command)))
    (dynamic-wind
      (const #t)
      (lambda () (proc peer))
      (lambda () (stop peer)))))

(define (run-program . command)
  "Run COMMAND to its end; return its status, an exit code, and its output."
  (call-with-peer command
    (lambda (peer)
      (close-port (peer-input peer))
      (let ((output (get-string-all (peer-output peer))))
        (values (status:exit-val (reap peer 0)) output)))))

;;; Where a process listens.

(define (socket-inodes pid)
  (define directory (format #f "/proc/~a/fd" pid))
  (filter-map
   (lambda (name)
     (let ((link (false-if-exception
                  (readlink (string-append directory "/" name)))))
       (and link (string-prefix? "socket:[" link)
            (substring link 8 (- (string-length link) 1)))))
   (or (scandir directory string->number) '())))

;; The column "st" is 0A for a TCP socket that listens, 07 for a UDP socket
;; that is bound and not connected: proc_net_tcp(5).
(define tables
  '(("/proc/thread-self/net/tcp" " 0A ") ("/proc/thread-self/net/tcp6" " 0A ")
    ("/proc/thread-self/net/udp" " 07 ") ("/proc/thread-self/net/udp6" " 07 ")))

;; A table has tens of thousands of rows once other tests have left as many
;; connections in TIME_WAIT, so no row is taken apart for nothing.
(define (port-in file state inodes)
  (define (port-of row)
    (match (string-tokenize row)
      ((_ local _ st _ _ _ _ _ inode . _)
       (and (string=? st (string-trim-both state))
            (member inode inodes)
            (string->number (last (string-split local #\:)) 16)))
      (_ #f)))
  (call-with-input-file file
    (lambda (table)
      (let loop ((row (read-line table)))
        (and (not (eof-object? row))
             (or (and (string-contains row state) (port-of row))
                 (loop (read-line table))))))))

(define (port-of-any inodes)
  (and (pair? inodes)
       (any (match-lambda ((file state) (port-in file state inodes)))
            tables)))

(define (listening-port peer)
  "Wait until PEER listens for TCP, or is bound for UDP; return its port."
  (or (wait-until (lambda () (port-of-any (socket-inodes (peer-pid peer)))))
      (error "the peer does not listen" peer)))

;; A UNIX name is a file before anybody listens there.
(define (listening-at? name)
  "Does a process listen at NAME, a UNIX socket's?"
  (any (lambda (line)
         (match (string-tokenize line)
           ;; The flag __SO_ACCEPTCON: proc(5).
           ((_ _ _ "00010000" _ _ _ path) (string=? path name))
           (_ #f)))
       (string-split (call-with-input-file "/proc/net/unix" get-string-all)
                     #\newline)))

;;; Files.

(define (delete-tree name)
  (when (eq? 'directory (stat:type (lstat name)))
    (for-each (lambda (entry) (delete-tree (string-append name "/" entry)))
              (scandir name (lambda (entry) (not (member entry '("." "..")))))))
  ((if (eq? 'directory (stat:type (lstat name))) rmdir delete-file) name))

(define (with-temporary-directory proc)
  "Call PROC with the name of a new directory, and delete it afterwards."
  (let ((name (mkdtemp "/tmp/sockport-XXXXXX")))
    (dynamic-wind
      (const #t)
      (lambda () (proc name))
      (lambda () (delete-tree name)))))

(define (with-descriptors more thunk)
  "Call THUNK where no more than MORE descriptors can be opened."
  ;; The limit is on their numbers; the gaps below are filled first.
  (define-values (soft hard) (getrlimit 'nofile))
  (define lowest
    (let ((number (dup->fdes 0)))
      (close-fdes number)
      number))
  (dynamic-wind
    (lambda () (setrlimit 'nofile (+ lowest more) hard))
    thunk
    (lambda () (setrlimit 'nofile soft hard))))
