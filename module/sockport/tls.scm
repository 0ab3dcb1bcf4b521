;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; TLS on a socket, as a port that waits as all others do.  This alone loads GnuTLS,
;;; and so it is not part of (sockport).

(define-module (sockport tls)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport io secure)
  #:use-module (sockport primitive)
  #:use-module (sockport tls context)
  #:use-module (sockport tls error)
  #:use-module (sockport tls port)
  #:export (tls-connect
            tls-accept)
  #:re-export (tls-context
               tls-context?
               tls-reload!
               current-tls-context
               tls-port?
               tls-socket
               tls-protocol
               tls-cipher
               tls-alpn
               tls-server-name
               tls-resumed?
               tls-peer-certificates
               certificate->alist
               tls-error?
               tls-error-reason
               tls-error-reasons
               tls-error-alert
               tls-error-certificates))

;;; A socket that was handed over is closed whatever happens.
(define (handed-over sock who thunk)
  (check-below sock who)
  (catch #t
    thunk
    (lambda args
      (unless (port-closed? sock) (%close-port sock))
      (apply throw args))))

(define-keyed (tls-connect sock host #:optional (context (current-tls-context))
                         #:key lenient-eof?)
  "Begin TLS on SOCK, which is connected, as a client of HOST, and return a port for
what goes through it, once the server has proved to be HOST.  SOCK, which may be a port
of TLS itself, belongs to that port.  With LENIENT-EOF? an end without notice is an end of file."
  (check-security context 3 "tls-connect")
  (unless (string? host)
    (refuse-type "tls-connect" 2 "name of a host" host))
  (handed-over sock "tls-connect"
    (lambda ()
      (finish-handshake context (begin-client context sock host lenient-eof?)
                        'tls-connect))))

(define* (tls-accept sock #:optional (context (current-tls-context)))
  "Begin TLS on SOCK, which was accepted, as a server, and return a port for what
goes through it.  SOCK belongs to that port."
  (check-security context 2 "tls-accept")
  (handed-over sock "tls-accept"
    (lambda ()
      (finish-handshake context (begin-server context sock) 'tls-accept))))
