;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A directory of files, and asking a handler for them as a server would.

(define-module (harness files)
  #:use-module (harness process)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (web http)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web uri)
  #:export (ask
            call-with-tree
            code
            code+text
            content
            header
            request-of
            write-file
            written))

(define (request-of method target headers)
  (let ((query (string-index target #\?)))
    (build-request
     ;; Not string->uri, which does not take //, a path here.
     (build-uri-reference #:path (substring target 0
                                            (or query (string-length target)))
                          #:query (and query (substring target (+ query 1)))
                          #:validate? #f)
     #:method method #:validate-headers? #f #:port (%make-void-port "r")
     #:headers (call-with-input-string
                   (string-concatenate
                    (map (lambda (line) (string-append line "\r\n"))
                         (append headers '("Host: test" ""))))
                 read-headers))))

;;; What a server would send of a body; its files are closed.
(define (content body)
  (define (read-part fd offset count)
    (let ((port (dup->inport fd)))
      (seek port offset SEEK_SET)
      (let ((bytes (get-bytevector-n port count)))
        (close-port port)
        (if (eof-object? bytes) "" (utf8->string bytes)))))
  (match body
    (#f "")
    ((? string? text) text)
    ((? bytevector? bytes) (utf8->string bytes))
    ((? list? parts)
     (let ((text (string-concatenate
                  (map (match-lambda
                         ((? bytevector? bytes) (utf8->string bytes))
                         ((fd . (offset . count)) (read-part fd offset count)))
                       parts))))
       (close-fdes (car (find pair? parts)))
       text))
    ((fd . (offset . count))
     (let ((text (read-part fd offset count)))
       (close-fdes fd)
       text))))

(define* (ask handler target #:key (method 'GET) (headers '()))
  "Return the response and the text of its body."
  (call-with-values (lambda () (handler (request-of method target headers) #f))
    (lambda (response body) (cons response (content body)))))

(define (code+text answer)
  (list (response-code (car answer)) (cdr answer)))

(define (header name answer)
  (assq-ref (response-headers (car answer)) name))

(define (code handler target . rest)
  (response-code (car (apply ask handler target rest))))

(define (written name value)
  (string-trim-both
   (call-with-output-string (lambda (port) ((header-writer name) value port)))))

(define (write-file name text)
  (call-with-output-file name (lambda (port) (display text port))
                         #:encoding "UTF-8"))

(define (call-with-tree proc)
  "Call PROC with a directory, beside a file that is not in it."
  (with-temporary-directory
    (lambda (top)
      (define (in name) (string-append top "/root" name))
      (write-file (string-append top "/secret") "secret")
      (for-each mkdir (list (in "") (in "/sub") (in "/empty") (in "/.git")
                            (in "/.well-known") (in "/%2e")))
      (for-each (match-lambda ((name . text) (write-file (in name) text)))
                '(("/index.html" . "home") ("/page.html" . "a page")
                  ("/data" . "0123456789") ("/none" . "")
                  ("/sub/index.html" . "below") ("/.git/config" . "private")
                  ("/.well-known/x" . "known") ("/a b+c.txt" . "blank")
                  ("/käse.txt" . "cheese") ("/UP.PNG" . "png")
                  ("/style.css" . "plain") ("/style.css.gz" . "gzipped")
                  ("/style.css.br" . "brotli")))
      (symlink "page.html" (in "/link"))
      (symlink "../secret" (in "/out"))
      (proc (in "")))))
