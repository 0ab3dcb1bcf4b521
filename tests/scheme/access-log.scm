;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Access logs: lines as other servers write them, whatever the client sends; files
;;; that are renamed, and disks that are full.

(use-modules (harness)
             (harness error)
             (harness process)
             (harness socket)
             (ice-9 match)
             (ice-9 regex)
             (ice-9 textual-ports)
             (sockport)
             (sockport access-log)
             ((srfi srfi-1) #:select (filter-map))
             (web request)
             (web uri))

(define* (request #:key (path "/page") query (method 'GET) (headers '()))
  (build-request (build-uri-reference #:path path #:query query #:validate? #f)
                 #:method method #:validate-headers? #f
                 #:port (%make-void-port "r")
                 #:headers `((host "test" . #f) ,@headers)))

(define peer (make-socket-address AF_INET #xc0000201 1234))

(define (line . arguments)
  (apply access-line #f peer "TIME" arguments))

(define (text-of file)
  (call-with-input-file file get-string-all #:encoding "UTF-8"))

(test-begin "access-log")

(test-case "the common format"
  (test-equal "a request"
    "192.0.2.1 - - [TIME] \"GET /page?a=b HTTP/1.1\" 200 1234\n"
    (line (request #:query "a=b") 200 1234))
  (test-equal "no body" "192.0.2.1 - - [TIME] \"HEAD /page HTTP/1.1\" 304 -\n"
    (line (request #:method 'HEAD) 304 0))
  (test-equal "the target of CONNECT"
    "192.0.2.1 - - [TIME] \"CONNECT a:443 HTTP/1.1\" 200 -\n"
    (line (build-request (build-uri-reference #:host "a" #:port 443 #:path "")
                         #:method 'CONNECT #:headers '((host "a" . 443)))
          200 0))
  (test-equal "no request" "192.0.2.1 - - [TIME] \"-\" 400 -\n" (line #f 400 0))
  (test-equal "no line is made by a client"
    "192.0.2.1 - - [TIME] \"GET /\\\"\\\\\\x0a\\xc3\\xa4 HTTP/1.1\" 200 -\n"
    (line (request #:path "/\"\\\nä") 200 0))
  (test-equal "other peers" '("2001:db8::1" "192.0.2.1" "unix:" "-")
    (map (lambda (address)
           (car (string-split (access-line #f address "TIME" #f 400 0) #\space)))
         (list (string->socket-address "[2001:db8::1]:1")
               (string->socket-address "[::ffff:192.0.2.1]:1")
               (string->socket-address "unix:/run/x") #f))))

(test-case "the combined format"
  (test-equal "what the client says of itself"
    "192.0.2.1 - - [TIME] \"GET /page HTTP/1.1\" 200 5 \"http://a/b\" \"x \\\"y\\\"\"\n"
    (access-line #t peer "TIME"
                 (request #:headers `((referer . ,(string->uri "http://a/b"))
                                      (user-agent . "x \"y\"")))
                 200 5))
  (test-equal "or does not" "192.0.2.1 - - [TIME] \"-\" 408 - \"-\" \"-\"\n"
    (access-line #t peer "TIME" #f 408 0)))

;; Each finds the port full, and has to wait within a line.
(test-case "tasks that write to a port which has to wait"
  (define count (rounds 4000))
  (let-ports ((ends (unix-pair)))
    (define log (access-logger (cdr ends) #:format 'common))
    (define (code-of line)
      (match (string-tokenize line)
        ((_ _ _ _ _ "\"GET" "/page" "HTTP/1.1\"" code "3") (string->number code))
        (_ line)))
    (test-equal "each line is there, whole" (iota count)
      (run-tasks
       (lambda ()
         (for-each (lambda (code)
                     (spawn-task (lambda () (log (request) code 3 peer 0))))
                   (iota count))
         (sort (map (lambda (_) (code-of (get-line (car ends)))) (iota count))
               (lambda (a b) (and (number? a) (number? b) (< a b)))))))))

(define stamp "\\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(:[0-9]{2}){3} [+-][0-9]{4}\\]")

(test-case "to a port, with the address of the client"
  (let* ((port (open-output-string))
         (log (access-logger port #:format 'common
                             #:client (lambda (request)
                                        (string->socket-address "192.0.2.9:1")))))
    (log (request) 200 3 peer 0)
    (log #f 400 0 peer 0)
    (match (string-split (get-output-string port) #\newline)
      ((a b "")
       (test-assert "a line"
         (string-match (string-append "^192\\.0\\.2\\.9 - - " stamp " \"GET /page ")
                       a))
       (test-assert "of what was no request" (string-prefix? "192.0.2.1 " b))))))

(test-case "to a file, that is renamed"
  (with-temporary-directory
    (lambda (directory)
      (let* ((file (string-append directory "/log"))
             (old (string-append file ".1"))
             (before (descriptors)))
        (dropping
         (lambda ()
           (define log (access-logger file))
           (log (request #:path "/one") 200 3 peer 0)
           (test-assert "the line is there at once"
             (string-contains (text-of file) "GET /one "))
           (rename-file file old)
           (test-assert "soon there is a new file"
             (wait-until (lambda ()
                           (log (request #:path "/two") 200 3 peer 0)
                           (file-exists? file))))
           (log (request #:path "/three") 200 3 peer 0)
           (test-assert "for the lines after"
             (string-contains (text-of file) "GET /three "))
           (test-equal "one file is open" '("/log")
             (filter-map (match-lambda
                           ((fd . name)
                            (and (string-prefix? directory name)
                                 (substring name (string-length directory)))))
                         (descriptors)))))
        (wait-until (lambda () (gc) (equal? before (descriptors))))))))

(test-case "a file that is renamed while no other can be opened"
  (with-temporary-directory
    (lambda (directory)
      (let* ((place (string-append directory "/a"))
             (moved (string-append directory "/b")))
        (define (lines directory)
          (string-count (text-of (string-append directory "/log")) #\newline))
        (mkdir place)
        (let ((before (descriptors)))
          (dropping
           (lambda ()
             (let ((log (access-logger (string-append place "/log")))
                   (tick (current-time)))
               (rename-file place moved)
               (wait-until (lambda () (> (current-time) tick)))
               (log (request) 200 3 peer 0)
               (log (request) 200 3 peer 0)
               (test-equal "lines go on to that" 2 (lines moved))
               (mkdir place)
               (test-assert "until one can be"
                 (wait-until (lambda ()
                               (log (request) 200 3 peer 0)
                               (file-exists? (string-append place "/log")))))
               (test-equal "and then there" 1 (lines place)))))
          (wait-until (lambda () (gc) (equal? before (descriptors)))))))))

(test-case "a disk that is full"
  (dropping (lambda () ((access-logger "/dev/full") (request) 200 3 peer 0)))
  (test-assert "nobody is disturbed, and it is closed"
    (wait-until (lambda ()
                  (gc)
                  (not (member "/dev/full" (map cdr (descriptors))))))))

(test-case "arguments"
  (test-error* "where to" '(wrong-type-arg 1 "access-logger") (access-logger 1))
  (test-error* "a port to read from" '(wrong-type-arg 1 "access-logger")
    (access-logger (open-input-string "")))
  (test-error* "another format" '(wrong-type-arg #:format "access-logger")
    (access-logger (current-output-port) #:format 'other))
  (test-error* "no such directory" (list 'system-error ENOENT)
    (access-logger "/nowhere/log"))
  (test-words "access-logger: /nowhere/log: No such file or directory"
    (access-logger "/nowhere/log")))

(test-end "access-log")
