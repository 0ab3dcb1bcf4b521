;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Responses as they go: the head, which is made in C, and what has to follow it, by
;;; what the handler has returned.

(define-module (sockport serve http-response)
  #:use-module (ice-9 iconv)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport io wait)
  #:use-module (sockport primitive)
  #:use-module (sockport serve http-body)
  #:use-module (sockport serve http-part)
  #:use-module (sockport serve http-request)
  #:use-module (sockport serve http-result)
  #:use-module (sockport serve http-phase)
  #:use-module (sockport serve http-site)
  #:use-module (sockport task)
  #:use-module (sockport task loop)
  #:use-module (web request)
  #:use-module (web response)
  #:export (prepare-response
            drop-output!
            refusal-bytes))

;;; Codes.

(define other-reasons
  '((308 . "Permanent Redirect") (413 . "Content Too Large")
    (414 . "URI Too Long") (421 . "Misdirected Request")
    (422 . "Unprocessable Content") (426 . "Upgrade Required")
    (428 . "Precondition Required") (429 . "Too Many Requests")
    (431 . "Request Header Fields Too Large")))

(define (reason-of response)
  (let ((reason (response-reason-phrase response)))
    (if (string=? reason "(Unknown)")
        (or (assv-ref other-reasons (response-code response)) "Unknown")
        reason)))

(define (bodiless? code)
  (or (< code 200) (= code 204) (= code 304)))

;;; The second argument of %http-response and those after, by their names in C.

(define no-framing 0)
(define by-length 1)
(define by-chunks 2)

(define connection-codes '((#f . 0) (close . 1) (keep-alive . 2)))

(define (head-bytes connection response headers framing length told)
  (%http-response (share-memory (connection-share connection))
                  (response-code response) (reason-of response) headers
                  framing length (assq-ref connection-codes told)))

;;; What is told of the connection.
(define (token request keep?)
  (cond ((not keep?) 'close)
        ((and request (eqv? 0 (cdr (request-version request)))) 'keep-alive)
        (else #f)))

;;; Bodies.

(define (text-type headers)
  "Return the value of Content-Type for a text, with its charset, and that."
  (let* ((type (or (assq-ref headers 'content-type) '(text/plain)))
         (charset (and (pair? type) (assq-ref (cdr type) 'charset))))
    (if (or charset (not (pair? type)))
        (values type (or charset "utf-8"))
        (values (append type '((charset . "utf-8"))) "utf-8"))))

(define (with-type headers type)
  (if (eq? type (assq-ref headers 'content-type))
      headers
      (acons 'content-type type
             (if (assq 'content-type headers)
                 (alist-delete 'content-type headers eq?)
                 headers))))

(define (encode text charset)
  (if (or (string=? charset "utf-8") (string-ci=? charset "utf-8"))
      (string->utf8 text)
      (catch 'encoding-error
        (lambda () (string->bytevector text charset))
        (lambda _
          (error "the body has characters that the charset of its Content-Type lacks:"
                 charset)))))

;;; A response and its body, as bytes and what has to follow.

(define (check-length headers size)
  (let ((told (assq-ref headers 'content-length)))
    (unless (or (not told) (eqv? told size))
      (error (format #f "Content-Length is ~a, but the body has ~a bytes" told size)))))

(define (prepare-response connection request response body keep?)
  "Return two values: the bytes that RESPONSE begins with, or #f if BODY, a
procedure, is to make them, and what is to be sent after those: a list of parts,
or a procedure of no arguments that sends it and returns whether the connection is
kept."
  (let ((headers (response-headers response)) (code (response-code response)))
    (cond ((upgrade? request response)
           (prepare-upgrade connection response body))
          ((< code 200)
           (error "a handler cannot return this code:" code))
          ((string? body)
           (call-with-values (lambda () (text-type headers))
             (lambda (type charset)
               (prepare-bytes connection request response
                              (with-type headers type)
                              (encode body charset) keep?))))
          ((bytevector? body)
           (prepare-bytes connection request response headers body keep?))
          ((not body)
           (prepare-none connection request response headers keep?))
          ((procedure? body)
           (prepare-procedure connection request response headers body keep?))
          ((body->parts body)
           => (lambda (parts)
                (prepare-parts connection request response headers parts
                               (parts-size parts) keep?)))
          (else (refuse-body-value body)))))

(define (refuse-body code size)
  (when (and (bodiless? code) (positive? size))
    (error "a response with this code has no body:" code)))

(define (prepare-parts connection request response headers parts size keep?)
  (let ((code (response-code response))
        (head? (eq? 'HEAD (request-method request))))
    (refuse-body code size)
    (check-length headers size)
    (set-connection-sent! connection (if head? 0 size))
    (values (head-bytes connection response headers
                        (if (bodiless? code) no-framing by-length) size
                        (token request keep?))
            (if (or head? (zero? size)) '() parts))))

(define (prepare-bytes connection request response headers bytes keep?)
  (prepare-parts connection request response headers (list bytes)
                 (bytevector-length bytes) keep?))

(define (prepare-none connection request response headers keep?)
  (let* ((code (response-code response))
         (told (assq-ref headers 'content-length))
         (head? (eq? 'HEAD (request-method request)))
         (length (if (or head? (= code 304)) told (and (not (bodiless? code)) 0))))
    (unless (or head? (bodiless? code))
      (check-length headers 0))
    (set-connection-sent! connection 0)
    (values (head-bytes connection response headers
                        (if length by-length no-framing) (or length 0)
                        (token request keep?))
            '())))

(define (prepare-upgrade connection response body)
  (unless (procedure? body)
    (error "a connection is handed over to a procedure, not to" body))
  (unless (or (not (= 101 (response-code response)))
              (assq 'upgrade (response-headers response)))
    (error "a response with the code 101 needs Upgrade among its headers"))
  (unless (end-body! connection)
    (error "a connection cannot be handed over in the middle of a request's body"))
  (set-connection-sent! connection 0)
  (values (head-bytes connection response
                      (response-headers response) no-framing 0 #f)
          (lambda ()
            (let ((sock (connection-sock connection))
                  (rest (take-rest! connection)))
              (now-working! connection)
              (unget-rest sock rest)
              (body sock)
              (now-sending! connection)
              (unless (port-closed? sock)
                (force-output sock))
              #f))))

(define (unget-rest sock bytes)
  (unless (zero? (bytevector-length bytes))
    ((@ (ice-9 binary-ports) unget-bytevector) sock bytes)))

;;; Procedures.

;;; What C code writes, display say, cannot wait: that would keep the whole worker.
(%http-output-writer!
 (lambda (port bytes start count)
   (or (%http-output-write port bytes start count)
       (and (not (can-wait?))
            (%http-output-queue port bytes start count)))))

(define (prepare-procedure connection request response headers body keep?)
  (refuse-body (response-code response) 1)
  (call-with-values (lambda () (text-type headers))
    (lambda (type charset)
      (let ((headers (with-type headers type)))
        (if (eq? 'HEAD (request-method request))
            (prepare-none connection request response headers keep?)
            (values #f
                    (lambda ()
                      (run-body connection request response headers charset
                                body keep?))))))))

(define (run-body connection request response headers charset body keep?)
  "Call BODY with a port; return whether the connection is kept."
  (let* ((told (assq-ref headers 'content-length))
         (chunks? (and (not told) (eqv? 1 (cdr (request-version request)))))
         (keep? (and keep? (or told chunks?)))
         (head (lambda ()
                 (let ((bytes (head-bytes connection response headers
                                          (cond (told by-length)
                                                (chunks? by-chunks)
                                                (else no-framing))
                                          (or told 0) (token request keep?))))
                   (answered! connection)
                   bytes)))
         (port (%make-http-output (connection-sock connection) head
                                  (or told (not chunks?)) charset)))
    (now-sending! connection)
    (set-connection-output! connection port)
    (body port)
    (if (or (%http-output-begun? port) (port-closed? port))
        (end-body connection port keep?)
        (send-made connection request response headers port keep?))))

(define (answered! connection)
  (let ((input (connection-input connection)))
    (when input
      (%http-input-answered! input))))

;;; Whoever has closed PORT has written all.
(define (end-body connection port keep?)
  (unless (port-closed? port)
    (force-output port))
  (unless (zero? (%http-output-missing port))
    (error "a body is shorter than its Content-Length, or than what was begun of it, by"
           (%http-output-missing port)))
  (%http-output-over! port)
  (%http-output-end! port)
  (let flush ()
    (unless (%http-output-flush! port)
      (wait-writable (connection-sock connection) 'serve-http)
      (flush)))
  (close-output! connection port)
  keep?)

(define (close-output! connection port)
  (let ((sent (%http-output-sent port)))
    (set-connection-sent! connection sent)
    (note-moved! connection sent)
    (set-connection-output! connection #f)))

(define (send-made connection request response headers port keep?)
  "Send all that was written to PORT, which it still holds."
  (let* ((buffer (port-write-buffer port))
         (cur (port-buffer-cur buffer))
         (size (- (port-buffer-end buffer) cur))
         (bytes (make-bytevector size)))
    (bytevector-copy! (port-buffer-bytevector buffer) cur bytes 0 size)
    (set-port-buffer-cur! buffer (port-buffer-end buffer))
    (drop-output! connection)
    (call-with-values
        (lambda ()
          (prepare-bytes connection request response headers bytes keep?))
      (lambda (head parts)
        (send-response connection head parts)
        keep?))))

(define (drop-output! connection)
  "What is written to CONNECTION's port for a body goes nowhere any more."
  (let ((port (connection-output connection)))
    (when port
      (%http-output-over! port)
      (set-connection-output! connection #f))))

;;; Refusals.

(define (refusal-bytes connection code)
  "Return the whole response that refuses a request, or a connection, with CODE."
  (head-bytes connection (build-response #:code code)
              (if (= code 503) '((retry-after . 1)) '())
              by-length 0 'close))
