;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A page over TLS in a browser whose profile trusts the tests' own authority, and in
;;; one that does not.

(use-modules (harness) (harness process) (harness tls) (harness web)
             (ice-9 match) (srfi srfi-1) (sockport) (sockport http) (sockport tls)
             (web request) (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define directory #f)
(define (file name) (in-directory directory name))

(define browser (find in-path '("chromium" "chromium-browser")))

(define (run . command)
  (call-with-values
      (lambda ()
        (apply run-program "sh" "-c" "exec \"$@\" 2>/dev/null" "sh" command))
    (lambda (status output) (and (eqv? status 0) output))))

(define (make-home name)
  "Return a directory for a browser to live in, with a store of certificates."
  (let ((home (file name)))
    (for-each mkdir (list home (string-append home "/.pki")
                          (string-append home "/.pki/nssdb")))
    (run "certutil" "-d" (store home) "-N" "--empty-password")
    home))

(define (store home) (string-append "sql:" home "/.pki/nssdb"))

(define (trust! home)
  (run "certutil" "-d" (store home) "-A" "-t" "C,," "-n" "test"
       "-i" (file "ca.pem")))

(define (visit home url text)
  "Return whether the page at URL has TEXT, at one of five visits."
  (let next ((left 5))
    (let ((page (run "env" (string-append "HOME=" home) browser
                     "--headless" "--no-sandbox" "--disable-gpu"
                     "--no-first-run" "--disable-background-networking"
                     "--disable-component-update" "--disable-sync"
                     "--virtual-time-budget=4000"
                     (string-append "--user-data-dir=" home "/profile")
                     "--dump-dom" url)))
      (cond ((and page (string-contains page text)) #t)
            ((= left 1) #f)
            (else (next (- left 1)))))))

(define page "<!DOCTYPE html><title>t</title><p id=x>not yet</p>
<script>fetch('/more').then(r => r.text()).then(t => x.textContent = t)</script>")

(define (handler request body)
  (match (uri-path (request-uri request))
    ("/" (values '((content-type . (text/html))) page))
    ("/more" (values '((content-type . (text/plain))) "more of it"))
    (_ (values '((content-type . (text/plain))) "nothing"))))

(parameterize ((case-seconds (* 5 (case-seconds))))
  (tls-cases (directory "tls-browser")
    (test-case "a page that asks for more"
      (unless browser (skip "needs chromium"))
      (require-program "certutil")
      (let ((trusting (make-home "trusting")) (other (make-home "other")))
        (trust! trusting)
        (call-with-http handler
          (lambda (new server)
            (let ((url (format #f "https://localhost:~a/"
                               (sockaddr:port (car (server-addresses server))))))
              (test-assert "shown"
                (call-in-thread (lambda () (visit trusting url "more of it"))))
              (test-equal "not to who does not trust it" #f
                (call-in-thread (lambda () (visit other url "more of it"))))))
          #:tls (server-context directory "localhost" #:alpn '("http/1.1")))))))
