;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Bad arguments, derived from signatures: each procedure's row says what each
;;; position takes, and everything in `junk' that the position does not take is
;;; put there.  The key, the position and the procedure's name must be exact.

(use-modules (harness)
             (harness socket)
             (ice-9 binary-ports)
             (rnrs bytevectors)
             (sockport)
             (srfi srfi-1))

(test-begin "arguments")

(define-values (pipe-out pipe-in)
  (let ((ends (pipe))) (values (car ends) (cdr ends))))
(define closed-socket
  (let ((sock (socket AF_UNIX SOCK_STREAM 0))) (close-port sock) sock))
(define string-port (open-input-string "text"))
(define read-only (symbol->string 'literals))

(define integers
  (list -1 65536 (expt 2 31) (expt 2 32) (expt 2 63) (expt 2 64) (expt 2 70)
        (expt 2 128) (- (expt 2 31)) (- (expt 2 63)) (- (expt 2 70))))

(define junk
  (append integers
          (list 1.5 2.0 1/2 +inf.0 +nan.0 #f #t "x" 'sym #\a '() '(1 . 2) #()
                #(2) #(2 1 65536) #(1 7) #(99999 #vu8()) #vu8() (lambda () 1)
                (eof-object) (current-module) *unspecified*
                closed-socket string-port pipe-out read-only)))

;;; A kind maps a value at a position to the error it must cause, or #f where
;;; the value is good or another test's matter.

(define (wrong-type position) (list 'wrong-type-arg position))

(define (is-a-socket value position)
  (if (eq? value pipe-out)
      (list 'system-error ENOTSOCK)
      (wrong-type position)))

;; What looks at the type of the port alone.
(define (is-a-file-port value position)
  (and (not (eq? value pipe-out)) (wrong-type position)))

(define (between low high)
  (lambda (value position)
    (cond ((not (exact-integer? value)) (wrong-type position))
          ((<= low value high) #f)
          (else (list 'out-of-range position)))))

(define int (between 0 (- (expt 2 31) 1)))
(define 16-bits (between 0 #xffff))
(define 32-bits (between 0 #xffffffff))
(define 128-bits (between 0 (- (expt 2 128) 1)))

(define (family value position)
  (cond ((vector? value) #f)            ; an address object
        (else (16-bits value position))))

(define (is-a-name value position)
  (and (not (or (string? value) (bytevector? value) (not value)))
       (wrong-type position)))

(define (is-bytes value position)
  (and (not (bytevector? value)) (wrong-type position)))

(define (is-a-source value position)
  (and (not (or (string? value) (bytevector? value))) (wrong-type position)))

(define (is-a-target value position)
  (and (or (eq? value read-only) (is-a-source value position))
       (wrong-type position)))

(define (is-a-string value position)
  (and (not (string? value)) (wrong-type position)))

(define (anything value position) #f)

;;; Rows: name, procedure, kinds and good values in turn, least and most number
;;; of arguments (#f: any).  Good values are made anew for each call.

(define inet (list AF_INET family INADDR_LOOPBACK 32-bits 9 16-bits))

(define-syntax-rule (rows (name procedure least most (kind good) ...) ...)
  (list (list name procedure least most (list kind ...)
              (lambda () (list good ...)))
        ...))

(define sock #f)
(define (buffer) (make-bytevector 8))

(define table
  (rows
   ("socket" socket 3 3 (16-bits AF_UNIX) (int SOCK_STREAM) (int 0))
   ("socketpair" socketpair 3 3 (16-bits AF_UNIX) (int SOCK_STREAM) (int 0))
   ("shutdown" shutdown 2 2 (is-a-socket sock) ((between 0 2) 2))
   ("listen" listen 2 2 (is-a-socket sock) ((between -1 (- (expt 2 31) 1)) 5))
   ("accept" accept 1 2 (is-a-socket sock) (anything 0))
   ("getsockname" getsockname 1 1 (is-a-socket sock))
   ("sockatmark" sockatmark 1 1 (is-a-file-port sock))
   ("getpeername" getpeername 1 1 (is-a-socket sock))
   ("bind" bind 2 #f (is-a-socket sock) (family AF_INET)
    (32-bits INADDR_LOOPBACK) (16-bits 9))
   ("bind" bind 2 #f (is-a-socket sock) (family AF_UNIX) (is-a-name "x"))
   ("bind" bind 2 #f (is-a-socket sock) (family AF_INET6) (128-bits 1)
    (16-bits 9) (32-bits 0) (32-bits 0))
   ("bind" bind 2 #f (is-a-socket sock) (family AF_NETLINK) (32-bits 0)
    (32-bits 0))
   ("connect" connect 2 #f (is-a-socket sock) (family AF_INET)
    (32-bits INADDR_LOOPBACK) (16-bits 9))
   ("connect" connect 2 #f (is-a-socket sock) (family AF_UNIX) (is-a-name "x"))
   ("connect" connect 2 #f (is-a-socket sock) (family AF_INET6) (128-bits 1)
    (16-bits 9) (32-bits 0) (32-bits 0))
   ("connect" connect 2 #f (is-a-socket sock) (family AF_VSOCK) (32-bits 1)
    (32-bits 9))
   ("recv!" recv! 2 5 (is-a-socket sock) (is-a-target (buffer)) (int MSG_DONTWAIT)
    ((between 0 8) 0) ((between 0 8) 8))
   ("recv!" recv! 2 5 (is-a-socket sock) (is-a-target (make-string 8))
    (int MSG_DONTWAIT) ((between 0 8) 0) ((between 0 8) 8))
   ("recvfrom!" recvfrom! 2 5 (is-a-socket sock) (is-a-target (buffer))
    (int MSG_DONTWAIT) ((between 0 8) 0) ((between 0 8) 8))
   ("recv" recv 2 3 (is-a-socket sock) ((between 0 #xfffffff) 8)
    (int MSG_DONTWAIT))
   ("recvfrom" recvfrom 2 3 (is-a-socket sock) ((between 0 #xfffffff) 8)
    (int MSG_DONTWAIT))
   ("send" send 2 5 (is-a-socket sock) (is-a-source (buffer)) (int 0)
    ((between 0 8) 0) ((between 0 8) 8))
   ("send" send 2 5 (is-a-socket sock) (is-a-source "12345678") (int 0)
    ((between 0 8) 0) ((between 0 8) 8))
   ("sendto" sendto 3 #f (is-a-socket sock) (is-a-source (buffer))
    (family AF_INET) (32-bits INADDR_LOOPBACK) (16-bits 9) (int 0)
    ((between 0 8) 0) ((between 0 8) 8))
   ("sendto" sendto 3 #f (is-a-socket sock) (is-a-source (buffer))
    (family AF_INET6) (128-bits 1) (16-bits 9) (32-bits 0) (32-bits 0)
    (int 0) ((between 0 8) 0) ((between 0 8) 8))
   ("sendto" sendto 3 #f (is-a-socket sock) (is-a-source (buffer))
    (family AF_UNIX) (is-a-name "x") (int 0) ((between 0 8) 0)
    ((between 0 8) 8))
   ("sendto" sendto 3 #f (is-a-socket sock) (is-a-source (buffer))
    (anything (vector AF_INET INADDR_LOOPBACK 9)) (int 0)
    ((between 0 8) 0) ((between 0 8) 8))
   ("getsockopt" getsockopt 3 4 (is-a-socket sock) (anything SOL_SOCKET)
    (anything SO_TYPE) (is-bytes (make-bytevector 4)))
   ("setsockopt" setsockopt 4 4 (is-a-socket sock) (anything SOL_SOCKET)
    (anything SO_REUSEADDR) (anything 1))
   ("make-socket-address" make-socket-address 1 #f (family AF_INET)
    (32-bits 1) (16-bits 9))
   ("make-socket-address" make-socket-address 1 #f (family AF_INET6)
    (128-bits 1) (16-bits 9) (32-bits 0) (32-bits 0))
   ("inet-pton" inet-pton 2 2 ((between AF_INET AF_INET) AF_INET)
    (is-a-string "::"))
   ("inet-ntop" inet-ntop 2 2 ((between AF_INET AF_INET) AF_INET) (32-bits 1))
   ("inet-ntop" inet-ntop 2 2 ((between AF_INET6 AF_INET6) AF_INET6)
    (128-bits 1))
   ("nonblocking?" nonblocking? 1 1 (is-a-file-port sock))
   ("set-nonblocking!" set-nonblocking! 2 2 (is-a-file-port sock)
    (anything #f))))

(define (error-of thunk)
  (catch #t
    (lambda () (list 'no-error (thunk)))
    (lambda (key . args)
      (if (eq? key 'hung)
          (apply throw key args)
          (describe-error key args)))))

;; The names of the last arguments that are left out must not matter.
(define (mismatches name procedure kind position good)
  (filter-map
   (lambda (value)
     (let ((want (kind value position)))
       (and want
            (let* ((args (append (list-head good (- position 1))
                                 (list value)
                                 (list-tail good position)))
                   (have (error-of (lambda () (apply procedure args)))))
              (and (not (equal? have (append want (list name))))
                   (list value have))))))
   junk))

(define (fresh-socket!)
  (when sock (close-port sock))
  (set! sock (socket AF_UNIX SOCK_DGRAM 0)))

(for-each
 (lambda (row)
   (apply
    (lambda (name procedure least most kinds good)
      (test-case name
        (for-each
         (lambda (position kind)
           (fresh-socket!)
           (test-equal (format #f "position ~a of ~a" position (length kinds))
             '()
             (mismatches name procedure kind position (good))))
         (iota (length kinds) 1) kinds)
        (for-each
         (lambda (count)
           (test-error* (format #f "~a arguments" count)
               '(wrong-number-of-args)
             (apply procedure (list-head (good) count))))
         (iota least))
        (fresh-socket!)
        (test-error* "one argument too many" '(wrong-number-of-args)
          (apply procedure (append (good) (list 0))))
        (close-port sock)
        (set! sock #f)))
    row))
 table)

(test-case "accept's flags"
  (let ((server (socket AF_UNIX SOCK_STREAM 0)))
    (listen (begin (bind server AF_UNIX "") server) 1)
    (test-equal "every other bit is refused" '()
      (filter-map
       (lambda (flags)
         (let ((have (error-of (lambda () (accept server flags)))))
           (and (not (equal? have '(out-of-range 2 "accept")))
                (list flags have))))
       (append integers (list 1 2 4 (logior SOCK_NONBLOCK 1)))))
    (test-error* "a type" '(wrong-type-arg 2 "accept") (accept server 1.5))
    (close-port server)))

(test-case "socket addresses"
  (test-equal "a part of the wrong kind" '()
    (filter-map
     (lambda (address)
       (let ((have (error-of (lambda () (socket-address->string address)))))
         (and (not (memq (car have) '(wrong-type-arg out-of-range)))
              (list address have))))
     (list #() #(2) #(2 1) #(2 1 2 3) #(2 #f 1) #(2 1 65536) #(2 -1 1)
           #(10 1) #(10 1 1 -1) #(1) #(1 7) #(1 "a\0b") #(-1 #vu8())
           #(65536 #vu8()) #(38 "x") #(2.0 1 1) '(2 1 1) 7 #f
           (vector AF_INET (expt 2 64) 1) (vector AF_INET6 (expt 2 128) 1))))
  (test-error* "a name that is too long" (list 'system-error ENAMETOOLONG)
    (make-socket-address AF_UNIX (make-string 109 #\a)))
  (test-error* "bytes that are too many" (list 'system-error ENAMETOOLONG)
    (make-socket-address 38 (make-bytevector 127))))

(test-end "arguments")
