;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the client needs of (sockport tls), which is loaded, and libgnutls with it,
;;; when the first connection by TLS is made.

(define-module (sockport client secure)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module ((web client) #:select (x509-certificate-directory))
  #:use-module (sockport client error)
  #:export (tls
            make-context))

(define (tls name)
  "Return what NAME is in (sockport tls)."
  (module-ref
   (or (false-if-exception (resolve-interface '(sockport tls)))
       (raise-http-error 'no-tls #f #f
                         "https needs (sockport tls), which is made where \
libgnutls and its headers are installed"))
   name))

;;; Contexts are made once for each directory of certificates.
(define contexts '())

(define system-directory "/etc/ssl/certs")

(define (make-context verify?)
  (let* ((directory (x509-certificate-directory)) (key (cons verify? directory)))
    (or (assoc-ref contexts key)
        (let ((context
               ((tls 'tls-context)
                #:alpn '("http/1.1")
                #:verify? verify?
                #:trust (if (or (not verify?)
                                (string=? directory system-directory))
                            'system
                            (certificate-files directory)))))
          (set! contexts (acons key context contexts))
          context))))

(define (certificate-files directory)
  "Return the files of DIRECTORY that hold certificates, as (web client) does."
  (define (ending suffix)
    (map (lambda (name) (string-append directory "/" name))
         (or (scandir directory (lambda (name) (string-suffix? suffix name)))
             '())))
  (filter file-exists?
          (match (ending ".pem")
            (() (ending ".crt"))
            (files files))))
