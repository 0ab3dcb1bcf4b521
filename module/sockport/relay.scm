;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What one port says passed on to another, and its end; and both ways, as proxies do.

(define-module (sockport relay)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport bulk)
  #:use-module (sockport constant)
  #:use-module (sockport deadline)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport primitive)
  #:use-module (sockport serve bytes)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:use-module ((sockport task record) #:select (in-task?))
  #:use-module (sockport transfer)
  #:export (pass-on
            relay))

;;; Which ports these are, and how bytes are moved between two of them.

(define (check-open port position who)
  (check-that (and (port? port) (not (port-closed? port))
                   (or (file-port? port) (layered? port)))
              port position "open port of a descriptor or of TLS" who))

;;; The kernel moves bytes between descriptors; those of TLS go through here.

(define copy-size 65536)

(define (send-buffered from to)
  "Send what FROM has buffered to TO, after what TO has; return how many bytes."
  (let ((buffer (port-read-buffer from)))
    (force-output to)
    (if (< (port-buffer-cur buffer) (port-buffer-end buffer))
        (let ((bytes (get-bytevector-some from)))
          (send-all to bytes)
          (bytevector-length bytes))
        0)))

;;; An error after some bytes is met by the next call.
(define (move-by-kernel to from progress)
  (let next ((before 0))
    (match (splice to from #f (lambda (more) (progress (+ before more))))
      (0 before)
      (more (next (+ before more))))))

(define (copy to from progress)
  (define buffer (make-bytevector copy-size))
  (define buffered (send-buffered from to))
  (when (positive? buffered)
    (progress buffered))
  (let next ((moved buffered))
    (match (recv! from buffer)
      (0 moved)
      (count
       (send-all to buffer 0 count)
       (progress (+ moved count))
       (next (+ moved count))))))

;;; A peer that takes no more knows of the end, or need not know.
(define (end-stream to)
  (catch 'system-error
    (lambda () (shutdown to SHUT_WR))
    (lambda args
      (unless (memv (system-error-errno args)
                    (list EPIPE ECONNRESET ENOTCONN ENOTSOCK))
        (apply throw args)))))

(define (move from to progress)
  (let ((moved ((if (and (file-port? from) (file-port? to)) move-by-kernel copy)
                to from progress)))
    (end-stream to)
    moved))

(define* (pass-on from to #:optional (progress (const #t)))
  "Send what the port FROM says to the port TO until FROM ends, and then, if TO is a
socket, that end; return how many bytes there were.  PROGRESS is called with the
number so far each time that there are more."
  (check-open from 1 "pass-on")
  (check-open to 2 "pass-on")
  (check-procedure progress 3 "pass-on")
  (move from to progress))

;;; Both ways.

(define (move-while-taken from to progress)
  "As `move'; a peer that takes no more may still have something to send."
  (catch 'system-error
    (lambda () (move from to progress))
    (lambda args
      (unless (= EPIPE (system-error-errno args))
        (apply throw args)))))

(define (join-while-moving task seconds count)
  "Wait for TASK, and cancel it when (COUNT) stands still for SECONDS."
  (let ((before (count)))
    (with-deadline seconds
      (lambda () (join task))
      (lambda ()
        (if (= before (count))
            (cancel! task)
            (join-while-moving task seconds count))))))

(define (check-end end position)
  "Return END as a pair of a port to read and one to write."
  (match end
    ((in . out) (check-open in position "relay") (check-open out position "relay") end)
    (port (check-open port position "relay") (cons port port))))

(define-keyed (relay one other #:key patience (progress (const #t)))
  "Pass on what each of ONE and OTHER says to the other, and its end, until both have
ended; return how many bytes went from ONE to OTHER, and how many came back.  Each is
a port, or a pair of one to read and one to write.  When one of them takes no more,
it may still say something; any other error of one direction ends both, and is
raised.  PATIENCE is for how many seconds ONE may say nothing when OTHER has ended.
PROGRESS is called with the two numbers so far each time that there are more bytes."
  (define one-end (check-end one 1))
  (define other-end (check-end other 2))
  (define there 0)
  (define back 0)
  (define (go-there)
    (move-while-taken (car one-end) (cdr other-end)
                      (lambda (count)
                        (set! there count)
                        (progress there back))))
  (define (come-back)
    (move-while-taken (car other-end) (cdr one-end)
                      (lambda (count)
                        (set! back count)
                        (progress there back))))
  (define (both-ways)
    (with-task-group
     (lambda (group)
       (define going (spawn-task go-there #:group group))
       (come-back)
       (when patience
         (join-while-moving going patience (lambda () there))))))
  (check-procedure progress #:progress "relay")
  (unless (or (not patience) (and (real? patience) (>= patience 0)))
    (refuse-type "relay" #:patience "number of seconds, or #f" patience))
  (if (in-task?) (both-ways) (run-tasks both-ways))
  (values there back))
