;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The records of (web request), (web response) and (web uri), made of what was found
;;; valid before: what build-request and the like look at again, and their keywords,
;;; took a twentieth of the time of a request.

(define-module (sockport serve http-record)
  #:use-module (srfi srfi-1)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web uri)
  #:export (make-request
            make-response
            make-uri))

(define (maker record fields)
  "Return the constructor of RECORD's type, whose arguments are FIELDS."
  (let* ((type (record-type-descriptor record))
         (make (record-constructor type))
         (those (record-type-fields type)))
    (if (equal? fields those)
        make
        ;; Of another release of Guile.
        (lambda args
          (apply make (map (lambda (field)
                             (assq-ref (map cons fields args) field))
                           those))))))

(define root (build-uri-reference #:path "/"))

(define make-uri
  (maker root '(scheme userinfo host port path query fragment)))

(define make-request
  (maker (build-request root #:version '(1 . 0))
         '(method uri version headers meta port)))

(define make-response
  (maker (build-response) '(version code reason-phrase headers port)))
