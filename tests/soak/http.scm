;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A server of HTTP in a process of its own, for long: uploads of 1 GB that are never
;;; whole in memory, and requests by the hundred thousand, a million at least.  Neither
;;; its memory nor its descriptors may grow.

(use-modules (harness process)
             (ice-9 ftw)
             (ice-9 match)
             (ice-9 regex)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport))

(define seconds (string->number (or (getenv "SOAK_SECONDS") "600")))
(define start (current-time))
(define (passed) (- (current-time) start))

(define faults 0)
(define (fault! what . details)
  (set! faults (+ faults 1))
  (format #t "not ok ~a ~s~%" what details)
  (force-output))
(define (progress done)
  (format #t "progress ~a ~a~%" (min done seconds) seconds)
  (force-output))

(define program "
(use-modules (sockport) (sockport http) (ice-9 binary-ports) (rnrs bytevectors)
             (web request) (web uri))
(define buffer (make-bytevector 65536))
(define (count body)
  (let next ((sum 0))
    (let ((n (get-bytevector-n! body buffer 0 65536)))
      (if (eof-object? n) sum (next (+ sum n))))))
(serve-http \"127.0.0.1:0\"
  (lambda (request body)
    (values '((content-type . (text/plain)))
            (if body (number->string (count body)) \"Hello, World!\")))
  #:body-port? #t #:body-limit #f)
")

;;; What is known of the server's process.

(define (status-kb pid name)
  (string->number
   (match:substring
    (string-match (string-append name ":[^0-9]*([0-9]+)")
                  (call-with-input-file (format #f "/proc/~a/status" pid)
                    get-string-all))
    1)))

(define (descriptors pid)
  (length (scandir (format #f "/proc/~a/fd" pid) string->number)))

;;; The last connections may just be about to go.
(define (descriptors-settled pid wanted)
  (let wait ((left 200))
    (let ((count (descriptors pid)))
      (if (or (zero? left) (<= count wanted))
          count
          (begin
            (usleep 10000)
            (wait (- left 1)))))))

;; proc(5): the peak begins anew.
(define (forget-peak! pid)
  (call-with-output-file (format #f "/proc/~a/clear_refs" pid)
    (lambda (port) (display "5" port))))

;;; Uploads.

(define piece (make-bytevector 1048576 97))

(define (upload port mib)
  "Send a body of MIB mebibytes, and return the last line of the response."
  (let ((sock (socket AF_INET SOCK_STREAM 0)))
    (connect sock AF_INET INADDR_LOOPBACK port)
    (send sock (format #f "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
Content-Length: ~a\r\n\r\n" (* mib 1048576)))
    (do ((i 0 (+ i 1))) ((= i mib))
      (send sock piece))
    (setvbuf sock 'block)
    (let ((text (get-string-all sock)))
      (close-port sock)
      (substring text (+ 1 (string-rindex text #\newline))))))

(define upload-limit-kb 10240)

(define (try-upload pid port)
  (forget-peak! pid)
  (let* ((before (status-kb pid "VmHWM"))
         (counted (upload port 1024))
         (more (- (status-kb pid "VmHWM") before)))
    (unless (equal? counted (number->string (* 1024 1048576)))
      (fault! "an upload of 1 GiB" counted))
    (when (> more upload-limit-kb)
      (fault! "memory for an upload of 1 GiB, in kB" more))
    more))

;;; Requests.

(define burst-seconds 4)

(define (burst port)
  "Return how many requests wrk has had answered."
  (call-with-values
      (lambda ()
        (run-program "wrk" "-t1" "-c50" (format #f "-d~a" burst-seconds)
                     (format #f "http://127.0.0.1:~a/" port)))
    (lambda (status output)
      (when (string-match "Socket errors|Non-2xx" output)
        (fault! "requests" output))
      (match (string-match "([0-9]+) requests in" output)
        (#f (fault! "wrk" output) 0)
        (found (string->number (match:substring found 1)))))))

(define least-requests 1000000)
(define grown-limit-kb 16384)

(define (serve-many pid port)
  (let* ((first (burst port))
         (fds (descriptors-settled pid 0)) (memory (status-kb pid "VmRSS")))
    (let next ((requests first) (peak 0))
      (progress (passed))
      (if (and (zero? faults)
               (or (< requests least-requests) (< (passed) seconds)))
          (let ((more (try-upload pid port)))
            (next (+ requests (burst port)) (max peak more)))
          (let ((grown (- (status-kb pid "VmRSS") memory))
                (fds-now (descriptors-settled pid fds)))
            (format #t "# ~a requests, ~a then ~a descriptors, ~a kB more than \
after ~a; ~a kB more at the peak of an upload of 1 GiB~%"
                    requests fds fds-now grown first peak)
            (when (> fds-now fds)
              (fault! "descriptors" fds fds-now))
            (when (> grown grown-limit-kb)
              (fault! "memory in kB" grown)))))))

(call-with-peer (list "guile" "--no-auto-compile" "-c" program)
  (lambda (peer)
    (let ((port (listening-port peer)) (pid (peer-pid peer)))
      (upload port 16)
      (serve-many pid port))))

(exit (if (zero? faults) 0 1))
