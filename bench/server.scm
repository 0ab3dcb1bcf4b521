;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers to measure, as processes of their own: started on a free port, kept on
;;; one processor, known to listen, and ended.

(define-module (bench server)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 regex)
  #:use-module (ice-9 textual-ports)
  #:use-module (ice-9 threads)
  #:use-module (srfi srfi-1)
  #:use-module ((sockport) #:prefix skp:)
  #:export (call-with-servers
            cpu-us
            in-path?
            memory-kib
            on-processor))

(define (in-path? program)
  (search-path (parse-path (getenv "PATH")) program))

(define (on-processor number command)
  "Return COMMAND, a list of strings, kept on processor NUMBER if there are two."
  (if (and (> (total-processor-count) 1) (in-path? "taskset"))
      (cons* "taskset" "-c" (number->string number) command)
      command))

(define (free-port)
  (let* ((listener (car (skp:listen-on "127.0.0.1:0")))
         (port (skp:sockaddr:port (skp:getsockname listener))))
    (close-port listener)
    port))

(define (listens? port)
  (let* ((sock (skp:socket AF_INET SOCK_STREAM 0))
         (answer (catch 'system-error
                   (lambda () (skp:connect sock AF_INET INADDR_LOOPBACK port))
                   (const #f))))
    (close-port sock)
    answer))

(define (wait-for port tries)
  (or (listens? port)
      (and (positive? tries)
           (begin
             (usleep 20000)
             (wait-for port (- tries 1))))))

(define (thread-ns file)
  "Return the time that the thread has used of which FILE tells; it may have ended."
  (or (false-if-exception (call-with-input-file file read)) 0))

;;; In hundredths of a second, as /proc/PID/stat has it, short rounds are too coarse.
;;; The first number of schedstat is in nanoseconds, and of one thread.
(define (cpu-us pid)
  "Return the time that the threads of process PID have used, in microseconds."
  (let ((threads (format #f "/proc/~a/task" pid)))
    (quotient
     (apply + (map (lambda (thread)
                     (thread-ns (string-append threads "/" thread "/schedstat")))
                   (scandir threads (lambda (name) (string-match "^[0-9]+$" name)))))
     1000)))

(define (memory-kib pid)
  "Return the resident size of process PID, in KiB."
  (let ((text (call-with-input-file (format #f "/proc/~a/status" pid)
                get-string-all)))
    (string->number
     (car (string-tokenize (substring text (+ 6 (string-contains text "VmRSS:"))))))))

(define (start-server command port)
  (call-with-values
      (lambda () (pipeline (list (on-processor 0 (command port)))))
    (lambda (from to pids)
      (let ((process (list from to (first pids))))
        (or (and (wait-for port 250) process)
            (begin
              (stop-server process)
              #f))))))

(define (stop-server process)
  (match process
    ((from to pid)
     (kill pid SIGKILL)
     (waitpid pid)
     (close-port from)
     (close-port to))))

(define (call-with-servers commands proc)
  "Start the servers of COMMANDS, an alist from names to procedures that return a
command for a port, and call PROC with a list for each that listens: its name, its
port and its process."
  (let* ((started (filter-map
                   (match-lambda
                     ((name . command)
                      (let* ((port (free-port))
                             (process (start-server command port)))
                        (and process (list name port process)))))
                   commands)))
    (dynamic-wind
      (const #t)
      (lambda ()
        (proc (map (match-lambda ((name port (_ _ pid)) (list name port pid)))
                   started)))
      (lambda ()
        (for-each (match-lambda ((_ _ process) (stop-server process)))
                  started)))))
