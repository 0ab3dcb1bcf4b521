;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (sockport web-client) uploads 1 GiB from a procedure, by HTTP and by HTTPS, and
;;; downloads as much as a stream: neither end has more than 10 MB of it at once.

(add-to-load-path (string-append (getenv "SOCKPORT_SOURCE") "/tests/scheme"))
(use-modules (harness process) (harness tls) (ice-9 binary-ports) (ice-9 match)
             (ice-9 regex) (ice-9 textual-ports) (rnrs bytevectors) (sockport)
             (sockport web-client) (web response))

(define size 1073741824)
(define limit-kb 10240)

(define server-program "
(use-modules (sockport) (sockport http) (sockport tls) (ice-9 binary-ports)
             (ice-9 match) (rnrs bytevectors) (web request) (web uri))
(define part (make-bytevector 65536 7))
(define (count body)
  (let next ((sum 0))
    (let ((n (get-bytevector-n! body part 0 65536)))
      (if (eof-object? n) sum (next (+ sum n))))))
(define (handler request body)
  (if (eq? 'GET (request-method request))
      (values '() (lambda (port)
                    (do ((i 0 (+ i 1))) ((= i 16384))
                      (put-bytevector port part))))
      (values '((content-type . (text/plain))) (number->string (count body)))))
(match (cdr (command-line))
  ((certificate key)
   (serve-http \"127.0.0.1:0\" handler #:body-port? #t #:body-limit #f
               #:tls (tls-context #:certificate certificate #:key key)))
  (() (serve-http \"127.0.0.1:0\" handler #:body-port? #t #:body-limit #f)))
")

(define faults 0)
(define (fault! what . details)
  (set! faults (+ faults 1))
  (format #t "not ok ~a ~s~%" what details)
  (force-output))

(define (most-kb pid)
  (string->number
   (match:substring
    (string-match "VmHWM:[^0-9]*([0-9]+)"
                  (call-with-input-file (format #f "/proc/~a/status" pid)
                    get-string-all))
    1)))

(define part (make-bytevector 65536 7))

(define (write-much size)
  (lambda (port)
    (do ((i 0 (+ i 1))) ((= i (quotient size 65536)))
      (put-bytevector port part))))

(define (upload uri context size)
  (call-with-values
      (lambda () (http-post uri #:body (write-much size) #:context context))
    (lambda (response body)
      (unless (equal? body (number->string size))
        (fault! "an upload" size body)))))

(define (download uri context)
  (call-with-values (lambda () (http-get uri #:context context #:streaming? #t))
    (lambda (response port)
      (let next ((sum 0))
        (let ((n (get-bytevector-n! port part 0 65536)))
          (cond ((not (eof-object? n)) (next (+ sum n)))
                ((not (= sum size)) (fault! "a download" sum)))))
      (close-port port))))

(define steps 0)
(define (step! what pid thunk)
  (let ((ours (most-kb (getpid))) (theirs (most-kb pid)))
    (thunk)
    (let ((ours (- (most-kb (getpid)) ours)) (theirs (- (most-kb pid) theirs)))
      (format #t "# ~a: ~a kB more here, ~a kB there~%" what ours theirs)
      (when (or (> ours limit-kb) (> theirs limit-kb))
        (fault! "memory" what ours theirs))))
  (set! steps (+ steps 1))
  (format #t "progress ~a 4~%" steps)
  (force-output))

(define (try scheme context . files)
  (call-with-peer (append (list "guile" "--no-auto-compile" "-c" server-program)
                          files)
    (lambda (peer)
      (let ((uri (format #f "~a://127.0.0.1:~a/" scheme (listening-port peer)))
            (pid (peer-pid peer)))
        (run-tasks
         (lambda ()
           ;; What either needs to begin with.
           (upload uri context 16777216)
           (step! (list scheme 'upload) pid (lambda () (upload uri context size)))
           (step! (list scheme 'download) pid (lambda () (download uri context)))))))))

(call-with-authority
 (lambda (directory)
   (try "http" #f)
   (try "https" (trusting directory) (in-directory directory "localhost.pem")
        (in-directory directory "leaf.key"))))

(exit (if (zero? faults) 0 1))
