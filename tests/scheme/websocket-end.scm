;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Every way in which a WebSocket ends: by a word from either side, by an error, by
;;; silence, and with a peer that takes nothing.

(use-modules (harness)
             (harness socket)
             (harness websocket)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             ((sockport serve websocket-send) #:select (make-websocket))
             (sockport websocket))

(define (accepting proc . options)
  (lambda (request) (apply accept-websocket request proc options)))

(define (wait-for-end ready?)
  (with-deadline 10
    (lambda () (let again () (unless (ready?) (sleep 1/1000) (again))))))

;; The thread's own pipe for waiting, made at its first wait, must not count.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(test-begin "websocket-end")

(test-case "a peer that says nothing is asked, and then left"
  (define codes '())
  (call-with-websockets
      (accepting (lambda (ws)
                   (echo-messages ws)
                   (set! codes (cons (websocket-close-code ws) codes)))
                 ;; The answer has to come in time on a busy machine too.
                 #:ping-seconds (/ (case-seconds) 400))
    (lambda (new server)
      (let-ports ((sock (new)))
        (handshake sock)
        (test-equal "asked" '(ping #vu8()) (get-frame sock))
        (send sock (frame 10))
        (test-equal "asked again, for it answered" '(ping #vu8())
          (get-frame sock))
        (test-equal "left" 'end (get-frame sock)))
      (wait-for-end (lambda () (pair? codes)))))
  (test-equal "as one that has gone" '(1006) codes))

(test-case "a peer that does not take what is sent"
  (define sent '())
  (call-with-websockets
      (accepting
       (lambda (ws)
         (let next ()
           (let ((result (with-deadline 1/10
                           (lambda () (websocket-send ws (make-bytevector 65536)))
                           (const 'late))))
             (set! sent (cons result sent))
             (when (eq? #t result) (next))))
         (set! sent (list (car sent) (websocket-open? ws)
                          (websocket-close-code ws) (websocket-send ws "x")))))
    (lambda (new server)
      (let-ports ((sock (new)))
        (handshake sock)
        (wait-for-end (lambda () (and (= 4 (length sent))
                                      (eq? 'late (car sent))))))))
  (test-equal "a frame cut short is the end" '(late #f 1006 #f) sent))

(test-case "every way to end"
  (define (ends proc . options)
    (let* ((came #f)
           (logged
            (apply call-with-websockets (accepting proc)
                   (lambda (new server)
                     (let-ports ((sock (new)))
                       (handshake sock)
                       (send sock (frame 1 "go"))
                       (set! came (get-frame sock))))
                   options)))
      (list came (length logged))))
  (test-equal "the handler returns" '((close 1000) 0) (ends websocket-receive))
  (test-equal "with a word of its own" '((close 4001) 0)
    (ends (lambda (ws) (websocket-receive ws) (websocket-close ws 4001 "x"))))
  (test-equal "an error, which is logged" '((close 1011) 1)
    (ends (lambda (ws) (websocket-receive ws) (error "oops"))))
  (let ((codes '()))
    (call-with-websockets
        (accepting (lambda (ws)
                     (websocket-receive ws)
                     (set! codes (cons (websocket-close-code ws) codes))))
      (lambda (new server)
        (let-ports ((sock (new)))
          (handshake sock)
          (send sock (frame 1 "cut") 0 0 4))
        (wait-for-end (lambda () (pair? codes)))))
    (test-equal "the connection, in the middle of a frame" '(1006) codes)))

(test-case "the server stops"
  (call-with-websockets (accepting echo-messages)
    (lambda (new server)
      (let-ports ((sock (new)))
        (handshake sock)
        (stop-server! server #t)
        (test-equal "going away" '((close 1001) end) (read-frames sock))))))

(test-case "an error's code is not cut off"
  (call-with-websockets (accepting (lambda (ws) (error "oops")))
    (lambda (new server)
      (let-ports ((sock (new)))
        (handshake sock)
        (send sock (frame 1 "unread"))
        (wait-for-end (lambda () (< (server-connections server) 2)))
        (test-equal "but followed by the end" '((close 1011) end)
          (read-frames sock))))))

(test-case "a peer that takes nothing, although nobody counts the seconds"
  (define results '())
  (define (note! result) (set! results (cons result results)))
  (define (send-until-end ws)
    (if (websocket-send ws (make-bytevector 300000))
        (send-until-end ws)
        (note! (websocket-close-code ws))))
  (call-with-websockets
      (accepting (lambda (ws)
                   (with-task-group
                    (lambda (group)
                      (spawn-task (lambda () (send-until-end ws)) #:group group)
                      (spawn-task (lambda () (send-until-end ws)) #:group group)
                      (note! (websocket-receive ws)))))
                 #:ping-seconds 1/5)
    (lambda (new server)
      (let-ports ((sock (new)))
        (handshake sock)
        (wait-for-end (lambda () (= 3 (length results)))))))
  (test-equal "whoever sends, and who receives, sees the end" '(1006 1006 #t)
    (sort (map (lambda (result) (or (eof-object? result) result)) results)
          (lambda (a b) (and (number? a) (boolean? b))))))

(test-case "a flood of pings from who takes no pong"
  (define code #f)
  (call-with-websockets
      (accepting (lambda (ws)
                   (websocket-receive ws)
                   (set! code (websocket-close-code ws)))
                 #:ping-seconds 1/5)
    (lambda (new server)
      (let-ports ((sock (new)))
        (handshake sock)
        (let ((pings (let ((one (frame 9 (make-string 125 #\x))))
                       (apply append-bytes (make-list 1000 one)))))
          (test-assert "is cut"
            (catch 'system-error
              (lambda () (let again () (send sock pings) (again)))
              (lambda error
                (memv (system-error-errno error) (list EPIPE ECONNRESET))))))
        (wait-for-end (lambda () code)))))
  (test-equal "and its end is seen" 1006 code))

(test-case "a peer that takes only a part of a message"
  (let-ports ((s (unix-pair)))
    (setsockopt (car s) SOL_SOCKET SO_SNDBUF 4096)
    (let ((ws (make-websocket (car s))))
      (test-equal "has not been sent it" '(#f 1006)
        (run-tasks
         (lambda ()
           (let ((sent (spawn-task
                        (lambda ()
                          (websocket-send ws (make-bytevector 16000))))))
             ;; The task waits with what there is no room for.
             (recv (cdr s) 1)
             (close-port (cdr s))
             (let ((sent (join sent)))
               (list sent (websocket-close-code ws))))))))))

(test-end "websocket-end")
