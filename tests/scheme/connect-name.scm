;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; connect-to by name: which answers of the name server it waits for.

(use-modules (harness) (harness dns) (harness socket) (ice-9 match)
             (ice-9 threads) (srfi srfi-1) (sockport))

(in-own-network)

(define A 1)
(define AAAA 28)

(define* (family-connected-to answers)
  "Connect to a name whose questions are answered as ANSWERS says, an alist from
their types to addresses in that order; return the family of the winner."
  (require-network)
  (let-ports ((server (name-server)) (six (socket AF_INET6 SOCK_STREAM 0)))
    ;; For both families.
    (bind six AF_INET6 0 0)
    (listen six 10)
    (let* ((where (format #f "host.test:~a" (sockaddr:port (getsockname six))))
           (thread (begin-thread
                    (let* ((sock (connect-to where))
                           (family (sockaddr:fam (getpeername sock))))
                      (close-port sock)
                      family)))
           (queries (map (lambda (i)
                           (let ((query (next-query server)))
                             (cons (cadr query) query)))
                         (iota 2))))
      (for-each (match-lambda
                  ((type . addresses)
                   (apply reply! server (assv-ref queries type) addresses)))
                answers)
      (let ((family (join-thread thread)))
        ;; So that no look-up is left.
        (for-each (match-lambda
                    ((type . query)
                     (unless (assv type answers) (reply! server query))))
                  queries)
        family))))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "connect-name")

(test-case "IPv6, without waiting for the other answer"
  (test-equal AF_INET6 (family-connected-to `((,AAAA 1)))))

(test-case "IPv4 when IPv6 does not come"
  (test-equal AF_INET (family-connected-to `((,A #x7f000001)))))

(test-case "IPv4 when there is no other"
  (test-equal AF_INET (family-connected-to `((,AAAA) (,A #x7f000001)))))

(test-case "IPv6 first, although its answer comes second"
  ;; But for a machine that takes 50 ms from one answer to the next.
  (test-assert "once in ten times at least"
    (any (lambda (i)
           (= AF_INET6 (family-connected-to `((,A #x7f000001) (,AAAA 1)))))
         (iota 10))))

(test-case "a late answer joins in"
  ;; 127.0.0.2 to 127.255.255.254 are this machine's as well; 240.0.0.1 is not.
  (test-equal AF_INET6 (family-connected-to `((,A #xf0000001) (,AAAA 1)))))

(test-end "connect-name")
