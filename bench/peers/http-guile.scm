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

;;; FILE is a name or a descriptor.
(define (file-headers file)
  `((content-type . (text/html))
    (last-modified . ,(time-utc->date
                       (make-time 'time-utc 0 (stat:mtime (stat file))) 0))))

(define (whole-file file)
  (values (file-headers file)
          (call-with-input-file file get-bytevector-all #:binary #t)))

(define (opened-file file)
  (let ((opened (open-fdes file O_RDONLY)))
    (values (file-headers opened) opened)))

(define (handler file send-file)
  (lambda (request body)
    (if (eq? 'POST (request-method request))
        (values '((content-type . (text/plain (charset . "utf-8"))))
                (number->string (bytevector-length body)))
        (match (uri-path (request-uri request))
          ("/10k" (values html page))
          ("/1m" (values html large))
          ("/file.html" (send-file file))
          (_ (values '((content-type . (text/plain (charset . "utf-8"))))
                     "Hello, World!"))))))

(match (command-line)
  ((_ port file "serve")
   ((module-ref (resolve-interface '(sockport http)) 'serve-http)
    (string-append "127.0.0.1:" port)
    (handler file opened-file)))
  ((_ port file back-end)
   (run-server (handler file whole-file) (string->symbol back-end)
               (list #:port (string->number port)))))
