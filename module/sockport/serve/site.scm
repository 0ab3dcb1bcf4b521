;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a server knows of itself: one for all threads, and one for each of them,
;;; with what waits for it to change.

(define-module (sockport serve site)
  #:use-module (ice-9 atomic)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module (sockport task waiter)
  #:export (make-server
            server?
            server-handler
            server-addresses
            reserve!
            release!
            await-room
            server-idle-seconds
            server-connection-seconds
            server-grace-seconds
            server-log
            server-on-stop
            server-prepare
            server-connections
            stopping
            stop-server!
            make-site
            site-server
            site-group
            site-count
            set-site-count!
            connection-ended!
            site-short?
            set-site-short!
            add-site!
            changed!
            await-fewer
            await-site))

;;; STOPPING is #f, `draining', or `now'.  SITES has one for each worker.  USED is
;;; how many connections of LIMIT, or #f, all of them have.  (PREPARE sock peer), if
;;; there is one, returns what the handler is to have in their place.
(define-record-type <server>
  (make-server handler addresses limit used idle-seconds connection-seconds
               grace-seconds log on-stop stopping sites prepare)
  server?
  (handler server-handler)
  (addresses addresses-of)
  (limit server-limit)
  (used server-used)
  (idle-seconds server-idle-seconds)
  (connection-seconds server-connection-seconds)
  (grace-seconds server-grace-seconds)
  (log server-log)
  (on-stop server-on-stop)
  (stopping server-stopping)
  (sites server-sites)
  (prepare server-prepare))

(set-record-type-printer! <server>
  (lambda (server port)
    (format port "#<server ~a>"
            (string-join (map socket-address->string (addresses-of server))
                         " "))))

;;; The part of a server in one thread.  WAITERS, the core of a channel, has those that
;;; wait for room or for the server's end; ENDS, another, those that wait for its
;;; connections to become fewer, so that a connection's end wakes nobody else.
(define-record-type <site>
  (%make-site server group count waiters ends short?)
  site?
  (server site-server)
  (group site-group)
  (count site-count set-site-count!)
  (waiters site-waiters)
  (ends site-ends)
  (short? site-short? set-site-short!))

(define (make-site server group)
  (%make-site server group 0 (%make-channel-core 0 #t) (%make-channel-core 0 #t) #f))

(define server-addresses
  (record-reader addresses-of server? "server" 'server-addresses))

(define (stopping server)
  (atomic-box-ref (server-stopping server)))

(define (check-server server who)
  (check-that (server? server) server 1 "server" who))

(define (server-connections server)
  "Return how many connections SERVER has."
  (check-server server "server-connections")
  (fold (lambda (site sum) (+ sum (site-count site)))
        0
        (atomic-box-ref (server-sites server))))

(define (add-site! server site)
  (let* ((box (server-sites server)) (old (atomic-box-ref box)))
    (unless (eq? old (atomic-box-compare-and-swap! box old (cons site old)))
      (add-site! server site))))

;;; Waiting for a site to change.

(define (changed! site)
  (%channel-tell (site-waiters site) #t)
  (%channel-tell (site-ends site) #t))

(define (connection-ended! site)
  (set-site-count! site (- (site-count site) 1))
  (release! (site-server site))
  (%channel-tell (site-ends site) #t))

(define (await core ready?)
  (unless (ready?)
    (wait-for (lambda (waiter)
                (%enter-getter core waiter #f)
                ;; It may have changed since.
                (when (ready?) (%claim waiter #t #f))
                #f)
              #f "serve")
    (await core ready?)))

(define (await-site site ready?)
  "Wait until READY?, which is asked when there may be room in SITE, or its server is
to end, is true."
  (await (site-waiters site) ready?))

(define (await-fewer site ready?)
  "The same, asked when a connection of SITE has ended as well."
  (await (site-ends site) ready?))

;;; A connection's place is reserved before it is accepted, since other listeners and
;;; other workers accept meanwhile.

(define (add-used! server more)
  "Return how many there were."
  (let* ((box (server-used server)) (old (atomic-box-ref box)))
    (if (eqv? old (atomic-box-compare-and-swap! box old (+ old more)))
        old
        (add-used! server more))))

(define (room? server)
  (< (atomic-box-ref (server-used server)) (server-limit server)))

(define (reserve! server)
  "Reserve the place of a connection; #f if there is none."
  (or (not (server-limit server))
      (< (add-used! server 1) (server-limit server))
      (begin
        (release! server)
        #f)))

(define (release! server)
  (let ((limit (server-limit server)))
    (when (and limit (>= (add-used! server -1) limit))
      (for-each changed! (atomic-box-ref (server-sites server))))))

(define (await-room site)
  "Wait until there may be a place, or the server is to end."
  (let ((server (site-server site)))
    (await-site site (lambda () (or (stopping server) (room? server))))))

(define* (stop-server! server #:optional now?)
  "Have SERVER stop listening and, when its connections have ended or its grace
period has, return; with NOW?, or when called again, cancel them at once.  From
any thread, and from handlers of signals."
  (check-server server "stop-server!")
  (let ((box (server-stopping server)))
    (atomic-box-set! box
                     (if (or now? (atomic-box-ref box)) 'now 'draining))
    (for-each changed! (atomic-box-ref (server-sites server)))))
