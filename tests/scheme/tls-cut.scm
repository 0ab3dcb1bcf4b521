;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Connections that are cut, or whose tasks are cancelled, after so many bytes: in
;;; handshakes, requests and answers.  Each side gets an error, never an end that was
;;; not told, and no descriptor is left.

(use-modules (harness) (harness tls) (ice-9 match) (ice-9 textual-ports)
             (rnrs bytevectors) (srfi srfi-1) (sockport) (sockport tls))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)

(define (end-quietly sock)
  (false-if-exception (shutdown sock SHUT_RDWR)))

;;; COUNT is how many bytes may still pass, of both directions; (OVER) is called when
;;; there are no more.
(define (carry! from to count over)
  (let ((bytes (make-bytevector 16384)))
    (let next ()
      (let* ((got (catch 'system-error
                    (lambda () (recv! from bytes))
                    (const 0)))
             (some (min got (vector-ref count 0))))
        (vector-set! count 0 (- (vector-ref count 0) some))
        (when (positive? some)
          (false-if-exception (send to bytes 0 0 some)))
        (cond ((zero? got) (false-if-exception (shutdown to SHUT_WR)))
              ((< some got) (over))
              (else (next)))))))

(define* (reason thunk)
  (with-exception-handler
      (lambda (exception)
        (cond ((task-cancelled? exception) 'cancelled)
              ((tls-error? exception) (tls-error-reason exception))
              (else (exception-kind exception))))
    thunk
    #:unwind? #t))

(define (talk port text)
  "Say TEXT and the end; return `whole' if the other says the same."
  (put-string port text)
  (force-output port)
  (shutdown port 1)
  (let ((other (get-string-all port)))
    (close-port port)
    (if (string=? text other) 'whole (list 'other (string-length other)))))

(define (with-socket sock thunk)
  "Return what THUNK does; SOCK is closed in the end."
  (call-with-cleanup thunk
    (lambda () (unless (port-closed? sock) (close-port sock)))))

(define (try server client most over)
  "Let MOST bytes pass between a client and a server, then call (OVER tasks sockets).
Return how both have ended, and how many bytes might have passed besides."
  (run-tasks
   (lambda ()
     (let* ((a (socketpair AF_UNIX SOCK_STREAM 0))
            (b (socketpair AF_UNIX SOCK_STREAM 0))
            (count (vector most))
            (text (make-string 3000 #\a))
            (tasks
             (list
              (spawn-task
               (lambda ()
                 (reason
                  (lambda ()
                    (with-socket (car a)
                      (lambda ()
                        (talk (tls-connect (car a) "localhost" client)
                              text)))))))
              (spawn-task
               (lambda ()
                 (reason
                  (lambda ()
                    (with-socket (car b)
                      (lambda () (talk (tls-accept (car b) server) text)))))))))
            (between (list (cdr a) (cdr b)))
            (carriers
             (map (lambda (from to)
                    (spawn-task
                     (lambda ()
                       (carry! from to count
                               (lambda () (over tasks between))))))
                  between (reverse between)))
            (ends (map join tasks)))
       (for-each end-quietly between)
       (for-each join carriers)
       (for-each close-port between)
       (append ends (list (vector-ref count 0)))))))

(define (cut tasks sockets)
  (for-each end-quietly sockets))

(define (cancel-both tasks sockets)
  (for-each cancel! tasks))

(define far 1000000)

(define (passed server client)
  "How many bytes pass when nothing is cut."
  (match (try server client far cut)
    (('whole 'whole left) (- far left))))

(define (each-point total step proc)
  (let next ((most 0))
    (when (< most total)
      (proc most)
      (next (+ most step)))))

(tls-cases (directory "tls-cut")
  (test-case "cut after any number of bytes"
    (let* ((server (server-context directory))
           (client (trusting directory #:resume? #f))
           (total (passed server client))
           (wrong '()))
      (test-assert (list "much passes" total) (> total 6000))
      ;; The last bytes are one side's end, which the other has said before.
      (each-point (- total 100) 53
        (lambda (most)
          (match (try server client most cut)
            ((ours theirs left)
             (unless (every (lambda (end)
                              (memq end '(whole truncated system-error alert)))
                            (list ours theirs))
               (set! wrong (acons most (list ours theirs) wrong)))
             (when (equal? '(whole whole) (list ours theirs))
               (set! wrong (acons most 'both wrong)))))))
      (test-equal "each is an error" '() wrong)))

  (test-case "cancelled after any number of bytes"
    (let* ((server (server-context directory))
           (client (trusting directory #:resume? #f))
           (total (passed server client))
           (wrong '()))
      (each-point (- total 100) 97
        (lambda (most)
          (match (try server client most cancel-both)
            ((ours theirs left)
             (unless (every (lambda (end)
                              (memq end '(whole cancelled truncated
                                          system-error)))
                            (list ours theirs))
               (set! wrong (acons most (list ours theirs) wrong)))
             (unless (memq 'cancelled (list ours theirs))
               (set! wrong (acons most (list ours theirs 'none) wrong)))))))
      (test-equal "cancelled, and the other sees a cut" '() wrong)))

  (test-case "what is no TLS, and what GnuTLS says of it"
    (define (said bytes)
      (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
        (send (cdr pair) bytes)
        (close-port (cdr pair))
        (catch 'tls-error
          (lambda () (tls-accept (car pair) (server-context directory)))
          (lambda (key who message irritants . rest)
            (cons (tls-error-reason (cons* key who message irritants rest))
                  (apply format #f message irritants))))))
    (for-each
     (match-lambda
       ((name bytes . part)
        (match (said bytes)
          ((reason . text)
           (test-equal name 'protocol reason)
           (test-assert (list name text) (string-contains text part))))))
     '(("data first" #vu8(23 3 1 0 1 0)
        . "what the peer sends is not TLS, or breaks its rules: An unexpected TLS packet was received.")
       ("no message of a handshake" #vu8(22 3 1 0 4 2 0 0 0)
        . "An unexpected TLS handshake packet was received.")
       ("too long" #vu8(22 3 1 255 255 1) . "invalid length")))
    (test-equal "nothing to add" '(truncated . "the connection ended without a notice")
      (said #vu8(22 3 1))))

  (test-case "many that fail leave nothing"
    (let* ((server (server-context directory))
           (client (trusting directory #:resume? #f)))
      (define (round most)
        (run-tasks
         (lambda ()
           (map join
                     (map (lambda (i)
                            (spawn-task
                             (lambda ()
                               (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
                                 (send (cdr pair) (make-bytevector most 22))
                                 (close-port (cdr pair))
                                 (reason (lambda ()
                                           (tls-accept (car pair) server)))))))
                          (iota 50))))))
      (test-equal "no TLS, or an end" '(truncated version)
        (list (car (round 0)) (car (round 100)))))))
