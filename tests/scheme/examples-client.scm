;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The examples of the client of HTTP, run as programs of their own.

(use-modules (harness)
             (harness client)
             (harness process)
             ((harness web) #:select (call-with-http))
             (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport)
             (sockport http)
             (sockport serve-files)
             (web request)
             (web response)
             (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define (run name . arguments)
  "Return the status of the example NAME and what it prints."
  (call-in-thread
   (lambda ()
     (call-with-values
         (lambda ()
           (apply run-program "sh" "-c" "exec \"$@\" 2>/dev/null" "sh"
                  "guile" "--no-auto-compile" "-s"
                  (string-append (getenv "SOCKPORT_SOURCE") "/examples/" name)
                  arguments))
       list))))

(define (bytes-in name)
  (call-with-input-file name get-bytevector-all #:binary #t))

(test-begin "examples-client")

(test-case "fetch: a file, the rest of a file, and what is not there"
  (with-temporary-directory
   (lambda (directory)
     (define content
       (u8-list->bytevector (map (lambda (i) (modulo (* i 7) 256)) (iota 50000))))
     (define source (string-append directory "/page.bin"))
     (define target (string-append directory "/got"))
     (define (write! name count)
       (call-with-output-file name
         (lambda (port) (put-bytevector port content 0 count))
         #:binary #t))
     (write! source 50000)
     (let ((codes '()))
       (define files (file-handler directory))
       (call-with-http
        (lambda (request body)
          (call-with-values (lambda () (files request body))
            (lambda (response body)
              (set! codes (cons (response-code response) codes))
              (values response body))))
        (lambda (connect server)
          (define uri (uri-of server "/page.bin"))
          (define done (list 0 (format #f "~a: 50000 bytes\n" target)))
          (test-equal "all" done (run "fetch.scm" uri target))
          (test-equal "is there" content (bytes-in target))
          (test-equal "again" done (run "fetch.scm" uri target))
          (write! target 20000)
          (test-equal "from the middle" done (run "fetch.scm" uri target))
          (test-equal "is there too" content (bytes-in target))
          (test-equal "each asked as it should" '(200 416 206) (reverse codes))
          (test-equal "nothing" '(1 "")
            (run "fetch.scm" (uri-of server "/none") (string-append target "x")))
          (test-equal "usage" 2 (car (run "fetch.scm")))))))))

(test-case "crawler"
  (test-equal "its own site" '(0 "1000 pages, 0 failed\n") (run "crawler.scm"))
  (call-with-http
   (lambda (request body)
     (match (uri-path (request-uri request))
       ("/" (values '((content-type . (text/html)))
                    "<a href=\"/a\"> <a href='/no'> <a href=\"http://x/\">"))
       ("/a" (values '((content-type . (text/html)))
                     "<A HREF=\"/b#x\"> <a href=\"/\"> <a href=\"/gone\">"))
       ("/b" (values (build-response #:code 302
                                     #:headers `((location
                                                  . ,(string->uri-reference
                                                      "/a"))))
                     ""))
       (_ (values (build-response #:code 404) "no"))))
   (lambda (connect server)
     (test-equal "one of pages that are there and not"
       '(0 "3 pages, 1 failed\n")
       (run "crawler.scm" (uri-of server "/")))
     (test-equal "none" '(1 "0 pages, 1 failed\n")
       (run "crawler.scm" (uri-of server "/none"))))))

(test-end "examples-client")
