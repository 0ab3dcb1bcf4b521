;;; SPDX-License-Identifier: LGPL-3.0-or-later
(use-modules (harness)
             (harness message)
             (harness socket)
             (ice-9 match)
             (ice-9 receive)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(test-begin "message-rights")

(test-case "ports pass and are of the right kind"
  (with-pair (SOCK_STREAM near far)
    (let ((file (open-input-file "/etc/passwd"))
          (directory (own-descriptor (open-fdes "/" O_RDONLY))))
      (send-ports near (list file near directory) "abc")
      (receive (ports message) (recv-ports far (make-bytevector 3))
        (match ports
          ((a b c)
           (test-equal "a file" "root" (get-string-n a 4))
           (test-equal "a socket" 1 (send b "!"))
           (test-assert "a directory" (descriptor? c))))
        (test-assert "close-on-exec"
          (every (lambda (port)
                   (= FD_CLOEXEC
                      (fcntl (if (port? port) (fileno port)
                                 (descriptor-fileno port))
                             F_GETFD)))
                 ports))
        (close-received message))
      (close-port file)
      (close-descriptor directory))))

(test-case "where descriptors would vanish they are refused"
  (define (udp-socket)
    (let ((sock (socket AF_INET SOCK_DGRAM 0)))
      (bind sock AF_INET INADDR_LOOPBACK 0)
      (connect sock (getsockname sock))
      sock))
  (define (nothing-came? sock)
    (catch 'system-error
      (lambda () (recv! sock (make-bytevector 9) MSG_DONTWAIT) #f)
      (lambda args (= EAGAIN (system-error-errno args)))))
  (let-ports ((udp (udp-socket)) (tcp (tcp-pair)))
    (for-each
     (lambda (near far)
       (test-error* "by send-ports" '(wrong-type-arg 1 "send-ports")
         (send-ports near (list near) "abc"))
       (for-each
        (lambda (control)
          (test-error* "and by sendmsg" `(system-error ,EOPNOTSUPP "sendmsg")
            (sendmsg near "abc" #f (list control))))
        (list (control-message 'rights (list near))
              (control-message 'credentials
                               (vector (getpid) (getuid) (getgid)))))
       (test-assert "nothing was sent" (nothing-came? far)))
     (list udp (car tcp))
     (list udp (cdr tcp)))))

(test-case "errors name send-ports and its positions"
  (with-pair (SOCK_STREAM near far)
    (define-syntax-rule (refused expected expression)
      (test-error* (format #f "~s" 'expression) 'expected expression))
    (refused (wrong-type-arg 1 "send-ports") (send-ports 'sock (list near)))
    (refused (wrong-type-arg 2 "send-ports") (send-ports near near))
    (refused (wrong-type-arg 2 "send-ports") (send-ports near '(a)))
    (refused (wrong-type-arg 3 "send-ports") (send-ports near '() 'abc))
    (refused (wrong-type-arg 3 "send-ports")
             (send-ports near '() '(("abc" x y))))
    (refused (out-of-range 4 "send-ports") (send-ports near '() "abc" -1))
    (refused (wrong-type-arg 5 "send-ports") (send-ports near '() "abc" 0 'x))
    (refused (wrong-type-arg 1 "recv-ports") (recv-ports 'sock))
    (refused (wrong-type-arg 2 "recv-ports") (recv-ports near 'buffer))
    (refused (out-of-range 3 "recv-ports") (recv-ports near "" -1))
    (refused (out-of-range 4 "recv-ports") (recv-ports near "" 0 -1))
    (refused (wrong-type-arg 1 "receive-errors") (receive-errors 'sock))
    (close-port far)
    (test-error* "the system's as well" `(system-error ,EPIPE "send-ports")
      (send-ports near (list near)))))

(test-case "any number of ports"
  (for-each
   (lambda (type)
     (with-pair (type near far)
       (for-each
        (lambda (count)
          (send-ports near (make-list count near) "x")
          (receive (ports message) (recv-ports far)
            (test-equal (format #f "~a ports" count) count (length ports))
            (close-received message)))
        '(0 1 4 253))
       (test-error* "254" '(system-error 22 "send-ports")
         (send-ports near (make-list 254 near) "x"))
       (test-error* "2 x 127" '(system-error 22 "sendmsg")
         (sendmsg near "x" #f (append (apply rights (make-list 127 near))
                                      (apply rights (make-list 127 near)))))
       (test-error* "nothing was sent" '(system-error 11)
         (recv! far (make-bytevector 1) MSG_DONTWAIT))))
   (list SOCK_STREAM SOCK_DGRAM SOCK_SEQPACKET)))

(test-case "two lists of ports in one message"
  (with-pair (SOCK_STREAM near far)
    (sendmsg near "x" #f (append (rights near) (rights near far)))
    (receive (ports message) (recv-ports far)
      (test-equal "all" 3 (length ports))
      (close-received message))))

(test-case "ports without data"
  (for-each
   (lambda (type)
     (with-pair (type near far)
       (test-equal "no bytes" 0 (send-ports near (list near)))
       (receive (ports message) (recv-ports far)
         (test-equal "one port" 1 (length ports))
         (close-received message))
       (test-error* "nothing is left" '(system-error 11)
         (recv! far (make-bytevector 1) MSG_DONTWAIT))))
   (list SOCK_STREAM SOCK_DGRAM SOCK_SEQPACKET))
  (with-pair (SOCK_STREAM near far)
    (test-error* "they would be lost" '(system-error 22 "sendmsg")
      (sendmsg near "" #f (rights near)))))

(test-case "looking at ports makes ports of their own"
  (with-pair (SOCK_STREAM near far)
    (send-ports near (list near far))
    (for-each
     (lambda (flags)
       (receive (ports message) (recv-ports far (make-bytevector 1) flags)
         (test-equal "two" 2 (length ports))
         (close-received message)))
     (list MSG_PEEK MSG_PEEK 0))))

(test-case "ports that nobody takes are closed with the socket"
  (with-pair (SOCK_STREAM near far)
    (send-ports near (list near far) "abc")
    (test-equal "received without looking" 3 (recv! far (make-bytevector 9)))))

(test-case "dropped ports are closed"
  (with-pair (SOCK_STREAM near far)
    (let ((before (length (descriptors))))
      (dropping
       (lambda ()
         (send-ports near (list near far (open-input-file "/etc/passwd")))
         (recv-ports far)))
      (test-assert "in time"
        (wait-until (lambda ()
                      (gc)
                      (= before (length (descriptors)))))))))

(test-case "ports that do not fit"
  (with-pair (SOCK_STREAM near far)
    (for-each
     (lambda (room count)
       (send-ports near (make-list 4 near) "abc")
       (test-equal (format #f "~a bytes of room" room) (list 3 count)
         (catch 'control-cut
           (lambda () (recv-ports far (make-bytevector 9) 0 room))
           (lambda (key who text arguments data)
             (list (message-length (first data)) (second data))))))
     `(0 1 ,@(map (lambda (more) (+ control-header more)) '(-1 0 1 4 8 15)))
     '(0 0 0 0 0 1 2 3))
    (test-error* "raised" '(control-cut #f "recv-ports")
      (begin
        (send-ports near (make-list 4 near))
        (recv-ports far (make-bytevector 9) 0 control-header)))
    (send-ports near (make-list 4 near))
    (let ((message (recvmsg! far (make-bytevector 9) 0 65536)))
      (test-equal "64 KiB of room" 4
        (length (control-ref (message-control message) 'rights)))
      (close-received message))))

(test-case "a full descriptor table"
  (with-pair (SOCK_STREAM near far)
    (send-ports near (make-list 8 near) "abc")
    (receive (soft hard) (getrlimit 'nofile)
      (let* ((first (dup->fdes near))
             (dummy (close-fdes first))
             (result (begin
                       (setrlimit 'nofile (+ first 3) hard)
                       (recvmsg! far (make-bytevector 9)))))
        (setrlimit 'nofile soft hard)
        (test-equal "what came" '(3 #t 3)
          (list (message-length result) (message-control-cut? result)
                (length (control-ref (message-control result) 'rights))))
        (close-received result)))))

(test-case "a process of which no descriptor can be made"
  (with-pair (SOCK_STREAM near far)
    (unless (false-if-exception
             (begin (setsockopt far SOL_SOCKET SO_PASSPIDFD 1) #t))
      (skip "a kernel without SO_PASSPIDFD"))
    (send near "x")
    (receive (soft hard) (getrlimit 'nofile)
      (let* ((first (dup->fdes near))
             (dummy (close-fdes first))
             (result (begin
                       (setrlimit 'nofile first hard)
                       (recvmsg! far (make-bytevector 9)))))
        (setrlimit 'nofile soft hard)
        (test-equal "the message comes, without one" '(1 (#f))
          (list (message-length result)
                (control-ref (message-control result) 'pidfd 'none)))))))

(test-end "message-rights")
