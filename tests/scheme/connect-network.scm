;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; connect-to in networks of several kinds: where only loopback is, where IPv6 is
;;; not, where routes refuse, and where packets vanish.

(use-modules (harness) ((harness dns) #:hide (address))
             (harness namespace) (harness socket)
             (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (sockport))

(in-own-network)

(define (address text) (string->socket-address text))
(define (text address) (socket-address->string address))

(define (listen-at family)
  (let ((sock (socket family SOCK_STREAM 0)))
    (bind sock family 0 0)
    (listen sock 1000)
    sock))

(define (peer-of sock)
  (let ((name (text (getpeername sock))))
    (close-port sock)
    name))

(define (port-of listener) (sockaddr:port (getsockname listener)))

;;; proc_net_tcp(5): the state is the fourth word.
(define (connecting-sockets)
  "Return how many TCP sockets of this namespace wait for an answer."
  (count (lambda (line)
           (match (string-tokenize line)
             ((_ _ _ "02" . _) #t)
             (_ #f)))
         (append-map (lambda (file)
                       (string-split (call-with-input-file file get-string-all)
                                     #\newline))
                     '("/proc/thread-self/net/tcp" "/proc/thread-self/net/tcp6"))))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "connect-network")

(test-case "where there is only loopback"
  (require-network)
  (let-ports ((listener (listen-at AF_INET6)))
    (for-each
     (lambda (host)
       (test-assert host
         (string? (peer-of (connect-to (format #f "~a:~a" host
                                               (port-of listener)))))))
     '("localhost" "127.0.0.1" "[::1]"))))

(test-case "where there is no IPv6"
  (require-network)
  (set-sysctl! "net/ipv6/conf/all/disable_ipv6" 1)
  (dynamic-wind
    (const #t)
    (lambda ()
      (let-ports ((listener (listen-at AF_INET)))
        (for-each
         (lambda (host)
           (test-equal host (format #f "127.0.0.1:~a" (port-of listener))
             (peer-of (connect-to (format #f "~a:~a" host
                                          (port-of listener))))))
         '("localhost" "127.0.0.1"))))
    (lambda () (set-sysctl! "net/ipv6/conf/all/disable_ipv6" 0))))

(define (told-while-connecting . arguments)
  "Return the peer that connect-to reaches with ARGUMENTS, and what it told."
  (let* ((told '())
         (peer (peer-of (apply connect-to
                               (append arguments
                                       (list #:on-attempt
                                             (lambda (address errno)
                                               (set! told
                                                     (cons (cons (text address)
                                                                 errno)
                                                           told)))))))))
    (cons peer (reverse told))))

(test-case "routes that refuse IPv6"
  (require-network)
  (let-ports ((listener (listen-at AF_INET)))
    (define there (format #f "127.0.0.1:~a" (port-of listener)))
    (for-each
     (match-lambda
       ((kind errno)
        (ip "-6" "route" "add" kind "2001:db8::/32")
        (test-equal kind
          `(,there ("[2001:db8::1]:9" . #f) ("[2001:db8::1]:9" . ,errno)
                   (,there . #f))
          (told-while-connecting (list "[2001:db8::1]:9" there)))
        (test-equal (list kind "alone") errno
          (catch 'system-error
            (lambda () (connect-to "[2001:db8::1]:9"))
            (lambda args (system-error-errno args))))
        (ip "-6" "route" "del" kind "2001:db8::/32")))
     `(("unreachable" ,EHOSTUNREACH) ("prohibit" ,EACCES)
       ("blackhole" ,EINVAL)))))

;;; A cable at whose other end there is nobody.
(define (make-black-hole)
  (ip "link" "add" "hole" "type" "veth" "peer" "name" "nowhere")
  (ip "link" "set" "hole" "up")
  (ip "link" "set" "nowhere" "up")
  (ip "addr" "add" "192.0.2.1/24" "dev" "hole")
  (ip "addr" "add" "2001:db8::1/64" "dev" "hole" "nodad")
  (for-each (lambda (host)
              (ip "neigh" "add" host "lladdr" "02:00:00:00:00:09" "dev" "hole"))
            '("192.0.2.8" "192.0.2.9" "2001:db8::8" "2001:db8::9")))

(test-case "addresses that do not answer"
  (require-network)
  (make-black-hole)
  (let-ports ((listener (listen-at AF_INET)))
    (define there (format #f "127.0.0.1:~a" (port-of listener)))
    (test-equal "the other family is tried meanwhile"
      `(,there ("[2001:db8::8]:9" . #f) (,there . #f))
      (told-while-connecting (list "[2001:db8::8]:9" there) #:delay 1/20))
    (test-equal "nothing goes on afterwards" 0 (connecting-sockets))
    (test-equal "families take turns, and nobody is given up early"
      `(,there ("[2001:db8::8]:9" . #f) ("192.0.2.8:9" . #f)
               ("[2001:db8::9]:9" . #f) ("192.0.2.9:9" . #f) (,there . #f))
      (told-while-connecting (list "[2001:db8::8]:9" "[2001:db8::9]:9"
                                   "192.0.2.8:9" "192.0.2.9:9" there)
                             #:delay 1/20))
    (test-equal "nothing" 0 (connecting-sockets))))

(test-case "five hundred that are cancelled or too late leave nothing"
  (require-network)
  (run-tasks
   (lambda ()
     (define targets '("[2001:db8::8]:9" "192.0.2.8:9"))
     (define (late)
       (with-deadline 1/20
         (lambda () (connect-to targets #:delay 1/100))
         (lambda () 'late)))
     (define tasks (map (lambda (i) (spawn-task late)) (iota 250)))
     (define others
       (map (lambda (i)
              (spawn-task (lambda () (connect-to targets #:delay 1/100))))
            (iota 250)))
     (test-equal "late" '(late) (delete-duplicates (map join tasks)))
     (test-assert "the others go on" (<= 250 (connecting-sockets)))
     (for-each cancel! others)
     (test-equal "cancelled" '(cancelled)
       (delete-duplicates
        (map (lambda (task)
               (false-if-exception (join task))
               (task-state task))
             others)))))
  (test-equal "nothing goes on" 0 (connecting-sockets)))

(test-end "connect-network")
