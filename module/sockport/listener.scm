;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Sockets that listen: at every address that a text names, with the options that
;;; servers want, and UNIX sockets whose name, mode and owner are right before
;;; anybody can connect.

(define-module (sockport listener)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport control)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport io called)
  #:use-module (sockport io internet)
  #:use-module (sockport primitive)
  #:use-module (sockport resolve)
  #:use-module (sockport socket)
  #:use-module (sockport io unix-name)
  #:export (listen-on
            listen-fds))

;;; What a text names.

(define any-v6 (make-socket-address AF_INET6 0 0))
(define any-v4 (make-socket-address AF_INET INADDR_ANY 0))
(define port-max #xffff)

(define (digit? char) (char<=? #\0 char #\9))
(define (letter? char) (or (char<=? #\a char #\z) (char<=? #\A char #\Z)))

(define (check-service text position)
  "Return the number of the port that TEXT is, or TEXT if it is a service's name."
  (define (refuse)
    (refuse-range "listen-on" position
                  "a port from 0 to 65535 or the name of a service" text))
  (cond ((string-null? text) (refuse))
        ((string-every digit? text)
         (let ((number (string->number text 10)))
           (if (<= number port-max) number (refuse))))
        ((and (string-any letter? text)
              (string-every (lambda (char)
                              (or (letter? char) (digit? char)
                                  (memv char '(#\- #\_ #\. #\+))))
                            text))
         text)
        (else (refuse))))

(define (resolve host service)
  "Return the addresses that the system knows HOST and SERVICE by."
  (delete-duplicates
   (map addrinfo:addr
        (getaddrinfo host (if (number? service)
                              (number->string service)
                              service)
                     (logior AI_PASSIVE
                             (if (number? service) AI_NUMERICSERV 0))
                     AF_UNSPEC SOCK_STREAM))))

(define (any-host port)
  "Return the choices for listening at every address of this machine."
  (list (with-port any-v6 port) (with-port any-v4 port)))

(define listenable
  "text such as host:port, :port for every address, an address object or a port")

;;; A target is a list of addresses of which the first that the system has is
;;; listened at; `listen-on' listens at each target.
(define (targets where port)
  (cond (port (begin
                (unless (string? where)
                  (refuse-type "listen-on" 1 "a host's name, beside #:port"
                               where))
                (when (string-index where #\nul)
                  (refuse-range "listen-on" 1 "no NUL" where))
                (host-targets where (port-argument port))))
        ((sockaddr? where) (list (list where)))
        ((exact-integer? where)
         (check-integer where 0 port-max 1 "listen-on")
         (list (any-host where)))
        ((string? where) (text-targets where))
        (else (refuse-type "listen-on" 1 listenable where))))

(define (port-argument port)
  (cond ((string? port) (check-service port #:port))
        (else (check-integer port 0 port-max #:port "listen-on")
              port)))

(define (text-targets text)
  (cond ((string->socket-address text) => (lambda (made) (list (list made))))
        ((string-prefix? "unix:" text)
         (refuse-range "listen-on" 1 "a name of at most 108 bytes" text))
        ((string-index text #\nul)
         (refuse-range "listen-on" 1 "no NUL" text))
        ((text->place text)
         => (match-lambda
              ((host . service) (host-targets host (check-service service 1)))))
        ((string-every digit? text)
         (refuse-type "listen-on" 1
                      (format #f "text such as host:port; port ~a of every \
address is \":~a\"" text text)
                      text))
        (else (refuse-type "listen-on" 1 listenable text))))

(define (host-targets host service)
  (if (and (member host '("" "*")) (number? service))
      (list (any-host service))
      (map list (resolve host service))))

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
            (bind-with-owner sock address mode owner group
                             (lambda () (listen sock backlog))))
        (when (internet? address)
          (listen sock backlog))
        sock))))

;;; What a kernel without IPv6 says to it.
(define no-such-family (list EAFNOSUPPORT EADDRNOTAVAIL EPFNOSUPPORT))

(define (open-or-error address settings)
  "Return a listener, or the arguments of the system-error that prevented it."
  (catch 'system-error
    (lambda () (apply open-listener address settings))
    list))

(define (family-missing? address error)
  (and (= AF_INET6 (sockaddr:fam address))
       (memv (system-error-errno error) no-such-family)))

(define (open-first choices settings)
  "Open the first of CHOICES whose family there is: a listener, or an error."
  (match choices
    ((address . others)
     (match (open-or-error address settings)
       ((? list? error)
        (if (and (pair? others) (family-missing? address error))
            (open-first others settings)
            error))
       (listener listener)))))

(define (same-port choices made)
  "Return CHOICES, port 0 in them replaced by the port of the listeners MADE."
  (match made
    (() choices)
    ((first . _)
     (let ((port (sockaddr:port (getsockname first))))
       (map (lambda (address)
              (if (zero? (sockaddr:port address))
                  (with-port address port)
                  address))
            choices)))))

(define (any-port? choices)
  (let ((address (last choices)))
    (and (internet? address) (zero? (sockaddr:port address)))))

;;; A name can have addresses of a family that this machine has not.
(define (open-each targets settings made)
  "Open TARGETS beside the listeners MADE: a list of all, or an error, and then
none is open."
  (match targets
    (() made)
    ((choices . others)
     (match (open-first (if (any-port? choices) (same-port choices made) choices)
                        settings)
       ((? list? error)
        (if (and (family-missing? (last choices) error)
                 (or (pair? made) (pair? others)))
            (open-each others settings made)
            (begin
              (for-each close-port made)
              error)))
       (listener (open-each others settings (append made (list listener))))))))

;;; The kernel chooses a port that is free at the first address; at the next one it
;;; may be somebody's.
(define tries 32)

(define (open-all targets settings)
  (let again ((left tries))
    (match (open-each targets settings '())
      ((and error ('system-error . _))
       (if (and (positive? left)
                (pair? (cdr targets))
                (any-port? (car targets))
                (eqv? EADDRINUSE (system-error-errno error)))
           (again (- left 1))
           (apply throw error)))
      (listeners listeners))))

(define (check-settings backlog mode owner group)
  (check-integer backlog 0 #x7fffffff #:backlog "listen-on")
  (when mode
    (check-integer mode 0 #o7777 #:mode "listen-on"))
  (for-each (lambda (id keyword known what)
              (match id
                (#f #t)
                ((? string?)
                 (unless (false-if-exception (known id))
                   (refuse-range "listen-on" keyword what id)))
                (_ (check-integer id 0 #xffffffff keyword "listen-on"))))
            (list owner group) '(#:owner #:group) (list getpwnam getgrnam)
            '("the name of a user of this system" "the name of a group of this system")))

(define-keyed (listen-on where #:key port (backlog SOMAXCONN) (no-delay? #t)
                         v6-only? reuse-port? mode owner group)
  "Return a list of sockets that listen at WHERE: an address object, a text such as
\"127.0.0.1:80\", \"[::]:80\", \"*:80\", \"localhost:http\" or \"unix:/run/name\", a
port's number for every address of the machine, or, with PORT, a host's name."
  (check-settings backlog mode owner group)
  (raising-as "listen-on" '("socket" "bind" "listen" "getaddrinfo")
    (open-all (targets where port)
              (list #:backlog backlog #:no-delay? no-delay?
                    #:v6-only? v6-only? #:reuse-port? reuse-port?
                    #:mode mode #:owner owner #:group group))))

;;; Sockets that the service manager opened: sd_listen_fds(3).

(define first-passed 3)

(define (environment-number name)
  (let ((text (getenv name)))
    (and text
         (string-every digit? text)
         (not (string-null? text))
         (string->number text 10))))

(define (adopt number)
  "Return what owns descriptor NUMBER, a socket mostly; #f if it is not open."
  (catch 'system-error
    (lambda () (own-descriptor number))
    (const #f)))

(define (passed-count)
  "Return how many descriptors were passed, of those that can be open."
  (let ((count (and (eqv? (getpid) (environment-number "LISTEN_PID"))
                    (environment-number "LISTEN_FDS"))))
    (call-with-values (lambda () (getrlimit 'nofile))
      (lambda (soft hard)
        (max 0 (min (or count 0)
                    (- (or soft 65536) first-passed)))))))

(define (listen-fds)
  "Return the sockets that the service manager passed to this process, an alist
from names to sockets in the order of their descriptors; '() if it passed none.
What is no socket, a FIFO say, is there as `own-descriptor' makes it.  The
variables that tell of them are removed, so that children do not believe they are
theirs."
  (let ((count (passed-count))
        (names (string-split (or (getenv "LISTEN_FDNAMES") "") #\:)))
    (for-each unsetenv '("LISTEN_PID" "LISTEN_FDS" "LISTEN_FDNAMES"))
    (filter-map (lambda (index)
                  (let ((owner (adopt (+ first-passed index))))
                    (and owner
                         (cons (if (or (>= index (length names))
                                       (string-null? (list-ref names index)))
                                   "unknown"
                                   (list-ref names index))
                               owner))))
                (iota count))))
