;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Names to addresses and back.  The look-up runs in a thread of the core; here
;;; is how a task, a fiber or a thread waits for it, and lets go of it when a
;;; deadline, an exception or cancel! ends the wait.

(define-module (sockport resolve)
  #:use-module (sockport primitive)
  #:use-module (sockport address)
  #:use-module (sockport io close)
  #:use-module (sockport io lookup)
  #:use-module (sockport io wait)
  #:use-module (sockport task)
  #:export (getnameinfo)
  #:replace (getaddrinfo))

(define (value-of begun who)
  "The value that BEGUN is, or that it will have if it is a lookup."
  (if (%lookup? begun)
      (call-with-cleanup (lambda () (await begun who))
                         (lambda () (%lookup-drop begun)))
      begun))

(define (await lookup who)
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
  (naming-lookup 'getaddrinfo (lambda () (lookup-name name service))
    (lambda ()
      (value-of (%resolve-addresses name service (or flags 0) (or family 0)
                                    (or socktype 0) (or protocol 0))
                'getaddrinfo))))

(define* (getnameinfo address #:optional (flags 0))
  "Return two values, the names of the host and of the service of ADDRESS, an
address object; FLAGS is an inclusive or of NI_ constants.  Raises
@code{getaddrinfo-error} with an @code{EAI_} number."
  (let ((names (naming-lookup 'getnameinfo
                   (lambda () (socket-address->string address))
                 (lambda ()
                   (value-of (%resolve-names address flags) 'getnameinfo)))))
    (values (car names) (cdr names))))
