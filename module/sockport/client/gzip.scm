;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Bodies that a server has compressed with gzip, by guile-zlib where that is
;;; installed.

(define-module (sockport client gzip)
  #:use-module (ice-9 binary-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport client error)
  #:use-module (web response)
  #:export (gzip-header
            unpacked))

(define maker 'unknown)

(define (zlib-maker)
  "Return the procedure of guile-zlib for ports that unpack, or #f."
  (when (eq? maker 'unknown)
    (let ((zlib (false-if-exception (resolve-interface '(zlib)))))
      (set! maker (and zlib
                       (and=> (module-variable zlib 'make-zlib-input-port)
                              variable-ref)))))
  maker)

(define (gzip-header headers)
  "Return HEADERS with a word that gzip is understood, if it is and HEADERS say
nothing of that."
  (if (and (zlib-maker) (not (assq 'accept-encoding headers)))
      (acons 'accept-encoding '((1000 . "gzip")) headers)
      headers))

(define (packed? response)
  (member (response-content-encoding response '()) '((gzip) (x-gzip))))

(define (read-up-to port limit fail)
  (call-with-values (lambda () (open-bytevector-output-port))
    (lambda (out bytes)
      (let next ((size 0))
        (let ((piece (get-bytevector-n port 65536)))
          (cond ((eof-object? piece) (bytes))
                ((and limit (> (+ size (bytevector-length piece)) limit))
                 (fail 'body-limit "the body is larger than its limit when it \
is unpacked"))
                (else
                 (put-bytevector out piece)
                 (next (+ size (bytevector-length piece))))))))))

(define (unpacked body request response limit)
  "Return BODY, a bytevector or #f, as it was before RESPONSE was compressed: at most
LIMIT bytes."
  (define (fail reason message)
    (raise-http-error reason request response message))
  (if (and body (zlib-maker) (packed? response))
      (catch 'zlib-error
        (lambda ()
          (read-up-to ((zlib-maker) (open-bytevector-input-port body)
                       #:format 'gzip)
                      limit fail))
        (lambda _
          (fail 'bad-response "the body of the response is not in gzip")))
      body))
