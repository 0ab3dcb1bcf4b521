;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What (web http) knows of headers, for the C code that reads and writes them and
;;; remembers what it has met (guile/http-memory.c).

(define-module (sockport serve http-header)
  #:use-module (srfi srfi-19)
  #:use-module (sockport primitive)
  #:use-module (sockport serve http-record)
  #:use-module (web http)
  #:use-module (web uri)
  #:export (make-header-memory
            target->uri))

;;; Headers of requests.

(define opaque-parser (header-parser 'user-agent))

(define (describe name)
  "Return a pair of the symbol for the header NAME and the procedure that parses
it, or #f if its value is a string as it comes."
  (let* ((symbol (string->symbol (string-downcase name)))
         (parse (or (assq-ref own-parsers symbol)
                    (and (known-header? symbol) (header-parser symbol)))))
    (cons symbol (and (not (eq? parse opaque-parser)) parse))))

;;; It was found valid, and may be empty, which (web http) does not expect.
(define (parse-host text)
  (let* ((bracket (string-index text #\]))
         (colon (string-index text #\: (or bracket 0)))
         (port (and colon (substring text (+ colon 1)))))
    (cons (cond (bracket (substring text 1 bracket))
                (colon (substring text 0 colon))
                (else text))
          (and port (string->number port)))))

(define (parse-referer text)
  (or (string->uri-reference text)
      (throw 'bad-header-component 'uri-reference text)))

(define own-parsers
  `((host . ,parse-host)
    (referer . ,parse-referer)))

;;; For each part of a list some of (web http) look through all that follows, and a
;;; number takes the square of its digits: 64 KiB would take seconds.
(define (takes-long? text)
  (and (> (string-length text) 1024)
       (or (> (string-count text separators) 64)
           (let next ((start 0))
             (let ((digit (string-index text char-set:digit start)))
               (and digit
                    (let ((end (or (string-skip text char-set:digit digit)
                                   (string-length text))))
                      (or (> (- end digit) 256)
                          (next end)))))))))

(define separators (string->char-set ",;= \t\""))

(define (parse symbol parse text)
  "Return a pair of whether the value may be remembered and the value that PARSE
makes of TEXT; #f if it makes none, or would take long."
  (catch #t
    (lambda ()
      (and (not (takes-long? text))
           (let ((value (parse text)))
             ;; Parsers let some things pass that are not what they promise.
             (and ((header-validator symbol) value)
                  (cons (plain? value) value)))))
    (lambda _ #f)))

(define (plain? value)
  "Is VALUE made of what can be copied, or not changed?"
  (cond ((pair? value) (and (plain? (car value)) (plain? (cdr value))))
        ;; All that it holds is plain.
        ((uri-reference? value) #t)
        (else (or (null? value) (string? value) (symbol? value)
                  (boolean? value) (char? value) (exact-integer? value)))))

;;; Headers of responses.  The kinds are those of guile/http.h.

(define kinds
  '((upgrade . 6)
    (last-modified . 7)
    (expires . 7)
    (etag . 8)
    (accept-ranges . 9)
    (content-encoding . 9)
    (date . 4)
    (connection . 5)
    (content-length . 5)
    (transfer-encoding . 5)
    (content-type . 3)
    (age . 2)))

;;; A client writes Host by itself too.
(define own (assq-ref kinds 'connection))

;;; (web http) knows small letters; what tells where a message ends must not be told
;;; twice because a name has others.
(define (own? symbol)
  (eqv? own (assq-ref kinds (lowered symbol))))

(define (lowered symbol)
  (string->symbol (string-downcase (symbol->string symbol))))

(define (kind symbol)
  "Return a pair of how values of the header SYMBOL are written, and its name."
  (cons (cond ((assq-ref kinds symbol))
              ((own? symbol) own)
              ((not (known-header? symbol)) 1)
              ((eq? opaque-parser (header-parser symbol)) 1)
              (else 0))
        (header->string symbol)))

(define (for-text symbol value)
  "Return words for the value that VALUE should have been, if it is a text of one."
  (or (and (string? value)
           (false-if-exception
            (format #f ", which for this text is ~s" (parse-header symbol value))))
      ""))

(define (write symbol value)
  (if (date? value)
      (date->http value)
      (catch #t
        (lambda ()
          (call-with-output-string
            (lambda (port) ((header-writer symbol) value port))))
        ;; What raised that knows neither the header nor what it is for.
        (lambda _
          (error (format #f "not a value of the header ~a, as Guile's (web http) has them~a:"
                         symbol (for-text symbol value))
                 value)))))

(define days #("Sun" "Mon" "Tue" "Wed" "Thu" "Fri" "Sat"))
(define months
  #("Jan" "Feb" "Mar" "Apr" "May" "Jun" "Jul" "Aug" "Sep" "Oct" "Nov" "Dec"))

(define (date->http date)
  (define (two number)
    (if (< number 10)
        (string-append "0" (number->string number))
        (number->string number)))
  (let ((date (if (zero? (date-zone-offset date))
                  date
                  (time-utc->date (date->time-utc date) 0))))
    (string-append (vector-ref days (date-week-day date)) ", "
                   (two (date-day date)) " "
                   (vector-ref months (- (date-month date) 1)) " "
                   (number->string (date-year date)) " "
                   (two (date-hour date)) ":" (two (date-minute date)) ":"
                   (two (date-second date)) " GMT")))

(define (request-kind symbol)
  (if (eq? (lowered symbol) 'host)
      (cons own "Host")
      (kind symbol)))

(define* (make-header-memory #:optional (written 'response))
  "Return what a worker remembers of headers, those that it writes being those of
a WRITTEN, `response' or `request'."
  (%make-http-memory describe parse parse-referer
                     (make-uri #f #f #f #f "" #f #f)
                     (if (eq? written 'request) request-kind kind)
                     write))

;;; Targets.

(define (target->uri method target)
  "Return the URI for TARGET, which was found valid and is no path."
  (cond ((string=? target "*")
         (build-uri-reference #:path "*" #:validate? #f))
        ((eq? method 'CONNECT)
         (let ((host (parse-host target)))
           (build-uri-reference #:host (car host) #:port (cdr host) #:path ""
                                #:validate? #f)))
        (else (string->target-uri method target))))

;;; RFC 9112, 3.2: no path is that of the root, and of all that there is for OPTIONS.
(define (string->target-uri method target)
  (let ((uri (string->uri target)))
    (if (and uri (string-null? (uri-path uri)))
        (build-uri (uri-scheme uri) #:host (uri-host uri) #:port (uri-port uri)
                   #:path (if (and (eq? method 'OPTIONS) (not (uri-query uri)))
                              "*"
                              "/")
                   #:query (uri-query uri) #:validate? #f)
        uri)))
