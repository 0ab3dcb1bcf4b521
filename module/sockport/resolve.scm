;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Names to addresses and back, and the entries of hosts, networks, protocols and
;;; services.  The look-up runs in a thread of the core; here is how a task, a
;;; fiber or a thread waits for it, and lets go of it when a deadline, an
;;; exception or cancel! ends the wait.

(define-module (sockport resolve)
  #:use-module (ice-9 match)
  #:use-module (sockport primitive)
  #:use-module (sockport address)
  #:use-module (sockport io called)
  #:use-module (sockport io close)
  #:use-module (sockport io lookup)
  #:use-module (sockport io wait)
  #:use-module (sockport task)
  #:use-module ((sockport task waiter) #:select (wait-for))
  #:export (getnameinfo)
  #:replace (getaddrinfo
             gethost gethostbyname gethostbyaddr
             getnet getnetbyname getnetbyaddr
             getproto getprotobyname getprotobynumber
             getserv getservbyname getservbyport))

(define (value-of begun who)
  "The value that BEGUN is, or that it will have if it is a lookup.  Of addresses and
names it is an integer, why there are none."
  (if (%lookup? begun)
      (call-with-cleanup (lambda () (await begun who))
                         (lambda () (%lookup-drop begun)))
      begun))

(define (await lookup who)
  (if (and (current-task) (not (below-c?)))
      (await-told lookup who)
      (await-port lookup who)))

(define (await-told lookup who)
  (or (%lookup-take lookup)
      (begin
        (wait-for (lambda (waiter) (%lookup-tell lookup waiter))
                  (lambda () (%lookup-tell-nobody lookup))
                  who)
        (await-told lookup who))))

(define (await-port lookup who)
  (let ((port (%lookup-port lookup)))
    (call-with-cleanup
     (lambda ()
       (retrying (wait-readable port who)
                 (%lookup-take lookup)))
     (lambda () (close-port port)))))

(define* (getaddrinfo name #:optional service (flags 0) (family AF_UNSPEC)
                      (socktype 0) (protocol 0))
  "Look up the host NAME and SERVICE, strings or @code{#f}, and return a list of
addrinfo vectors.  Raises @code{getaddrinfo-error} with an @code{EAI_} number."
  (let ((found (value-of (%resolve-addresses name service (or flags 0)
                                             (or family 0) (or socktype 0)
                                             (or protocol 0))
                         'getaddrinfo)))
    (if (exact-integer? found)
        (lookup-failed found 'getaddrinfo (lookup-name name service))
        found)))

(define* (getnameinfo address #:optional (flags 0))
  "Return two values, the names of the host and of the service of ADDRESS, an
address object; FLAGS is an inclusive or of NI_ constants.  Raises
@code{getaddrinfo-error} with an @code{EAI_} number."
  (match (value-of (%resolve-names address flags) 'getnameinfo)
    ((host . service) (values host service))
    (code (lookup-failed code 'getnameinfo (socket-address->string address)))))

;;; Entries.  Without an argument, the next one of the file: that is Guile's own.

(define gethost
  (case-lambda
    "Return the entry of HOST, a name or an IPv4 address as an integer: a vector for
@code{hostent:name} and its siblings."
    (() ((@ (guile) gethost)))
    ((host) (value-of (%resolve-host host) 'gethost))))

(define getnet
  (case-lambda
    "Return the entry of NET, the name or the number of an IPv4 network: a vector for
@code{netent:name} and its siblings."
    (() ((@ (guile) getnet)))
    ((net) (value-of (%resolve-net net) 'getnet))))

(define getproto
  (case-lambda
    "Return the entry of PROTOCOL, a name or a number: a vector for
@code{protoent:name} and its siblings."
    (() ((@ (guile) getproto)))
    ((protocol) (value-of (%resolve-protocol protocol) 'getproto))))

(define getserv
  (case-lambda
    "Return the entry of the service NAME, a name or the number of a port, for the
transport PROTOCOL, a name, or of any protocol: a vector for @code{servent:name} and
its siblings."
    (() ((@ (guile) getserv)))
    ((name) (getserv name #f))
    ((name protocol) (value-of (%resolve-service name protocol) 'getserv))))

(define-syntax-rule (define-as (name arg ...) inner)
  (define (name arg ...)
    (raising-as (symbol->string 'name) (list (symbol->string 'inner))
      (inner arg ...))))

(define-as (gethostbyname name) gethost)
(define-as (gethostbyaddr address) gethost)
(define-as (getnetbyname name) getnet)
(define-as (getnetbyaddr number) getnet)
(define-as (getprotobyname name) getproto)
(define-as (getprotobynumber number) getproto)
(define-as (getservbyname name protocol) getserv)
(define-as (getservbyport port protocol) getserv)
