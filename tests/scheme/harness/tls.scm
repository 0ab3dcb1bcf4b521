;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Certificates for the tests of TLS, made by certtool when they are needed; and two
;;; ends of one connection.

(define-module (harness tls)
  #:use-module (harness)
  #:use-module (harness process)
  #:use-module (harness socket)
  #:use-module (ice-9 match)
  #:use-module (ice-9 rdelim)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (sockport)
  #:use-module (sockport tls)
  #:export (ask
            call-with-authority
            call-with-link
            connected
            echo
            certificate
            in-directory
            make-authority
            make-key
            reason-of
            say
            server-context
            tls-cases
            trusting
            with-server))

(define (run . command)
  (call-with-values
      (lambda ()
        (apply run-program "sh" "-c" "exec \"$@\" 2>/dev/null" "sh" command))
    (lambda (status output)
      (unless (eqv? status 0)
        (error "failed:" command output)))))

(define (in-directory directory . parts)
  (string-append directory "/" (string-concatenate parts)))

(define* (make-key directory name #:key (type '("ecdsa" "--curve=secp256r1")))
  (let ((file (in-directory directory name ".key")))
    (unless (file-exists? file)
      (apply run "certtool" "--generate-privkey" "--no-text" "--outfile" file
             "--key-type" type))
    file))

;;; A line of a template is a pair, whose rest is #t for a word alone.
(define (write-template file lines)
  (call-with-output-file file
    (lambda (port)
      (for-each
       (match-lambda
         ((name . #t) (format port "~a~%" name))
         ((name . value) (format port "~a = ~s~%" name value)))
       lines))))

(define serial 0)

(define* (certificate directory name lines
                      #:key (issuer "ca") (key "leaf") (type '("ecdsa" "--curve=secp256r1"))
                      (hash "SHA256") (purpose 'tls_www_server)
                      (key-type type))
  "Have ISSUER (#f: the certificate itself) certify NAME; return the file's name."
  (let ((template (in-directory directory name ".template"))
        (file (in-directory directory name ".pem"))
        (key (make-key directory key #:type key-type)))
    (set! serial (+ serial 1))
    (write-template template
                    (append `((cn . ,name) (serial . ,serial)
                              (signing_key . #t))
                            (if purpose `((,purpose . #t)) '())
                            (if (or (assq 'expiration_date lines)
                                    (assq 'expiration_days lines))
                                '()
                                '((expiration_days . 9)))
                            lines))
    (apply run "certtool" "--no-text" "--hash" hash "--template" template
           "--load-privkey" key "--outfile" file
           (if issuer
               `("--generate-certificate"
                 "--load-ca-certificate" ,(in-directory directory issuer ".pem")
                 "--load-ca-privkey" ,(in-directory directory issuer ".key"))
               '("--generate-self-signed")))
    file))

(define (make-authority directory name issuer . lines)
  (certificate directory name
               (append '((ca . #t) (cert_signing_key . #t)
                         (crl_signing_key . #t))
                       lines)
               #:issuer issuer #:key name #:purpose #f))

(define (call-with-authority proc)
  "Call PROC with a directory where ca.pem is an authority, and localhost.pem and
leaf.key prove to be localhost and 127.0.0.1."
  (with-temporary-directory
    (lambda (directory)
      (make-authority directory "ca" #f)
      (certificate directory "localhost"
                   '((dns_name . "localhost") (ip_address . "127.0.0.1")))
      (proc directory))))

;;; DIRECTORY is a variable.
(define-syntax-rule (tls-cases (directory stem) test ...)
  (begin
    (test-begin stem)
    (if (in-path "certtool")
        (call-with-authority
         (lambda (made)
           (set! directory made)
           test ...))
        (test-case stem (require-program "certtool")))
    (test-end stem)))

(define* (server-context directory #:optional (name "localhost") #:rest options)
  (apply tls-context #:certificate (in-directory directory name ".pem")
         #:key (in-directory directory "leaf.key")
         options))

(define (trusting directory . options)
  (apply tls-context #:trust (in-directory directory "ca.pem") options))

(define (reason-of thunk)
  "Return the reason why THUNK fails, or `ok'."
  (catch #t
    (lambda () (thunk) 'ok)
    (lambda (key . args)
      (cond ((eq? key 'tls-error) (tls-error-reason args))
            ((eq? key 'system-error) (system-error-errno (cons key args)))
            (else key)))))

(define* (call-with-link server client proc #:key (host "localhost") (serve (const #t)))
  "In tasks, call PROC with the client's end, and SERVE with the server's; return
what each has returned, or the reason why it failed."
  (let ((pair (socketpair AF_UNIX SOCK_STREAM 0)))
    (define (end thunk sock)
      (lambda ()
        (catch #t
          thunk
          (lambda (key . args)
            (unless (port-closed? sock) (close-port sock))
            (reason-of (lambda () (apply throw key args)))))))
    (define task
      (spawn-task
       (end (lambda ()
              (let* ((port (tls-accept (cdr pair) server)) (value (serve port)))
                (close-port port)
                value))
            (cdr pair))))
    (let ((value ((end (lambda ()
                         (let* ((port (tls-connect (car pair) host client))
                                (value (proc port)))
                           (close-port port)
                           value))
                       (car pair)))))
      (list value (join task)))))

;;; What servers and clients do.

(define (say port . lines)
  (for-each (lambda (line) (put-string port line) (newline port)) lines)
  (force-output port))

(define (echo port)
  (let ((line (read-line port)))
    (unless (eof-object? line)
      (say port line)
      (echo port))))

(define (ask port line)
  (say port line)
  (read-line port))

(define (accept-one listener)
  (car (accept listener)))

(define-syntax-rule (with-server (where serve) body ...)
  "BODY with WHERE, the address of a listener, whose connections SERVE gets as
sockets, each in a task."
  (let-ports ((listener (socket AF_INET SOCK_STREAM 0)))
    (bind listener AF_INET INADDR_LOOPBACK 0)
    (listen listener 100)
    (let* ((where (getsockname listener))
           (accepting (spawn-task
                       (lambda ()
                         (let again ()
                           (let ((sock (accept-one listener)))
                             (spawn-task (lambda () (serve sock)))
                             (again)))))))
      (let ((result (begin body ...)))
        (cancel! accepting)
        result))))

(define (connected where)
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (connect sock where)
    sock))
