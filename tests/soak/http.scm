;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A server of HTTP in a process of its own, for long: requests as browsers send them, a
;;; million at least, each different from the one before, with and without bodies; and
;;; uploads of 1 GB that are never whole in memory.  Neither its memory nor its
;;; descriptors may grow.

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

(define least-requests 1000000)

(define (done requests)
  "Return what part of the time and of the requests is behind us, 1 at the end."
  (min 1 (/ requests least-requests) (/ (passed) (max 1 seconds))))

(define (progress requests)
  (format #t "progress ~a 1000~%" (round (* 1000 (done requests))))
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

(define wrk-script
  (string-append (getenv "SOCKPORT_SOURCE") "/bench/peers/http-load.lua"))

(define burst-seconds 4)

;; The last line has the count, the duration, three percentiles, and the errors.
(define (burst port kind)
  "Return how many requests of KIND wrk has had answered."
  (call-with-values
      (lambda ()
        (run-program "wrk" "-t1" "-c50" (format #f "-d~a" burst-seconds)
                     "-s" wrk-script (format #f "http://127.0.0.1:~a/" port)
                     "--" kind))
    (lambda (status output)
      (match (string-match "\n([0-9]+) [0-9]+ [0-9]+ [0-9]+ [0-9]+ 0\n$" output)
        (#f (fault! "requests" status output) 0)
        (found (string->number (match:substring found 1)))))))

(define (bursts port)
  (+ (burst port "get") (burst port "post")))

(define grown-limit-kb 16384)

(define (try-server pid port)
  "Let many requests be served, and now and then an upload, and compare what the
server holds with what it held after the first."
  (let* ((first (bursts port))
         (fds (descriptors-settled pid 0)) (memory (status-kb pid "VmRSS")))
    (let next ((requests first) (uploads '()))
      (progress requests)
      (format #t "# ~a requests: ~a kB, ~a descriptors~%" requests
              (status-kb pid "VmRSS") (descriptors pid))
      (if (and (zero? faults) (< (done requests) 1))
          (next (+ requests (bursts port))
                (cons (try-upload pid port) uploads))
          (let ((grown (- (status-kb pid "VmRSS") memory))
                (fds-now (descriptors-settled pid fds)))
            (format #t "# ~a kB more; ~a uploads of 1 GiB, at most ~a kB more~%"
                    grown (length uploads) (apply max 0 uploads))
            (when (> fds-now fds)
              (fault! "descriptors" fds fds-now))
            (when (> grown grown-limit-kb)
              (fault! "memory in kB" grown)))))))

(call-with-peer (list "guile" "--no-auto-compile" "-c" program)
  (lambda (peer)
    (let ((port (listening-port peer)) (pid (peer-pid peer)))
      (upload port 16)
      (try-server pid port))))

(exit (if (zero? faults) 0 1))
