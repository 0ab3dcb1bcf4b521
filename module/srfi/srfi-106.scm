;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; SRFI 106, basic socket interface.  A socket of it is a socket of (sockport), so
;;; that the two mix, and what waits suspends its task.

(define-module (srfi srfi-106)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (sockport ports lock)
  #:use-module (srfi srfi-1)
  #:use-module (sockport)
  #:export (make-client-socket
            make-server-socket
            socket?
            socket-accept
            socket-send
            socket-recv
            socket-shutdown
            socket-close
            socket-input-port
            socket-output-port
            call-with-socket
            address-family
            address-info
            socket-domain
            ip-protocol
            message-type
            shutdown-method
            socket-merge-flags
            socket-purge-flags
            *af-unspec* *af-inet* *af-inet6*
            *sock-stream* *sock-dgram*
            *ai-canonname* *ai-numerichost* *ai-v4mapped* *ai-all*
            *ai-addrconfig*
            *ipproto-ip* *ipproto-tcp* *ipproto-udp*
            *msg-peek* *msg-oob* *msg-waitall*
            *shut-rd* *shut-wr* *shut-rdwr*))

(cond-expand-provide (current-module) '(srfi-106))

;;; Flags.

(define *af-unspec* AF_UNSPEC)
(define *af-inet* AF_INET)
(define *af-inet6* AF_INET6)
(define *sock-stream* SOCK_STREAM)
(define *sock-dgram* SOCK_DGRAM)
(define *ai-canonname* AI_CANONNAME)
(define *ai-numerichost* AI_NUMERICHOST)
(define *ai-v4mapped* AI_V4MAPPED)
(define *ai-all* AI_ALL)
(define *ai-addrconfig* AI_ADDRCONFIG)
(define *ipproto-ip* IPPROTO_IP)
(define *ipproto-tcp* IPPROTO_TCP)
(define *ipproto-udp* IPPROTO_UDP)
(define *msg-peek* MSG_PEEK)
(define *msg-oob* MSG_OOB)
(define *msg-waitall* MSG_WAITALL)
(define *shut-rd* SHUT_RD)
(define *shut-wr* SHUT_WR)
(define *shut-rdwr* SHUT_RDWR)

(define (socket-merge-flags . flags)
  "Return the inclusive or of FLAGS."
  (apply logior flags))

(define (socket-purge-flags base . flags)
  "Return BASE without FLAGS."
  (logand base (lognot (apply logior flags))))

(define (only flag) flag)

(define (merge-methods method . others)
  (if (every (lambda (other) (= method other)) others)
      method
      *shut-rdwr*))

;;; Names count as they are written, whatever else is bound to them.
(define-syntax-rule (define-names macro merge (name value) ...)
  (define-syntax macro
    (lambda (form)
      (define known (list (cons 'name #'value) ...))
      (syntax-case form ()
        ((_ chosen (... ...))
         (with-syntax (((found (... ...))
                        (map (lambda (one)
                               (or (assq-ref known (syntax->datum one))
                                   (syntax-violation 'macro "unknown name"
                                                     form one)))
                             #'(chosen (... ...)))))
           #'(merge found (... ...))))))))

(define-names address-family only
  (inet *af-inet*) (inet6 *af-inet6*) (unspec *af-unspec*))
(define-names address-info socket-merge-flags
  (canoname *ai-canonname*) (canonname *ai-canonname*)
  (numerichost *ai-numerichost*) (v4mapped *ai-v4mapped*) (all *ai-all*)
  (addrconfig *ai-addrconfig*))
(define-names socket-domain only
  (stream *sock-stream*) (datagram *sock-dgram*))
(define-names ip-protocol only
  (ip *ipproto-ip*) (tcp *ipproto-tcp*) (udp *ipproto-udp*))
(define-names message-type socket-merge-flags
  (none 0) (peek *msg-peek*) (oob *msg-oob*) (wait-all *msg-waitall*))
(define-names shutdown-method merge-methods
  (read *shut-rd*) (write *shut-wr*))

;;; The ports of each socket.  They have descriptors of their own, which are the
;;; same socket: closing one closes no other, but the connection ends with the last.
(define ports (make-weak-key-hash-table))
(define ports-lock (make-mutex))

(define (known! sock)
  (with-lock ports-lock
    (hashq-set! ports sock '()))
  sock)

(define (names? port)
  (and (not (port-closed? port))
       (catch 'system-error
         (lambda () (getsockname port) #t)
         (const #f))))

(define (socket? object)
  "Is OBJECT a socket, open or closed?"
  (and (file-port? object)
       (or (with-lock ports-lock (and (hashq-ref ports object) #t))
           (names? object))))

;;; Making sockets.

(define (open-first infos make)
  "Return what MAKE returns for the first of INFOS that it raises no system-error for;
its last error if there is none."
  (match infos
    ((info . rest)
     (catch 'system-error
       (lambda () (make info))
       (lambda args
         (if (null? rest)
             (apply throw args)
             (open-first rest make)))))))

(define (open-socket info proc)
  "Return a socket as INFO says, after (PROC socket address)."
  (let ((sock (socket (addrinfo:fam info) (addrinfo:socktype info)
                      (addrinfo:protocol info))))
    (catch #t
      (lambda ()
        (proc sock (addrinfo:addr info))
        (known! sock))
      (lambda args
        (close-port sock)
        (apply throw args)))))

(define default-flags (socket-merge-flags *ai-v4mapped* *ai-addrconfig*))

(define (look-up node service flags family type protocol)
  "FLAGS are #f for the default; then a host that has only addresses of its own is
found as well, where no other machine can be reached."
  (define (ask flags)
    (getaddrinfo node service flags family type protocol))
  (if flags
      (ask flags)
      (catch 'getaddrinfo-error
        (lambda () (ask default-flags))
        (lambda (key code)
          (ask (socket-purge-flags default-flags *ai-addrconfig*))))))

(define* (make-client-socket node service #:optional (family *af-inet*)
                             (type *sock-stream*) flags
                             (protocol *ipproto-ip*))
  "Return a socket that is connected to the host NODE and SERVICE, both strings."
  (let ((infos (look-up node service flags family type protocol)))
    (if (= type *sock-stream*)
        (known! (connect-to (delete-duplicates (map addrinfo:addr infos))))
        (open-first infos (lambda (info) (open-socket info connect))))))

(define* (make-server-socket service #:optional (family *af-inet*)
                             (type *sock-stream*) (protocol *ipproto-ip*))
  "Return a socket for SERVICE, a string, at every address of this machine; one of
streams listens."
  (define (set-up sock address)
    (when (= type *sock-stream*)
      (setsockopt sock SOL_SOCKET SO_REUSEADDR 1))
    (bind sock address)
    (when (= type *sock-stream*)
      (listen sock SOMAXCONN)))
  (open-first (getaddrinfo #f service AI_PASSIVE family type protocol)
              (lambda (info) (open-socket info set-up))))

;;; Using them.

(define (socket-accept sock)
  "Wait for a connection to SOCK, and return its socket."
  (match (accept sock)
    ((client . _) (known! client))))

(define* (socket-send sock bytes #:optional (flags 0))
  "Send the bytevector BYTES, and return how many were sent."
  (send sock bytes flags))

(define* (socket-recv sock size #:optional (flags 0))
  "Receive SIZE bytes at most; return a bytevector, which is empty once the peer has
closed the connection."
  (recv sock size flags))

(define (socket-shutdown sock how)
  "End receiving, sending or both on SOCK, as HOW, a shutdown-method, says."
  (shutdown sock how)
  *unspecified*)

(define (take-ports! sock)
  (with-lock ports-lock
    (let ((found (hashq-ref ports sock '())))
      (hashq-set! ports sock '())
      found)))

(define (socket-close sock)
  "Close SOCK, and its ports."
  (for-each close-port (take-ports! sock))
  (close-port sock)
  *unspecified*)

(define F_DUPFD_CLOEXEC 1030)           ; fcntl(2)

(define (fresh-port sock mode)
  (let ((port (fdopen (fcntl sock F_DUPFD_CLOEXEC 0) mode)))
    (with-lock ports-lock
      (hashq-set! ports sock
                  (cons port (remove port-closed?
                                     (hashq-ref ports sock '())))))
    port))

(define (socket-input-port sock)
  "Return a new binary port that receives from SOCK, and closes itself alone."
  (fresh-port sock "rb0"))

(define (socket-output-port sock)
  "Return a new binary port that sends to SOCK at once, and closes itself alone."
  (fresh-port sock "wb0"))

(define (call-with-socket sock proc)
  "Call PROC with SOCK, close SOCK when it returns, and return its values."
  (call-with-values (lambda () (proc sock))
    (lambda results
      (socket-close sock)
      (apply values results))))
