;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Parts of files over HTTP: one, several, and when they are not to be had.

(use-modules (harness)
             (harness files)
             ((harness web) #:select (call-with-http codes (ask . ask-at)))
             (ice-9 regex)
             (srfi srfi-1)
             (srfi srfi-19)
             (sockport serve condition)
             (sockport serve-files)
             (web response))

(test-begin "serve-files-parts")

(test-case "parts"
  (call-with-tree
   (lambda (root)
     (define files (file-handler root))
     (define (range text . more)
       (let ((answer (ask files "/data" #:headers
                          (cons (string-append "Range: " text) more))))
         (list (response-code (car answer)) (cdr answer)
               (let ((value (header 'content-range answer)))
                 (and value (written 'content-range value))))))
     (test-equal "from, to" '(206 "234" "bytes 2-4/10") (range "bytes=2-4"))
     (test-equal "from" '(206 "789" "bytes 7-9/10") (range "bytes=7-"))
     (test-equal "the last" '(206 "89" "bytes 8-9/10") (range "bytes=-2"))
     (test-equal "more than there is" '(206 "89" "bytes 8-9/10")
       (range "bytes=8-100"))
     (test-equal "the last twenty" '(206 "0123456789" "bytes 0-9/10")
       (range "bytes=-20"))
     (test-equal "none of them" '(416 "There are no such bytes.\n" "bytes */10")
       (range "bytes=10-"))
     (test-equal "the last none" 416 (car (range "bytes=-0")))
     (test-equal "parts that overlap are one" '(206 "12345" "bytes 1-5/10")
       (range "bytes=3-5,1-4"))
     (test-equal "more than the whole is the whole" '(200 "0123456789" #f)
       (range "bytes=0-4,5-9"))
     (test-equal "the whole over and over is one part"
       '(206 "0123456789" "bytes 0-9/10") (range "bytes=0-,0-,0-,-10"))
     (test-equal "too many parts are the whole" 200
       (car (range (string-append "bytes=0-0"
                                  (string-concatenate (make-list 64 ",2-2"))))))
     (test-equal "of an empty file" 416
       (code files "/none" #:headers '("Range: bytes=0-")))
     (test-equal "with the right tag, and a wrong one" '(206 200)
       (let ((tag (written 'etag (header 'etag (ask files "/data")))))
         (map (lambda (tag) (car (range "bytes=0-1"
                                        (string-append "If-Range: " tag))))
              (list tag "\"x\""))))
     (test-equal "HEAD has no parts" 200
       (code files "/data" #:method 'HEAD #:headers '("Range: bytes=0-1"))))))

(test-case "several parts"
  (call-with-tree
   (lambda (root)
     (let* ((answer (ask (file-handler root) "/page.html" #:headers
                         '("Range: bytes=4-5,0-0")))
            (type (header 'content-type answer))
            (mark (assq-ref (cdr type) 'boundary))
            (part (lambda (where text)
                    (string-append
                     "--" mark "\r\nContent-Type: text/html;charset=utf-8\r\n"
                     "Content-Range: bytes " where "/6\r\n\r\n" text "\r\n"))))
       (test-equal "code and type" '(206 multipart/byteranges)
         (list (response-code (car answer)) (car type)))
       (test-equal "in the order asked for"
         (string-append (part "4-5" "ge") (part "0-0" "a") "--" mark "--\r\n")
         (cdr answer))))))

(test-case "if-range by date"
  (define (at seconds) (time-utc->date (make-time time-utc 0 seconds) 0))
  (define now (time-second (current-time time-utc)))
  (test-equal "the same and long ago; another; just now" '(#t #f #f)
    (list (range-wanted? `((if-range . ,(at 1000))) '() '("x" . #t) 1000)
          (range-wanted? `((if-range . ,(at 1001))) '() '("x" . #t) 1000)
          (range-wanted? `((if-range . ,(at now))) '() '("x" . #t) now))))

;;; Over a socket, as the headers come.
(test-case "headers that nobody can parse, and on several lines"
  (call-with-tree
   (lambda (root)
     (call-with-http (file-handler root)
       (lambda (new server)
         (define (answer . lines)
           (apply ask-at new "GET" "/data" lines))
         (define tag
           (match:substring
            (string-match "ETag: ([^\r]*)" (answer)) 1))
         (define (code . lines) (car (codes (apply answer lines))))
         (test-equal "a part only of what the client is sure to have"
           '(206 200 200 200)
           (list (code "Range: bytes=0-0" (string-append "If-Range: " tag))
                 (code "Range: bytes=0-0" "If-Range: something")
                 (code "Range: bytes=0-0" (string-append "If-Range: " tag)
                       (string-append "If-Range: " tag))
                 (code "Range: bytes=0-0" (string-append "If-Range: W/" tag))))
         (test-equal "tags on two lines" '(200 412 304 200)
           (list (code "If-Match: \"x\"" (string-append "If-Match: " tag))
                 (code "If-Match: \"x\"" "If-Match: \"y\"")
                 (code "If-None-Match: \"x\""
                       (string-append "If-None-Match: W/" tag))
                 (code "If-None-Match: \"x\"" "If-None-Match: \"y\"")))
         (test-equal "what is no tag is not passed over for a date" '(200 412)
           (list (code "If-None-Match: \"x"
                       "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT")
                 (code "If-Match: \"x"
                       "If-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT")))
         (test-equal "ranges on two lines are none" 200
           (code "Range: bytes=0-0" "Range: bytes=2-2")))))))

(test-end "serve-files-parts")
