;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; crawler.scm [URI]: follows the links of a site from its page at URI on, fifty
;;; pages at a time, over kept connections, and shows how far it is.  Without URI it
;;; first makes itself a site of 1,000 pages.  It ends with 1 if there was no page.

(use-modules (sockport) (sockport http) (sockport web-client)
             (ice-9 exceptions) (ice-9 match) (ice-9 regex)
             (srfi srfi-1)
             (web request) (web response) (web uri))

(define at-once 50)
(define seconds 30)                     ; for a page
(define most-bytes 10000000)            ; of a page

;;; Pages.

(define link-rx (make-regexp "href=\"([^\"#]+)" regexp/icase))

(define (links-of base text)
  "Return the links in TEXT, the page at BASE, to pages of the same host."
  (filter-map
   (lambda (found)
     (let ((path (match:substring found 1)))
       (and (string-prefix? "/" path)
            (string->uri (string-append (site-of base) path)))))
   (list-matches link-rx text)))

(define (site-of uri)
  (uri->string (build-uri (uri-scheme uri) #:host (uri-host uri)
                          #:port (uri-port uri))))

(define (page uri)
  "Return the text at URI; #f if it has none."
  (with-deadline seconds
    (lambda ()
      (call-with-values
          (lambda () (http-get uri #:redirects 5 #:body-limit most-bytes))
        (lambda (response body)
          (and (= 200 (response-code response))
               (string? body)
               body))))
    (const #f)))

(define (try-page uri)
  (guard (e ((memq (exception-kind e) '(http-error system-error misc-error))
             #f))
    (page uri)))

;;; The crawl.

(define (show! done known)
  (let ((filled (quotient (* 40 done) (max 1 known))))
    (format (current-error-port) "\r[~a~a] ~a of ~a pages"
            (make-string filled #\#) (make-string (- 40 filled) #\.)
            done known)
    (force-output (current-error-port))))

(define (crawl start)
  "Visit START and all that it leads to; return how many pages had a text, and how
many did not."
  (define known (make-hash-table))
  (define turn (make-semaphore at-once))
  (define good 0)
  (define bad 0)
  (with-task-group
   (lambda (group)
     (define (visit uri)
       (unless (hash-ref known (uri-path uri))
         (hash-set! known (uri-path uri) #t)
         (spawn-task
          (lambda ()
            (let ((text (call-with-semaphore turn (lambda () (try-page uri)))))
              (if text
                  (begin
                    (set! good (+ good 1))
                    (for-each visit (links-of uri text)))
                  (set! bad (+ bad 1)))
              (when (zero? (modulo (+ good bad) 20))
                (show! (+ good bad) (hash-count (const #t) known)))))
          #:group group)))
     (visit start)))
  (show! (+ good bad) (+ good bad))
  (newline (current-error-port))
  (values good bad))

(define (report uri)
  (let ((pool (make-http-pool #:limit at-once)))
    (call-with-values
        (lambda ()
          (parameterize ((current-http-pool pool))
            (crawl uri)))
      (lambda (good bad)
        (close-http-pool pool)
        (format #t "~a pages, ~a failed~%" good bad)
        (when (zero? good)
          (exit 1))))))

;;; A site of its own.

(define pages 1000)

(define (number-of path)
  (match (split-and-decode-uri-path path)
    ((digits) (string->number digits))
    (_ #f)))

(define (own-page request body)
  "Page N links to 2N and 2N+1, and to a page before it."
  (match (number-of (uri-path (request-uri request)))
    ((? exact-integer? n)
     (values '((content-type . (text/html)))
             (string-concatenate
              (map (lambda (to) (format #f "<a href=\"/~a\">~a</a>\n" to to))
                   (filter (lambda (to) (<= 1 to pages))
                           (list (* 2 n) (+ 1 (* 2 n)) (- n 1)))))))
    (_ (values (build-response #:code 404) #f))))

(define (crawl-own)
  (serve-http "127.0.0.1:0" own-page
              #:on-listen
              (lambda (server)
                (spawn-task
                 (lambda ()
                   (report (string->uri
                            (format #f "http://~a/1"
                                    (socket-address->string
                                     (car (server-addresses server))))))
                   (stop-server! server))))))

(run-tasks
 (lambda ()
   (match (command-line)
     ((_) (crawl-own))
     ((_ text)
      (match (string->uri text)
        (#f (format (current-error-port) "crawler.scm: no URI: ~a~%" text)
            (exit 2))
        (uri (report uri))))
     (_ (display "usage: crawler.scm [URI]\n" (current-error-port))
        (exit 2)))))
