;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; URIs from texts, with names and passwords that (web uri) does not take.

(define-module (sockport client uri)
  #:use-module (ice-9 match)
  #:use-module (web uri)
  #:export (parse-uri
            split-login))

(define delimiters (char-set #\/ #\? #\#))

(define (at-sign text start)
  "Return where the authority of TEXT, which begins at START, has its @, or #f."
  (string-rindex text #\@ start
                 (or (string-index text delimiters start)
                     (string-length text))))

;;; (web uri) leaves out a NUL and what is behind it.
(define (parse-uri text)
  "Return the URI, which may be a relative one, that TEXT is; #f for none."
  (and (not (string-index text #\nul))
       (parse-uri-text text)))

(define (parse-uri-text text)
  (let* ((slashes (string-contains text "://"))
         (start (and slashes (+ slashes 3)))
         (at (and start (at-sign text start))))
    (if at
        (let ((uri (string->uri-reference
                    (string-append (substring text 0 start)
                                   (substring text (+ at 1))))))
          (and uri (uri-scheme uri) (uri-host uri)
               (build-uri (uri-scheme uri)
                          #:userinfo (substring text start at)
                          #:host (uri-host uri) #:port (uri-port uri)
                          #:path (uri-path uri) #:query (uri-query uri)
                          #:fragment (uri-fragment uri) #:validate? #f)))
        (string->uri-reference text))))

(define (split-login login)
  "Return a pair of the name and the password in LOGIN, as a URI has it, or #f."
  (define (decode text)
    (uri-decode text #:decode-plus-to-space? #f))
  (and login
       (match (string-index login #\:)
         (#f (cons (decode login) ""))
         (colon (cons (decode (substring login 0 colon))
                      (decode (substring login (+ colon 1))))))))
