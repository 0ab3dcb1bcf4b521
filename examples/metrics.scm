;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; metrics.scm [WHERE]: a server whose counters Prometheus can read, at
;;; http://127.0.0.1:8080/metrics, in its text format; whose requests have ids; and
;;; which writes an access log to its standard output.

(use-modules (sockport) (sockport access-log) (sockport http)
             (ice-9 exceptions) (ice-9 match) (web request) (web uri))

(define server #f)

;; A row: what is counted, its name and type for Prometheus, and what it is.
(define metrics
  '((connections "http_connections_total" "counter" "Connections since the start.")
    (open "http_connections_open" "gauge" "Connections that are open.")
    (requests "http_requests_total" "counter" "Requests since the start.")
    (refused "http_refused_total" "counter" "What was no request, or too large.")
    (errors "http_errors_total" "counter" "Errors of the handler.")
    (bytes-in "http_received_bytes_total" "counter" "Bytes of bodies received.")
    (bytes-out "http_sent_bytes_total" "counter" "Bytes of bodies sent.")))

(define classes
  '((responses-1xx . "1xx") (responses-2xx . "2xx") (responses-3xx . "3xx")
    (responses-4xx . "4xx") (responses-5xx . "5xx")))

(define (write-metrics statistics port)
  (define (write-help name type text)
    (format port "# HELP ~a ~a\n# TYPE ~a ~a\n" name text name type))
  (for-each (match-lambda
              ((key name type text)
               (write-help name type text)
               (format port "~a ~a\n" name (assq-ref statistics key))))
            metrics)
  (write-help "http_responses_total" "counter" "Responses by their codes.")
  (for-each (match-lambda
              ((key . class)
               (format port "http_responses_total{code=\"~a\"} ~a\n" class
                       (assq-ref statistics key))))
            classes))

(define (handler request body)
  (match (uri-path (request-uri request))
    ("/metrics"
     (values '((content-type . (text/plain (version . "0.0.4"))))
             (call-with-output-string
               (lambda (port)
                 (write-metrics (server-statistics server) port)))))
    (_
     (values '((content-type . (text/plain)))
             "Look at /metrics.\n"))))

(define (run where)
  (serve-http where handler
              #:request-id #t
              #:on-response (access-logger (current-output-port))
              #:on-listen
              (lambda (made)
                (set! server made)
                (format #t "http://~a/metrics~%"
                        (socket-address->string (car (server-addresses made))))
                (force-output))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_) (run "127.0.0.1:8080"))
    ((_ where) (run where))
    (_
     (display "usage: metrics.scm [WHERE]\n" (current-error-port))
     (exit 2))))
