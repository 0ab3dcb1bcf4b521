;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Requests by (sockport web-client), for bench/client.scm: PORT REQUESTS
;;; CONNECTIONS; prints the nanoseconds they took.

(use-modules (ice-9 match) (sockport) (sockport web-client) (web response))

(define (run port requests connections)
  (define uri (string-append "http://127.0.0.1:" port "/"))
  (define left requests)
  (define pool (make-http-pool #:limit connections))
  (define (work)
    (when (positive? left)
      (set! left (- left 1))
      (call-with-values (lambda () (http-get uri #:pool pool))
        (lambda (response body)
          (unless (and (= 200 (response-code response))
                       (string=? body "Hello, World!"))
            (error "another response:" response body))))
      (work)))
  (with-task-group
   (lambda (group)
     (do ((i 0 (+ i 1))) ((= i connections))
       (spawn-task work #:group group))))
  (close-http-pool pool))

(match (command-line)
  ((_ port requests connections)
   (let ((begun (get-internal-real-time)))
     (run-tasks (lambda ()
                  (run port (string->number requests)
                       (string->number connections))))
     (display (- (get-internal-real-time) begun))
     (newline))))
