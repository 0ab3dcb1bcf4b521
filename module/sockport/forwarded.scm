;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests that came through proxies: who asked, and how, as far as those that are
;;; trusted say so in Forwarded (RFC 7239) or X-Forwarded-For.

(define-module (sockport forwarded)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport serve network)
  #:use-module (web request)
  #:export (forwarded-reader))

;;; Commas and semicolons in quotes part nothing, and a backslash means something in
;;; quotes alone.
(define (split-outside-quotes text separator)
  "Return the elements of TEXT, strings; #f if a quote in it is not ended."
  (let next ((chars (string->list text)) (quoted? #f) (part '()) (parts '()))
    (define (end) (string-trim-both (reverse-list->string part)))
    (match chars
      (() (and (not quoted?) (reverse (cons (end) parts))))
      ((#\\ char . (? (const quoted?) rest))
       (next rest quoted? (cons* char #\\ part) parts))
      ((#\" . rest) (next rest (not quoted?) (cons #\" part) parts))
      ((char . rest)
       (if (and (char=? char separator) (not quoted?))
           (next rest #f '() (cons (end) parts))
           (next rest quoted? (cons char part) parts))))))

(define (unquote-string text)
  (if (and (>= (string-length text) 2)
           (string-prefix? "\"" text) (string-suffix? "\"" text))
      (let next ((chars (string->list
                         (substring text 1 (- (string-length text) 1))))
                 (done '()))
        (match chars
          (() (reverse-list->string done))
          ((#\\ char . rest) (next rest (cons char done)))
          ((char . rest) (next rest (cons char done)))))
      text))

(define (header-texts request name)
  "Return the values of the header NAME, which may be on several lines."
  (filter-map (match-lambda
                ((key . value) (and (eq? key name) (string? value) value)))
              (request-headers request)))

;;; A hop is a pair of an address, or #f if it is hidden or no address, and an alist
;;; of what else is said.

(define (node->address text)
  "Return the address that TEXT, of a hop, stands for, or #f."
  (define (try text)
    (false-if-exception (string->socket-address text)))
  (cond ((string-prefix? "[" text)
         (try (if (string-suffix? "]" text) (string-append text ":0") text)))
        ((string-index text #\:)
         => (lambda (colon)
              (if (= colon (string-rindex text #\:))
                  (try text)
                  ;; IPv6 without brackets, which X-Forwarded-For has.
                  (try (string-append "[" text "]:0")))))
        (else (try (string-append text ":0")))))

(define (internet address)
  (and address
       (memv (sockaddr:fam address) (list AF_INET AF_INET6))
       (plain-address address)))

(define (parse-element text)
  "Return the hop that an element of Forwarded stands for."
  (let ((pairs (filter-map
                (lambda (pair)
                  (match (string-index pair #\=)
                    (#f #f)
                    (at (cons (string-downcase (string-trim-both
                                                (substring pair 0 at)))
                              (unquote-string
                               (string-trim-both
                                (substring pair (+ at 1))))))))
                (split-outside-quotes text #\;))))
    (cons (let ((node (assoc-ref pairs "for")))
            (and node (internet (node->address node))))
          pairs)))

;;; What a client leaves open in quotes would take in what its proxy has added.
(define (forwarded-hops request)
  (append-map (lambda (text)
                (match (split-outside-quotes text #\,)
                  (#f '((#f)))
                  (elements (map parse-element elements))))
              (header-texts request 'forwarded)))

(define (last-text request name)
  (match (header-texts request name)
    (() #f)
    (texts (string-trim-both (last (string-split (last texts) #\,))))))

;;; Proxies set X-Forwarded-Proto and -Host anew, for the last hop.
(define (x-forwarded-hops request)
  (let ((nodes (append-map (lambda (text) (string-split text #\,))
                           (header-texts request 'x-forwarded-for)))
        (rest (filter-map
               (match-lambda
                 ((key . name)
                  (let ((text (last-text request name)))
                    (and text (cons key text)))))
               '(("proto" . x-forwarded-proto) ("host" . x-forwarded-host)))))
    (if (and (null? nodes) (pair? rest))
        (list (cons #f rest))           ; not for whom
        (map (lambda (node)
               (cons (internet (node->address (string-trim-both node))) rest))
             nodes))))

(define (client-hop peer hops networks)
  "Return the address of the client, and the alist of the hop that names it.  From the
last hop on, each is believed if it was said by one that is trusted."
  (let next ((hops (reverse hops)) (address peer) (said '()))
    (match hops
      (((from . more) . rest)
       (if (and (in-networks? address networks) from)
           (next rest from more)
           (values address
                   (if (in-networks? address networks) more said))))
      (() (values address said)))))

(define-keyed (forwarded-reader trusted #:key (header 'x-forwarded-for))
  "Return a procedure that returns, for a request, three values: the address of the
client, the scheme and the host that it asked for, or #f where nobody who is TRUSTED, a
list of networks, says anything.  HEADER is the one that the proxies set: forwarded or
x-forwarded-for.  Another is not looked at, since whoever asks can send it."
  (define networks (parse-networks trusted 1 "forwarded-reader"))
  (define hops
    (match header
      ('forwarded forwarded-hops)
      ('x-forwarded-for x-forwarded-hops)
      (_ (refuse-type "forwarded-reader" #:header "forwarded or x-forwarded-for"
                      header))))
  (lambda (request)
    (let ((peer (assq-ref (request-meta request) 'peer)))
      (call-with-values
          (lambda () (client-hop peer (hops request) networks))
        (lambda (address said)
          (values address
                  (match (assoc-ref said "proto")
                    ((? string? text) (string->symbol (string-downcase text)))
                    (_ #f))
                  (assoc-ref said "host")))))))
