;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests and responses on a connection.  Guile's own (web http) understands
;;; what they say; here is where one ends, how long it may be, and when the next
;;; may follow.  What is read but not used stays in the port.

(define-module (sockport serve http-message)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport constant)
  #:use-module (sockport transfer)
  #:use-module (web http)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web uri)
  #:export (await-head
            parse-head
            read-head
            request-bytes
            persistent?
            send-response
            send-head
            refuse-request))

(define (refuse-request code)
  "Leave what reads a request; the answer is CODE."
  (throw 'refused-request code))

;;; The head: everything up to an empty line.

(define LF 10)
(define CR 13)

(define (head-end bytes start)
  "Return the index after the first empty line of BYTES, from START; #f if there is
none yet."
  (let ((length (bytevector-length bytes)))
    (let next ((i start))
      (cond ((>= i length) #f)
            ((not (eqv? LF (bytevector-u8-ref bytes i))) (next (+ i 1)))
            ((empty-line-at bytes (+ i 1) length) => identity)
            (else (next (+ i 1)))))))

(define (empty-line-at bytes i length)
  (define (lf? i)
    (and (< i length) (eqv? LF (bytevector-u8-ref bytes i)) (+ i 1)))
  (or (lf? i)
      (and (< i length) (eqv? CR (bytevector-u8-ref bytes i)) (lf? (+ i 1)))))

(define (blank-bytes bytes)
  "Return how many bytes BYTES begins with are the line ends that some clients send
after a body."
  (let next ((i 0))
    (if (and (< i (bytevector-length bytes))
             (memv (bytevector-u8-ref bytes i) (list CR LF)))
        (next (+ i 1))
        i)))

(define (append-bytes a b)
  (let ((both (make-bytevector (+ (bytevector-length a) (bytevector-length b)))))
    (bytevector-copy! a 0 both 0 (bytevector-length a))
    (bytevector-copy! b 0 both (bytevector-length a) (bytevector-length b))
    both))

(define (await-head sock limit in-time)
  "Wait until the whole head of a request has come.  Return its bytes if nothing came
but them, #t if all is in SOCK's buffer again, #f at the end of the stream.  When the
first bytes have come, (IN-TIME thunk) waits for the others."
  (define (put-back bytes)
    (let ((blank (blank-bytes bytes)))
      (unget-bytevector sock bytes blank (- (bytevector-length bytes) blank))
      #t))
  (define (more bytes searched)
    (let ((end (head-end bytes searched)))
      (cond ((> (or end (bytevector-length bytes)) limit) (refuse-request 431))
            (end (put-back bytes))
            (else
             (match (get-bytevector-some sock)
               ((? eof-object?) (refuse-request 400))
               (next
                (more (append-bytes bytes next)
                      ;; What came first may end in the middle of the empty line.
                      (max 0 (- (bytevector-length bytes) 2)))))))))
  (match (get-bytevector-some sock)
    ((? eof-object?) #f)
    (first
     (let ((blank (blank-bytes first)))
       (cond ((= blank (bytevector-length first))
              (await-head sock limit in-time))
             ((head-end first blank)
              => (lambda (end)
                   (if (and (zero? blank) (= end (bytevector-length first))
                            (<= end limit))
                       first
                       (more first blank))))
             (else (in-time (lambda () (more first blank)))))))))

;;; A client that asks again mostly asks in the same words.
(define (parse-head bytes sock peer last)
  "Return the request whose head BYTES are.  LAST is a pair of the bytes and the
request of the one before, or #f."
  (if (and last (bytevector=? bytes (car last)))
      (set-field (cdr last) (request-meta) `((peer . ,peer)))
      (begin
        (unget-bytevector sock bytes)
        (read-head sock peer))))

(define (read-head sock peer)
  "Return the request whose head SOCK has in its buffer."
  (define meta `((peer . ,peer)))
  (let ((request (catch #t
                   (lambda () (read-request sock meta))
                   (lambda args (refuse-request 400)))))
    (check-framing request)
    request))

;;; Two lengths, and what is behind a proxy may see another end than the proxy:
;;; RFC 9112, 6.3.  Versions and the missing host: 2.3 and 3.2.
(define (check-framing request)
  (when (and (pair? (request-transfer-encoding request))
             (request-content-length request))
    (refuse-request 400))
  (unless (eqv? 1 (car (request-version request)))
    (refuse-request 505))
  (unless (or (equal? '(1 . 0) (request-version request))
              (request-host request)
              (uri-host (request-uri request)))
    (refuse-request 400)))

(define (chunked? request)
  (match (request-transfer-encoding request)
    (() #f)
    ((('chunked)) #t)
    (_ (refuse-request 501))))

;;; The body.

(define (expects-continue? request)
  (and (equal? '(1 . 1) (request-version request))
       (member '(100-continue) (or (request-expect request) '()))))

(define (get-exactly sock count)
  (let ((bytes (get-bytevector-n sock count)))
    (if (and (bytevector? bytes) (= count (bytevector-length bytes)))
        bytes
        (refuse-request 400))))

(define longest-line 4096)

(define (get-latin1-line sock)
  (let next ((bytes '()) (left longest-line))
    (match (get-u8 sock)
      ((? eof-object?) (refuse-request 400))
      (10 (string-trim-right (list->string (reverse bytes)) #\return))
      (byte
       (when (zero? left) (refuse-request 400))
       (next (cons (integer->char byte) bytes) (- left 1))))))

(define (chunk-size line)
  (let ((digits (string-trim-both (car (string-split line #\;)))))
    (or (and (< 0 (string-length digits) 16)
             (string-every char-set:hex-digit digits)
             (string->number digits 16))
        (refuse-request 400))))

(define (skip-trailers sock left)
  (when (zero? left) (refuse-request 431))
  (unless (string-null? (get-latin1-line sock))
    (skip-trailers sock (- left 1))))

(define (chunked-bytes sock limit)
  (call-with-values open-bytevector-output-port
    (lambda (port result)
      (let next ((sum 0))
        (let* ((size (chunk-size (get-latin1-line sock))) (sum (+ sum size)))
          (when (and limit (> sum limit)) (refuse-request 413))
          (cond ((zero? size) (skip-trailers sock 100) (result))
                (else
                 (put-bytevector port (get-exactly sock size))
                 (unless (string-null? (get-latin1-line sock))
                   (refuse-request 400))
                 (next sum))))))))

(define (request-bytes request limit)
  "Return the body of REQUEST, a bytevector of at most LIMIT bytes, or #f."
  (let ((chunked? (chunked? request))
        (length (request-content-length request))
        (sock (request-port request)))
    (and (or chunked? length)
         (begin
           (when (and length limit (> length limit)) (refuse-request 413))
           (when (expects-continue? request)
             (send sock (string->utf8 "HTTP/1.1 100 Continue\r\n\r\n")))
           (if chunked?
               (chunked-bytes sock limit)
               (get-exactly sock length))))))

;;; Responses.

(define (persistent? request response)
  "May another request follow REQUEST, which RESPONSE answers?"
  (let ((asked (request-connection request)))
    (and (not (memq 'close (response-connection response)))
         (if (equal? '(1 . 0) (request-version request))
             (memq 'keep-alive asked)
             (not (memq 'close asked))))))

(define (response-head response keep?)
  (let ((told (response-connection response)))
    (define (with-connection token)
      (set-field response (response-headers)
                 (acons 'connection (list token)
                        (assq-remove! (list-copy (response-headers response))
                                      'connection))))
    (response-bytes
     (cond ((memq 'upgrade told) response)
           ((not keep?) (if (memq 'close told)
                            response
                            (with-connection 'close)))
           ((equal? '(1 . 0) (response-version response))
            (with-connection 'keep-alive))
           (else response)))))

;;; A pair of a port and a procedure for its bytes.  Making one takes longer than
;;; the rest, so each thread keeps one; nothing waits while it is in use.
(define scratch (make-thread-local-fluid #f))

(define (response-bytes response)
  (let ((pair (or (fluid-ref scratch)
                  (call-with-values open-bytevector-output-port cons))))
    ;; After an error it would hold a part of a head.
    (fluid-set! scratch #f)
    (write-response response (car pair))
    (let ((bytes ((cdr pair))))
      (fluid-set! scratch pair)
      bytes)))

(define (send-head sock response keep?)
  (send sock (response-head response keep?)))

;;; Without a length, the peer would wait for the end of the connection: RFC 9112,
;;; 6.3.
(define (with-length response body)
  (let ((code (response-code response)))
    (if (or (response-content-length response)
            (< code 200)
            (memv code '(204 304)))
        response
        (set-field response (response-headers)
                   (acons 'content-length (if body (bytevector-length body) 0)
                          (response-headers response))))))

(define whole 16384)

(define (send-response sock response body keep?)
  "Send RESPONSE, with BODY, a bytevector or #f, telling whether the connection is
kept."
  (let ((head (response-head (with-length response body) keep?)))
    (cond ((or (not body) (zero? (bytevector-length body))) (send sock head))
          ((<= (bytevector-length body) whole)
           (send sock (append-bytes head body)))
          (else
           (send sock head MSG_MORE)
           (send sock body)))))
