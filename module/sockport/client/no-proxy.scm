;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Which hosts are asked without a proxy: lists as programs have them in no_proxy,
;;; of names that stand for all below them too, addresses, networks, or "*".

(define-module (sockport client no-proxy)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport serve network)
  #:export (without-proxy?))

(define separators (char-set-complement (char-set #\, #\space #\tab)))

(define (unbracketed text)
  "Return TEXT without the brackets of an IPv6 address, and without a last dot."
  (let ((end (string-length text)))
    (cond ((and (string-prefix? "[" text) (string-suffix? "]" text))
           (substring text 1 (- end 1)))
          ((string-suffix? "." text) (substring text 0 (- end 1)))
          (else text))))

(define bracketed-rx (make-regexp "^(\\[[^]]*\\]):([0-9]+)$"))
(define named-rx (make-regexp "^([^:]*):([0-9]+)$"))

(define (split-port text)
  "Return the host and the port, or #f, that an entry is for."
  (match (or (regexp-exec bracketed-rx text) (regexp-exec named-rx text))
    (#f (values text #f))
    (found (values (match:substring found 1)
                   (string->number (match:substring found 2))))))

(define (host->address host)
  (any (lambda (family)
         (catch 'misc-error
           (lambda ()
             (make-socket-address family (inet-pton family host) 0))
           (const #f)))
       (list AF_INET AF_INET6)))

(define (network text)
  (catch 'misc-error
    (lambda () (parse-networks (list text) 1 "no_proxy"))
    (const '())))

(define (named? host name)
  "Is HOST the one of NAME, or below it?"
  (let ((name (if (string-prefix? "." name) (substring name 1) name)))
    (and (not (string-null? name))
         (or (string-ci=? host name)
             (string-suffix-ci? (string-append "." name) host)))))

(define (matches? host address port entry)
  (or (string=? entry "*")
      (call-with-values (lambda () (split-port entry))
        (lambda (name its-port)
          (let ((name (unbracketed name)))
            (and (or (not its-port) (eqv? its-port port))
                 (if address
                     (in-networks? address (network name))
                     (named? host name))))))))

(define (without-proxy? host port list)
  "Does LIST, a text as no_proxy has it or #f, name HOST or HOST with PORT?"
  (let* ((host (unbracketed host)) (address (host->address host)))
    (any (lambda (entry) (matches? host address port entry))
         (string-tokenize (or list "") separators))))
