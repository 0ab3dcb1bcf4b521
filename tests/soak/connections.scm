;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A million connections over IPv4, IPv6 and UNIX sockets to a server in tasks: ended by
;;; either side, half-closed, reset, cut off by a deadline, or left to the collector.
;;; What comes back is what was sent, and nothing is left.

(use-modules (harness soak) (ice-9 match) (rnrs bytevectors) (sockport))

(define total 1000000)
(define clients 20)
(define each 50)
(define name (format #f "skp-soak-~a" (getpid)))

(define (place address)
  (and (false-if-exception
        (for-each close-port (listen-on address)))
       address))

(define places
  (filter identity (map place (list "127.0.0.1:0" "[::1]:0"
                                    (string-append "unix:@" name)))))

;;; The first byte says what the server does: e echoes to the end, c closes at once, r
;;; resets.
(define (serve-one sock peer)
  (let ((buffer (make-bytevector 4096)))
    (catch 'system-error
      (lambda ()
        (let again ()
          (let ((n (recv! sock buffer)))
            (unless (zero? n)
              (case (integer->char (bytevector-u8-ref buffer 0))
                ((#\c) #t)
                ((#\r) (setsockopt sock SOL_SOCKET SO_LINGER '(1 . 0)))
                (else
                 (send sock buffer 0 0 n)
                 (again)))))))
      (lambda args
        (unless (memv (system-error-errno args) (list ECONNRESET EPIPE))
          (apply throw args))))))

(define (echoed sock)
  "Send some and see it come back."
  (let* ((size (+ 1 (draw 3000)))
         (bytes (make-bytevector size (+ 101 (* 13 (draw 8)))))
         (back (make-bytevector size)))
    (bytevector-u8-set! bytes 0 101)
    (send sock bytes)
    (let again ((got 0))
      (when (< got size)
        (let ((n (recv! sock back 0 got)))
          (if (zero? n)
              (fault! "an echo ended" got size)
              (again (+ got n))))))
    (check "an echo" bytes back)))

(define (end-of sock)
  "Receive to the end, which may be a reset."
  (catch 'system-error
    (lambda ()
      (unless (zero? (recv! sock (make-bytevector 100)))
        (fault! "more than was sent")))
    (lambda args
      (unless (eqv? ECONNRESET (system-error-errno args))
        (apply throw args)))))

(define (one-connection address)
  (let ((sock (connect-to address)))
    (match (draw 40)
      ((or 0 1 2)
       (send sock "c")
       (end-of sock)
       (close-port sock))
      ((or 3 4)
       (send sock "r")
       (end-of sock)
       (close-port sock))
      ((or 5 6 7)
       (echoed sock)
       (shutdown sock SHUT_WR)
       (end-of sock)
       (close-port sock))
      (8
       (send sock "exyz")
       (setsockopt sock SOL_SOCKET SO_LINGER '(1 . 0))
       (close-port sock))
      (9
       (with-deadline 0 (lambda () (recv! sock (make-bytevector 1)))
         (lambda () (close-port sock))))
      (10
       ;; Its end is seen when the collector has closed it.
       (when (zero? (draw 20))
         (echoed sock)
         (set! sock #f))
       (when sock (close-port sock)))
      ((or 11 12) (close-port sock))
      (_
       (echoed sock)
       (setsockopt sock SOL_SOCKET SO_LINGER '(1 . 0))
       (close-port sock)))))

(define (connect-all server)
  (with-task-group
   (lambda (group)
     (do ((i 0 (+ i 1))) ((= i clients))
       (spawn-task
        (lambda ()
          (do ((n 0 (+ n 1))) ((= n each))
            (one-connection
             (list-ref (server-addresses server) (draw (length places))))))
        #:group group)))))

(define (some)
  (run-tasks
   (lambda ()
     (define server #f)
     (define task
       (spawn-task
        (lambda ()
          (serve places serve-one #:signals '()
                 #:log (lambda (line) (fault! "logged" line))
                 #:on-listen (lambda (made) (set! server made))))))
     (let wait () (unless server (task-yield) (wait)))
     (connect-all server)
     (stop-server! server #t)
     (join task)))
  (* clients each))

(soak-count total "connections" some)
