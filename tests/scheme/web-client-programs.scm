;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Many requests, which leave nothing; and programs of (web client), run as they are
;;; and with the module's name changed: they print the same.

(use-modules (harness)
             (harness client)
             (harness process)
             ((harness web) #:select (call-with-http))
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport http)
             (sockport web-client)
             (web request)
             (web response)
             (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

;;; The programs, each a list of forms; `uri' is bound to the server's.
(define programs
  '((get
     (call-with-values (lambda () (http-get uri))
       (lambda (response body)
         (show (response-code response)
               (response-content-type response)
               (response-content-length response)
               body))))
    (binary
     (call-with-values
         (lambda () (http-get (string->uri uri) #:decode-body? #f
                              #:headers '((user-agent . "Guile")
                                          (accept . ((text/html))))))
       (lambda (response body) (show body))))
    (streaming
     (call-with-values
         (lambda () (http-get uri #:streaming? #t))
       (lambda (response port)
         (show (get-line port) (get-string-all port))
         (close-port port))))
    (streaming-binary
     (call-with-values
         (lambda () (http-get uri #:streaming? #t #:decode-body? #f))
       (lambda (response port)
         (show (get-bytevector-all port))
         (close-port port))))
    (own-port
     (let* ((port (open-socket-for-uri uri))
            (first (call-with-values
                       (lambda () (http-get uri #:port port #:keep-alive? #t))
                     (lambda (response body) body))))
       (call-with-values (lambda () (http-get uri #:port port))
         (lambda (response body)
           (show first body (port-closed? port))))))
    (post
     (call-with-values
         (lambda ()
           (http-post uri #:body "a=b&c=d"
                      #:headers
                      '((content-type . (application/x-www-form-urlencoded)))))
       (lambda (response body) (show (response-code response) body))))
    (post-bytes
     (call-with-values (lambda () (http-post uri #:body #vu8(97 98 99)))
       (lambda (response body) (show body))))
    (post-procedure
     (call-with-values
         (lambda ()
           (http-post uri #:body (lambda (port) (display "written" port))))
       (lambda (response body) (show body))))
    (put (call-with-values (lambda () (http-put uri #:body "x"))
           (lambda (response body) (show body))))
    (delete (call-with-values (lambda () (http-delete uri))
              (lambda (response body) (show body))))
    (head (call-with-values (lambda () (http-head uri))
            (lambda (response body)
              (show (response-code response)
                    (response-content-length response) body))))
    (options (call-with-values (lambda () (http-options uri))
               (lambda (response body) (show body))))
    (trace (call-with-values (lambda () (http-trace uri))
             (lambda (response body) (show body))))
    (request
     (call-with-values
         (lambda ()
           (let ((port (open-socket-for-uri (string->uri uri))))
             (http-request (string->uri uri) #:method 'PATCH #:body "p"
                           #:version '(1 . 1) #:port port)))
       (lambda (response body) (show body))))
    (keep-alive
     (call-with-values (lambda () (http-get uri #:keep-alive? #t))
       (lambda (response body)
         (show (port-closed? (response-port response)))
         (close-port (response-port response)))))
    (not-found
     (call-with-values (lambda () (http-get (string-append uri "missing")))
       (lambda (response body)
         (show (response-code response) (response-reason-phrase response)))))
    (redirect
     (call-with-values (lambda () (http-get (string-append uri "old")))
       (lambda (response body)
         (show (response-code response)
               (uri->string (response-location response))))))
    (parameters
     (show (current-http-proxy) (current-https-proxy)
           (x509-certificate-directory)
           (parameterize ((current-http-proxy "http://a:1"))
             (current-http-proxy))))))

(define preamble
  '((define (show . values)
      (for-each (lambda (value) (write value) (newline)) values))
    (use-modules (ice-9 binary-ports) (ice-9 textual-ports) (rnrs bytevectors)
                 (web response) (web uri))))

(define (run module uri forms)
  "Return what a program of FORMS prints that has the client in MODULE."
  (call-in-thread
   (lambda ()
     (with-temporary-directory
      (lambda (directory)
        (let ((file (string-append directory "/program.scm")))
          (call-with-output-file file
            (lambda (port)
              (for-each (lambda (form) (write form port) (newline port))
                        `(,@preamble (use-modules ,module)
                                     (define uri ,uri) ,@forms))))
          (call-with-values
              (lambda () (run-program "guile" "--no-auto-compile" "-s" file))
            list)))))))

(define (handler request body)
  (match (uri-path (request-uri request))
    ("/missing" (values (build-response #:code 404) "no"))
    ("/old" (values (build-response
                     #:code 302
                     #:headers `((location . ,(build-uri-reference
                                               #:path "/new"))))
                    ""))
    (_ (values '((content-type . (text/plain (charset . "utf-8"))))
               (format #f "grüße~%~a ~a ~a~%" (request-method request)
                       (request-content-type request)
                       (and body (utf8->string body)))))))

(test-begin "web-client-programs")

(test-case "thousands of requests leave nothing"
  (call-with-http
   (lambda (request body)
     (values '((content-type . (text/plain))) "Hello"))
   (lambda (connect server)
     (define uri (uri-of server "/"))
     (define (many count . options)
       (let next ((left count))
         (when (positive? left)
           (apply get-values uri options)
           (next (- left 1)))))
     (define (heap)
       (gc)
       (assq-ref (gc-stats) 'heap-size))
     (define pool (make-http-pool))
     (many 500)
     (many 500 #:pool pool)
     (let ((before (heap)) (open (length (descriptors))))
       (many 1000)
       (many 9000 #:pool pool)
       (test-equal "descriptors" open (length (descriptors)))
       (test-assert "memory" (< (- (heap) before) 8000000)))
     (close-http-pool pool))))

(call-with-http handler
  (lambda (connect server)
    (define uri (uri-of server "/"))
    (for-each
     (match-lambda
       ((name . forms)
        (let ((guile (run '(web client) uri forms))
              (ours (run '(sockport web-client) uri forms)))
          (test-equal (list name "runs") 0 (car guile))
          (test-equal (list name "is the same") guile ours))))
     programs)))

(test-end "web-client-programs")
