;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; URIs in Referer, of which C makes the common ones: they are what (web uri) makes
;;; of the same text, for a few thousand that were changed at random.  The seed is
;;; printed.

(use-modules (harness)
             (ice-9 iconv)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport primitive)
             (sockport serve http-header)
             (web uri))

(define count 5000)
(define seed
  (let ((given (getenv "SOCKPORT_SEED")))
    (if given (string->number given) (modulo (current-time) 1000000))))
(define state (seed->random-state seed))
(define (pick list) (list-ref list (random (length list) state)))

(define head (%make-http-head))
(define memory (make-header-memory))

;; The headers and those that did not parse are the sixth and seventh.
(define parts (make-vector 9 #f))

(define (referer text)
  "Return what a request with TEXT in its Referer has there; #f if that does not
parse, or makes the request none."
  (let ((bytes (string->bytevector
                (string-append "GET / HTTP/1.0\r\nReferer: " text "\r\n\r\n")
                "ISO-8859-1")))
    (%http-head-begin! head 65536 8192)
    (let ((size (%http-head-parse! head bytes 0 (bytevector-length bytes))))
      (and size
           (positive? size)
           (begin
             (%http-request! head bytes 0 memory parts)
             (assq-ref (vector-ref parts 5) 'referer))))))

(define starts
  '("http://www.example.org/a/b.html?c=d&e=%20f" "https://a.b" "http://a/?"
    "https://example.org:8443/x" "http://user@a/" "http://[::1]/p" "/path?q"
    "http://1.2.3.4/x" "ftp://a/b" "HTTP://A.B/c" "http://a/#f" "http://a.b//c/../d"))
(define tokens
  '("http://" "https://" ":" "/" "?" "#" "@" "[" "]" "%" "%2f" ":80" ".." "-" "_"
    "\xff;" "\x80;" " " "\t" "\"" "<" "a" "1" "." "\\" "^" "{"))

(define (mutate text)
  (let ((at (random (+ 1 (string-length text)) state)))
    (case (random 3 state)
      ((0) (string-append (string-take text at) (pick tokens)
                          (string-drop text at)))
      ((1) (string-append (string-take text at)
                          (string-drop text (min (string-length text)
                                                 (+ at 1 (random 4 state))))))
      (else (string-take text at)))))

(define (mutated)
  (fold (lambda (i text) (mutate text)) (pick starts) (iota (random 4 state))))

(define (parts-of uri)
  (map (lambda (part) (part uri))
       (list uri-scheme uri-userinfo uri-host uri-port uri-path uri-query
             uri-fragment)))

(define (same? text)
  "Does a request have what (web uri) makes of TEXT?"
  (let ((ours (referer text))
        (theirs (false-if-exception (string->uri-reference (string-trim-both text)))))
    (cond ((and ours theirs) (equal? (parts-of ours) (parts-of theirs)))
          ;; (web uri) has its own opinion on which names are of hosts.
          (ours (string? (uri-host ours)))
          (else #t))))

(test-begin "web-referer")
(format #t "# seed ~a~%" seed)

(test-case "as they are"
  (for-each (lambda (text) (test-assert text (and (referer text) (same? text))))
            starts))

(test-case "changed at random"
  (test-equal "none is another" '()
    (remove same? (map (lambda (i) (mutated)) (iota count)))))

(test-case "two requests do not share one"
  (let ((first (referer "http://a/path")) (second (referer "http://a/path")))
    (string-set! (uri-path first) 1 #\X)
    (test-equal "/path" (uri-path second))))

(test-end "web-referer")
