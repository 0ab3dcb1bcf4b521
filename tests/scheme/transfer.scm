;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What recv!, send, recvfrom! and sendto move: buffers, ranges, flags, pieces.

(use-modules (harness)
             (harness socket)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 threads)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(test-begin "transfer")

(define (received sock)
  "What is there, as a list of bytes."
  (let* ((buffer (make-bytevector 100))
         (n (recv! sock buffer MSG_DONTWAIT)))
    (list-head (bytevector->u8-list buffer) n)))

(define-syntax-rule (with-pair (a b) body ...)
  (let-ports ((pair (unix-pair)))
    (let ((a (car pair)) (b (cdr pair)))
      body ...)))

(define high (string #\a (integer->char 128) (integer->char 255)))
(define wide-but-bytes
  ;; Stored wide, though every character is a byte by now.
  (let ((s (string-copy "\u0100bc")))
    (string-set! s 0 (integer->char 255))
    s))

(test-case "what can be sent"
  (with-pair (a b)
    (define (sent . args)
      (let ((n (apply send a args)))
        (list n (received b))))
    (test-equal "a bytevector" '(3 (1 2 3)) (sent #vu8(1 2 3)))
    (test-equal "a string" '(3 (97 128 255)) (sent high))
    (test-equal "a wide string of bytes" '(3 (255 98 99)) (sent wide-but-bytes))
    (test-equal "a part of a string" '(1 (128)) (sent high 0 1 2))
    (test-equal "from a start" '(2 (128 255)) (sent high 0 1))
    (test-equal "a read-only string" '(3 (115 121 109))
      (sent (symbol->string 'sym)))
    (test-equal "a substring" '(2 (98 99)) (sent (substring "abcd" 1 3)))
    (test-equal "a vector of 32-bit integers" '(8 (1 0 0 0 2 0 0 0))
      (sent (u32vector 1 2)))
    (test-error* "no character above 255" '(wrong-type-arg 2 "send")
      (send a "abc\u0100"))
    (test-error* "in the part" '(wrong-type-arg 2 "send")
      (send a "abc\u0100" 0 1))
    (test-equal "outside it, any" '(2 (97 98)) (sent "ab\u0100" 0 0 2))
    (test-equal "nothing" 0 (send a ""))
    (test-error* "and nothing else came" (list 'system-error EAGAIN)
      (received b))))

(test-case "where it can be received"
  (with-pair (a b)
    (define (receive-into buffer . args)
      (send a high)
      (let ((n (apply recv! b buffer args)))
        (catch 'system-error (lambda () (received b)) (const #f))
        (list n buffer)))
    (test-equal "a bytevector" '(3 #vu8(97 128 255 0))
      (receive-into (make-bytevector 4 0)))
    (test-equal "a part of one" '(2 #vu8(0 97 128 0))
      (receive-into (make-bytevector 4 0) 0 1 3))
    (test-equal "a string" (list 3 (string-append high "."))
      (receive-into (make-string 4 #\.)))
    (test-equal "a part of one" (list 2 ".a\x80.")
      (receive-into (make-string 4 #\.) 0 1 3))
    (test-equal "a wide string" (list 2 "\u0100a\x80\u0101")
      (receive-into (string-copy "\u0100\u0100\u0101\u0101") 0 1 3))
    (test-equal "a copy, not its literal" (list 3 (string-append high "d"))
      (receive-into (string-copy "abcd")))
    (test-equal "no room" '(0 #vu8()) (receive-into #vu8()))
    (test-equal "an empty part" '(0 #vu8(9 9))
      (receive-into (make-bytevector 2 9) 0 1 1))))

(test-case "a substring that shares its storage"
  (with-pair (a b)
    (let* ((whole (make-string 6 #\.))
           (part (substring whole 2 4)))
      (send a "xy")
      (recv! b part)
      (test-equal "is received into" "xy" part)
      (test-equal "alone" "......" whole))))

(test-case "flags"
  (with-pair (a b)
    (define buffer (make-bytevector 10 0))
    (send a "abc")
    (test-equal "MSG_PEEK" 3 (recv! b buffer MSG_PEEK))
    (test-equal "takes nothing" 3 (recv! b buffer))
    (send a "ab")
    (received b))
  (let-ports ((pair (tcp-pair)))
    (define buffer (make-bytevector 10 0))
    (send (car pair) "ab")
    (send (car pair) "!" MSG_OOB)
    (wait-until
     (lambda ()
       (eqv? 1 (catch 'system-error
                 (lambda () (recv! (cdr pair) buffer MSG_OOB))
                 (const #f)))))
    (test-equal "MSG_OOB" 33 (bytevector-u8-ref buffer 0))
    (test-equal "beside the others" 2 (recv! (cdr pair) buffer))))

(test-case "MSG_WAITALL goes on until all has come"
  (with-pair (a b)
    (define (send-in-pieces . pieces)
      (in-thread
       (lambda ()
         (for-each (lambda (piece) (usleep 10000) (send a piece)) pieces)
         'sent)))
    (let ((buffer (make-bytevector 6 0))
          (thread (send-in-pieces "ab" "c" "def")))
      (test-equal 6 (recv! b buffer MSG_WAITALL))
      (test-equal "abcdef" (utf8->string buffer))
      (join-thread thread))
    (let ((buffer (make-string 6 #\.))
          (thread (send-in-pieces "ab" "c")))
      (test-equal "in a part of a string" 3 (recv! b buffer MSG_WAITALL 1 4))
      (test-equal ".abc.." buffer)
      (join-thread thread))
    (let ((buffer (make-bytevector 4 0))
          (thread (send-in-pieces "w" "x" "yz")))
      (test-equal "recvfrom!" '(4 . #f)
        (recvfrom! b buffer MSG_WAITALL))
      (test-equal "wxyz" (utf8->string buffer))
      (join-thread thread))
    (let ((buffer (make-bytevector 9 0))
          (thread (in-thread (lambda ()
                               (send a "ab")
                               (usleep 20000)
                               (shutdown a 1)))))
      (test-equal "or the stream has ended" 2 (recv! b buffer MSG_WAITALL))
      (test-equal "then" 0 (recv! b buffer MSG_WAITALL))
      (join-thread thread))))

(test-case "MSG_WAITALL and a limit"
  (with-pair (a b)
    (setsockopt b SOL_SOCKET SO_RCVTIMEO '(0 . 50000))
    (send a "ab")
    (test-equal "what has come by then" 2
      (recv! b (make-bytevector 5) MSG_WAITALL))
    (set-nonblocking! b #t)
    (send a "abc")
    (test-equal "or at once, in non-blocking mode" 3
      (recv! b (make-bytevector 5) MSG_WAITALL))))

(define big (make-bytevector 10000000))
(do ((i 0 (+ i 1000))) ((= i 10000000))
  (bytevector-u8-set! big i (modulo (quotient i 1000) 256)))

(define (collect sock size)
  "Receive SIZE bytes, slowly at first."
  (in-thread
   (lambda ()
     (let ((all (make-bytevector size)))
       (usleep 20000)
       (let loop ((at 0))
         (if (= at size)
             all
             (match (recv! sock all 0 at)
               (0 (list 'short at))
               (n (loop (+ at n))))))))))

(test-case "ten megabytes in one call"
  (for-each
   (match-lambda
     ((name make)
      (let-ports ((pair (make)))
        (let ((thread (collect (cdr pair) 10000000)))
          (test-equal (list name 'all) 10000000 (send (car pair) big))
          (test-assert (list name 'whole)
            (bytevector=? big (join-thread thread)))))))
   `((unix ,unix-pair) (tcp ,tcp-pair)))
  (with-pair (a b)
    (let ((thread (collect b 10000000))
          (text (make-string 10000000 (integer->char 200))))
      (test-equal "a string" 10000000 (send a text))
      (test-equal "whole" 200
        (bytevector-u8-ref (join-thread thread) 9999999)))))

(test-case "ten megabytes in non-blocking mode"
  (with-pair (a b)
    (set-nonblocking! a #t)
    (let ((n (send a big)))
      (test-assert "a part" (< 0 n 10000000))
      (test-error* "and then no more" (list 'system-error EAGAIN "send")
        (send a big))
      (let* ((thread (collect b 10000000))
             (rest (let loop ((at n))
                     (if (= at 10000000)
                         at
                         (loop (+ at (catch 'system-error
                                       (lambda () (send a big 0 at))
                                       (const 0))))))))
        (test-assert "whole in the end"
          (bytevector=? big (join-thread thread)))))))

(test-case "a limit ends a long send with what has gone"
  (with-pair (a b)
    (setsockopt a SOL_SOCKET SO_SNDTIMEO '(0 . 50000))
    (test-assert "a part" (< 0 (send a big) 10000000))
    (test-error* "then nothing" (list 'system-error EAGAIN "send")
      (send a big))))

(test-case "an error after a part is met by the next call"
  (with-pair (a b)
    (let ((thread (in-thread (lambda () (usleep 30000) (close-port b)))))
      (test-assert "what has gone" (< 0 (send a big) 10000000))
      (join-thread thread)
      (test-error* "the error" (list 'system-error EPIPE "send")
        (send a big)))))

(test-case "a dead peer is an error, not a signal"
  (with-pair (a b)
    (close-port b)
    (test-error* "send" (list 'system-error EPIPE "send") (send a "x"))
    (test-error* "sendto" (list 'system-error EOPNOTSUPP "sendto")
      (let-ports ((sock (socket AF_UNIX SOCK_STREAM 0)))
        (sendto sock "x" AF_UNIX "/")))))

(test-case "datagrams"
  (let-ports ((a (socket AF_INET SOCK_DGRAM 0))
              (b (socket AF_INET SOCK_DGRAM 0)))
    (bind a AF_INET INADDR_LOOPBACK 0)
    (bind b AF_INET INADDR_LOOPBACK 0)
    (let ((to (getsockname b))
          (from (getsockname a))
          (buffer (make-bytevector 4 0)))
      (define (send-and-receive . args)
        (apply sendto a args)
        (recvfrom! b buffer))
      (test-equal "by address object" (cons 3 from) (send-and-receive "abc" to))
      (test-equal "by parts" (cons 3 from)
        (send-and-receive "abc" AF_INET INADDR_LOOPBACK (sockaddr:port to)))
      (test-equal "with flags" (cons 3 from)
        (send-and-receive "abc" AF_INET INADDR_LOOPBACK (sockaddr:port to)
                          MSG_DONTROUTE))
      (test-equal "with a range" (cons 1 from)
        (send-and-receive "abc" AF_INET INADDR_LOOPBACK (sockaddr:port to)
                          0 1 2))
      (test-equal "an object, flags and a range" (cons 2 from)
        (send-and-receive "abc" to 0 1))
      (test-equal "empty" (cons 0 from) (send-and-receive "" to))
      (test-equal "cut" (cons 4 from) (send-and-receive "abcdefgh" to))
      (sendto a "abcdefgh" to)
      (test-equal "cut, its length told" (cons 8 from)
        (recvfrom! b buffer MSG_TRUNC))
      (sendto a "abcdefgh" to)
      (let ((text (make-string 4 #\.)))
        (test-equal "into a string" (cons 8 from)
          (recvfrom! b text MSG_TRUNC 1 3))
        (test-equal "which has what fits" ".ab." text))
      (test-error* "too large" (list 'system-error EMSGSIZE "sendto")
        (sendto a big to))
      (test-error* "one datagram is one receive" (list 'system-error EAGAIN)
        (begin (sendto a "abc" to)
               (recv! b buffer 0 0 2)
               (recv! b buffer MSG_DONTWAIT))))))

(test-case "MSG_TRUNC of TCP takes bytes and stores none"
  (let-ports ((pair (tcp-pair)))
    (let ((text (string-copy "keep me")))
      (send (car pair) "abcdefg")
      (test-equal 7 (recv! (cdr pair) text MSG_TRUNC))
      (test-equal "keep me" text))))

(test-case "every family receives from every sender"
  (let-ports ((pair (unix-pair SOCK_SEQPACKET)))
    (send (car pair) "record")
    (test-equal "a record" 6 (car (recvfrom! (cdr pair) (make-string 10)))))
  (let-ports ((sock (socket AF_NETLINK SOCK_RAW 0)))
    (bind sock AF_NETLINK)
    ;; RTM_GETLINK of everything.
    (let ((request (make-bytevector 32 0))
          (buffer (make-bytevector 65536)))
      (bytevector-u32-native-set! request 0 32)
      (bytevector-u16-native-set! request 4 18)
      (bytevector-u16-native-set! request 6 #x301)
      (test-equal "sent to the kernel" 32 (sendto sock request AF_NETLINK 0 0))
      (let ((answer (recvfrom! sock buffer)))
        (test-assert "an answer" (> (car answer) 32))
        (test-equal "from the kernel" (vector AF_NETLINK 0 0) (cdr answer))))))

(test-case "data that the port has buffered is ignored"
  (with-pair (a b)
    (setvbuf b 'block 100)
    (send a "abc")
    (test-equal #\a (peek-char b))
    (send a "def")
    (test-equal 3 (recv! b (make-bytevector 10)))
    (test-equal #\a (read-char b))))

;;; What the kernel's blocking calls do that those which never wait cannot.

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
      (sockatmark 'sock))))

(test-end "transfer")
