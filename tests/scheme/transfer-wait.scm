;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the kernel's blocking calls do that those which never wait cannot: flags
;;; and options that have a transfer wait for more than the first byte.

(use-modules (harness)
             (harness socket)
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(test-begin "transfer-wait")

(define (after-a-while thunk)
  "Call THUNK in a thread, when this one has begun to wait."
  (let ((task (format #f "/proc/self/task/~a/stat" (getpid))))
    (in-thread
     (lambda ()
       (wait-until
        (lambda ()
          (string-contains (call-with-input-file task read-line) ") S ")))
       (thunk)))))

(define (bytes . numbers) (u8-list->bytevector numbers))

(test-case "looking waits for all of it where it is wanted"
  (for-each
   (match-lambda
     ((name make receive)
      (let-ports ((pair (make)))
        (let ((buffer (make-bytevector 6)))
          (send (car pair) (bytes 1 2))
          (let ((thread (after-a-while
                         (lambda () (send (car pair) (bytes 3 4 5 6))))))
            (test-equal (list name "all") 6
              (receive (cdr pair) buffer (logior MSG_PEEK MSG_WAITALL)))
            (join-thread thread))
          (test-equal (list name "its bytes") (bytes 1 2 3 4 5 6) buffer)
          (test-equal (list name "nothing was taken") 6
            (recv! (cdr pair) (make-bytevector 9)))
          (send (car pair) (bytes 7))
          (shutdown (car pair) SHUT_WR)
          (test-equal (list name "the end ends it") 1
            (receive (cdr pair) buffer (logior MSG_PEEK MSG_WAITALL)))
          (test-equal (list name "at once where it must not wait") 1
            (receive (cdr pair) buffer
                     (logior MSG_PEEK MSG_WAITALL MSG_DONTWAIT)))))))
   `(("UNIX" ,unix-pair ,recv!)
     ("TCP" ,tcp-pair ,recv!)
     ("recvfrom!" ,tcp-pair ,(compose car recvfrom!))
     ("recvmsg!" ,unix-pair ,(compose message-length recvmsg!))
     ("a task" ,tcp-pair
      ,(lambda args (run-tasks (lambda () (apply recv! args))))))))

(test-case "looking ends at SO_RCVTIMEO with what there is"
  (let-ports ((pair (tcp-pair)))
    (setsockopt (cdr pair) SOL_SOCKET SO_RCVTIMEO '(0 . 50000))
    (send (car pair) (bytes 1 2))
    (test-equal "two" 2
      (recv! (cdr pair) (make-bytevector 6) (logior MSG_PEEK MSG_WAITALL)))))

(test-case "SO_RCVLOWAT is waited for"
  (for-each
   (match-lambda
     ((name make receive)
      (let-ports ((pair (make)))
        (setsockopt (cdr pair) SOL_SOCKET SO_RCVLOWAT 4)
        (send (car pair) (bytes 1 2))
        (let* ((buffer (make-bytevector 9))
               (thread (after-a-while
                        (lambda () (send (car pair) (bytes 3 4 5))))))
          (test-equal (list name "enough") 5 (receive (cdr pair) buffer))
          (join-thread thread)
          (send (car pair) (bytes 6 7))
          (test-equal (list name "a smaller buffer") 2
            (receive (cdr pair) (make-bytevector 2)))
          (send (car pair) (bytes 8))
          (shutdown (car pair) SHUT_WR)
          (test-equal (list name "the end") 1
            (receive (cdr pair) buffer))))))
   `(("UNIX" ,unix-pair ,recv!)
     ("TCP" ,tcp-pair ,recv!)
     ("with flags" ,tcp-pair ,(lambda (sock buffer) (recv! sock buffer 0)))
     ("recvfrom!" ,unix-pair ,(compose car recvfrom!))
     ("recvmsg!" ,tcp-pair ,(compose message-length recvmsg!))
     ("a task" ,tcp-pair
      ,(lambda args (run-tasks (lambda () (apply recv! args))))))))

(test-case "SO_RCVTIMEO counts once, however often a call is woken"
  (let-ports ((pair (unix-pair)))
    (setsockopt (cdr pair) SOL_SOCKET SO_RCVTIMEO '(0 . 200000))
    (let* ((stop? #f)
           (thread (in-thread
                    (lambda ()
                      (let again ()
                        (unless stop?
                          (send (car pair) (bytes 1))
                          (usleep 20000)
                          (again))))))
           (count (recv! (cdr pair) (make-bytevector 1000) MSG_WAITALL)))
      (set! stop? #t)
      (join-thread thread)
      (test-assert "what came until then" (< 0 count 1000)))))

(test-case "Fast Open without a cookie waits for the connection"
  (for-each
   (match-lambda
     ((name send-to)
      (let-ports ((server (tcp-listener))
                  (client (socket AF_INET SOCK_STREAM 0)))
        (test-equal (list name "sent") 5
          (send-to client "hello" (getsockname server)))
        (let-ports ((accepted (car (accept server))))
          (let ((buffer (make-string 5)))
            (recv! accepted buffer MSG_WAITALL)
            (test-equal (list name "received") "hello" buffer))))))
   `(("sendto" ,(lambda (sock text to) (sendto sock text to MSG_FASTOPEN)))
     ("sendmsg" ,(lambda (sock text to)
                   (sendmsg sock text to '() MSG_FASTOPEN)))
     ("in a task" ,(lambda (sock text to)
                     (run-tasks
                      (lambda () (sendto sock text to MSG_FASTOPEN)))))
     ("connect" ,(lambda (sock text to)
                   (setsockopt sock IPPROTO_TCP TCP_FASTOPEN_CONNECT 1)
                   (connect sock to)
                   (send sock text)))))
  (let-ports ((server (tcp-listener))
              (client (socket AF_INET SOCK_STREAM 0))
              (late (socket AF_INET SOCK_STREAM 0)))
    (set-nonblocking! client #t)
    (test-error* "one that must not wait" `(system-error ,EINPROGRESS "sendto")
      (sendto client "hello" (getsockname server) MSG_FASTOPEN))
    (let ((nowhere (getsockname server)))
      (close-port server)
      (test-error* "nobody there" `(system-error ,ECONNREFUSED "sendto")
        (sendto late "hello" nowhere MSG_FASTOPEN)))))

(test-case "the mark of urgent data"
  (let-ports ((pair (tcp-pair)))
    (test-equal "none" #f (sockatmark (cdr pair)))
    (send (car pair) "ab")
    (send (car pair) "!" MSG_OOB)
    (send (car pair) "c")
    (test-assert "before it" (not (sockatmark (cdr pair))))
    (test-equal "up to it" 2 (recv! (cdr pair) (make-string 9)))
    (test-assert "at it"
      (wait-until (lambda () (sockatmark (cdr pair)))))
    (test-error* "no socket" '(wrong-type-arg 1 "sockatmark")
      (sockatmark 'sock))
    (let-ports ((ends (pipe)))
      (test-error* "a pipe" `(system-error ,ENOTTY "sockatmark")
        (sockatmark (car ends))))))

;;; Looking at what is there (MSG_PEEK) never has to wait.
(test-case "a task that moves many bytes lets the others run"
  (let ((pair (socketpair AF_UNIX SOCK_STREAM 0))
        (bytes (make-bytevector 65536 7)))
    (define turns 0)
    (define (turns-met count)
      "Look COUNT times at all that there is; in which turn of the other task each was."
      (map (lambda (_)
             (recv! (cdr pair) bytes MSG_PEEK)
             turns)
           (iota count)))
    (send (car pair) bytes)
    (let ((met (run-tasks
                (lambda ()
                  (let ((looks (spawn-task (lambda () (turns-met 20)))))
                    (while (eq? 'ready (task-state looks))
                      (set! turns (+ turns 1))
                      (task-yield))
                    (join looks))))))
      (test-assert "after 256 KiB at the latest"
        (every (lambda (turn)
                 (<= (count (lambda (other) (= turn other)) met) 4))
               met)))
    (close-port (car pair))
    (close-port (cdr pair))))

(test-case "sendto of more than a stream has room for"
  (let-ports ((pair (tcp-pair)))
    (define size 30000000)
    (match (getpeername (car pair))
      (#(_ address port)
       (let ((reader (in-thread (lambda () (get-bytevector-n (cdr pair) size)))))
         (test-equal "sent" size
           (sendto (car pair) (make-bytevector size 7) AF_INET address port))
         (test-equal "received" size (bytevector-length (join-thread reader))))))))

(test-end "transfer-wait")
