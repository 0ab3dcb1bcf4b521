;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Serving the files of a directory over HTTP: a handler for (sockport http).

(define-module (sockport serve-files)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (sockport constant)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport primitive)
  #:use-module (sockport serve condition)
  #:use-module (sockport serve file-entity)
  #:use-module (sockport serve file-type)
  #:use-module (sockport serve http-record)
  #:use-module (rnrs bytevectors)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web uri)
  #:export (file-handler))

;;; LINKS is the core's number.  ENCODINGS is an alist from the names of codings to
;;; the ends of the names of files that are in them.
(define-record-type <site>
  (make-site directory prefix links index types hidden? encodings headers
             not-found paths entities)
  site?
  (directory site-directory)
  (prefix site-prefix)
  (links site-links)
  (index site-index)
  (types site-types)
  (hidden? site-hidden?)
  (encodings site-encodings)
  (headers site-headers)
  (not-found site-not-found)
  (paths site-paths)
  (entities site-entities))

;;; Responses.

(define (plain code text . headers)
  (values (build-response #:code code
                          #:headers `((content-type . (text/plain)) ,@headers))
          (string-append text "\n")))

(define (not-found request body)
  (plain 404 "There is no such page."))

(define (with-headers code headers)
  (make-response '(1 . 1) code #f headers #f))

(define (part fd range)
  (cons fd (cons (car range) (- (cdr range) (car range)))))

(define (content-range range size)
  (match range
    ((from . to) `(content-range bytes (,from . ,(- to 1)) ,size))
    ('* `(content-range bytes * ,size))))

(define (boundary)
  (string-filter char-set:letter+digit (%websocket-key)))

(define (multipart entity fd ranges)
  (define mark (boundary))
  (define type
    (call-with-output-string
      (lambda (port)
        ((@ (web http) write-header)
         'content-type (assq-ref (entity-headers entity) 'content-type) port))))
  (define (head range first?)
    (string->utf8
     (format #f "~a--~a\r\n~aContent-Range: bytes ~a-~a/~a\r\n\r\n"
             (if first? "" "\r\n") mark type (car range) (- (cdr range) 1)
             (entity-size entity))))
  (values
   (with-headers 206 `((content-type multipart/byteranges (boundary . ,mark))
                       ,@(alist-delete 'content-type (entity-headers entity)
                                       eq?)))
   (append (append-map (lambda (range)
                         (list (head range (eq? range (car ranges)))
                               (part fd range)))
                       ranges)
           (list (string->utf8 (string-append "\r\n--" mark "--\r\n"))))))

(define (ranges-of request entity)
  (let ((headers (request-headers request)))
    (and (eq? 'GET (request-method request))
         (assq 'range headers)
         (range-wanted? headers (invalid-headers request) (entity-etag entity)
                        (entity-modified entity))
         (match (values-of headers 'range)
           ((range) (resolve-ranges range (entity-size entity)))
           (_ #f)))))

(define (invalid-headers request)
  (or (assq-ref (request-meta request) 'invalid-headers) '()))

(define (send-entity request entity fd)
  (define headers (entity-headers entity))
  (define size (entity-size entity))
  (match (ranges-of request entity)
    (#f (values (with-headers 200 headers)
                (part fd (cons 0 size))))
    (()
     (close-fdes fd)
     (plain 416 "There are no such bytes." (content-range '* size)))
    ((range)
     (values (with-headers 206 (cons (content-range range size) headers))
             (part fd range)))
    (ranges (multipart entity fd ranges))))

;;; A 304 has what a 200 would have but for what describes the body: RFC 9110,
;;; 15.4.5.
(define (answer-read request entity fd)
  (match (precondition (request-headers request) (invalid-headers request)
                       (entity-etag entity) (entity-modified entity))
    (#f (send-entity request entity fd))
    (304
     (close-fdes fd)
     (values (with-headers 304 (alist-delete 'content-type
                                             (entity-headers entity) eq?))
             #f))
    (412
     (close-fdes fd)
     (plain 412 "It has changed."))))

(define (reads? request)
  (memq (request-method request) '(GET HEAD)))

(define (refuse-method)
  (plain 405 "A file can be read, and no more." '(allow GET HEAD)))

(define (answer request entity fd)
  (cond ((reads? request) (answer-read request entity fd))
        (else (close-fdes fd) (refuse-method))))

;;; Files.

(define (accepted? request coding)
  "Does the client of REQUEST take CODING?"
  (any (match-lambda
         (('accept-encoding . codings)
          (any (match-lambda
                 ((quality . name)
                  (and (positive? quality)
                       (string-ci=? coding (format #f "~a" name)))))
               codings))
         (_ #f))
       (request-headers request)))

(define (open-file site path name coding suffix)
  (open-entity
   (site-entities site) (site-directory site) (site-links site)
   (if (string-null? suffix) path (string-append path "\0" suffix))
   (lambda () (string-append (name) suffix))
   (lambda ()
     `((content-type . ,(file-type (name) (site-types site)))
       (accept-ranges bytes)
       ,@(if coding `((content-encoding ,coding)) '())
       ,@(if (null? (site-encodings site)) '() '((vary accept-encoding)))
       ,@(site-headers site)))))

(define (open-best site request path name)
  "Open the first encoded variant of (NAME) that the client takes, or that itself."
  (let next ((encodings (site-encodings site)))
    (match encodings
      (() (open-file site path name #f ""))
      (((coding . suffix) . rest)
       (if (accepted? request coding)
           (call-with-values
               (lambda ()
                 (open-file site path name (string->symbol coding) suffix))
             (lambda (entity fd)
               (if fd (values entity fd) (next rest))))
           (next rest))))))

(define (joined names)
  (lambda () (string-join names "/")))

;;; The name of an index is written as it is, a path may not be: the key
;;; distinguishes them.
(define (open-index site request path names)
  (let next ((index (site-index site)))
    (match index
      (() (values (- ENOENT) #f))
      ((name . rest)
       (call-with-values
           (lambda ()
             (open-best site request (string-append path "\0/" name)
                        (joined (append names (list name)))))
         (lambda (entity fd)
           (if (eqv? entity (- ENOENT)) (next rest) (values entity fd))))))))

;;; The target may begin with //, which would be another host.
(define (redirect site request names)
  (if (reads? request)
      (redirect-to-directory site request names)
      (refuse-method)))

(define (redirect-to-directory site request names)
  (let ((path (string-append (site-prefix site) "/"
                             (if (null? names)
                                 ""
                                 (string-append (encode-and-join-uri-path names) "/")))))
    (plain 301 "It is a directory."
           (cons 'location
                 (build-uri-reference #:path path
                                      #:query (uri-query (request-uri request))
                                      #:validate? #f)))))

(define codes
  `((,EACCES 403 "It may not be read.")
    (,EPERM 403 "It may not be read.")
    (,EMFILE 503 "Too many files are open." (retry-after . 1))
    (,ENFILE 503 "Too many files are open." (retry-after . 1))
    (,ENOMEM 503 "There is no memory left." (retry-after . 1))))

(define (failed site request body errno)
  (match (assv-ref codes errno)
    (#f ((site-not-found site) request body))
    (values (apply plain values))))

(define (serve-path site request body path)
  (define slash? (string-suffix? "/" path))
  (match (path->components (site-paths site) path (site-hidden? site))
    (#f ((site-not-found site) request body))
    ;; The prefix itself, without the slash behind which links go on.
    ((? (const (string-null? path)) names) (redirect site request names))
    (names
     (call-with-values
         (lambda ()
           (if slash?
               (open-index site request path names)
               (open-best site request path (joined names))))
       (lambda (entity fd)
         (cond (fd (answer request entity fd))
               ((not (zero? entity)) (failed site request body (- entity)))
               (slash? ((site-not-found site) request body))
               (else (redirect site request names))))))))

(define (below prefix path)
  "Return PATH without PREFIX, or #f if it is not below it."
  (and (string-prefix? prefix path)
       (let ((rest (substring path (string-length prefix))))
         (cond ((string-prefix? "/" rest) rest)
               ((not (string-null? rest)) (and (string-null? prefix) rest))
               ((string-null? prefix) "/")
               (else "")))))

(define (handle site request body)
  (let ((path (below (site-prefix site) (uri-path (request-uri request)))))
    (if path
        (serve-path site request body path)
        ((site-not-found site) request body))))

;;; Arguments.

(define link-numbers '((none . 0) (beneath . 1) (all . 2)))

(define known-encodings '(("br" . ".br") ("zstd" . ".zst") ("gzip" . ".gz")))

(define (check value right? keyword wanted)
  (check-that right? value keyword wanted "file-handler"))

(define (check-settings prefix links index types encodings max-age headers
                        not-found)
  (check prefix (and (string? prefix)
                        (or (string-null? prefix) (string-prefix? "/" prefix)))
         #:prefix "string that begins with a slash, or is empty")
  (check links (assq links link-numbers) #:links "none, beneath or all")
  (check-strings index #:index "file-handler")
  (check types (and (list? types) (every pair? types)) #:types "alist")
  (check encodings (list? encodings) #:encodings "list of br, zstd and gzip")
  (for-each (lambda (coding)
              (check coding (assoc coding known-encodings) #:encodings "br, zstd or gzip"))
            encodings)
  (when max-age (check-natural max-age #:max-age "file-handler"))
  (check headers (and (list? headers) (every pair? headers)) #:headers "alist")
  (check-procedure not-found #:not-found "file-handler"))

(define-keyed (file-handler directory #:key (prefix "") (links 'beneath)
                         (index '("index.html")) (types '()) hidden?
                         (encodings '()) max-age (headers '())
                         (not-found not-found))
  "Return a handler for `serve-http' that serves the files of DIRECTORY."
  (check directory (string? directory) 1 "string")
  (check-settings prefix links index types encodings max-age headers not-found)
  (let ((site (make-site
               directory (string-trim-right prefix #\/)
               (assq-ref link-numbers links) index types hidden?
               (map (lambda (coding) (assoc coding known-encodings)) encodings)
               `((x-content-type-options . "nosniff")
                 ,@(if max-age
                       `((cache-control (max-age . ,max-age)))
                       '())
                 ,@headers)
               not-found (make-places) (make-places))))
    (lambda (request body)
      (handle site request body))))
