;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Where a response sends its client, and what of the request goes there: nothing
;;; that was meant for one place is told to another.

(define-module (sockport client redirect)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport client error)
  #:use-module (web request)
  #:use-module (web response)
  #:use-module (web uri)
  #:export (redirect?
            redirected
            resolve-reference
            same-origin?
            default-port))

(define (default-port scheme)
  (case scheme ((http ws) 80) ((https wss) 443) (else #f)))

(define (port-of uri)
  (or (uri-port uri) (default-port (uri-scheme uri))))

(define (same-origin? a b)
  (and (eq? (uri-scheme a) (uri-scheme b))
       (string-ci=? (uri-host a) (uri-host b))
       (eqv? (port-of a) (port-of b))))

(define (redirect? response)
  (and (memv (response-code response) '(301 302 303 307 308))
       (response-location response)
       #t))

;;; RFC 3986, 5.2.

(define (remove-dots path)
  (let next ((rest (string-split path #\/)) (kept '()))
    (match rest
      (() (string-join (reverse kept) "/"))
      (("." . ()) (next '() (cons "" kept)))
      (("." . rest) (next rest kept))
      ((".." . rest)
       ;; Above the first, which is empty, there is nothing.
       (let ((kept (if (and (pair? kept) (pair? (cdr kept)))
                       (cdr kept)
                       kept)))
         (next rest (if (null? rest) (cons "" kept) kept))))
      ((segment . rest) (next rest (cons segment kept))))))

(define (merge base path)
  (let ((slash (string-rindex (uri-path base) #\/)))
    (if slash
        (string-append (substring (uri-path base) 0 (+ slash 1)) path)
        (string-append "/" path))))

(define (resolve-reference base reference)
  "Return the URI that REFERENCE, which may be relative, means beside BASE."
  (define* (with #:key (scheme (uri-scheme base)) (of base)
                 (path (uri-path reference)) (query (uri-query reference)))
    (build-uri scheme #:userinfo (uri-userinfo of) #:host (uri-host of)
               #:port (uri-port of) #:path path #:query query
               #:validate? #f))
  (let ((path (uri-path reference)))
    (cond ((uri-scheme reference) reference)
          ((uri-host reference)
           (with #:of reference #:path (remove-dots path)))
          ((string-null? path)
           (with #:path (uri-path base)
                 #:query (or (uri-query reference) (uri-query base))))
          ((string-prefix? "/" path) (with #:path (remove-dots path)))
          (else (with #:path (remove-dots (merge base path)))))))

;;; The next request.

(define (to-get? code method)
  (case code
    ((303) (not (memq method '(GET HEAD))))
    ;; What all clients do, though RFC 9110, 15.4.2, only permits it.
    ((301 302) (eq? method 'POST))
    (else #f)))

(define about-body
  '(content-length content-type content-encoding content-language
    content-location content-md5 content-range transfer-encoding expect))

(define secrets '(authorization cookie cookie2 proxy-authorization www-authenticate))

(define (without headers names)
  (remove (lambda (header) (memq (car header) names)) headers))

(define (check-target from to request response)
  (define (refuse-it reason message)
    (raise-http-error reason request response message (uri->string to)))
  (unless (and (memq (uri-scheme to) '(http https)) (uri-host to))
    (refuse-it 'bad-redirect "a response redirects to what is no http: ~a"))
  (when (and (eq? 'https (uri-scheme from)) (eq? 'http (uri-scheme to)))
    (refuse-it 'insecure-redirect
               "a response over https redirects to http: ~a")))

(define (redirected request response)
  "Return the request to where RESPONSE sends REQUEST, and whether its body goes
there too."
  (let* ((from (request-uri request))
         (to (resolve-reference from (response-location response)))
         (get? (to-get? (response-code response) (request-method request)))
         (headers (without (request-headers request) '(host))))
    (check-target from to request response)
    (values
     (build-request
      to
      #:method (if get? 'GET (request-method request))
      #:version (request-version request)
      #:headers (without (if get? (without headers about-body) headers)
                         (if (same-origin? from to) '() secrets))
      #:meta (request-meta request)
      #:port (request-port request)
      #:validate-headers? #f)
     (not get?))))
