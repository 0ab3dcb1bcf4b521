;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests in Fibers: in a body of any kind the other fibers go on.

(use-modules (harness)
             (harness fibers)
             (ice-9 binary-ports)
             (ice-9 match)
             (rnrs bytevectors)
             (sockport)
             (sockport web-client)
             (web response))

(begin-with-fibers "web-client-fibers")

(define text (make-string 4000 #\a))

(define replies
  `((length . ,(string-append "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" text))
    (chunks . ,(string-append "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "fa0\r\n" text "\r\n0\r\n\r\n"))
    (close . ,(string-append "HTTP/1.1 200 OK\r\n\r\n" text))))

(define (serve-one listener reply)
  "Send REPLY to the next client, in pieces."
  (match (accept listener)
    ((sock . _)
     (recv! sock (make-bytevector 4096))
     (let next ((at 0))
       (when (< at (string-length reply))
         (let ((end (min (string-length reply) (+ at 200))))
           (send sock reply 0 at end)
           (fiber-sleep 0.01)
           (next end))))
     (close-port sock))))

(test-case "bodies of every kind"
  (for-each
   (match-lambda
     ((kind . reply)
      (let ((ticks 0) (size #f))
        (in-fibers
           (let ((listener (socket AF_INET SOCK_STREAM 0)) (done? #f))
             (bind listener AF_INET INADDR_LOOPBACK 0)
             (listen listener 1)
             (define served
               (in-fiber (lambda () (serve-one listener reply) 'served)))
             (spawn-fiber (lambda ()
                            (let again ()
                              (unless done?
                                (fiber-sleep 0.005)
                                (set! ticks (+ ticks 1))
                                (again)))))
             (call-with-values
                 (lambda ()
                   (http-get (string-append "http://" (socket-address->string
                                                       (getsockname listener)))
                             #:streaming? #t))
               (lambda (response port)
                 (set! size (bytevector-length (get-bytevector-n port 5000)))
                 (close-port port)))
             (set! done? #t)
             ;; Those that still run when this one ends never close what they have.
             (test-eq (list kind "the server ends") 'served (until served))
             (close-port listener)))
        (test-equal (list kind "all") 4000 size)
        (test-assert (list kind "others went on" ticks) (> ticks 10)))))
   replies))

(test-end "web-client-fibers")
