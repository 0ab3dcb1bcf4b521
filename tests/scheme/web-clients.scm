;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Programs for Guile's (web server) on Sockport, and real clients: curl, wrk, a
;;; browser.

(use-modules (harness)
             (harness process)
             (ice-9 regex)
             (ice-9 textual-ports)
             (srfi srfi-1))

(define source (getenv "SOCKPORT_SOURCE"))

(test-begin "web-clients")

(define (call-with-program file proc)
  (call-with-peer (list "guile" "--no-auto-compile" "-s" file "0")
    (lambda (peer)
      (proc peer (format #f "http://127.0.0.1:~a" (listening-port peer))))))

(define (output-of . command)
  (call-with-values (lambda () (apply run-program command))
    (lambda (status output) (and (zero? status) output))))

(define event-stream (string-append source "/examples/event-stream.scm"))

(test-case "curl"
  (require-program "curl")
  (call-with-program event-stream
    (lambda (peer url)
      (define (curl . arguments)
        (apply output-of "curl" "-sS" "--max-time" "10" arguments))
      (test-assert "a page"
        (string-contains (curl (string-append url "/")) "<h1>Events</h1>"))
      (test-equal "what is not there" "404"
        (curl "-o" "/dev/null" "-w" "%{http_code}"
              (string-append url "/nothing")))
      (test-equal "one connection for three" "100"
        (curl "-o" "/dev/null" "-o" "/dev/null" "-o" "/dev/null"
              "-w" "%{num_connects}"
              (string-append url "/style.css") (string-append url "/dot.svg")
              (string-append url "/script.js")))
      (test-equal "events"
        "data: event 1\n\ndata: event 2\n\ndata: event 3\n\nevent: end\ndata:\n\n"
        (curl (string-append url "/events")))
      (test-assert "a large upload, which waits to be asked for"
        (with-temporary-directory
          (lambda (directory)
            (let ((file (string-append directory "/data")))
              (call-with-output-file file
                (lambda (port) (display (make-string 2000000 #\x) port)))
              (curl "-H" "Expect: 100-continue" "--data-binary"
                    (string-append "@" file) (string-append url "/"))))))
      (kill (peer-pid peer) SIGTERM)
      (test-equal "SIGTERM ends it well" 0
        (status:exit-val (peer-status peer))))))

(test-case "wrk"
  (require-program "wrk")
  (call-with-program event-stream
    (lambda (peer url)
      (let ((text (output-of "wrk" "-t1" "-c40" "-d1"
                             (string-append url "/style.css"))))
        (test-assert "requests" (string-match "[1-9][0-9]* requests in" text))
        (test-assert "no errors"
          (not (string-match "Socket errors|Non-2xx" text)))))))

(define (chromium)
  (find in-path '("chromium" "chromium-browser" "google-chrome")))

(test-case "a browser loads a page, what it needs, and events"
  (unless (chromium)
    (skip "needs chromium"))
  (call-with-program event-stream
    (lambda (peer url)
      (with-temporary-directory
        (lambda (directory)
          (let ((page (output-of
                       "sh" "-c" "exec \"$@\" 2>/dev/null" "sh" (chromium) "--headless" "--no-sandbox" "--disable-gpu"
                       "--disable-quic" "--no-first-run"
                       "--disable-background-networking"
                       "--disable-component-update" "--disable-sync"
                       (string-append "--user-data-dir=" directory)
                       "--virtual-time-budget=5000" "--dump-dom"
                       (string-append url "/"))))
            (test-assert "the events"
              (and page (string-contains page "<li>event 3</li>")))
            (test-assert "and their end"
              (and page (string-contains page "Ended after 3")))))))))

(define stateful "
(use-modules (web server))
(run-server (lambda (request body count)
              (values '((content-type . (text/plain)))
                      (number->string count) (+ count 1)))
            'sockport '(#:port 0) 1)
(display \"ended\")
")

(test-case "a handler with state, and SIGINT"
  (require-program "curl")
  (call-with-peer (list "guile" "--no-auto-compile" "-c" stateful)
    (lambda (peer)
      (let ((url (format #f "http://127.0.0.1:~a/" (listening-port peer))))
        (test-equal "one after the other" "123"
          (string-concatenate
           (map (lambda (i) (output-of "curl" "-sS" url)) (iota 3))))
        (kill (peer-pid peer) SIGINT)
        (test-equal "run-server returns" "ended"
          (get-string-all (peer-output peer)))))))

(define on-unix "
(use-modules (sockport) (web server))
(run-server (lambda (request body)
              (values '((content-type . (text/plain)))
                      \"served\"))
            'sockport (list #:listen (cadr (command-line)) #:workers 2))
")

(test-case "a UNIX socket and two workers"
  (require-program "curl")
  (with-temporary-directory
    (lambda (directory)
      (let ((path (string-append directory "/web")))
        (call-with-peer (list "guile" "--no-auto-compile" "-c" on-unix
                              (string-append "unix:" path))
          (lambda (peer)
            (wait-until (lambda () (listening-at? path)))
            (test-assert "served"
              (equal? (output-of "curl" "-sS" "--unix-socket" path "http://x/")
                      "served"))
            (kill (peer-pid peer) SIGTERM)
            (test-equal "it ends well" 0
              (status:exit-val (peer-status peer)))))
        (test-assert "the name has gone" (not (file-exists? path)))))))

(test-end "web-clients")
