;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A connection of a client: a port of any kind, whose read buffer holds what has
;;; come and was not used, so that whoever has the port can go on with it.
;;; Sockets, and ports of TLS, are read and written by recv! and send, other ports by
;;; their own procedures.

(define-module (sockport client connection)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (sockport client error)
  #:use-module (sockport constant)
  #:use-module (sockport io close)
  #:use-module (sockport ports guile)
  #:use-module (sockport primitive)
  #:use-module (sockport serve bytes)
  #:use-module (sockport serve http-header)
  #:use-module (sockport transfer)
  #:export (make-connection
            connection-port connection-key
            connection-head
            connection-request set-connection-request!
            connection-response set-connection-response!
            connection-reused? set-connection-reused!
            connection-idle-since set-connection-idle-since!
            raise-about
            header-memory
            buffered
            with-buffered
            enlarge!
            fill!
            read-some!
            send-bytes
            alive?
            close-connection
            close-quietly))

;;; HEAD is the parser of heads.  KEY is what connections of a pool are found by.
;;; REQUEST and RESPONSE are those that errors tell of.
(define-record-type <connection>
  (%make-connection port socket? key head request response reused? idle-since)
  connection?
  (port connection-port)
  (socket? connection-socket?)
  (key connection-key)
  (head connection-head)
  (request connection-request set-connection-request!)
  (response connection-response set-connection-response!)
  (reused? connection-reused? set-connection-reused!)
  (idle-since connection-idle-since set-connection-idle-since!))

(define (socket? port)
  (or (layered? port)
      (and (file-port? port)
           (eq? 'socket (stat:type (stat port))))))

(define* (make-connection port #:key key (socket? (socket? port)))
  "Return a connection over PORT; SOCKET? says whether that is a socket."
  (when (= 1 (bytevector-length (port-buffer-bytevector
                                 (port-read-buffer port))))
    (expand-port-read-buffer! port 4096))
  (%make-connection port socket? key (%make-http-head) #f #f #f #f))

(define (raise-about connection reason message . irritants)
  "Raise the http-error for REASON that has CONNECTION's request and response."
  (apply raise-http-error reason (connection-request connection)
         (connection-response connection) message irritants))

;;; What is remembered of headers; nothing that uses it waits meanwhile.
(define memories (make-thread-local-fluid #f))

(define (header-memory)
  (or (fluid-ref memories)
      (let ((memory (make-header-memory 'request)))
        (fluid-set! memories memory)
        memory)))

;;; The buffer.

(define-syntax-rule (with-buffered connection (buffer bytes cur end) expr ...)
  (let* ((buffer (port-read-buffer (connection-port connection)))
         (bytes (port-buffer-bytevector buffer))
         (cur (port-buffer-cur buffer))
         (end (port-buffer-end buffer)))
    expr ...))

(define (buffered connection)
  "Return how many bytes have come and were not used."
  (with-buffered connection (buffer bytes cur end)
    (- end cur)))

(define (make-room! connection)
  "Have room at the end of the buffer, which becomes larger if it is full."
  (with-buffered connection (buffer bytes cur end)
    (cond ((= cur end)
           (set-port-buffer-cur! buffer 0)
           (set-port-buffer-end! buffer 0))
          ((< end (bytevector-length bytes)) #f)
          ((positive? cur)
           (bytevector-copy! bytes cur bytes 0 (- end cur))
           (set-port-buffer-cur! buffer 0)
           (set-port-buffer-end! buffer (- end cur)))
          (else
           (expand-port-read-buffer! (connection-port connection)
                                     (* 2 (bytevector-length bytes)))))))

(define large 65536)

(define (enlarge! connection)
  "Have a buffer for much that is to come."
  (with-buffered connection (buffer bytes cur end)
    (when (< (bytevector-length bytes) large)
      (expand-port-read-buffer! (connection-port connection) large))))

(define (fill! connection)
  "Add what comes next to the buffer; return #f at the end."
  (make-room! connection)
  (let ((port (connection-port connection)))
    (with-buffered connection (buffer bytes cur end)
      (let ((count (cond ((not (connection-socket? connection))
                          (read-bytes port bytes end
                                      (- (bytevector-length bytes) end)))
                         ((zero? end) (recv! port bytes))
                         (else (recv! port bytes 0 end)))))
        (set-port-buffer-end! buffer (+ end count))
        (positive? count)))))

(define (read-some! connection bytes start count)
  "Read up to COUNT bytes into BYTES at START; return how many, 0 at the end."
  (let ((port (connection-port connection)))
    (with-buffered connection (buffer held cur end)
      (cond ((< cur end)
             (let ((count (min count (- end cur))))
               (bytevector-copy! held cur bytes start count)
               (set-port-buffer-cur! buffer (+ cur count))
               count))
            ((connection-socket? connection)
             (recv! port bytes 0 start (+ start count)))
            (else (read-bytes port bytes start count))))))

;;; Sending.

(define* (send-bytes connection bytes #:optional (start 0)
                     (end (bytevector-length bytes)))
  (let ((port (connection-port connection)))
    (if (connection-socket? connection)
        (send-all port bytes start end)
        (begin
          (put-bytevector port bytes start (- end start))
          (force-output port)))))

;;; Ends.

(define (quiet? port)
  "Has nothing come from the peer of PORT, no end either?  By TLS sessions to resume
may have, which are no matter of HTTP."
  (if (layered? port)
      (not (char-ready? port))
      (not (%recv! port (make-bytevector 1) MSG_PEEK))))

(define (alive? connection)
  "May a request be sent over CONNECTION, which nothing was expected from?"
  (let ((port (connection-port connection)))
    (and (not (port-closed? port))
         (zero? (buffered connection))
         (catch 'system-error
           (lambda ()
             (or (not (connection-socket? connection))
                 (quiet? port)))
           (const #f)))))

(define (close-connection connection)
  (close-port (connection-port connection)))

(define (close-quietly connection)
  "Close what has failed already; the first error is the one that is told."
  (catch #t
    (lambda () (close-connection connection))
    (const #f)))
