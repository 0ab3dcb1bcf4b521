;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; (sockport web-client): connections that are kept, and what happens when the
;;; server has closed them.

(use-modules (harness)
             (harness client)
             (harness server)
             (ice-9 binary-ports)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport web-client)
             (web request)
             (web response)
             (web uri))

(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define-syntax-rule (with-pool (pool options ...) body ...)
  (let ((pool (make-http-pool options ...)))
    (call-with-cleanup (lambda () body ...)
                       (lambda () (close-http-pool pool)))))

(test-begin "web-client-pool")

(test-case "a hundred requests, one connection"
  (call-with-counter
   (lambda (server connections requests)
     (with-pool (pool)
       (for-each (lambda (i)
                   (test-equal i '(200 "hello")
                     (get-values (uri-of server "/") #:pool pool)))
                 (iota 100))
       (test-equal "connections" 1 (connections))
       (test-equal "idle" 1 (http-pool-idle pool))
       (test-assert "nothing says close"
         (not (string-contains (last (requests)) "Connection")))
       (parameterize ((current-http-pool pool))
         (get-values (uri-of server "/"))
         (test-equal "by the parameter" 1 (connections)))))))

(test-case "a connection that was closed while it was idle"
  ;; The first reply does not say so, and then the server closes.
  (call-with-counter
   (lambda (server connections requests)
     (with-pool (pool)
       (get-values (uri-of server "/") #:pool pool)
       (test-equal "GET" '(200 "again")
         (get-values (uri-of server "/") #:pool pool))
       (test-equal "over another" 2 (connections))))
   (reply) (keep (reply "again"))))

(define (stale-server proc)
  "A server that takes the second request of each connection and closes it."
  (let ((connections 0) (requests '()))
    (call-with-raw
     (lambda (sock number)
       (set! connections (+ connections 1))
       (let again ((count 0))
         (let ((request (read-until-blank sock)))
           (unless (string-null? request)
             (set! requests (cons request requests))
             (when (zero? count)
               (send sock (reply))
               (again 1))))))
     (lambda (server)
       (proc server (lambda () connections) (lambda () (reverse requests)))))))

(test-case "a connection that is closed on the way: GET once more, POST never"
  (stale-server
   (lambda (server connections requests)
     (with-pool (pool)
       (get-values (uri-of server "/") #:pool pool)
       (test-equal "GET" '(200 "hello")
         (get-values (uri-of server "/") #:pool pool))
       (test-equal "over a new one" 2 (connections))
       (test-equal "once" 3 (length (requests)))
       (test-equal "POST" 'no-response
         (reason-of (lambda ()
                      (http-post (uri-of server "/") #:pool pool #:body "a"))))
       (test-equal "not sent again" 4 (length (requests)))))))

(test-case "one that was never used is not tried again"
  (call-with-counter
   (lambda (server connections requests)
     (with-pool (pool)
       (test-equal "error" 'no-response
         (reason-of (lambda () (http-get (uri-of server "/") #:pool pool))))
       (test-equal "one request" 1 (length (requests)))))
   #f))

(test-case "what is not kept"
  (define (used reply . options)
    (let ((idle #f))
      (call-with-counter
       (lambda (server connections requests)
         (with-pool (pool)
           (apply get-values (uri-of server "/") #:pool pool options)
           (set! idle (http-pool-idle pool))))
       reply)
      idle))
  (define head "HTTP/1.1 200 OK\r\n")
  (test-equal "it can be" 1 (used (keep (reply))))
  (test-equal "the server says close" 0
    (used (keep (reply "hello" "Connection: close"))))
  (test-equal "the client does" 0
    (used (keep (reply)) #:headers '((connection close))))
  (test-equal "HTTP/1.0" 0
    (used (keep "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")))
  (test-equal "HTTP/1.0 that keeps" 1
    (used (keep "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\
Content-Length: 0\r\n\r\n")))
  (test-equal "up to the end" 0 (used "HTTP/1.1 200 OK\r\n\r\nabc"))
  (test-equal "no body" 1 (used (keep "HTTP/1.1 204 No\r\n\r\n")))
  (test-equal "chunks" 1
    (used (keep "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
1\r\na\r\n0\r\n\r\n"))))

(test-case "a connection with more than was asked for is not used again"
  (call-with-counter
   (lambda (server connections requests)
     (with-pool (pool)
       (get-values (uri-of server "/") #:pool pool)
       (test-equal "not what stood behind" '(200 "hello")
         (get-values (uri-of server "/") #:pool pool))
       (test-equal "connections" 2 (connections))))
   (keep (string-append (reply) (reply "evil")))))

(test-case "a body that is a port gives the connection back at its end"
  (call-with-counter
   (lambda (server connections requests)
     (with-pool (pool)
       (call-with-values
           (lambda () (http-get (uri-of server "/") #:pool pool #:streaming? #t))
         (lambda (response port)
           (test-equal "in use" 0 (http-pool-idle pool))
           (get-bytevector-n port 5)
           (test-equal "read" 1 (http-pool-idle pool))
           (close-port port)
           (test-equal "closed after" 1 (http-pool-idle pool))))
       (call-with-values
           (lambda () (http-get (uri-of server "/") #:pool pool #:streaming? #t))
         (lambda (response port)
           (close-port port)
           (test-equal "closed before" 0 (http-pool-idle pool))))))))

(test-case "how many, and for how long"
  (call-with-counter
   (lambda (server connections requests)
     (with-pool (pool #:limit 2)
       (with-task-group
        (lambda (group)
          (for-each (lambda (i)
                      (spawn-task (lambda ()
                                    (get-values (uri-of server "/")
                                                #:pool pool))
                                  #:group group))
                    (iota 5))))
       (test-equal "two are kept" 2 (http-pool-idle pool)))
     (with-pool (pool #:idle-seconds 1/100)
       (get-values (uri-of server "/") #:pool pool)
       (sleep 1/50)
       (let ((before (connections)))
         (get-values (uri-of server "/") #:pool pool)
         (test-equal "a new one" (+ 1 before) (connections))))
     (let ((pool (make-http-pool)))
       (close-http-pool pool)
       (get-values (uri-of server "/") #:pool pool)
       (test-equal "closed" 0 (http-pool-idle pool)))))
  (test-error* "a limit" '(out-of-range) (make-http-pool #:limit -1))
  (test-error* "seconds" '(out-of-range) (make-http-pool #:idle-seconds 0))
  (test-assert "kind" (http-pool? (make-http-pool))))

(test-case "threads share a pool"
  (call-with-counter
   (lambda (server connections requests)
     (with-pool (pool)
       (define uri (uri-of server "/"))
       (define (work)
         (call-in-thread
          (lambda ()
            (for-each (lambda (i) (get-values uri #:pool pool)) (iota 25)))))
       (with-task-group
        (lambda (group)
          (for-each (lambda (i) (spawn-task work #:group group)) (iota 4))))
       (test-equal "all" 100 (length (requests)))
       (test-assert "over few" (<= (connections) 4))))))

(test-end "web-client-pool")
