;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Names for requests, so that what is said of one in several logs can be put
;;; together.

(define-module (sockport serve request-id)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport primitive)
  #:use-module (web request)
  #:use-module (web response)
  #:export (new-request-id
            identified
            with-id
            id-text))

;;; What distinguishes this process from others, and how many there were.
(define prefix
  (delay (substring (string-filter char-set:letter+digit (%websocket-key)) 0 10)))

(define count (make-atomic-box 0))

(define (next-number)
  (let ((number (atomic-box-ref count)))
    (if (eq? number (atomic-box-compare-and-swap! count number (+ number 1)))
        number
        (next-number))))

(define (new-request-id request)
  (string-append (force prefix) "-" (number->string (next-number) 36)))

(define (clean? text)
  (and (string? text)
       (<= 1 (string-length text) 200)
       (string-every char-set:graphic text)
       (string-every char-set:ascii text)))

(define (identified make request)
  "Return REQUEST with the id that (MAKE request) returns.  A client may have chosen it:
what could not stand in a header, or in a line of a log, is replaced."
  (let ((id (make request)))
    (set-field request (request-meta)
               (acons 'id (if (clean? id) id (new-request-id request))
                      (request-meta request)))))

(define (request-id request)
  (assq-ref (request-meta request) 'id))

(define (with-id response request)
  "Return RESPONSE with the id of REQUEST among its headers, if there is one."
  (match (request-id request)
    (#f response)
    (id (set-field response (response-headers)
                   (acons 'x-request-id id (response-headers response))))))

(define (id-text request)
  "Return how the id of REQUEST stands in a line of a log."
  (match (request-id request)
    (#f "")
    (id (string-append " [" id "]"))))
