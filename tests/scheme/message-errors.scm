;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The queue of errors.
(use-modules (harness)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport))

(test-begin "message-errors")

(test-case "an unreachable port is told with its offender"
  (for-each
   (match-lambda
     ((family address level option origin)
      (let ((gone (socket family SOCK_DGRAM 0))
            (sock (socket family SOCK_DGRAM 0)))
        (bind gone family address 0)
        (let ((to (getsockname gone)))
          (close-port gone)
          (setsockopt sock level option 1)
          (test-equal "none yet" '() (receive-errors sock))
          (sendmsg sock "hello" to)
          (wait-until (lambda ()
                        (catch 'system-error
                          (lambda () (recv! sock (make-bytevector 1)
                                            MSG_DONTWAIT))
                          (lambda args
                            (= (system-error-errno args) ECONNREFUSED)))))
          (match (receive-errors sock)
            ((e)
             (test-assert "a condition" (queued-error? e))
             (test-equal "errno" ECONNREFUSED (queued-error-errno e))
             (test-equal "origin" origin (queued-error-origin e))
             (test-equal "offender" address
               (sockaddr:addr (queued-error-offender e)))
             (test-equal "type, code, info and data"
               (if (= family AF_INET) '(3 3 0 0) '(1 4 0 0))
               (list (queued-error-type e) (queued-error-code e)
                     (queued-error-info e) (queued-error-data e)))
             (test-equal "nothing else came" '() (queued-error-control e))
             (test-equal "where it was sent" to (queued-error-destination e))
             (test-equal "what was sent" (string->utf8 "hello")
               (queued-error-packet e))))
          (test-equal "drained" '() (receive-errors sock))
          (close-port sock)))))
   `((,AF_INET ,INADDR_LOOPBACK ,IPPROTO_IP ,IP_RECVERR icmp)
     (,AF_INET6 1 ,IPPROTO_IPV6 ,IPV6_RECVERR icmp6))))

(test-case "errors are read as many at a time as wanted"
  (let ((sock (socket AF_INET SOCK_DGRAM 0)) (gone (socket AF_INET SOCK_DGRAM 0)))
    (bind gone AF_INET INADDR_LOOPBACK 0)
    (setsockopt sock IPPROTO_IP IP_RECVERR 1)
    (let ((to (getsockname gone)))
      (close-port gone)
      (do ((i 0 (+ i 1))) ((= i 6))
        (catch 'system-error (lambda () (sendmsg sock "x" to)) (const #f)))
      (let* ((some (receive-errors sock 1)) (rest (receive-errors sock)))
        (test-equal "one" 1 (length some))
        (test-assert "the others" (<= 1 (length rest) 5))))
    (close-port sock)))

(test-case "sizes out of their bounds are refused before there is room for them"
  (let ((sock (socket AF_INET SOCK_DGRAM 0)))
    (for-each
     (match-lambda
       ((expected . args)
        (test-error* (format #f "~s" args) `(,@expected "receive-errors")
          (apply receive-errors sock args))))
     `(((out-of-range 3) #f -1)
       ((out-of-range 3) #f 65536)
       ((out-of-range 3) #f ,(expt 2 63))
       ((out-of-range 3) #f ,(expt 2 70))
       ((wrong-type-arg 3) #f 1.5)
       ((out-of-range 2) -1)
       ((wrong-type-arg 2) 1.5)))
    (test-equal "at the bounds" '() (receive-errors sock 0 65535))
    (close-port sock)))

(test-end "message-errors")
