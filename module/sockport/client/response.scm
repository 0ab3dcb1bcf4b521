;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The response to a request: its head, found by the parser in C, what of its body
;;; is to be read, and the body as (web client) returns it.

(define-module (sockport client response)
  #:use-module (ice-9 iconv)
  #:use-module (ice-9 match)
  #:use-module (ice-9 ports internal)
  #:use-module (ice-9 threads)
  #:use-module (sockport ports lock)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport client body)
  #:use-module (sockport client connection)
  #:use-module (sockport primitive)
  #:use-module (web response)
  #:export (read-head
            next-response
            body-kind
            response-body
            response-body-stream
            response-trailers
            response-invalid-headers
            CLOSE KEEP-ALIVE))

;;; Flags: those of include/sockport/http-head.h.
(define LENGTH 1)
(define CHUNKED 2)
(define CLOSE 4)
(define KEEP-ALIVE 8)

;;; What responses have besides their record.
(define extras (make-weak-key-hash-table))
(define extras-lock (make-mutex))

(define (note-extra! response name value)
  (unless (null? value)
    (with-lock extras-lock
      (hashq-set! extras response
                  (acons name value (hashq-ref extras response '()))))))

(define (extra response name)
  (or (assq-ref (with-lock extras-lock (hashq-ref extras response '())) name)
      '()))

(define (response-trailers response)
  "Return an alist of the headers that came behind the body of RESPONSE, once all
of it has been read."
  (extra response 'trailers))

(define (response-invalid-headers response)
  "Return an alist of those headers of RESPONSE that (web http) does not
understand, as strings."
  (extra response 'invalid))

;;; Heads.

(define reasons
  `((-431 head-limit "the head of the response is too large")
    (-505 bad-response "the response is of a version of HTTP besides 1")
    (-501 bad-response "the response has an unknown transfer coding")))

(define (refuse-head connection status)
  (match (assv-ref reasons status)
    ((reason message) (raise-about connection reason message))
    (#f (raise-about connection 'bad-response
                     "what the server sent is no response of HTTP"))))

(define (read-head connection limit)
  "Read the head of a response of at most LIMIT bytes; return its parts."
  (define head (connection-head connection))
  (define (parse)
    (with-buffered connection (buffer bytes cur end)
      (let ((size (and (< cur end) (%http-head-parse! head bytes cur end))))
        (cond ((not size) (more))
              ((negative? size) (refuse-head connection size))
              (else
               (let ((parts (%http-response-parts head bytes cur
                                                  (header-memory))))
                 (set-port-buffer-cur! buffer (+ cur size))
                 parts))))))
  (define (more)
    (cond ((fill! connection) (parse))
          ((zero? (buffered connection))
           (raise-about connection 'no-response
                        "the server closed the connection without a response"))
          (else
           (raise-about connection 'truncated
                        "the connection ended in the head of a response"))))
  (%http-head-begin-response! head limit)
  (parse))

(define most-interim 100)

(define* (next-response connection limit #:key continue?)
  "Read heads until one is not an interim response, or with CONTINUE? is 100 Continue;
return it and its flags and length."
  (let next ((left most-interim))
    (match (read-head connection limit)
      (#(code reason minor headers invalid flags length)
       (cond ((or (>= code 600) (zero? left))
              (raise-about connection 'bad-response
                           "the server sent a response with the code ~a" code))
             ((and (< code 200) (not (= code 101))
                   (not (and continue? (= code 100))))
              (next (- left 1)))
             (else
              (let ((response (build-response
                               #:version (cons 1 minor) #:code code
                               #:reason-phrase reason #:headers headers
                               #:port (connection-port connection)
                               #:validate-headers? #f)))
                (note-extra! response 'invalid invalid)
                (set-connection-response! connection response)
                (values response flags length))))))))

;;; Bodies.

(define (body-kind method code flags)
  "Return how the body ends that follows a head, RFC 9112, 6.3; `none' if there is
none."
  (cond ((or (eq? method 'HEAD) (< code 200) (= code 204) (= code 304)
             (and (eq? method 'CONNECT) (< code 300)))
         'none)
        ((logtest CHUNKED flags) 'chunks)
        ((logtest LENGTH flags) 'length)
        (else 'close)))

(define (text-charset response)
  "Return the charset of the body of RESPONSE if that is text, or #f."
  (match (response-content-type response)
    (((? text-content-type?) . properties)
     (or (assq-ref properties 'charset) "ISO-8859-1"))
    (_ #f)))

(define (reader-for connection response kind length limit head-limit end)
  (define reader
    (make-reader connection kind length limit head-limit
                 (lambda (clean?)
                   (note-extra! response 'trailers (reader-trailers reader))
                   (end clean?))))
  reader)

(define (decode bytes response)
  (let ((charset (text-charset response)))
    (if charset
        (bytevector->string bytes charset)
        bytes)))

(define* (response-body connection response kind length
                        #:key limit head-limit decode? end (unpack identity))
  "Return the body of RESPONSE, whole, after UNPACK: a bytevector, or a string if it
is text and DECODE?."
  (with-buffered connection (buffer bytes cur length-end)
    (let ((body (if (and (eq? kind 'length)
                         (<= length (- length-end cur))
                         (not (and limit (> length limit))))
                    (let ((body (make-bytevector length)))
                      (bytevector-copy! bytes cur body 0 length)
                      (set-port-buffer-cur! buffer (+ cur length))
                      (end #t)
                      body)
                    (read-whole (reader-for connection response kind length
                                            limit head-limit end)))))
      (let ((body (unpack body)))
        (if decode? (decode body response) body)))))

(define* (response-body-stream connection response kind length
                               #:key limit head-limit decode? end unpack)
  "Return a port that delivers the body of RESPONSE."
  (open-reader (reader-for connection response kind length limit head-limit end)
               (or (and decode? (text-charset response)) "ISO-8859-1")))
