;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; chat.scm PATH: a chat over the UNIX socket PATH.  What one client writes, all
;;; the others get, line by line; `socat - UNIX-CONNECT:PATH' is a client.  Runs
;;; until it is killed.  Each client has a thread that reads what it writes; one
;;; that does not read what the others write is put out rather than waited for.

(use-modules (sockport) (ice-9 exceptions) (ice-9 match) (ice-9 textual-ports)
             (ice-9 threads) (rnrs bytevectors)
             ((rnrs io ports) #:select (eof-object)))

(define clients '())                    ; their sockets
(define lock (make-mutex))

(define (tell sock bytes)
  (let ((sent (catch 'system-error
                (lambda () (send sock bytes MSG_DONTWAIT))
                (const 0))))
    ;; Its thread reads the end of the stream then, and closes the socket.
    (unless (= sent (bytevector-length bytes))
      (false-if-exception (shutdown sock SHUT_RDWR)))))

(define (tell-others from line)
  (let ((bytes (string->utf8 (string-append line "\n"))))
    (with-mutex lock
      (for-each (lambda (sock) (tell sock bytes))
                (delq from clients)))))

;; A client that vanishes has said all it had to say.
(define (hear sock)
  (catch 'system-error
    (lambda () (get-line sock))
    (const (eof-object))))

(define (converse sock name)
  (let loop ((line (hear sock)))
    (unless (eof-object? line)
      (tell-others sock (string-append name ": " line))
      (loop (hear sock))))
  (with-mutex lock
    (set! clients (delq sock clients)))
  (close-port sock)
  (tell-others sock (string-append name " has gone")))

(define (serve server number)
  (match (accept server)
    ((sock . _)
     (set-port-encoding! sock "UTF-8")
     (setvbuf sock 'block)
     (with-mutex lock
       (set! clients (cons sock clients)))
     (let ((name (format #f "guest ~a" number)))
       (tell-others sock (string-append name " has come"))
       (begin-thread (converse sock name)))
     (serve server (+ number 1)))))

(define (remove-stale path)
  (when (and (file-exists? path) (eq? 'socket (stat:type (stat path))))
    (delete-file path)))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_ path)
     (let ((server (socket AF_UNIX SOCK_STREAM 0)))
       (remove-stale path)
       (bind server AF_UNIX path)
       (listen server SOMAXCONN)
       (format #t "chatting at ~a~%" path)
       (force-output)
       (serve server 1)))
    (_
     (display "usage: chat.scm PATH\n" (current-error-port))
     (exit 2))))
