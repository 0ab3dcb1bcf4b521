;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A server of HTTPS on Sockport, for bench/tls.scm: PORT CERTIFICATE KEY.

(use-modules (ice-9 match)
             (rnrs bytevectors)
             (sockport http)
             (sockport tls)
             (web request)
             (web uri))

(define large (make-bytevector 1048576 97))

(define (handler request body)
  (if (string=? "/large" (uri-path (request-uri request)))
      (values '((content-type . (text/plain))) large)
      (values '((content-type . (text/plain))) "Hello, World!")))

(match (command-line)
  ((_ port certificate key)
   (serve-http (string-append "127.0.0.1:" port) handler
               #:tls (tls-context #:certificate certificate #:key key)
               #:backlog 4096)))
