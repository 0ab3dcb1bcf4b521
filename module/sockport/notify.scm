;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Telling the service manager how this process does: the protocol of
;;; sd_notify(3), a datagram to the UNIX socket that NOTIFY_SOCKET names.

(define-module (sockport notify)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport io close)
  #:use-module (sockport message)
  #:use-module (sockport primitive)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:use-module (sockport transfer)
  #:export (notify-manager
            watchdog-seconds))

(define who "notify-manager")

;;; Whom to tell.

(define (address-of text)
  (unless (and (not (string-null? text))
               (memv (string-ref text 0) '(#\/ #\@)))
    (scm-error 'system-error who "NOTIFY_SOCKET is ~S: ~A"
               (list text (strerror EAFNOSUPPORT)) (list EAFNOSUPPORT)))
  (string->socket-address (string-append "unix:" text)))

(define (variable-address name)
  (match (getenv name)
    ((or #f "") #f)
    (text (address-of text))))

(define (tell address lines ports)
  "Send LINES, strings, and PORTS to ADDRESS in one datagram."
  (let ((sock (socket AF_UNIX SOCK_DGRAM 0)))
    (call-with-cleanup
     (lambda ()
       (send-ports sock ports (string->utf8 (string-join lines "\n")) 0
                   address))
     (lambda () (close-port sock)))))

;;; What to tell.

(define (check-text text keyword)
  (unless (string? text)
    (refuse-type who keyword "string" text))
  (when (string-any (lambda (char) (memv char '(#\newline #\nul))) text)
    (refuse-range who keyword "a line" text)))

(define (check-name name keyword)
  (unless (string? name)
    (refuse-type who keyword "name" name))
  (unless (and (<= 1 (string-length name) 255)
               (string-every (lambda (char)
                               (and (char<? #\space char #\delete)
                                    (not (char=? char #\:))))
                             name))
    (refuse-range who keyword "1 to 255 letters of ASCII without a colon" name)))

(define (check-store store)
  (match store
    (((names . ports) ...)
     (for-each (lambda (name port)
                 (check-name name #:store)
                 (unless (or (port? port) (descriptor? port))
                   (refuse-type who #:store "port" port)))
               names ports))
    (_ (refuse-type who #:store "alist from names to ports" store))))

(define (check-seconds seconds keyword)
  (check-that (real? seconds) seconds keyword "number of seconds" who)
  (unless (<= 0 seconds 1000000000)
    (refuse-range who keyword "0 to 10^9 seconds" seconds)))

(define (microseconds seconds)
  (inexact->exact (round (* 1000000 seconds))))

(define* (state-lines #:key ready? stopping? reloading? status main-pid errno
                      watchdog? extend-seconds)
  (filter-map
   (match-lambda
     ((#f . _) #f)
     ((_ . line) line))
   `((,ready? . "READY=1")
     (,stopping? . "STOPPING=1")
     (,reloading? . "RELOADING=1")
     (,reloading? . ,(format #f "MONOTONIC_USEC=~a"
                             (quotient (monotonic-ns) 1000)))
     (,status . ,(string-append "STATUS=" (or status "")))
     (,main-pid . ,(format #f "MAINPID=~a" main-pid))
     (,errno . ,(format #f "ERRNO=~a" errno))
     (,watchdog? . "WATCHDOG=1")
     (,extend-seconds . ,(format #f "EXTEND_TIMEOUT_USEC=~a"
                                 (and extend-seconds
                                      (microseconds extend-seconds)))))))

(define (store! address store remove)
  "Have the manager keep the ports of STORE, and forget those that REMOVE names."
  (for-each (match-lambda
              ((name . port)
               (tell address
                     (list "FDSTORE=1" (string-append "FDNAME=" name))
                     (list port))))
            store)
  (for-each (lambda (name)
              (tell address
                    (list "FDSTOREREMOVE=1" (string-append "FDNAME=" name))
                    '()))
            remove))

(define (await-manager address)
  "Wait until the manager has dealt with all that was sent before: it closes what it
gets with this."
  (match (socketpair AF_UNIX SOCK_STREAM 0)
    ((ours . theirs)
     (call-with-cleanup
      (lambda ()
        (tell address '("BARRIER=1") (list theirs))
        (close-port theirs)
        (recv! ours (make-bytevector 1)))
      (lambda ()
        (close-port theirs)
        (close-port ours))))))

;;; The process that handed its sockets over (hand-over.scm) waits for the same word.
(define predecessor "SOCKPORT_HAND_OVER")

(define (tell-predecessor)
  (let ((address (variable-address predecessor)))
    (when address
      (unsetenv predecessor)
      (tell address '("READY=1") '()))))

(define-keyed (notify-manager #:key ready? stopping? reloading? status main-pid
                         errno watchdog? extend-seconds (store '()) (remove '())
                         barrier?)
  "Tell the service manager what the keywords say, all that is not #f; return
whether there is a manager.  With BARRIER?, return once it has dealt with it."
  (when status (check-text status #:status))
  (when main-pid (check-integer main-pid 1 #x7fffffff #:main-pid who))
  (when errno (check-integer errno 0 4095 #:errno who))
  (when extend-seconds (check-seconds extend-seconds #:extend-seconds))
  (check-store store)
  (unless (list? remove)
    (refuse-type who #:remove "list of names" remove))
  (for-each (lambda (name) (check-name name #:remove)) remove)
  (let ((address (variable-address "NOTIFY_SOCKET"))
        (lines (state-lines #:ready? ready? #:stopping? stopping?
                            #:reloading? reloading? #:status status
                            #:main-pid main-pid #:errno errno
                            #:watchdog? watchdog?
                            #:extend-seconds extend-seconds)))
    (when address
      (store! address store remove)
      (unless (null? lines)
        (tell address lines '()))
      (when barrier?
        (await-manager address)))
    (when ready?
      (tell-predecessor))
    (and address #t)))

(define (environment-number name)
  (let ((text (getenv name)))
    (and text
         (string-every (lambda (char) (char<=? #\0 char #\9)) text)
         (string->number text 10))))

(define (watchdog-seconds)
  "Return how long the service manager waits for this process to say that it lives
(#:watchdog? of notify-manager), in seconds; #f if it does not care."
  (let ((limit (environment-number "WATCHDOG_USEC"))
        (pid (environment-number "WATCHDOG_PID")))
    (and limit (positive? limit)
         (or (not pid) (= pid (getpid)))
         (/ limit 1000000))))
