;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Look-ups and connections under Fibers: they suspend their fiber alone, and have
;;; the same values.

(use-modules (harness) (harness dns) (harness fibers) (harness socket) (ice-9 match) (sockport))

(define own-network? (in-own-network))
(begin-with-fibers "real-fibers-names"
                   (and (not own-network?) "needs root, unshare and ip"))

;; What Fibers makes once is made now; so is what a thread waits with.
(with-deadline 0 (lambda () (sleep 1)) (const #f))
(in-fibers (fiber-sleep 0.001))

;; Not cases: Fibers' own descriptors come and go with each scheduler.
(define server (name-server))

(define (suspends name expected addresses thunk)
  "Does THUNK return EXPECTED once another fiber answers its question with ADDRESSES?"
  (test-equal name expected
    (in-fibers
     (let* ((end (in-fiber thunk)) (query (next-query server)))
       ;; It would never get here if the look-up stopped the scheduler.
       (apply reply! server query addresses)
       (until end)))))

(alarm 60)
(suspends "getaddrinfo" (list address) (list address)
  (lambda ()
    (map (lambda (entry) (sockaddr:addr (addrinfo:addr entry)))
         (getaddrinfo "one.test" "80" 0 AF_INET SOCK_STREAM))))
(suspends "gethost" (list address) (list address)
  (lambda () (hostent:addr-list (gethost "two.test"))))
(suspends "getnameinfo" '("192.0.2.9" "80") '()
  (lambda ()
    (call-with-values
        (lambda ()
          (getnameinfo (make-socket-address AF_INET (+ 2 address) 80)
                       NI_NUMERICSERV))
      list)))

(test-equal "entries of files" '(80 6)
  (in-fibers (list (servent:port (getserv "http" "tcp"))
                   (protoent:proto (getproto "tcp")))))

(let* ((listener (tcp-listener)) (name (getsockname listener)))
  (test-equal "connect-to, by a name" name
    (in-fibers
     (let* ((sock (connect-to (format #f "localhost:~a" (sockaddr:port name))))
            (peer (getpeername sock)))
       (close-port sock)
       peer)))
  (test-equal "connect-to, to an address" name
    (in-fibers
     (let* ((sock (connect-to name)) (peer (getpeername sock)))
       (close-port sock)
       peer)))
  (close-port listener)
  (test-equal "one that is refused" ECONNREFUSED
    (in-fibers
     (catch 'system-error
       (lambda () (connect-to name))
       (lambda args (system-error-errno args))))))

(test-equal "a deadline ends a look-up" 'late
  (in-fibers
   (let ((end (in-fiber
               (lambda ()
                 (with-deadline 1/10
                   (lambda () (getaddrinfo "three.test" "80"))
                   (lambda () 'late))))))
     (until end))))
(alarm 0)
(close-port server)

(test-end "real-fibers-names")
