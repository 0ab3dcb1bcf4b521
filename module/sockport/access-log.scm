;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A line for each request, in the formats that every tool for web servers reads.

(define-module (sockport access-log)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-9)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport semaphore)
  #:use-module (sockport serve network)
  #:use-module (web request)
  #:use-module (web uri)
  #:export (access-logger
            access-line))

;;; What a client chose must not end a line, or look as if it were the server's.
(define (escape-char char)
  (cond ((memv char '(#\" #\\)) (string #\\ char))
        ((or (char<? char #\space) (char>? char #\~))
         (string-concatenate
          (map (lambda (byte)
                 (string-append "\\x" (if (< byte 16) "0" "")
                                (number->string byte 16)))
               ((@ (rnrs bytevectors) bytevector->u8-list)
                ((@ (rnrs bytevectors) string->utf8) (string char))))))
        (else (string char))))

(define harmless
  (char-set-difference (ucs-range->char-set #x20 #x7f) (char-set #\" #\\)))

(define (escape text)
  (if (string-every harmless text)
      text
      (string-concatenate (map escape-char (string->list text)))))

(define (address->host address)
  (match (and address (plain-address address))
    ((? sockaddr? address)
     (if (memv (sockaddr:fam address) (list AF_INET AF_INET6))
         (inet-ntop (sockaddr:fam address) (sockaddr:addr address))
         "unix:"))
    (_ "-")))

(define (target request)
  (let ((uri (request-uri request)))
    (cond ((uri-scheme uri) (uri->string uri))
          ;; Of CONNECT: behind the two slashes.
          ((uri-host uri) (string-drop (uri->string uri) 2))
          ((uri-query uri) (string-append (uri-path uri) "?" (uri-query uri)))
          (else (uri-path uri)))))

(define (request-line request)
  (match (request-version request)
    ((major . minor)
     (escape (format #f "~a ~a HTTP/~a.~a" (request-method request)
                     (target request) major minor)))))

(define (header request name)
  (match (and request (assq-ref (request-headers request) name))
    (#f "-")
    ((? string? text) (escape text))
    ((? uri-reference? uri) (escape (uri->string uri)))
    (value (escape (format #f "~a" value)))))

(define (access-line combined? address time request code bytes)
  "Return the line for REQUEST, #f if it was none, which ADDRESS made at TIME, a
string, and which was answered with CODE and BYTES of body."
  (check-that (or (not address) (vector? address)) address 2 "address"
              "access-line")
  (string-append
   (address->host address) " - - [" time "] \""
   (if request (request-line request) "-") "\" "
   (number->string code) " " (if (zero? bytes) "-" (number->string bytes))
   (if combined?
       (string-append " \"" (header request 'referer) "\" \""
                      (header request 'user-agent) "\"")
       "")
   "\n"))

;;; Where lines go.  FILE is a name, or #f; INODE that of the file that PORT writes
;;; to.  SECOND is when TEXT, the time for lines, was made.  TURN is the semaphore of who
;;; writes: a port may have to wait.
(define-record-type <log>
  (make-log file port inode second text turn)
  log?
  (file log-file)
  (port log-port set-log-port!)
  (inode log-inode set-log-inode!)
  (second log-second set-log-second!)
  (text log-text set-log-text!)
  (turn log-turn))

(define (inode-of file)
  (catch 'system-error
    (lambda () (let ((status (stat file)))
                 (cons (stat:dev status) (stat:ino status))))
    (const #f)))

(define (open-log! log)
  (set-log-port! log (let ((port (open (log-file log)
                                   (logior O_WRONLY O_APPEND O_CREAT O_CLOEXEC)
                                   #o644)))
                       (set-port-encoding! port "UTF-8")
                       (setvbuf port 'block 8192)
                       port))
  (set-log-inode! log (inode-of (log-file log))))

;;; Whoever renames the file, to keep old lines elsewhere, finds a new one.  Where that
;;; cannot be opened, lines go on to the old one.
(define (reopen-log! log)
  (unless (equal? (log-inode log) (inode-of (log-file log)))
    (let ((old (log-port log)))
      (catch 'system-error
        (lambda ()
          (open-log! log)
          (close-port old))
        (const #f)))))

(define (time-text now)
  (strftime "%d/%b/%Y:%H:%M:%S %z" (localtime now)))

(define (begin-second! log now)
  (set-log-second! log now)
  (set-log-text! log (time-text now))
  (when (log-file log)
    (reopen-log! log)))

;;; A disk that is full must not end connections: what cannot be written is lost.
(define (write-line! log make-line)
  (let ((now (current-time)))
    (call-with-semaphore (log-turn log)
      (lambda ()
        (catch 'system-error
          (lambda ()
            (unless (eqv? now (log-second log))
              (begin-second! log now))
            (put-string (log-port log) (make-line (log-text log)))
            (force-output (log-port log)))
          (const #f))))))

(define-keyed (access-logger to #:key (format 'combined) client)
  "Return an #:on-response for `serve-http' that writes a line for each request to TO,
a port or the name of a file.  FORMAT is common or combined.  (CLIENT request) returns
the address to write; without it, it is that of the peer."
  (check-that (memq format '(common combined)) format #:format
              "common or combined" "access-logger")
  (check-that (or (string? to) (and (port? to) (output-port? to))) to 1
              "output port or file name" "access-logger")
  (when client (check-procedure client #:client "access-logger"))
  (let ((log (make-log (and (string? to) to) (and (port? to) to) #f #f #f
                       (make-semaphore)))
        (combined? (eq? format 'combined)))
    (when (string? to)
      (catch 'system-error
        (lambda () (open-log! log))
        (lambda args
          (let ((errno (system-error-errno args)))
            (scm-error 'system-error "access-logger" "~A: ~A"
                       (list to (strerror errno)) (list errno))))))
    (lambda (request code bytes peer . rest)
      (write-line! log
                   (lambda (time)
                     (access-line combined?
                                  (if (and client request)
                                      (client request)
                                      peer)
                                  time request code bytes))))))
