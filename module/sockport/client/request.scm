;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A request as it goes: its head, with a small body behind it, and how what else
;;; there is will follow.  What cannot be sent is refused here, before anything is
;;; connected.

(define-module (sockport client request)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 iconv)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport client connection)
  #:use-module (sockport client error)
  #:use-module (sockport client upload)
  #:use-module (sockport client uri)
  #:use-module (sockport primitive)
  #:use-module (web request)
  #:use-module (web uri)
  #:export (prepare
            host-text
            basic-login))

;;; Where to.

(define plain (char-set-delete (ucs-range->char-set #x21 #x7f) #\#))

(define (target-text text)
  "Return TEXT, a path with a query, fit for a request line."
  (cond ((string-every plain text) text)
        ((string-every (char-set-union plain (char-set-difference
                                              char-set:full char-set:ascii
                                              char-set:iso-control))
                       text)
         (string-concatenate
          (map (lambda (char)
                 (if (char<? char #\x80)
                     (string char)
                     (uri-encode (string char))))
               (string->list text))))
        (else
         (refuse "A path or query with a blank or control character has to be \
encoded, by uri-encode say: ~S" text))))

(define host-characters
  (string->char-set
   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%:[]"))

(define (host-text host port)
  "Return HOST and PORT, an integer or #f, as they stand in a URI."
  (unless (and (string-every host-characters host)
               (not (string-null? host)))
    (refuse "Not the name of a host, in ASCII: ~S" host))
  (let ((host (if (and (string-index host #\:)
                       (not (string-prefix? "[" host)))
                  (string-append "[" host "]")
                  host)))
    (if port
        (string-append host ":" (number->string port))
        host)))

(define (request-host-text request)
  (match (request-host request)
    ((host . port) (host-text host port))
    (_ (let ((uri (request-uri request)))
         (if (uri-host uri)
             (host-text (uri-host uri) (uri-port uri))
             "")))))

(define (request-target request absolute?)
  (let* ((uri (request-uri request))
         (path (uri-path uri))
         (path (if (string-null? path) "/" path))
         (target (target-text
                  (if (uri-query uri)
                      (string-append path "?" (uri-query uri))
                      path))))
    (if absolute?
        (string-append (symbol->string (uri-scheme uri)) "://"
                       (host-text (uri-host uri) (uri-port uri)) target)
        target)))

;;; Headers.

(define (with-header headers name value)
  (acons name value (alist-delete name headers eq?)))

(define (connection-text request keep?)
  (let ((told (request-connection request)))
    (cond ((pair? told)
           (string-join (map (lambda (token) (format #f "~a" token)) told)
                        ", "))
          ((not keep?) "close")
          ((equal? '(1 . 0) (request-version request)) "keep-alive")
          (else #f))))

(define (with-text-type request)
  "Return the headers of REQUEST with a type for text, and its charset."
  (let* ((headers (request-headers request))
         (type (request-content-type request '(text/plain)))
         (charset (assq-ref (cdr type) 'charset)))
    (if charset
        (values headers charset)
        (values (with-header headers 'content-type
                             (append type '((charset . "utf-8"))))
                "utf-8"))))

(define alphabet
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

(define (base64 text)
  "Return the bytes of TEXT in UTF-8 in base64."
  (let* ((bytes (string->utf8 text)) (size (bytevector-length bytes)))
    (define (byte at)
      (if (< at size) (bytevector-u8-ref bytes at) 0))
    (define (digits at)
      (let ((bits (logior (ash (byte at) 16) (ash (byte (+ at 1)) 8)
                          (byte (+ at 2)))))
        (string-pad-right
         (string-take
          (list->string
           (map (lambda (shift)
                  (string-ref alphabet (logand 63 (ash bits shift))))
                '(-18 -12 -6 0)))
          (min 4 (+ 1 (- size at))))
         4 #\=)))
    (string-concatenate (map digits (iota (quotient (+ size 2) 3) 0 3)))))

(define (with-login request headers)
  "Return HEADERS with the name and password that the URI of REQUEST has."
  (match (split-login (uri-userinfo (request-uri request)))
    ((name . password)
     (if (assq 'authorization headers)
         headers
         (acons 'authorization (basic-login name password) headers)))
    (#f headers)))

(define (basic-login name password)
  "Return the value of a header with NAME and PASSWORD: RFC 7617."
  `(basic . ,(base64 (string-append name ":" password))))

;;; Putting it together.

(define small 65536)

(define (chunked? request)
  (and (assq 'transfer-encoding (request-headers request)) #t))

(define (check-length request length)
  (let ((told (request-content-length request)))
    (when (and told (not (= told length)))
      (refuse "The content-length ~a is not that of the body, ~a"
              told length))))

(define (collect proc charset)
  (call-with-values (lambda () (open-bytevector-output-port))
    (lambda (port bytes)
      (set-port-encoding! port charset)
      (proc port)
      (bytes))))

(define (framing-of request body)
  "Return two values: how BODY, what follows the head of REQUEST, ends, and its
length."
  (cond ((and (not body) (chunked? request))
         (refuse "There is a transfer-encoding, but no body"))
        ((chunked? request) (values by-chunks 0))
        ((bytevector? body)
         (check-length request (bytevector-length body))
         (values by-length (bytevector-length body)))
        (body
         (let ((length (request-content-length request)))
           (values (if length by-length by-chunks) (or length 0))))
        (else
         (check-length request 0)
         (values (if (or (memq (request-method request) '(POST PUT PATCH))
                         (request-content-length request))
                     by-length
                     no-framing)
                 0))))

(define (body-parts request body)
  "Return three values: the headers of REQUEST, BODY as a bytevector, a procedure,
a port or #f, and the charset in which a procedure writes."
  (define old? (equal? '(1 . 0) (request-version request)))
  (cond ((string? body)
         (call-with-values (lambda () (with-text-type request))
           (lambda (headers charset)
             (values headers (string->bytevector body charset) charset))))
        ((procedure? body)
         (call-with-values (lambda () (with-text-type request))
           (lambda (headers charset)
             (values headers (if old? (collect body charset) body) charset))))
        ((and (port? body) (input-port? body) old?
              (not (request-content-length request)))
         (values (request-headers request)
                 (let ((bytes (get-bytevector-all body)))
                   (if (eof-object? bytes) #vu8() bytes))
                 #f))
        ((or (not body) (bytevector? body)
             (and (port? body) (input-port? body)))
         (values (request-headers request) body #f))
        (else
         (refuse "Not a body (a string, a bytevector, a procedure, an input port \
or #f): ~S" body))))

(define* (prepare request body #:key keep? absolute? (more '()))
  "Return REQUEST with BODY, ready to be sent.  KEEP? says whether the connection is
to be kept, ABSOLUTE? whether the whole URI is told, to a proxy, with the headers
MORE."
  (call-with-values (lambda () (body-parts request body))
    (lambda (headers body charset)
      (call-with-values (lambda () (framing-of request body))
        (lambda (framing length)
          (let* ((waits? (and body (assq 'expect headers) #t))
                 (here? (and (bytevector? body) (eqv? framing by-length)
                             (<= length small) (not waits?))))
            (make-message
             (%http-request-bytes (header-memory) (request-method request)
                                  (request-target request absolute?)
                                  (request-host-text request)
                                  (cdr (request-version request))
                                  (append more (with-login request headers))
                                  framing length
                                  (connection-text request keep?)
                                  (and here? body))
             (if here? #f body)
             framing length charset waits?)))))))
