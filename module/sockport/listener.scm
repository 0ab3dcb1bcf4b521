;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Sockets that listen: at every address that a text names, with the options that
;;; servers want, and UNIX sockets whose name, mode and owner are right before
;;; anybody can connect.

(define-module (sockport listener)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport primitive)
  #:use-module (sockport socket)
  #:use-module (sockport io unix-name)
  #:export (listen-on
            listen-fds))

(define (refuse who position object)
  (scm-error 'wrong-type-arg who
             "Wrong type argument in position ~A (expecting ~A): ~S"
             (list position "address" object) (list object)))

;;; What a text names.

(define host-rx (make-regexp "^(.*):([^:]*)$"))
(define any-v6 (make-socket-address AF_INET6 0 0))
(define any-v4 (make-socket-address AF_INET INADDR_ANY 0))

(define (with-port address port)
  (let ((copy (vector-copy address)))
    (vector-set! copy 2 port)
    copy))

(define (internet? address)
  (memv (sockaddr:fam address) (list AF_INET AF_INET6)))

(define (port-number text)
  (let ((number (string->number text 10)))
    (and number (exact-integer? number) (<= 0 number 65535) number)))

(define (resolve host service)
  "Return the addresses that the system knows HOST and SERVICE by."
  (delete-duplicates
   (map addrinfo:addr
        (getaddrinfo host service
                     (logior AI_PASSIVE
                             (if (port-number service) AI_NUMERICSERV 0))
                     AF_UNSPEC SOCK_STREAM))))

(define (any-host port)
  "Return the choices for listening at every address of this machine."
  (list (with-port any-v6 port) (with-port any-v4 port)))

;;; A target is a list of addresses of which the first that the system has is
;;; listened at; `listen-on' listens at each target.
(define (targets where port)
  (cond ((sockaddr? where) (list (list where)))
        ((and (exact-integer? where) (<= 0 where 65535))
         (list (any-host where)))
        ((not (string? where)) (refuse "listen-on" 1 where))
        (port (host-targets where (format #f "~a" port)))
        ((string->socket-address where) => (lambda (made) (list (list made))))
        ((regexp-exec host-rx where)
         => (lambda (found)
              (host-targets (match:substring found 1)
                            (match:substring found 2))))
        (else (refuse "listen-on" 1 where))))

(define (host-targets host service)
  (cond ((and (member host '("" "*")) (port-number service))
         => (lambda (port) (list (any-host port))))
        (else (map list (resolve host service)))))

;;; Listening.

(define (wildcard? address)
  (and (= AF_INET6 (sockaddr:fam address))
       (zero? (sockaddr:addr address))))

;;; A connection has TCP_NODELAY from its listener.
(define (set-internet-options! sock address no-delay? v6-only? reuse-port?)
  (setsockopt sock SOL_SOCKET SO_REUSEADDR 1)
  (setsockopt sock IPPROTO_TCP TCP_NODELAY (if no-delay? 1 0))
  (when reuse-port?
    (setsockopt sock SOL_SOCKET SO_REUSEPORT 1))
  (when (= AF_INET6 (sockaddr:fam address))
    (setsockopt sock IPPROTO_IPV6 IPV6_V6ONLY
                (if (or v6-only? (not (wildcard? address))) 1 0))))

(define (closing-on-error sock thunk)
  (catch #t
    thunk
    (lambda args
      (close-port sock)
      (apply throw args))))

(define* (open-listener address #:key backlog no-delay? v6-only? reuse-port?
                        mode owner group)
  (let ((sock (socket (sockaddr:fam address) SOCK_STREAM 0)))
    (closing-on-error sock
      (lambda ()
        (if (internet? address)
            (begin
              (set-internet-options! sock address no-delay? v6-only?
                                     reuse-port?)
              (bind sock address))
            (bind-with-owner sock address mode owner group))
        (listen sock backlog)
        sock))))

;;; What a kernel without IPv6 says to it.
(define no-such-family (list EAFNOSUPPORT EADDRNOTAVAIL EPFNOSUPPORT))

(define (open-first choices settings)
  (match choices
    ((address) (apply open-listener address settings))
    ((address . others)
     (catch 'system-error
       (lambda () (apply open-listener address settings))
       (lambda args
         (if (memv (system-error-errno args) no-such-family)
             (open-first others settings)
             (apply throw args)))))))

(define (same-port choices made)
  "Return CHOICES, port 0 in them replaced by the port of the listener MADE."
  (let ((port (and made (sockaddr:port (getsockname made)))))
    (map (lambda (address)
           (if (and port (internet? address) (zero? (sockaddr:port address)))
               (with-port address port)
               address))
         choices)))

(define* (listen-on where #:key port (backlog SOMAXCONN) (no-delay? #t) v6-only?
                    reuse-port? mode owner group)
  "Return a list of sockets that listen at WHERE: an address object, a text such as
\"127.0.0.1:80\", \"[::]:80\", \"*:80\", \"localhost:http\" or \"unix:/run/name\", a
port's number for every address of the machine, or, with PORT, a host's name."
  (let ((settings (list #:backlog backlog #:no-delay? no-delay?
                        #:v6-only? v6-only? #:reuse-port? reuse-port?
                        #:mode mode #:owner owner #:group group)))
    (fold (lambda (choices made)
            (catch #t
              (lambda ()
                (append made
                        (list (open-first
                               (same-port choices (and (pair? made) (car made)))
                               settings))))
              (lambda args
                (for-each close-port made)
                (apply throw args))))
          '()
          (targets where port))))

;;; Sockets that the service manager opened: sd_listen_fds(3).

(define first-passed 3)

(define (environment-number name)
  (let ((text (getenv name)))
    (and text (string->number text 10))))

(define (listen-fds)
  "Return the sockets that the service manager passed to this process, an alist
from names to sockets in the order of their descriptors; '() if it passed none.
The variables that tell of them are removed, so that children do not believe
they are theirs."
  (let ((count (and (eqv? (getpid) (environment-number "LISTEN_PID"))
                    (environment-number "LISTEN_FDS")))
        (names (string-split (or (getenv "LISTEN_FDNAMES") "") #\:)))
    (for-each unsetenv '("LISTEN_PID" "LISTEN_FDS" "LISTEN_FDNAMES"))
    (map (lambda (index)
           (let ((sock (adopt-socket (+ first-passed index))))
             (fcntl sock F_SETFD FD_CLOEXEC)
             (cons (if (or (>= index (length names))
                           (string-null? (list-ref names index)))
                       "unknown"
                       (list-ref names index))
                   sock)))
         (iota (or count 0)))))
