;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Contexts: what they are made from, and how that is read again while they are
;;; used.  The core's contexts are never changed once they are used; a new one takes
;;; their place.

(define-module (sockport tls context)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (make-mutex))
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport io secure)
  #:use-module (sockport ports lock)
  #:use-module (sockport tls port)
  #:use-module (sockport tls-primitive)
  #:export (tls-context
            tls-context?
            tls-reload!
            current-tls-context))

;;; As a client and as a server a context has a core each, made when it is first
;;; used; a server needs no list of authorities that takes long to read.
(define-record-type <state>
  (make-state settings client server lock)
  state?
  (settings state-settings)
  (client state-client)
  (server state-server)
  (lock state-lock))

(set-record-type-printer! <state>
  (lambda (state port) (display "#<tls>" port)))

(define who "tls-context")

;;; Settings.

(define (read-bytes file)
  (call-with-input-file file get-bytevector-all #:binary #t))

(define (contents source name)
  "Return the bytes of SOURCE, a file's name or a bytevector."
  (match source
    ((? bytevector?) source)
    ((? string?)
     (match (read-bytes source)
       ((? bytevector? bytes) bytes)
       (_ (make-bytevector 0))))
    (_ (refuse-type who name "file name or bytevector" source))))

(define (as-list value)
  (if (list? value) value (list value)))

(define (check-member value allowed name)
  (unless (memq value allowed)
    (refuse-range who name (format #f "one of ~s" allowed) value)))

(define clients '(none ask require))
(define minima '((tls1.2 . 12) (tls1.3 . 13)))

;;; enum skp_tls_setting
(define VERIFY 0)
(define CLIENTS 1)
(define MINIMUM 2)
(define RESUMPTION 3)
(define STRICT-NAMES 4)

(define (index-of item list)
  (- (length list) (length (memq item list))))

(define (about place thunk)
  "Call THUNK; where TLS refuses what it was given, the error says which: PLACE has the
keyword and the value for the reason."
  (catch 'tls-error
    thunk
    (lambda (key who message irritants known)
      (match (place (car known))
        ((name . source)
         (throw key who (string-append "~A: " message)
                (cons (if (string? source) (format #f "~s ~s" name source) name)
                      irritants)
                known))))))

(define (trust! core source)
  (match source
    ('none #t)
    ('system (%tls-trust-system! core))
    ((? symbol?)
     (refuse-type who #:trust "system, none, file name or bytevector" source))
    (_ (let ((bytes (contents source #:trust)))
         (about (const (cons #:trust source))
                (lambda () (%tls-trust! core bytes)))))))

(define (revoke! core source)
  (let ((bytes (contents source #:revoked)))
    (about (const (cons #:revoked source))
           (lambda () (%tls-revoke! core bytes)))))

(define (prefer! core priorities)
  (about (const (cons #:priorities priorities))
         (lambda () (%tls-priorities! core priorities))))

(define* (certify! core certificate key #:optional staple)
  (define (place reason)
    (match reason
      ('bad-response (cons #:staple staple))
      ('bad-key (if key (cons #:key key) (cons #:certificate certificate)))
      (_ (cons #:certificate certificate))))
  (let* ((chain (contents certificate #:certificate))
         (key (if key (contents key #:key) chain))
         (staple (and staple (contents staple #:staple))))
    (about place
           (lambda ()
             (let ((index (%tls-certify! core chain key)))
               (when staple
                 (%tls-staple! core index staple)))))))

(define* (make-core role #:key (trust 'system) certificate key staple
                    (certificates '()) (client-certificates 'none) (alpn '())
                    (minimum 'tls1.2) priorities (revoked '()) (verify? #t)
                    (resume? #t) strict-names?)
  (let ((core (%make-tls-context)))
    (when (or (eq? role 'client) (not (eq? 'none client-certificates)))
      (for-each (lambda (source) (trust! core source)) (as-list trust))
      (for-each (lambda (source) (revoke! core source)) (as-list revoked)))
    (when certificate
      (certify! core certificate key staple))
    (for-each (lambda (one) (apply certify! core (as-list one))) certificates)
    (when priorities (prefer! core priorities))
    (%tls-protocols! core alpn)
    (for-each (match-lambda ((setting . value) (%tls-set! core setting value)))
              `((,VERIFY . ,(if verify? 1 0))
                (,CLIENTS . ,(index-of client-certificates clients))
                (,MINIMUM . ,(assq-ref minima minimum))
                (,RESUMPTION . ,(if resume? 1 0))
                (,STRICT-NAMES . ,(if strict-names? 1 0))))
    core))

;;; Cores.

(define (core state role)
  (let ((box (if (eq? role 'client)
                 (state-client state)
                 (state-server state))))
    (or (atomic-box-ref box)
        (with-lock (state-lock state)
          (or (atomic-box-ref box)
              (let ((made (apply make-core role (state-settings state))))
                (atomic-box-set! box made)
                made))))))

(define (begin-as-client state)
  (lambda (sock host lenient-eof?)
    (make-client-port (core state 'client) sock host lenient-eof?)))

(define (begin-as-server state)
  (lambda (sock lenient-eof?)
    (make-server-port (core state 'server) sock lenient-eof?)))

;;; The public procedures.

(define (check-alpn names)
  (unless (and (list? names) (and-map string? names))
    (refuse-type who #:alpn "list of strings" names))
  (for-each (lambda (name)
              (unless (and (<= 1 (string-length name) 255)
                           (string-every char-set:ascii name)
                           (not (string-index name #\nul)))
                (refuse-range who #:alpn "1 to 255 ASCII characters, no NUL"
                              name)))
            names))

(define (make-context settings)
  (let ((state (make-state settings (make-atomic-box #f) (make-atomic-box #f)
                           (make-mutex))))
    (make-security state (begin-as-client state) (begin-as-server state)
                   %tls-handshake)))

(define-keyed (tls-context #:key (trust 'system) certificate key staple
                         (certificates '()) (client-certificates 'none)
                         (alpn '()) (minimum 'tls1.2) priorities (revoked '())
                         (verify? #t) (resume? #t) strict-names? #:rest
                         settings)
  "Return a context for connections of TLS, as a client and as a server.  What is
given as a file's name is read now, and again by @code{tls-reload!}."
  (check-member client-certificates clients #:client-certificates)
  (check-member minimum (map car minima) #:minimum)
  (check-alpn alpn)
  (check-that (or certificate (not (or key staple))) certificate #:certificate
              "certificate for the key or the staple" who)
  (check-that (list? certificates) certificates #:certificates "list" who)
  (check-that (or (not priorities) (string? priorities)) priorities #:priorities
              "string" who)
  (let ((context (make-context settings)))
    ;; What is wrong with it is said now.
    (when priorities
      (prefer! (%make-tls-context) priorities))
    (unless (and (eq? trust 'system) (null? revoked))
      (core (security-state context) 'client))
    (when (or certificate (pair? certificates))
      (core (security-state context) 'server))
    context))

(define (tls-context? object)
  "Is OBJECT a context of TLS?"
  (and (security? object) (state? (security-state object))))

(define (tls-reload! context)
  "Read again the files that CONTEXT was made from, for connections that begin from
now on.  If one of them is no good, nothing changes but that an error is raised."
  (unless (tls-context? context)
    (refuse-type "tls-reload!" 1 "TLS context" context))
  (let ((state (security-state context)))
    (define (renewed role box)
      (let ((older (atomic-box-ref box)))
        (and older
             (let ((newer (apply make-core role (state-settings state))))
               (when (eq? role 'server) (%tls-inherit! newer older))
               newer))))
    (with-lock (state-lock state)
      (let ((client (renewed 'client (state-client state)))
            (server (renewed 'server (state-server state))))
        (when client (atomic-box-set! (state-client state) client))
        (when server (atomic-box-set! (state-server state) server))))))

(define current-tls-context
  (make-parameter (make-context '())
                  (lambda (context)
                    (unless (tls-context? context)
                      (refuse-type "current-tls-context" 1 "TLS context"
                                   context))
                    context)))
