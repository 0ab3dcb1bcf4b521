;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; connect-to: from what a program calls a place to a connected socket with the
;;; options that clients want.  Which address wins is decided in serve/race.

(define-module (sockport connect)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport resolve)
  #:use-module (sockport socket)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport io called)
  #:use-module (sockport io internet)
  #:use-module (sockport io secure)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport serve race)
  #:use-module (sockport serve outgoing)
  #:export (connect-to
            connect-failures
            where->addresses))

;;; What WHERE names: a list of addresses, or a host and a service.

(define (check-port text position)
  (let ((number (string->number text 10)))
    (when (and number (not (and (exact-integer? number) (<= 0 number 65535))))
      (refuse-range "connect-to" position "port 0 to 65535" text))
    text))

(define (service-text port)
  "Return the text of PORT, what #:port was given."
  (check-that (or (string? port) (exact-integer? port)) port #:port
              "number of a port or name of a service" "connect-to")
  (check-port (if (string? port) port (number->string port)) #:port))

(define (parse where port)
  (cond ((sockaddr? where) (list where))
        ((pair? where) (append-map (lambda (one) (parse-address one port))
                                   where))
        ((not (string? where))
         (refuse-type "connect-to" 1 "address, text or list of them" where))
        (port (cons where (service-text port)))
        ((string->socket-address where) => list)
        ((string-prefix? "unix:" where)
         (refuse-range "connect-to" 1 "a name of at most 108 bytes" where))
        ((string-contains where "://")
         (refuse-type "connect-to" 1 "text such as host:port, not a URI" where))
        (else
         (match (text->place where)
           ((or #f (_ . ""))
            (refuse-type "connect-to" 1
                         "text such as host:port or [::1]:port, or #:port" where))
           (("" . _)
            (refuse-type "connect-to" 1 "text such as host:port; this has no host"
                         where))
           ((host . service) (cons host (check-port service 1)))))))

(define (parse-address where port)
  (match (parse where port)
    (((? sockaddr? address)) (list address))
    ((host . service)
     (map addrinfo:addr (getaddrinfo host service 0 AF_UNSPEC SOCK_STREAM)))))

;;; Connecting.

;;; A race of one needs no more than its socket.

(define (raise-alone target key args)
  "Raise what the attempt to connect to TARGET, the only address, has raised."
  (if (eq? key 'system-error)
      (raise-failures
       (list (cons target (system-error-errno (cons key args)))))
      (apply throw key args)))

(define (connect-alone target open on-attempt)
  "Connect to the only address that there is, by a socket that OPEN makes."
  (define (attempt)
    (let ((sock (open target)))
      (closing-on-error sock
        (lambda ()
          (connect sock target)
          sock))))
  (on-attempt target #f)
  (catch #t attempt
    (lambda (key . args)
      (when (eq? key 'system-error)
        (on-attempt target (system-error-errno (cons key args))))
      (raise-alone target key args))))

;;; Of an address of the Internet and no options the socket is made and connected by
;;; one primitive: nothing has to be undone when that fails.

(define (address-of where)
  "The address that WHERE is, or #f if a name is to be looked up or WHERE is none."
  (cond ((string? where) (string->socket-address where))
        ((sockaddr? where) where)
        (else #f)))

(define (begin-plainly where)
  "What %connect-begin returns for WHERE; #f if it is not for that."
  (let ((address (address-of where)))
    (and address
         (internet? address)
         (%connect-begin address #t (scheduler?)))))

(define (finish-plainly target begun)
  "Return the socket that BEGUN, which is no port, comes to."
  (match begun
    ((sock)
     (catch #t
       (lambda ()
         (let again ()
           (wait-writable sock 'connect)
           (unless (%connect-result sock target)
             (again)))
         sock)
       (lambda (key . args)
         (close-port sock)
         (raise-alone target key args))))
    (errno (raise-failures (list (cons target errno))))))

(define (connect-directly target prepare! delay family on-attempt secure)
  (define open (opener prepare!))
  (define (racing family . what)
    (apply race open (and delay (seconds->ns delay)) family
           #:on-attempt on-attempt #:secure secure what))
  (match target
    (((? sockaddr? alone))
     (cond ((and (not (eqv? family AF_UNSPEC))
                 (not (eqv? family (sockaddr:fam alone)))
                 (internet? alone))
            (racing family #:addresses target))
           ;; A handshake belongs to the attempt.
           (secure (racing AF_UNSPEC #:addresses target))
           (else (connect-alone alone open on-attempt))))
    (((? string? host) . service) (racing family #:host host #:service service))
    (addresses (racing family #:addresses addresses))))

;;; TLS.

(define (host-to-prove target host)
  "Return HOST, or whom TARGET names."
  (match (or host target)
    ((? string? host) host)
    (((? string? host) . _) host)
    (((? internet? address) . _)
     (inet-ntop (sockaddr:fam address) (sockaddr:addr address)))
    (_ (refuse-type "connect-to" #:tls-host "name of a host" host))))

(define (secured sock secure)
  (match secure
    ((security . host)
     (closing-on-error sock
       (lambda ()
         (finish-handshake security (begin-client security sock host)
                           'connect-to))))))

;;; Through a proxy.

(define (service->port service)
  (or (string->number service 10)
      (sockaddr:port
       (addrinfo:addr (car (getaddrinfo #f service 0 AF_INET SOCK_STREAM))))))

(define (host-and-port target)
  "Return a pair of the host and the port that TARGET, as `parse' returns it, is."
  (match target
    (((? string? host) . service) (cons host (service->port service)))
    (((? internet? address))
     (cons (inet-ntop (sockaddr:fam address) (sockaddr:addr address))
           (sockaddr:port address)))
    (_ (refuse-type "connect-to" 1 "host or one address of the Internet, for a \
proxy" target))))

(define (without-target options)
  (filter-keywords
   (lambda (key) (not (memq key '(#:port #:proxy #:proxy-tls #:tls #:tls-host))))
   options))

(define (connect-through proxy target proxy-tls options)
  ;; Loaded when it is needed: it knows HTTP.
  (let ((connect-by (module-ref (resolve-interface '(sockport client proxy))
                                'connect-by-proxy))
        (place (host-and-port target)))
    (connect-by proxy (car place) (cdr place) proxy-tls
                (lambda (host port tls)
                  (apply connect-to host #:port port #:proxy #f #:tls tls
                         options)))))

(define (nobody address errno)
  "What is told of attempts, and is not asked for."
  #t)

(define-keyed (connect-to where #:key port (family AF_UNSPEC) local local-port
                         (delay 1/4) (no-delay? #t) keep-alive user-timeout
                         device mark set-up (on-attempt nobody) proxy proxy-tls
                         tls (tls-host #f) #:rest options)
  "Return a socket that is connected to WHERE: a text such as \"host:http\",
\"[::1]:80\" or \"unix:/run/name\", an address object, a list of them, or with
PORT, a number or the name of a service, a host's name.  The addresses of a host
are tried as RFC 8305 says, each DELAY seconds after the one before it (#f: when
that has failed), and the first that is connected is kept.  PROXY, a text such as
\"socks5://host:port\", \"http://host:port\" or \"https://host:port\", is connected to
instead, of https by TLS with the context PROXY-TLS, and asked for a connection to
WHERE.  With TLS, a context of @code{(sockport tls)}, a port of TLS
is returned, whose peer is the host that WHERE names, or TLS-HOST; an attempt has won
once its handshake is done."
  (define (connect-with-options)
    (check-settings family local-port delay keep-alive user-timeout device mark
                    set-up on-attempt)
    (when tls (check-security tls #:tls "connect-to"))
    (when proxy-tls (check-security proxy-tls #:proxy-tls "connect-to"))
    (check-that (or (not tls-host) (string? tls-host)) tls-host #:tls-host
                "name of a host" "connect-to")
    (let* ((target (parse where port))
           (secure (and tls (cons tls (host-to-prove target tls-host))))
           (local (read-local local local-port))
           (family (if local (sockaddr:fam local) family))
           (prepare! (preparer local local-port no-delay? keep-alive user-timeout
                               device mark set-up)))
      (if proxy
          (let ((sock (connect-through proxy target proxy-tls
                                       (without-target options))))
            (if secure (secured sock secure) sock))
          (connect-directly target prepare! delay family on-attempt secure))))
  (let ((begun (and (null? options) (begin-plainly where))))
    (if (port? begun)
        begun
        (raising-as "connect-to" '("socket" "connect" "bind" "getaddrinfo")
          (if begun
              (finish-plainly (address-of where) begun)
              (connect-with-options))))))

(define-keyed (where->addresses where #:key port (family AF_UNSPEC))
  "Return the address objects that connect-to would try for WHERE, PORT and FAMILY, a
list in the system's order."
  (check-integer family 0 65535 #:family "where->addresses")
  (raising-as "where->addresses" '("connect-to" "getaddrinfo")
    (match (parse where port)
      (((? string? host) . service)
       (delete-duplicates
        (map addrinfo:addr (getaddrinfo host service 0 family SOCK_STREAM))))
      (addresses
       (filter (lambda (address)
                 (memv family (list AF_UNSPEC (sockaddr:fam address))))
               addresses)))))

(define (seconds->ns seconds)
  (inexact->exact (round (* seconds 1000000000))))

(define (connect-failures args)
  "Return what connect-to had tried, an alist from addresses to errnos, from ARGS,
the arguments of the @code{system-error} that it raised; '() for any other."
  (match args
    ((_ ... (errno (and failures ((_ . _) ...)))) failures)
    (_ '())))
