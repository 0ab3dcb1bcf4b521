;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers of HTTP over TLS, with an authority of the tests' own, by openssl.

(define-module (harness https)
  #:use-module (harness)
  #:use-module (harness client)
  #:use-module (harness process)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (sockport)
  #:use-module (sockport tls)
  #:export (https-cases
            call-with-https
            client-context
            https
            https-file
            port-of
            server-context
            trust-directory))

;;; Certificates.

(define (openssl . arguments)
  (call-with-values
      (lambda ()
        (apply run-program "sh" "-c" "exec openssl \"$@\" 2>/dev/null" "sh"
               arguments))
    (lambda (status output)
      (unless (eqv? 0 status) (error "openssl failed:" arguments output)))))

(define directory #f)
(define (file name) (string-append directory "/" name))
(define (https-file name)
  "Return the file NAME of those that the certificates are in."
  (file name))
(define (trust-directory) (file "trust"))

(define (make-certificates)
  (mkdir (file "trust"))
  (openssl "req" "-x509" "-newkey" "ec" "-pkeyopt"
           "ec_paramgen_curve:prime256v1" "-nodes" "-days" "2" "-subj"
           "/CN=Authority of a test" "-keyout" (file "ca.key")
           "-out" (file "trust/ca.pem"))
  (openssl "req" "-newkey" "ec" "-pkeyopt" "ec_paramgen_curve:prime256v1"
           "-nodes" "-subj" "/CN=server" "-keyout" (file "server.key")
           "-out" (file "server.csr"))
  (call-with-output-file (file "ext")
    (lambda (port)
      (display "subjectAltName=DNS:localhost,DNS:a.test,IP:127.0.0.1\n" port)))
  (openssl "x509" "-req" "-in" (file "server.csr") "-CA" (file "trust/ca.pem")
           "-CAkey" (file "ca.key") "-CAcreateserial" "-days" "2"
           "-extfile" (file "ext") "-out" (file "server.pem")))

(define server-context #f)
(define client-context #f)

(define (call-with-certificates thunk)
  "Call THUNK with CLIENT-CONTEXT trusting the server of `call-with-https', which is
localhost, a.test and 127.0.0.1."
  (with-temporary-directory
   (lambda (made)
     (set! directory made)
     (make-certificates)
     (set! server-context
           (tls-context #:certificate (file "server.pem")
                        #:key (file "server.key") #:alpn '("http/1.1")))
     (set! client-context
           (tls-context #:trust (file "trust/ca.pem") #:alpn '("http/1.1")))
     (thunk))))

(define-syntax-rule (https-cases stem test ...)
  (begin
    (test-begin stem)
    (if (in-path "openssl")
        (call-with-certificates (lambda () test ...))
        (test-case "everything" (require-program "openssl")))
    (test-end stem)))

;;; Servers.

(define (read-head port)
  "Return the lines of a head; '() at the end."
  (let next ((lines '()))
    (match (get-line port)
      ((? eof-object?) (reverse lines))
      ("\r" (reverse lines))
      (line (next (cons (string-trim-right line) lines))))))

(define* (call-with-https proc #:key (answer (lambda (port head count)
                                               (put-string port (reply))
                                               #t)))
  "Call PROC with a server and a thunk that returns a list for each connection: its
ALPN, whether its session was resumed, and the heads that came.  (ANSWER port head
count) returns whether another request may come."
  (let ((seen '()))
    (call-with-raw
     (lambda (sock number)
       (match (false-if-exception (tls-accept sock server-context))
         (#f #f)
         (port
          (let ((entry (list (tls-alpn port) (tls-resumed? port) '())))
            (set! seen (cons entry seen))
            (call-with-cleanup
             (lambda ()
               (false-if-exception
                (let next ((count 0))
                  (let ((head (read-head port)))
                    (unless (null? head)
                      (set-car! (cddr entry) (cons head (caddr entry)))
                      (let ((more? (answer port head count)))
                        (force-output port)
                        (when more? (next (+ count 1)))))))))
             (lambda () (close-port port)))))))
     (lambda (server)
       (proc server (lambda () (reverse seen)))))))

(define (port-of server)
  (sockaddr:port (car (server-addresses server))))

;;; By its address: where a name is given, what looks it up may be at work for longer
;;; than a test.
(define* (https server #:optional (path "/") (host "127.0.0.1"))
  (format #f "https://~a:~a~a" host (port-of server) path))
