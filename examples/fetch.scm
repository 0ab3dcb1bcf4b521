;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; fetch.scm URI [FILE]: fetches what is at URI into FILE, by default the last part
;;; of its path, and shows how far it is.  A FILE that is there already is gone on
;;; with where it ends.  Exits with 1 if that fails; what has come is kept.

(use-modules (sockport) (sockport web-client)
             (ice-9 binary-ports) (ice-9 exceptions) (ice-9 match)
             (rnrs bytevectors) (srfi srfi-1)
             (web response) (web uri))

(define (default-name uri)
  (match (reverse (split-and-decode-uri-path (uri-path uri)))
    ((or () ((or "" "." "..") . _)) "index.html")
    ((name . _) name)))

;;; The bar, on a terminal or not.

(define width 40)

(define (show! done total)
  (let ((port (current-error-port)))
    (if total
        (let ((filled (if (zero? total) width (quotient (* width done) total))))
          (format port "\r[~a~a] ~a of ~a bytes"
                  (make-string filled #\#) (make-string (- width filled) #\.)
                  done total))
        (format port "\r~a bytes" done))
    (force-output port)))

;;; Fetching.

(define (copy! port file begun total)
  "Copy PORT to FILE, which has BEGUN of TOTAL bytes; return how many it has then."
  (let next ((done begun) (shown #f))
    (let ((mark (quotient (* 100 done) (max 1 (or total 10000000)))))
      (unless (eqv? mark shown)
        (show! done total))
      (let ((bytes (get-bytevector-some port)))
        (if (eof-object? bytes)
            (begin
              (show! done total)
              (newline (current-error-port))
              done)
            (begin
              (put-bytevector file bytes)
              (next (+ done (bytevector-length bytes)) mark)))))))

(define (total-of response begun)
  (let ((length (response-content-length response)))
    (and length (+ begun length))))

(define (save response port name begun)
  "Write PORT to the file NAME, behind the first BEGUN bytes."
  (let ((file (open-file name (if (zero? begun) "wb" "ab"))))
    (dynamic-wind
      (const #t)
      (lambda () (copy! port file begun (total-of response begun)))
      (lambda ()
        (close-port file)
        (close-port port)))))

(define (ask uri begun)
  (http-get uri #:redirects 10 #:streaming? #t #:decode-body? #f
            #:headers (if (zero? begun)
                          '()
                          `((range . (bytes (,begun . #f)))))))

(define (fetch uri name)
  "Fetch URI to the file NAME; return how many bytes that has then, or #f."
  (let ((begun (if (file-exists? name) (stat:size (stat name)) 0)))
    (call-with-values (lambda () (ask uri begun))
      (lambda (response port)
        (match (response-code response)
          (200 (save response port name 0))
          (206 (save response port name begun))
          ;; Nothing is missing.
          (416 (close-port port) begun)
          (code
           (when port (close-port port))
           (format (current-error-port) "~a: ~a ~a~%" (uri->string uri) code
                   (response-reason-phrase response))
           #f))))))

(define (main text . name)
  (let ((uri (string->uri text)))
    (unless uri
      (format (current-error-port) "fetch.scm: no URI: ~a~%" text)
      (exit 2))
    (let* ((name (match name ((name) name) (() (default-name uri))))
           (size (fetch uri name)))
      (when size
        (format #t "~a: ~a bytes~%" name size))
      (exit (if size 0 1)))))

(match (command-line)
  ((_ . (and arguments (or (_) (_ _))))
   (guard (e ((memq (exception-kind e)
                    '(getaddrinfo-error http-error misc-error system-error
                      wrong-type-arg))
              (newline (current-error-port))
              (print-exception (current-error-port) #f
                               (exception-kind e) (exception-args e))
              (exit 1)))
     (apply main arguments)))
  (_
   (display "usage: fetch.scm URI [FILE]\n" (current-error-port))
   (exit 2)))
