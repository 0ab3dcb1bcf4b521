;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A server of HTTP in Guile, for bench/http.scm: PORT FILE BACK-END.  The back end
;;; is `serve', for serve-http, or one of Guile's (web server): http or fibers.

(use-modules (ice-9 binary-ports)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-19)
             (web request)
             (web response)
             (web server)
             (web uri))

(define page (make-bytevector 10240 97))
(define large (make-bytevector 1048576 97))
(define html '((content-type . (text/html (charset . "utf-8")))))

(define (file-headers file)
  `((content-type . (text/html))
    (last-modified . ,(time-utc->date
                       (make-time 'time-utc 0 (stat:mtime (stat file))) 0))))

(define (whole-file file)
  (lambda (request body)
    (values (file-headers file)
            (call-with-input-file file get-bytevector-all #:binary #t))))

(define (handler send-file)
  (lambda (request body)
    (if (eq? 'POST (request-method request))
        (values '((content-type . (text/plain (charset . "utf-8"))))
                (number->string (bytevector-length body)))
        (match (uri-path (request-uri request))
          ("/10k" (values html page))
          ("/1m" (values html large))
          ("/file.html" (send-file request body))
          (_ (values '((content-type . (text/plain (charset . "utf-8"))))
                     "Hello, World!"))))))

(define (sockport module name)
  "Return what NAME is in MODULE; the other back ends do without."
  (module-ref (resolve-interface module) name))

(match (command-line)
  ((_ port file "serve")
   ((sockport '(sockport http) 'serve-http)
    (string-append "127.0.0.1:" port)
    (handler ((sockport '(sockport serve-files) 'file-handler)
              (dirname file)))))
  ((_ port file back-end)
   (run-server (handler (whole-file file)) (string->symbol back-end)
               (list #:port (string->number port)))))
