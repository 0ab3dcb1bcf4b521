;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A client of WebSocket that may say anything, written from RFC 6455 and not with
;;; what is tested, and a server in tasks for it.

(define-module (harness websocket)
  #:use-module (harness socket)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport)
  #:use-module (sockport http)
  #:use-module (sockport websocket)
  #:export (call-with-websockets
            append-bytes
            close-payload
            echo-messages
            frame
            get-frame
            handshake
            head-of
            read-frames
            send-in-steps))

(define* (call-with-websockets accept proc #:rest options)
  "Call PROC with a procedure that connects to a server, whose handler is ACCEPT,
and the server; return what was logged."
  (define lines '())
  (run-tasks
   (lambda ()
     (let* ((server #f)
            (task (spawn-task
                   (lambda ()
                     (apply serve-http "127.0.0.1:0"
                            (lambda (request body) (accept request))
                            #:signals '()
                            #:log (lambda (line) (set! lines (cons line lines)))
                            #:on-listen (lambda (made) (set! server made))
                            options)))))
       (let wait () (unless server (task-yield) (wait)))
       (proc (lambda ()
               (let ((sock (socket AF_INET SOCK_STREAM 0)))
                 (connect sock (car (server-addresses server)))
                 (setvbuf sock 'block 4096)
                 sock))
             server)
       (stop-server! server #t)
       (join task))))
  (reverse lines))

(define (echo-messages ws)
  (let ((message (websocket-receive ws)))
    (unless (eof-object? message)
      (websocket-send ws message)
      (echo-messages ws))))

;;; The opening handshake.

(define (head-of sock)
  "Return the lines of the head that comes."
  (let next ((lines '()))
    (match (get-line sock)
      ((? eof-object?) (reverse lines))
      ("\r" (reverse lines))
      (line (next (cons (string-trim-right line #\return) lines))))))

(define* (handshake sock #:key (more '()) (key "dGhlIHNhbXBsZSBub25jZQ==")
                    (version "13") (upgrade "websocket") (connection "Upgrade"))
  "Ask for a WebSocket, and return the lines of the response's head."
  (put-string sock
              (string-join
               `("GET /echo HTTP/1.1" "Host: test"
                 ,(string-append "Upgrade: " upgrade)
                 ,(string-append "Connection: " connection)
                 ,@(if key (list (string-append "Sec-WebSocket-Key: " key)) '())
                 ,@(if version
                       (list (string-append "Sec-WebSocket-Version: " version))
                       '())
                 ,@more "" "")
               "\r\n"))
  (force-output sock)
  (head-of sock))

;;; Frames.

(define (append-bytes . parts)
  (call-with-values open-bytevector-output-port
    (lambda (port get)
      (for-each (lambda (part) (put-bytevector port part)) parts)
      (get))))

(define mask #vu8(#x37 #xfa #x21 #x3d))

(define (mask-bytes bytes)
  (let ((masked (bytevector-copy bytes)))
    (do ((i 0 (+ i 1))) ((= i (bytevector-length bytes)) masked)
      (bytevector-u8-set! masked i
                          (logxor (bytevector-u8-ref bytes i)
                                  (bytevector-u8-ref mask (modulo i 4)))))))

(define (length-bytes length bit)
  (cond ((< length 126) (u8-list->bytevector (list (logior bit length))))
        ((< length 65536)
         (let ((bytes (make-bytevector 3 (logior bit 126))))
           (bytevector-u16-set! bytes 1 length (endianness big))
           bytes))
        (else
         (let ((bytes (make-bytevector 9 (logior bit 127))))
           (bytevector-u64-set! bytes 1 length (endianness big))
           bytes))))

(define (bytes-of payload)
  (if (string? payload) (string->utf8 payload) payload))

(define* (frame opcode #:optional (payload #vu8())
                #:key (final? #t) (reserved 0) (masked? #t) (plain? #f))
  "Return the bytes of a frame; PLAIN? has a mask of zeros, for what is large."
  (let ((bytes (bytes-of payload)))
    (append-bytes (u8-list->bytevector
                   (list (logior (if final? #x80 0) (ash reserved 4) opcode)))
                  (length-bytes (bytevector-length bytes) (if masked? #x80 0))
                  (cond ((not masked?) #vu8()) (plain? #vu8(0 0 0 0)) (else mask))
                  (if (and masked? (not plain?)) (mask-bytes bytes) bytes))))

(define* (close-payload code #:optional (reason ""))
  (append-bytes (u8-list->bytevector (list (ash code -8) (logand code 255)))
                (bytes-of reason)))

(define (get-number sock size)
  (bytevector-uint-ref (get-bytevector-n sock size) 0 (endianness big) size))

(define (name-of opcode payload)
  (match opcode
    (1 (list 'text (utf8->string payload)))
    (2 (list 'binary payload))
    (8 (if (zero? (bytevector-length payload))
           '(close)
           (list 'close (bytevector-u16-ref payload 0 (endianness big)))))
    (9 (list 'ping payload))
    (10 (list 'pong payload))))

(define (get-frame sock)
  "Return the next frame of the server, which is final and not masked, as a list
of its kind and payload; end at the end, and reset."
  (match (catch 'system-error
           (lambda () (get-u8 sock))
           (const 'reset))
    ((? eof-object?) 'end)
    ('reset 'reset)
    (first
     (let* ((second (get-u8 sock))
            (length (match second
                      (126 (get-number sock 2))
                      (127 (get-number sock 8))
                      (length length))))
       (unless (and (= #x80 (logand first #xf0)) (< second 128))
         (error "not a frame that a server may send:" first second))
       (name-of (logand first 15)
                (if (zero? length) #vu8() (get-bytevector-n sock length)))))))

(define (read-frames sock)
  "Return the frames that come, up to and with how the connection ends."
  (match (get-frame sock)
    ((? symbol? end) (list end))
    (frame (cons frame (read-frames sock)))))

(define (send-in-steps sock bytes step)
  "Send BYTES, STEP at a time, or all at once if it is #f."
  (if (not step)
      (send sock bytes)
      (let next ((at 0))
        (when (< at (bytevector-length bytes))
          (send sock bytes 0 at (min (bytevector-length bytes) (+ at step)))
          (task-yield)
          (next (+ at step))))))
