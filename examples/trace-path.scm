;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The routers on the way to a host, without privileges: a datagram that may cross
;;; one network, one that may cross two, and so on; who refuses each is told by the
;;; ICMP error, which the kernel keeps in the socket's queue of errors.

(use-modules (ice-9 format)
             (ice-9 exceptions)
             (ice-9 match)
             (sockport))

(define port 33434)                     ; where nobody listens, by custom
(define patience 3)                     ; seconds

(define (family-of host)
  (if (string-index host #\:) AF_INET6 AF_INET))

(define (numeric family host)
  (or (false-if-exception (inet-pton family host))
      (error "This is no numeric address:" host)))

(define (path-socket host)
  (let* ((family (family-of host))
         (sock (socket family SOCK_DGRAM 0)))
    (set-socket-option! sock
                        (if (= family AF_INET) 'ip-recverr 'ipv6-recverr)
                        #t)
    (set-socket-option! sock 'rcvtimeo patience)
    (connect sock family (numeric family host) port)
    sock))

(define (set-hops! sock hops)
  (set-socket-option! sock
                      (if (= AF_INET (socket-option sock 'domain))
                          'ip-ttl
                          'ipv6-unicast-hops)
                      hops))

(define (who address)
  "The host of ADDRESS, an address object or #f."
  (if address
      (inet-ntop (sockaddr:fam address) (sockaddr:addr address))
      "this machine"))

(define (next-error sock)
  "Wait for an ICMP error and take it from the queue; #f when none came in time,
`answered' when a datagram came instead."
  ;; The error makes recv! fail at once, with its errno; what else is known of it
  ;; stays in the queue until it is taken from there.
  (match (catch 'system-error
           (lambda () (recv! sock (make-string 1)) 'answered)
           (lambda args (receive-errors sock)))
    ((error . _) error)
    (() #f)
    ('answered 'answered)))

(define (try sock hops)
  "Send a datagram that may cross HOPS networks; return what came of it."
  (set-hops! sock hops)
  (send sock "Who is there?")
  (next-error sock))

(define (describe error)
  (match error
    (#f "*")
    ('answered "the host answers")
    (_ (format #f "~a  ~a (~a, type ~a, code ~a)"
               (who (queued-error-offender error))
               (strerror (queued-error-errno error))
               (queued-error-origin error)
               (queued-error-type error)
               (queued-error-code error)))))

(define (last? error)
  "Is ERROR something else than that there were too many hops?"
  (match error
    (#f #f)
    ('answered #t)
    (_ (not (member (list (queued-error-origin error)
                          (queued-error-type error))
                    '((icmp 11) (icmp6 3)))))))

(define (trace host limit)
  (let ((sock (path-socket host)))
    (let loop ((hops 1))
      (let ((error (try sock hops)))
        (format #t "~2d  ~a~%" hops (describe error))
        (unless (or (last? error) (= hops limit))
          (loop (+ hops 1)))))
    (close-port sock)))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (cdr (command-line))
    ((host) (trace host 30))
    ((host (= string->number (? exact-integer? limit))) (trace host limit))
    (_ (display "usage: trace-path.scm ADDRESS [HOPS]\n" (current-error-port))
       (exit 2))))
