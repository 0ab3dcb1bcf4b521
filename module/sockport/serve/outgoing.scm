;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The sockets that connect-to connects: the options that clients want, and where
;;; they come from.

(define-module (sockport serve outgoing)
  #:use-module (ice-9 match)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport option)
  #:use-module (sockport socket)
  #:use-module (sockport io argument)
  #:use-module (sockport io internet)
  #:export (check-settings
            opener
            preparer
            read-local
            socket-for))

(define (check-number value low high keyword)
  (check-that (real? value) value keyword "number of seconds" "connect-to")
  (unless (<= low value high)
    (refuse-range "connect-to" keyword (format #f "~a to ~a" low high) value)))

(define (check-settings family port delay keep-alive user-timeout device mark
                        set-up on-attempt)
  (check-integer family 0 65535 #:family "connect-to")
  (when port (check-integer port 0 65535 #:local-port "connect-to"))
  (when delay (check-number delay 1/100 60 #:delay))
  (when keep-alive (check-integer keep-alive 1 32767 #:keep-alive "connect-to"))
  (when user-timeout (check-number user-timeout 0 2147483 #:user-timeout))
  (check-that (or (not device) (string? device)) device #:device
              "name of an interface" "connect-to")
  (when mark (check-integer mark 0 #xffffffff #:mark "connect-to"))
  (when set-up (check-procedure set-up #:set-up "connect-to"))
  (check-procedure on-attempt #:on-attempt "connect-to"))

(define (read-local local port)
  "The address object that #:local and #:local-port stand for, or #f."
  (match local
    (#f #f)
    ((? sockaddr?) (if port (with-port local port) local))
    ((? string?)
     (match (string->socket-address
             (if (string-index local #\:)
                 (format #f "[~a]:~a" local (or port 0))
                 (format #f "~a:~a" local (or port 0))))
       (#f (refuse-type "connect-to" #:local "numeric address" local))
       (address address)))
    (_ (refuse-type "connect-to" #:local "address" local))))

(define (local-for address local port)
  "What a socket for ADDRESS is to be bound to, or #f."
  (or local
      (and port (with-port (make-socket-address (sockaddr:fam address) 0 0)
                           port))))

(define (set-keep-alive! sock seconds)
  (setsockopt sock SOL_SOCKET SO_KEEPALIVE 1)
  (setsockopt sock IPPROTO_TCP TCP_KEEPIDLE seconds)
  (setsockopt sock IPPROTO_TCP TCP_KEEPINTVL seconds))

(define (bind-locally sock address)
  ;; The port is chosen when the peer is known, so that more connections fit.
  (when (zero? (sockaddr:port address))
    (setsockopt sock IPPROTO_IP IP_BIND_ADDRESS_NO_PORT 1))
  (bind sock address))

(define (preparer local local-port no-delay? keep-alive user-timeout device mark
                  set-up)
  "Return a procedure that has a socket ready to be connected to an address."
  (lambda (sock address)
    (when (internet? address)
      (when no-delay? (setsockopt sock IPPROTO_TCP TCP_NODELAY 1))
      (when keep-alive (set-keep-alive! sock keep-alive))
      (when user-timeout
        (setsockopt sock IPPROTO_TCP TCP_USER_TIMEOUT
                    (inexact->exact (round (* 1000 user-timeout)))))
      (when device (set-socket-option! sock 'bindtodevice device))
      (when mark (setsockopt sock SOL_SOCKET SO_MARK mark))
      (let ((from (local-for address local local-port)))
        (when from (bind-locally sock from))))
    (when set-up (set-up sock))))

(define (socket-for address)
  (socket (sockaddr:fam address) SOCK_STREAM 0))

(define (opener prepare!)
  (lambda (address)
    (let ((sock (socket-for address)))
      (closing-on-error sock
        (lambda ()
          (prepare! sock address)
          sock)))))
