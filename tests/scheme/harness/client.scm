;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers that send what a test wants, byte by byte if it likes, and note what
;;; came; and the URIs of servers.

(define-module (harness client)
  #:use-module (harness server)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:use-module (sockport web-client)
  #:use-module (web response)
  #:export (uri-of
            crlf
            reply
            get-values
            reason-of
            call-with-replies
            call-with-counter
            keep
            call-with-raw
            read-until-blank
            send-slowly
            ends-cancelled?))

(define* (uri-of server path #:optional (scheme "http"))
  (string-append scheme "://"
                 (socket-address->string (car (server-addresses server)))
                 path))

(define* (read-until-blank sock #:optional (end "\r\n\r\n"))
  "Return what comes up to END and whatever came with it, or to the end."
  (let ((buffer (make-string 65536)))
    (let again ((text ""))
      (if (string-contains text end)
          text
          (match (catch 'system-error
                   (lambda () (recv! sock buffer))
                   (const 0))
            (0 text)
            (count (again (string-append text (substring buffer 0 count)))))))))

(define (call-with-raw converse proc . options)
  "Call PROC with a server, of these OPTIONS, whose connections are handed to CONVERSE
with their number, from 0 on."
  (let ((count -1))
    (apply call-with-server
           (lambda (sock peer)
             (set! count (+ count 1))
             (converse sock count))
           proc options)))

(define (call-with-replies replies proc)
  "Call PROC with a server and a thunk that returns the requests that came, the
first first.  Each connection is sent the next of REPLIES after each request's head,
and closed after a reply that does not say `keep', a pair then."
  (let ((seen '()) (left replies))
    (define (next!)
      (match left
        ((reply . rest) (set! left rest) reply)
        (() #f)))
    (call-with-raw
     (lambda (sock number)
       (let again ()
         (let ((request (read-until-blank sock)))
           (unless (string-null? request)
             (set! seen (cons request seen))
             (match (next!)
               (('keep . reply) (send sock reply) (again))
               ((? string? reply)
                (send sock reply)
                (shutdown sock SHUT_WR)
                (end-of sock))
               (_ #f))))))
     (lambda (server)
       (proc server (lambda () (reverse seen)))))))

(define (keep text)
  (cons 'keep text))

(define (call-with-counter proc . replies)
  "Call PROC with a server, a thunk that returns how many connections it has had, and
one that returns the requests.  Each request is sent the next of REPLIES, a pair if
the connection is kept, and once there are no more `hello'."
  (let ((connections 0) (requests '()) (left replies))
    (call-with-raw
     (lambda (sock number)
       (set! connections (+ connections 1))
       (let again ()
         (let ((request (read-until-blank sock)))
           (unless (string-null? request)
             (set! requests (cons request requests))
             (let ((next (match left
                           (() (keep (reply)))
                           ((next . rest) (set! left rest) next))))
               (match next
                 (('keep . text) (send sock text) (again))
                 ((? string? text) (send sock text))
                 (#f #f)))))))
     (lambda (server)
       (proc server (lambda () connections) (lambda () (reverse requests)))))))

(define (send-slowly sock text)
  "Send TEXT in forty pieces, and let the others run in between."
  (let* ((size (string-length text)) (piece (max 1 (quotient size 40))))
    (let next ((at 0))
      (when (< at size)
        (let ((end (min size (+ at piece))))
          (send sock text 0 at end)
          (sleep 1/1000)
          (next end))))))

(define (ends-cancelled? thunk)
  "Have a task call THUNK, and cancel it soon; return whether that is what it ends by."
  (let ((task (spawn-task thunk)))
    (sleep 1/50)
    (cancel! task)
    (with-exception-handler task-cancelled?
      (lambda () (join task) #f)
      #:unwind? #t)))

;;; Requests.

;; Whatever the environment says.
(current-http-proxy #f)
(current-https-proxy #f)
(current-all-proxy #f)
(current-no-proxy #f)

(define (crlf . lines)
  (string-concatenate (map (lambda (line) (string-append line "\r\n")) lines)))

(define* (reply #:optional (body "hello") #:rest lines)
  (string-append (apply crlf "HTTP/1.1 200 OK"
                        (format #f "Content-Length: ~a" (string-length body))
                        "Content-Type: text/plain" (append lines '("")))
                 body))

(define (get-values . arguments)
  (call-with-values (lambda () (apply http-get arguments))
    (lambda (response body) (list (response-code response) body))))

(define (reason-of thunk)
  (catch 'http-error
    (lambda () (list 'returned (call-with-values thunk list)))
    (lambda (key who message arguments data) (car data))))
