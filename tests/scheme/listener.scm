;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Listening: what texts name, names of UNIX sockets, and what a service manager
;;; passes.

(use-modules (harness)
             (harness process)
             (harness socket)
             (ice-9 match)
             (srfi srfi-1)
             (sockport))

(define ipv6-loopback 1)

(test-begin "listener")

(test-case "an address as a text, an object, a port's number, a host and a port"
  (for-each
   (match-lambda
     ((name where . options)
      (call-with-ports (apply listen-on where options)
        (lambda (listeners)
          (test-assert (list name "port") (positive? (port-of (car listeners))))
          (test-assert (list name "reached")
            (reaches? AF_INET INADDR_LOOPBACK (port-of (last listeners))))))))
   `(("text" "127.0.0.1:0")
     ("object" ,(make-socket-address AF_INET INADDR_LOOPBACK 0))
     ("number" 0)
     ("host and port" "127.0.0.1" #:port 0)
     ("host's name" "localhost:0")
     ("any" "*:0")
     ("any, short" ":0")
     ("any of IPv6" "[::]:0"))))

(test-case "both families from one call"
  (call-with-ports (listen-on "*:0")
    (lambda (listeners)
      (test-equal "one socket" 1 (length listeners))
      (let ((port (port-of (car listeners))))
        (test-assert "IPv4" (reaches? AF_INET INADDR_LOOPBACK port))
        (test-assert "IPv6" (reaches? AF_INET6 ipv6-loopback port)))))
  (call-with-ports (listen-on "[::]:0" #:v6-only? #t)
    (lambda (listeners)
      (let ((port (port-of (car listeners))))
        (test-assert "not IPv4" (not (reaches? AF_INET INADDR_LOOPBACK port)))
        (test-assert "IPv6 alone" (reaches? AF_INET6 ipv6-loopback port))))))

(test-case "a name with several addresses has one port"
  (call-with-ports (listen-on "localhost:0")
    (lambda (listeners)
      (test-equal "the same" 1
        (length (delete-duplicates (map port-of listeners)))))))

(test-case "what is in use, and what is no address"
  (call-with-ports (listen-on "127.0.0.1:0")
    (lambda (listeners)
      (test-error* "in use" `(system-error ,EADDRINUSE "listen-on")
        (listen-on (getsockname (car listeners))))
      (test-error* "the second of two; the first is closed again"
        `(system-error ,EADDRINUSE "listen-on")
        (listen-on (format #f "*:~a" (port-of (car listeners)))))))
  (test-error* "a word" '(wrong-type-arg 1 "listen-on") (listen-on "word"))
  (test-error* "a symbol" '(wrong-type-arg 1 "listen-on") (listen-on 'port))
  (for-each
   (lambda (port)
     (test-error* (list "no port" port) '(out-of-range 1 "listen-on")
       (listen-on port)))
   '(65536 70000 -1 4295032896))
  (test-error* "an unknown host" '(getaddrinfo-error)
    (listen-on "no-such-host.invalid:80")))

(test-case "SO_REUSEADDR and SO_REUSEPORT"
  (call-with-ports (listen-on "127.0.0.1:0" #:reuse-port? #t)
    (lambda (first)
      (test-equal "address" 1
        (getsockopt (car first) SOL_SOCKET SO_REUSEADDR))
      (call-with-ports
          (listen-on (getsockname (car first)) #:reuse-port? #t)
        (lambda (second)
          (test-equal "port" (port-of (car first)) (port-of (car second))))))))

;;; UNIX sockets.

(define (mode-of path)
  (logand #o777 (stat:mode (stat path))))

(define (with-umask mask thunk)
  (let ((before (umask mask)))
    (dynamic-wind (const #t) thunk (lambda () (umask before)))))

(test-case "the mode of a name, whatever the umask"
  (with-temporary-directory
    (lambda (directory)
      (let ((path (string-append directory "/sock")))
        (for-each
         (match-lambda
           ((mask mode wanted)
            (with-umask mask
              (lambda ()
                (call-with-ports
                    (listen-on (string-append "unix:" path) #:mode mode)
                  (lambda (listeners)
                    (test-equal (list mask mode) wanted (mode-of path))))
                (delete-file path)))))
         '((#o022 #o600 #o600) (#o077 #o666 #o666) (#o022 #f #o755)
           (0 0 0)))))))

(test-case "the owner of a name"
  (unless (zero? (geteuid))
    (skip "needs root"))
  (with-temporary-directory
    (lambda (directory)
      (let* ((path (string-append directory "/sock"))
             (where (string-append "unix:" path))
             (nobody (getpwnam "nobody")))
        (call-with-ports
            (listen-on where #:owner "nobody" #:group (passwd:gid nobody))
          (lambda (listeners)
            (test-equal "user" (passwd:uid nobody) (stat:uid (stat path)))
            (test-equal "group" (passwd:gid nobody) (stat:gid (stat path)))))
        (delete-file path)
        (test-error* "an unknown one is refused" '(out-of-range #:owner "listen-on")
          (listen-on where #:owner "no-such-user"))
        (test-assert "and leaves no name" (not (file-exists? path)))))))

(test-case "a stale name is taken over, a live one is not"
  (with-temporary-directory
    (lambda (directory)
      (let* ((path (string-append directory "/sock"))
             (where (string-append "unix:" path)))
        (close-port (car (listen-on where)))
        (test-assert "the name is left" (file-exists? path))
        (call-with-ports (listen-on where)
          (lambda (listeners)
            (test-error* "live" `(system-error ,EADDRINUSE "listen-on")
              (listen-on where))
            (let-ports ((sock (socket AF_UNIX SOCK_STREAM 0)))
              (test-assert "still reached" (connect sock AF_UNIX path)))))
        (delete-file path)
        (call-with-output-file path (lambda (port) (display "keep" port)))
        (test-error* "a file" `(system-error ,EADDRINUSE "listen-on")
          (listen-on where))
        (test-assert "stays" (file-exists? path))))))

(test-case "an abstract name and a socket whose queue is full"
  (let ((where (format #f "unix:@sockport-~a" (getpid))))
    (call-with-ports (listen-on where #:backlog 0)
      (lambda (listeners)
        (test-error* "abstract" `(system-error ,EADDRINUSE "listen-on")
          (listen-on where)))))
  (with-temporary-directory
    (lambda (directory)
      (let ((where (string-append "unix:" directory "/sock")))
        (call-with-ports (listen-on where #:backlog 0)
          (lambda (listeners)
            (let-ports ((sock (socket AF_UNIX SOCK_STREAM 0)))
              (connect sock (getsockname (car listeners)))
              (test-error* "full" `(system-error ,EADDRINUSE "listen-on")
                (listen-on where)))))))))

;;; Socket activation.

(define activate "
import os, socket, sys
one = socket.create_server(('127.0.0.1', 0))
two = socket.socket(socket.AF_UNIX); two.bind('\\0sockport-%d' % os.getpid()); two.listen()
os.dup2(one.fileno(), 30); os.dup2(two.fileno(), 31)
os.dup2(30, 3); os.dup2(31, 4)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='web:')
os.execvp('guile', ['guile', '--no-auto-compile', '-c', sys.argv[1]])
")

(test-case "sockets that a service manager passed"
  (require-program "python3")
  (test-equal "names, families, close-on-exec; once"
    `(0 ,(format #f "~s" `((("web" . ,AF_INET) ("unknown" . ,AF_UNIX))
                           (1 1) () #f)))
    (call-with-values
        (lambda ()
          (run-program
           "python3" "-c" activate
           (format #f "~s"
                   '(begin
                      (use-modules (sockport))
                      (let ((found (listen-fds)))
                        (write
                         (list (map (lambda (pair)
                                      (cons (car pair)
                                            (sockaddr:fam
                                             (getsockname (cdr pair)))))
                                    found)
                               (map (lambda (pair) (fcntl (cdr pair) F_GETFD))
                                    found)
                               (listen-fds)
                               (getenv "LISTEN_FDS"))))))))
      list)))

(test-case "what is no socket does not lose the others"
  (require-program "python3")
  (test-equal "a FIFO among them, and one that is not open"
    '(0 "((\"fifo\" . FIFO) (\"web\" . socket))")
    (call-with-values
        (lambda ()
          (run-program
           "python3" "-c" "
import os, socket, sys
one = socket.create_server(('127.0.0.1', 0))
r, w = os.pipe()
os.dup2(one.fileno(), 30); os.dup2(r, 31)
os.dup2(31, 3); os.dup2(30, 4)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='fifo:web')
os.execvp('guile', ['guile', '--no-auto-compile', '-c', sys.argv[1]])
"
           (format #f "~s"
                   '(begin
                      (use-modules (sockport))
                      (write
                       (map (lambda (pair)
                              (cons (car pair)
                                    (if (eq? 'fifo (stat:type
                                                    (stat (cdr pair))))
                                        'FIFO
                                        'socket)))
                            (listen-fds)))))))
      list))
  (for-each
   (lambda (count)
     (setenv "LISTEN_PID" (number->string (getpid)))
     (setenv "LISTEN_FDS" count)
     (test-equal count '() (listen-fds)))
   '("" "0" "-1" "1.5" "#x1" "x")))

(test-case "sockets that were passed to another process"
  (setenv "LISTEN_PID" "1")
  (setenv "LISTEN_FDS" "1")
  (test-equal "none" '() (listen-fds)))

(test-end "listener")
