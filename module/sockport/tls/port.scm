;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Ports of TLS: how they are made, and what is known of their peers.

(define-module (sockport tls port)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport io argument)
  #:use-module (sockport io layer)
  #:use-module (sockport primitive)
  #:use-module ((sockport task deadline) #:select (prepare-ports!))
  #:use-module (sockport tls error)
  #:use-module (sockport tls-primitive)
  #:export (check-below
            make-client-port
            make-server-port
            tls-protocol
            tls-cipher
            tls-alpn
            tls-server-name
            tls-resumed?
            tls-peer-certificates)
  #:re-export (certificate->alist
               tls-port?
               tls-socket))

(define (certificates port)
  (let next ((index 0))
    (let ((one (%tls-certificate port index)))
      (if one
          (cons one (next (+ index 1)))
          '()))))

(define (alert->symbol text)
  (and text
       (string->symbol
        (string-map (lambda (char) (if (char=? char #\_) #\- char))
                    (string-downcase text)))))

(define (fail who reason meaning reasons alert detail port)
  (raise-tls-error who reason meaning reasons (alert->symbol alert)
                   (or (and port
                            (false-if-exception (certificates port)))
                       '())
                   detail))

(%set-layer! (%tls-init! layer-read layer-write fail))

;;; What came before TLS began.  To a server it may be TLS already; a client, which
;;; speaks first, has been sent something that nobody vouches for.

(define (take-buffered! sock)
  (let* ((buffer (port-read-buffer sock))
         (cur (port-buffer-cur buffer))
         (size (- (port-buffer-end buffer) cur))
         (bytes (make-bytevector size)))
    (bytevector-copy! (port-buffer-bytevector buffer) cur bytes 0 size)
    (set-port-buffer-cur! buffer (port-buffer-end buffer))
    bytes))

(define (check-below sock who)
  "Refuse what TLS cannot go through: it is a socket, or a port of TLS."
  (if (layered? sock)
      (check-that (not (port-closed? sock)) sock 1 "open port" who)
      (check-port sock 1 who)))

;;; Guile's procedures that read in C suspend a fiber, too, if what they read is
;;; gathered first.
(define (prepare-below sock who)
  (check-below sock who)
  (prepare-ports!)
  (if (layered? sock)
      (flush-layer sock)
      (force-output sock)))

(define (make-client-port core sock host lenient-eof?)
  (prepare-below sock "tls-connect")
  (unless (string? host)
    (refuse-type "tls-connect" 2 "name of a host" host))
  ;; For C it would end there.
  (when (string-index host #\nul)
    (raise-tls-error "tls-connect" 'bad-name "it is no name of a host" '() #f '()))
  (unless (zero? (bytevector-length (take-buffered! sock)))
    (raise-tls-error "tls-connect" 'plain-text
                     "the server has sent more before TLS began" '() #f '()))
  (%make-tls-port sock core host #vu8() lenient-eof?))

(define (make-server-port core sock lenient-eof?)
  (prepare-below sock "tls-accept")
  (%make-tls-port sock core #f (take-buffered! sock) lenient-eof?))

;;; What is known.

(define-syntax-rule (define-fact (name value index) documentation expr)
  (define (name port)
    documentation
    (let ((value (vector-ref (%tls-facts port (symbol->string 'name)) index)))
      expr)))

(define-fact (tls-protocol version 0)
  "Return the version of TLS that PORT speaks, tls1.2 or tls1.3."
  (if (= 13 version) 'tls1.3 'tls1.2))

(define-fact (tls-resumed? resumed? 1)
  "Has PORT resumed an earlier session?"
  resumed?)

(define-fact (tls-cipher name 2)
  "Return the name of the cipher suite of PORT, a string."
  name)

(define-fact (tls-alpn name 3)
  "Return the application's protocol that was agreed on, a string, or #f."
  name)

(define-fact (tls-server-name name 4)
  "Return the name of the host that the client of PORT asks for, or #f."
  name)

(define (tls-peer-certificates port)
  "Return the certificates that the peer of PORT has shown, its own first, as a list
of bytevectors (DER)."
  (%tls-facts port "tls-peer-certificates")
  (certificates port))
