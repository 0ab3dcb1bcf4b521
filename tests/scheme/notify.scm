;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a service manager is told, by a socket that plays the manager.

(use-modules (harness) (harness process) (harness socket) (ice-9 match)
             (ice-9 receive) (ice-9 threads) (rnrs bytevectors) (srfi srfi-1)
             (sockport)
             ((sockport primitive) #:select (monotonic-ns)))

(define (manager name)
  (let ((sock (socket AF_UNIX SOCK_DGRAM 0)))
    (bind sock AF_UNIX name)
    sock))

(define-syntax-rule (with-manager (sock) body ...)
  "A socket that NOTIFY_SOCKET names, in the abstract namespace."
  (let-ports ((sock (manager "")))
    (setenv "NOTIFY_SOCKET"
            (substring (socket-address->string (getsockname sock)) 5))
    body ...
    (unsetenv "NOTIFY_SOCKET")))

(define (next sock)
  "Return the lines of the next datagram, and the ports that came with it."
  (let ((buffer (make-bytevector 4096)))
    (receive (ports message) (recv-ports sock buffer)
      (let ((bytes (make-bytevector (message-length message))))
        (bytevector-copy! buffer 0 bytes 0 (message-length message))
        (values (string-split (utf8->string bytes) #\newline) ports)))))

(define (lines sock)
  (receive (lines ports) (next sock) lines))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "notify")

(test-case "nobody to tell"
  (unsetenv "NOTIFY_SOCKET")
  (test-equal #f (notify-manager #:ready? #t #:status "x"))
  (test-equal "waits for nobody" #f (notify-manager #:barrier? #t)))

(test-case "what is told"
  (with-manager (sock)
    (for-each
     (match-lambda
       ((arguments expected)
        (test-equal arguments #t (apply notify-manager arguments))
        (test-equal expected (lines sock))))
     `(((#:ready? #t) ("READY=1"))
       ((#:stopping? #t #:status "bye") ("STOPPING=1" "STATUS=bye"))
       ((#:ready? #t #:status "größer") ("READY=1" "STATUS=größer"))
       ((#:main-pid 42) ("MAINPID=42"))
       ((#:errno ,ENOENT) ("ERRNO=2"))
       ((#:watchdog? #t) ("WATCHDOG=1"))
       ((#:extend-seconds 3/2) ("EXTEND_TIMEOUT_USEC=1500000"))
       ((#:remove ("web")) ("FDSTOREREMOVE=1" "FDNAME=web"))))
    (test-equal "nothing, to nobody" #t (notify-manager))
    (test-error* "no datagram then" (list 'system-error EAGAIN)
      (recv! sock (make-bytevector 9) MSG_DONTWAIT))))

(test-case "reloading, with the time"
  (with-manager (sock)
    (let ((before (quotient (monotonic-ns) 1000)))
      (notify-manager #:reloading? #t)
      (match (lines sock)
        (("RELOADING=1" time)
         (test-equal "MONOTONIC_USEC=" (string-take time 15))
         (test-assert "now"
           (<= before (string->number (string-drop time 15))
               (quotient (monotonic-ns) 1000))))))))

(test-case "a name in the file system"
  (with-temporary-directory
   (lambda (directory)
     (let-ports ((sock (manager (string-append directory "/notify"))))
       (setenv "NOTIFY_SOCKET" (string-append directory "/notify"))
       (notify-manager #:ready? #t)
       (test-equal '("READY=1") (lines sock)))
     (test-error* "nobody is there" (list 'system-error ECONNREFUSED)
       (notify-manager #:ready? #t))
     (setenv "NOTIFY_SOCKET" (string-append directory "/none"))
     (test-error* "no such name" (list 'system-error ENOENT)
       (notify-manager #:ready? #t))
     (setenv "NOTIFY_SOCKET" "vsock:2:1")
     (test-error* "another family" (list 'system-error EAFNOSUPPORT)
       (notify-manager #:ready? #t))
     (unsetenv "NOTIFY_SOCKET"))))

(test-case "descriptors to keep"
  (with-manager (sock)
    (let-ports ((a (tcp-listener)) (b (unix-listener)))
      (notify-manager #:ready? #t #:store `(("web" . ,a) ("admin" . ,b)))
      (for-each
       (lambda (name original)
         (receive (lines ports) (next sock)
           (test-equal (list "FDSTORE=1" (string-append "FDNAME=" name)) lines)
           (test-equal "the socket" (list (getsockname original))
             (map getsockname ports))
           (for-each close-port ports)))
       '("web" "admin") (list a b))
      (test-equal "and the rest" '("READY=1") (lines sock)))))

(test-case "a barrier waits for the manager, in a thread and in a task"
  (define (check wrap)
    (with-manager (sock)
      (let* ((returned? #f)
             (thread (begin-thread
                      (wrap (lambda () (notify-manager #:ready? #t #:barrier? #t)))
                      (set! returned? #t))))
        (test-equal "first the rest" '("READY=1") (lines sock))
        (receive (lines ports) (next sock)
          (test-equal '("BARRIER=1") lines)
          (test-equal "one descriptor" 1 (length ports))
          (wait-until-asleep (list thread))
          (test-assert "it waits" (not returned?))
          (for-each close-port ports))
        (join-thread thread)
        (test-assert "until it is closed" returned?))))
  (check (lambda (thunk) (thunk)))
  (check run-tasks))

(test-case "a deadline ends the wait at a barrier"
  (with-manager (sock)
    (test-equal 'too-long
      (with-deadline 0.05
        (lambda () (notify-manager #:barrier? #t))
        (lambda () 'too-long)))))

(test-case "what is refused"
  (with-manager (sock)
    (for-each
     (match-lambda
       ((expected . arguments)
        (test-error* arguments expected (apply notify-manager arguments))))
     `(((out-of-range #:status "notify-manager") #:status "a\nMAINPID=1")
       ((out-of-range #:status) #:status "a\x00;b")
       ((wrong-type-arg #:status) #:status 1)
       ((out-of-range #:main-pid) #:main-pid 0)
       ((wrong-type-arg #:main-pid) #:main-pid "1")
       ((out-of-range #:errno) #:errno -1)
       ((out-of-range #:extend-seconds) #:extend-seconds -1)
       ((wrong-type-arg #:store) #:store web)
       ((wrong-type-arg #:store) #:store (("web" . 7)))
       ((out-of-range #:store) #:store (("a:b" . ,sock)))
       ((out-of-range #:store) #:store ((,(make-string 256 #\a) . ,sock)))
       ((out-of-range #:store) #:store (("a\nb" . ,sock)))
       ((out-of-range #:remove) #:remove (""))
       ((wrong-type-arg #:remove) #:remove "web")))
    (test-error* "and nothing is told" (list 'system-error EAGAIN)
      (recv! sock (make-bytevector 9) MSG_DONTWAIT))))

(test-case "the watchdog"
  (define (seconds usec pid)
    (setenv "WATCHDOG_USEC" usec)
    (if pid (setenv "WATCHDOG_PID" pid) (unsetenv "WATCHDOG_PID"))
    (watchdog-seconds))
  (test-equal 30 (seconds "30000000" #f))
  (test-equal "of this process" 1/2
    (seconds "500000" (number->string (getpid))))
  (test-equal "of another" #f (seconds "500000" "1"))
  (test-equal "nonsense" '(#f #f #f)
    (map (lambda (text) (seconds text #f)) '("" "0" "-1")))
  (unsetenv "WATCHDOG_USEC")
  (unsetenv "WATCHDOG_PID")
  (test-equal "none" #f (watchdog-seconds)))

(test-end "notify")
