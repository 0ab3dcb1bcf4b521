;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Files as curl gets them: whole, in parts, again, and those that are not to be
;;; had.

(use-modules (harness)
             (harness files)
             (harness process)
             (harness curl)
             (ice-9 regex)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (ice-9 binary-ports)
             (srfi srfi-1)
             (sockport)
             (sockport serve-files))

(define (bytes-of file)
  (call-with-input-file file get-bytevector-all #:binary #t))

(test-begin "web-files")

(test-case "what curl gets"
  (require-program "curl")
  (call-with-tree
   (lambda (root)
     (test-equal "nothing is logged" '()
       (call-with-web-server "127.0.0.1:0" (file-handler root)
         (lambda (server)
           (define (get path . arguments)
             (apply curl (url-of server path) arguments))
           (define (code path . arguments)
             (apply curl (url-of server path) "-o" "/dev/null"
                    "-w" "%{http_code}" arguments))
           (test-equal "a page" "a page" (get "/page.html"))
           (test-equal "an empty one" "" (get "/none"))
           (test-equal "an index" "below" (get "/sub/"))
           (test-equal "after a redirection" "below" (get "/sub" "-L"))
           (test-assert "its headers"
             (let ((head (get "/page.html" "-I")))
               (and (string-match "^HTTP/1.1 200 OK\r\n" head)
                    (string-contains head "Content-Length: 6\r\n")
                    (string-contains-ci head "Content-Type: text/html;charset=utf-8")
                    (string-match "ETag: \"[-0-9a-f]+\"\r\n" head)
                    (string-contains head "Accept-Ranges: bytes\r\n"))))
           (test-equal "a part" "234" (get "/data" "-r" "2-4"))
           (test-equal "parts" 2
             (length (list-matches "Content-Range: bytes [15]-[26]/10"
                                   (get "/data" "-r" "1-2,5-6"))))
           (test-equal "none" "416" (code "/data" "-r" "20-"))
           (test-equal "several on one connection" "a pagehomea page1234"
             (get "/page.html" (url-of server "/") (url-of server "/link")
                  "--next" "-sS" "-r" "1-4" (url-of server "/data")))
           (test-equal "codes" '("404" "404" "404" "404" "405" "404")
             (list (code "/nothing") (code "/../secret") (code "/out")
                   (code "/%2e%2e/secret") (code "/page.html" "-d" "x=y")
                   (code "//etc/passwd")))
           (test-equal "as an old client asks" "a page"
             (get "/page.html" "-0"))))))))

(test-case "a large file, and one that is there already"
  (require-program "curl")
  (call-with-tree
   (lambda (root)
     (define (in name) (string-append root name))
     (define bytes (make-bytevector 20000000))
     (let fill ((i 0))
       (when (< i (bytevector-length bytes))
         (bytevector-u32-native-set! bytes i i)
         (fill (+ i 4096))))
     (call-with-output-file (in "/large")
       (lambda (port) (put-bytevector port bytes)) #:binary #t)
     (call-with-web-server "127.0.0.1:0" (file-handler root)
       (lambda (server)
         (define copy (in "/copy"))
         (define (get . arguments)
           (apply curl (url-of server "/large") "-o" copy arguments))
         (get)
         (test-assert "whole" (equal? bytes (bytes-of copy)))
         (truncate-file copy 7000001)
         (get "-C" "-")
         (test-assert "gone on with" (equal? bytes (bytes-of copy)))
         (test-equal "not sent again" "304"
           (begin
             (get "-R")
             (get "-z" copy "-w" "%{http_code}")))
         (test-equal "by its tag" "304"
           (let ((tags (in "/tags")))
             (get "--etag-save" tags)
             (get "--etag-compare" tags "-w" "%{http_code}")))
         ;; What the client does not take must not keep the file open.
         (curl (url-of server "/large") "-o" "/dev/null" "--max-filesize" "1000")
         (test-assert "no descriptor is left"
           (wait-until
            (lambda ()
              (not (any (lambda (fd) (string-suffix? "/large" (cdr fd)))
                        (descriptors)))))))))))

(test-end "web-files")
