;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Connecting to whichever of several addresses works first (RFC 8305, Happy
;;; Eyeballs), while their names are still being looked up.
;;;
;;; Everything that a race waits for is in one set of ports, itself a port: so it
;;; needs no task of its own and waits in tasks, fibers and threads alike.

(define-module (sockport serve race)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport primitive)
  #:use-module (sockport task)
  #:use-module (sockport io close)
  #:use-module (sockport io internet)
  #:use-module (sockport io lookup)
  #:use-module (sockport io secure)
  #:use-module (sockport io wait)
  #:export (race
            raise-failures))

;;; A race.  QUEUE has the addresses not tried yet, by family; LOOKUPS those that
;;; are asked for, pairs of a family and a lookup; ATTEMPTS pairs of a socket and
;;; its address; FAILURES pairs of an address and its errno, the last first, and
;;; CODES those of the look-ups, of NAME.  SECURE is #f, or a pair of a context and a
;;; host; then an attempt goes on with the handshake, and its socket becomes the port of
;;; that.  REFUSAL are the arguments of the first failure of a handshake.  Times are of the monotonic clock.
(define-record-type <race>
  (make-race name set open on-attempt secure queue lookups attempts failures
             refusal codes last begun next-start patience-end)
  race?
  (name race-name)
  (set race-set)
  (open race-open)
  (on-attempt race-on-attempt)
  (secure race-secure)
  (queue race-queue set-race-queue!)
  (lookups race-lookups set-race-lookups!)
  (attempts race-attempts set-race-attempts!)
  (failures race-failures set-race-failures!)
  (refusal race-refusal set-race-refusal!)
  (codes race-codes set-race-codes!)
  (last race-last set-race-last!)
  (begun race-begun set-race-begun!)
  (next-start race-next-start set-race-next-start!)
  (patience-end race-patience-end set-race-patience-end!))

(define resolution-delay 50000000)      ; RFC 8305, section 8
(define shortest-delay 10000000)        ; section 5

;;; Looking up, a family at a time.

(define (add-addresses! race addresses)
  (set-race-queue! race (delete-duplicates
                         (append (race-queue race) addresses))))

(define (add-found! race found)
  "Add what was FOUND, a list, or an integer that says why there is nothing."
  (if (exact-integer? found)
      (set-race-codes! race (cons found (race-codes race)))
      (add-addresses! race (map addrinfo:addr found))))

(define (begin-lookup! race host service family)
  (let ((begun (%resolve-addresses host service 0 family SOCK_STREAM 0)))
    (if (%lookup? begun)
        (let ((entry (list family begun #f)))
          (set-race-lookups! race (append (race-lookups race) (list entry)))
          (set-car! (cddr entry) (%lookup-port begun))
          (%port-set-add! (race-set race) (third entry) #f))
        (add-found! race begun))))

(define (take-answers! race)
  (for-each
   (match-lambda
     ((and entry (family lookup port))
      (let ((found (%lookup-take lookup)))
        (when found
          (set-race-lookups! race (delq entry (race-lookups race)))
          (end-lookup entry)
          (add-found! race found)
          (when (null? (race-attempts race))
            (set-race-patience-end! race
                                    (+ (monotonic-ns) resolution-delay)))))))
   (race-lookups race)))

(define (end-lookup entry)
  (match entry
    ((_ lookup port)
     (when port (close-port port))
     (%lookup-drop lookup))))

;;; Attempts.

(define (fail! race address errno)
  ((race-on-attempt race) address errno)
  (set-race-failures! race (acons address errno (race-failures race)))
  (set-race-next-start! race (+ (race-begun race) shortest-delay)))

(define (take-attempts! race)
  "Return the socket that is connected, or #f."
  (any
   (match-lambda
     ((and attempt (_ . address))
      (catch #t
        (lambda () (advance! race attempt))
        (lambda (key . args)
          (unless (memq key '(system-error tls-error))
            (apply throw key args))
          (set-race-attempts! race (delq attempt (race-attempts race)))
          (close-port (car attempt))
          (note-failure! race address (cons key args))))))
   (race-attempts race)))

(define (note-failure! race address args)
  (let ((refused? (eq? 'tls-error (car args))))
    (when (and refused? (not (race-refusal race)))
      (set-race-refusal! race args))
    (fail! race address (if refused? EPROTO (system-error-errno args)))
    #f))

(define (advance! race attempt)
  (let ((port (car attempt)))
    (cond ((layered? port) (shake-hands race port))
          ((not (%connect-result port (cdr attempt))) #f)
          (else (secure! race attempt)))))

(define (shake-hands race port)
  (if (handshake-step (car (race-secure race)) port)
      port
      (begin
        (%port-set-add! (race-set race) (bottom-port port)
                        (%awaits-writing? port 0))
        #f)))

(define (secure! race attempt)
  (match (race-secure race)
    (#f (car attempt))
    ((security . host)
     (let ((port (begin-client security (car attempt) host)))
       (set-car! attempt port)
       (shake-hands race port)))))

;;; Of a host's addresses one of IPv6 is the first, whichever answer came first; others
;;; are tried as they are given.
(define (first-last host)
  (and host AF_INET))

(define (next-address race)
  "The first of another family than the last one tried, or the first."
  (or (find (lambda (address)
              (not (eqv? (sockaddr:fam address) (race-last race))))
            (race-queue race))
      (car (race-queue race))))

(define (start! race delay)
  "Try the next address; return the socket if it is connected at once, or #f."
  (let ((address (next-address race)) (now (monotonic-ns)))
    (set-race-queue! race (delq address (race-queue race)))
    (set-race-last! race (sockaddr:fam address))
    (set-race-begun! race now)
    (set-race-next-start! race (and delay (+ now delay)))
    ((race-on-attempt race) address #f)
    (catch 'system-error
      (lambda ()
        (let ((sock ((race-open race) address)))
          (and sock
               (closing-on-error sock
                 (lambda () (begin-attempt! race sock address))))))
      (lambda args (note-failure! race address args)))))

;;; What is secured goes on with the other attempts.
(define (begin-attempt! race sock address)
  (let ((connected? (eq? #t (%connect sock address))))
    (if (and connected? (not (race-secure race)))
        sock
        (begin
          (%port-set-add! (race-set race) sock #t)
          (set-race-attempts! race (append (race-attempts race)
                                           (list (cons sock address))))
          #f))))

;;; The loop.

(define (patient? race now)
  "Is the answer for IPv6 still worth waiting for?"
  (and (assv AF_INET6 (race-lookups race))
       (not (any (lambda (address) (eqv? AF_INET6 (sockaddr:fam address)))
                 (race-queue race)))
       (race-patience-end race)
       (< now (race-patience-end race))))

(define (wake-time race now)
  "When the next address is to be tried, or #f."
  (and (pair? (race-queue race))
       (if (patient? race now)
           (race-patience-end race)
           (race-next-start race))))

(define (wait race until)
  (if until
      (let ((timer (%timer-port (max 1 (- until (monotonic-ns))))))
        (call-with-cleanup
         (lambda ()
           (%port-set-add! (race-set race) timer #f)
           (wait-readable (race-set race) 'connect-to))
         (lambda () (close-port timer))))
      (wait-readable (race-set race) 'connect-to)))

(define (lost? race)
  (and (null? (race-queue race))
       (null? (race-lookups race))
       (null? (race-attempts race))))

(define (run race delay)
  (take-answers! race)
  (let* ((now (monotonic-ns)) (until (wake-time race now)))
    (cond ((take-attempts! race))
          ((lost? race) (raise-lost race))
          ((and until (<= until now))
           (or (start! race delay)
               (run race delay)))
          (else
           (wait race (wake-time race now))
           (run race delay)))))

(define (end race winner)
  (for-each end-lookup (race-lookups race))
  (for-each (match-lambda
              ((sock . _)
               (unless (eq? sock winner) (close-port sock))))
            (race-attempts race))
  (close-port (race-set race)))

;;; Failing.

(define (raise-lost race)
  (match (reverse (race-failures race))
    (()
     (when (null? (race-codes race))
       (scm-error 'misc-error "connect-to"
                  "no address is of the family that is wanted" '() #f))
     (lookup-failed (worst (race-codes race)) 'connect-to (race-name race)))
    ((? (const (race-refusal race)))
     (apply throw (race-refusal race)))
    (failures (raise-failures failures))))

(define (raise-failures failures)
  "Raise what FAILURES, pairs of an address and its errno, mean together."
  (match failures
    (((_ . errno) . _)
     (scm-error 'system-error "connect-to" "~A"
                (list (string-join (map failure->string failures) "; "))
                (list errno failures)))))

(define (failure->string failure)
  (format #f "~a: ~a" (socket-address->string (car failure))
          (strerror (cdr failure))))

;;; A name that has no address of one family says less than a name server that
;;; cannot be reached.
(define (worst codes)
  (or (find (lambda (code)
              (not (memv code (list EAI_NONAME EAI_NODATA EAI_ADDRFAMILY))))
            codes)
      (car codes)))

;;; The whole.

(define (begin-race! race host service addresses family)
  (define (wanted? one)
    (memv family (list AF_UNSPEC one)))
  (add-addresses! race (filter (lambda (address)
                                 (wanted? (sockaddr:fam address)))
                               addresses))
  (when host
    (for-each (lambda (one)
                (when (wanted? one)
                  (begin-lookup! race host service one)))
              (list AF_INET6 AF_INET))))

(define* (race open delay family #:key host service (addresses '())
               (on-attempt (const #t)) secure)
  "Return the first socket that is connected to one of ADDRESSES, or of those of
HOST and SERVICE, that are of FAMILY.  (OPEN address) returns a socket for one; the
next is tried DELAY nanoseconds after it, or with #f when it has failed.  All
others are closed.  (ON-ATTEMPT address errno) is called when an address is tried,
with #f, and when that has failed.  With SECURE the port of the handshake is returned."
  (let ((race (make-race (lookup-name host service) (%port-set) open on-attempt
                         secure '() '() '() '() #f '() (first-last host) 0 0 #f))
        (winner #f))
    (call-with-cleanup
     (lambda ()
       (begin-race! race host service addresses family)
       (set! winner (run race delay))
       winner)
     (lambda () (end race winner)))))
