;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Files over HTTP: which file a path is, and which is none; what a client has
;;; already; variants.  The handler is called as a server calls it.

(use-modules (harness)
             (harness process)
             (harness files)
             (ice-9 match)
             (srfi srfi-1)
             (sockport)
             (sockport serve-files)
             (web response))

(test-begin "serve-files")

(test-case "paths and files"
  (call-with-tree
   (lambda (root)
     (define files (file-handler root))
     (define (get target) (code+text (ask files target)))
     (test-equal "a file" '(200 "a page") (get "/page.html"))
     (test-equal "an index" '(200 "home") (get "/"))
     (test-equal "of a directory below" '(200 "below") (get "/sub/"))
     (test-equal "an empty file" '(200 "") (get "/none"))
     (test-equal "a name that is written with percents" '(200 "blank")
       (get "/a%20b+c.txt"))
     (test-equal "in UTF-8" '(200 "cheese") (get "/k%C3%A4se.txt"))
     (test-equal "slashes in a row" '(200 "below") (get "//sub///index.html"))
     (test-equal "a query" '(200 "a page") (get "/page.html?x=/../y"))
     (test-equal "a link inside" '(200 "a page") (get "/link"))
     (test-equal "what is hidden, and what is meant to be found" '(404 200)
       (list (code files "/.git/config") (code files "/.well-known/x")))
     (test-equal "a directory that no directory can be called" 404
       (code (file-handler (string-append root "\x00;x")) "/page.html"))
     (test-equal "hidden files, if they are wanted" 200
       (code (file-handler root #:hidden? #t) "/.git/config"))
     (for-each
      (lambda (target) (test-equal target 404 (code files target)))
      '("/nothing" "/page.html/" "/page.html/x" "/empty/" "/.." "/../secret"
        "/sub/../../secret" "/sub/.." "/./page.html" "/%2e%2e/secret"
        "/%2E%2E%2Fsecret" "/..%2fsecret" "/sub%2findex.html" "/page.html%00"
        "/%00" "/%zz" "/%" "/%ff" "/out" "/%2e/x" "/..;/secret" "/%5c..%5csecret"
        "/secret" "/k%E4se.txt")))))

(test-case "a directory without its slash"
  (call-with-tree
   (lambda (root)
     (define (location handler target)
       (let ((answer (ask handler target)))
         (list (response-code (car answer))
               (written 'location (header 'location answer)))))
     (test-equal "is elsewhere" '(301 "/sub/") (location (file-handler root) "/sub"))
     (test-equal "with its query" '(301 "/sub/?a=b")
       (location (file-handler root) "/sub?a=b"))
     (test-equal "never at another host" '(301 "/sub/")
       (location (file-handler root) "//sub"))
     (test-equal "below a prefix" '(301 "/files/sub/")
       (location (file-handler root #:prefix "/files") "/files/sub"))
     (test-equal "the prefix itself" '(301 "/files/?a=b")
       (location (file-handler root #:prefix "/files") "/files?a=b")))))

(test-case "settings"
  (call-with-tree
   (lambda (root)
     (define (codes . options)
       (let ((files (apply file-handler root options)))
         (list (code files "/page.html") (code files "/link")
               (code files "/out"))))
     (test-equal "no links" '(200 404 404) (codes #:links 'none))
     (test-equal "all links" '(200 200 200) (codes #:links 'all))
     (let ((files (file-handler root #:prefix "/files/")))
       (test-equal "a prefix" '(200 301 404 404 404)
         (map (lambda (target) (code files target))
              '("/files/page.html" "/files" "/page.html" "/filespage.html"
                "/files/../page.html"))))
     (test-equal "another index" '(200 "a page")
       (code+text (ask (file-handler root #:index '("x" "page.html")) "/")))
     (write-file (string-append root "/a%20b+c.txt") "as written")
     (let ((files (file-handler root #:index '("a%20b+c.txt"))))
       (test-equal "an index is named as it is, a path with percents"
         '((200 "as written") (200 "blank") (200 "as written"))
         (map (lambda (target) (code+text (ask files target)))
              '("/" "/a%20b+c.txt" "/"))))
     (test-equal "what is not found is another's" '(200 "else")
       (code+text (ask (file-handler root #:not-found
                                     (lambda (request body)
                                       (values (build-response) "else")))
                       "/nothing")))
     (let ((answer (ask (file-handler root #:max-age 60
                                      #:headers '((x-more . "yes"))
                                      #:types '(("html" application/x-mine)))
                        "/page.html")))
       (test-equal "headers" '(((max-age . 60)) "yes" (application/x-mine))
         (list (header 'cache-control answer) (header 'x-more answer)
               (header 'content-type answer))))
     (test-equal "nothing but reading" '(405 (GET HEAD))
       (let ((answer (ask (file-handler root) "/page.html" #:method 'POST)))
         (list (response-code (car answer)) (header 'allow answer))))
     (test-equal "nor of a directory" 405
       (code (file-handler root) "/sub" #:method 'POST))
     (test-equal "what is no file is another's, whatever is asked" '(200 "else")
       (code+text (ask (file-handler root #:not-found
                                     (lambda (request body)
                                       (values (build-response) "else")))
                       "/nothing" #:method 'POST)))
     (test-equal "HEAD is asked as GET is" 200
       (code (file-handler root) "/page.html" #:method 'HEAD))
     (chmod (string-append root "/page.html") #o000)
     (unless (zero? (getuid))
       (test-equal "what may not be read" 403
         (code (file-handler root) "/page.html")))
     (test-error* "a directory" '(wrong-type-arg 1 "file-handler") (file-handler 1))
     (for-each (match-lambda
                 ((key keyword value)
                  (test-error* (list "bad" keyword) (list key keyword "file-handler")
                    (file-handler root keyword value))))
               '((wrong-type-arg #:prefix "files")
                 (wrong-type-arg #:links some) (out-of-range #:max-age -1)
                 (wrong-type-arg #:encodings ("compress"))
                 (wrong-type-arg #:headers (5)) (wrong-type-arg #:types ("html"))
                 (wrong-type-arg #:not-found #f))))))

(test-case "types"
  (call-with-tree
   (lambda (root)
     (define (type target)
       (header 'content-type (ask (file-handler root) target)))
     (test-equal "by the end of the name"
       '((text/html (charset . "utf-8")) (image/png) (application/octet-stream)
         (text/css (charset . "utf-8")))
       (map type '("/page.html" "/UP.PNG" "/data" "/style.css"))))))

(test-case "what the client has already"
  (call-with-tree
   (lambda (root)
     (define files (file-handler root))
     (define first-time (ask files "/page.html"))
     (define tag (written 'etag (header 'etag first-time)))
     (define changed (written 'last-modified (header 'last-modified first-time)))
     (define later "Fri, 01 Jan 2100 00:00:00 GMT")
     (define (with . headers)
       (code files "/page.html" #:headers headers))
     (test-equal "by tag" '(304 304 304 200)
       (list (with (string-append "If-None-Match: " tag))
             (with (string-append "If-None-Match: \"x\", W/" tag))
             (with "If-None-Match: *")
             (with "If-None-Match: \"x\"")))
     (test-equal "by date" '(304 304 200)
       (list (with (string-append "If-Modified-Since: " changed))
             (with (string-append "If-Modified-Since: " later))
             (with "If-Modified-Since: Fri, 01 Jan 1999 00:00:00 GMT")))
     (test-equal "the tag counts more" 200
       (with "If-None-Match: \"x\"" (string-append "If-Modified-Since: " later)))
     (test-equal "only if it is the same" '(200 412 412 200 412)
       (list (with (string-append "If-Match: " tag))
             (with "If-Match: \"x\"")
             (with (string-append "If-Match: W/" tag))
             (with (string-append "If-Unmodified-Since: " changed))
             (with "If-Unmodified-Since: Fri, 01 Jan 1999 00:00:00 GMT")))
     (let ((answer (ask files "/page.html" #:headers
                        (list (string-append "If-None-Match: " tag)))))
       (test-equal "a 304 has its tag and no type" (list #t #f "")
         (list (equal? (header 'etag answer) (header 'etag first-time))
               (header 'content-type answer) (cdr answer))))
     (write-file (string-append root "/page.html") "changed")
     (let ((answer (ask files "/page.html" #:headers
                        (list (string-append "If-None-Match: " tag)))))
       (test-equal "a file that has changed" '(200 "changed")
         (code+text answer))))))

(test-case "encoded variants"
  (call-with-tree
   (lambda (root)
     (define files (file-handler root #:encodings '("br" "gzip")))
     (define (variant accept)
       (let ((answer (ask files "/style.css" #:headers
                          (if accept
                              (list (string-append "Accept-Encoding: " accept))
                              '()))))
         (list (cdr answer) (header 'content-encoding answer)
               (header 'vary answer) (car (header 'content-type answer)))))
     (define plain '("plain" #f (accept-encoding) text/css))
     (test-equal "the best of ours" '("brotli" (br) (accept-encoding) text/css)
       (variant "gzip, br"))
     (test-equal "what is taken" '("gzipped" (gzip) (accept-encoding) text/css)
       (variant "gzip, deflate"))
     (test-equal "none" plain (variant #f))
     (test-equal "refused" plain (variant "gzip;q=0, br;q=0"))
     (test-equal "a file without variants" '(200 "a page")
       (code+text (ask files "/page.html" #:headers
                       '("Accept-Encoding: gzip"))))
     (test-equal "tags differ" 2
       (length (delete-duplicates
                (map (lambda (accept)
                       (header 'etag (ask files "/style.css" #:headers
                                          (list (string-append "Accept-Encoding: "
                                                               accept)))))
                     '("gzip" "identity"))))))))

(test-end "serve-files")
