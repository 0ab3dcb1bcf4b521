;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A connection of WebSocket as a value: what is known of it, how it ends, and
;;; frames out, one after the other whoever sends.  Frames in are
;;; websocket-receive.scm's.

(define-module (sockport serve websocket-send)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport constant)
  #:use-module (sockport deadline)
  #:use-module (sockport io argument)
  #:use-module (sockport io secure)
  #:use-module (sockport primitive)
  #:use-module (sockport semaphore)
  #:use-module (sockport serve bytes)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:use-module (sockport transfer)
  #:export (make-websocket
            websocket?
            websocket-protocol
            websocket-socket
            websocket-open?
            websocket-close-code
            websocket-close-reason
            websocket-send
            websocket-ping
            TEXT BINARY CLOSE PING
            check-websocket
            control-payload
            send-frame
            ended! dropped! unless-gone
            reader event ping-seconds closing
            buffer set-buffer! start set-start! end set-end!
            message set-message! message-length set-message-length!
            pinged? set-pinged! receiving? set-receiving!))

(define CLOSE 8)
(define PING 9)
(define TEXT 1)
(define BINARY 2)

;;; BUFFER from START to END was received and not read.  MESSAGE holds the LENGTH
;;; bytes of one that comes in several pieces.  CLOSING is #f, `sent' when a close
;;; frame has been sent, `done' when nothing more is received or sent; CODE and
;;; REASON are what it ended with.  PINGED? while a ping is not answered.
(define-record-type <websocket>
  (%make-websocket sock protocol reader event client? turn ping-seconds buffer
                   start end message length closing code reason pinged?
                   receiving?)
  websocket?
  (sock websocket-socket)
  (protocol websocket-protocol)
  (reader reader)
  (event event)
  (client? client?)
  (turn turn)
  (ping-seconds ping-seconds)
  (buffer buffer set-buffer!)
  (start start set-start!)
  (end end set-end!)
  (message message set-message!)
  (length message-length set-message-length!)
  (closing closing set-closing!)
  (code %close-code set-close-code!)
  (reason %close-reason set-close-reason!)
  (pinged? pinged? set-pinged!)
  (receiving? receiving? set-receiving!))

(set-record-type-printer! <websocket>
  (lambda (ws port)
    (format port "#<websocket ~a ~a>" (fileno* (websocket-socket ws))
            (or (websocket-close-code ws) 'open))))

(define (fileno* sock)
  (if (port-closed? sock) 'closed (fileno sock)))

(define* (make-websocket sock #:key client? protocol (message-limit 1048576)
                         (ping-seconds 30))
  "Return the WebSocket that SOCK is after the opening handshake."
  (let ((left (take-buffered! sock)))
    (%make-websocket sock protocol
                     (%websocket-reader (not client?) message-limit)
                     (make-vector 4 #f) client? (make-semaphore) ping-seconds
                     left 0 (bytevector-length left) #f 0 #f #f #f #f #f)))

(define (take-buffered! port)
  "Return what PORT has buffered; the rest is received without it."
  (let* ((buffer (port-read-buffer port))
         (bytes (bytes-part (port-buffer-bytevector buffer)
                            (port-buffer-cur buffer)
                            (port-buffer-end buffer))))
    (set-port-buffer-cur! buffer (port-buffer-end buffer))
    bytes))

(define (websocket-open? ws)
  "May messages be sent through WS?"
  (check-websocket "websocket-open?" ws)
  (not (closing ws)))

(define (websocket-close-code ws)
  "Return the code that WS was closed with, by either side; 1005 if there was
none, 1006 if the connection ended without; #f while it is open."
  (check-websocket "websocket-close-code" ws)
  (%close-code ws))

(define (websocket-close-reason ws)
  (check-websocket "websocket-close-reason" ws)
  (or (%close-reason ws) ""))

;;; Ending.

(define (ended! ws code reason)
  "Note what WS ended with; the first word counts."
  (unless (%close-code ws)
    (set-close-code! ws code)
    (set-close-reason! ws reason))
  (set-closing! ws 'done))

(define (dropped! ws)
  (ended! ws 1006 ""))

(define (gone? key args)
  (if (eq? key 'system-error)
      (memv (system-error-errno (cons key args))
            (list ECONNRESET EPIPE ENOTCONN ETIMEDOUT ECONNABORTED
                  EHOSTUNREACH ENETUNREACH ENETDOWN EBADF))
      (cut-short? key args)))

(define-syntax-rule (unless-gone ws expr)
  "The value of EXPR; #f, and WS has ended, if the peer has gone."
  (catch #t
    (lambda () expr)
    (lambda (key . args)
      (cond ((gone? key args) (dropped! ws) #f)
            (else (apply throw key args))))))

;;; Sending.

;;; What a peer has to take in the time that it may be silent: one that takes nothing
;;; would keep its senders, and what they send, for ever.
(define piece 65536)

(define (send-pieces ws bytes)
  "Send BYTES; return whether the peer has let that happen."
  (let ((sock (websocket-socket ws)) (size (bytevector-length bytes)))
    (let next ((start 0))
      (or (= start size)
          ;; Fewer than the piece has if an error follows, which the next one meets.
          (let ((sent (with-deadline (ping-seconds ws)
                        (lambda ()
                          (send sock bytes 0 start (min size (+ start piece))))
                        (const #f))))
            (and sent (next (+ start sent))))))))

(define (break! ws)
  "Let the peer, and the task that receives, see that WS has ended."
  (dropped! ws)
  (false-if-exception (shutdown (websocket-socket ws) SHUT_RDWR)))

(define (send-whole ws bytes)
  "Send BYTES; a frame that was not sent to its end is the end of WS."
  (let ((whole? #f))
    (call-with-cleanup
     (lambda ()
       (set! whole? (unless-gone ws (send-pieces ws bytes)))
       whole?)
     (lambda ()
       (unless whole? (break! ws))))))

(define (send-frame ws opcode payload)
  "Send a frame, and return true, or #f if WS has ended."
  (let ((bytes (%websocket-frame opcode payload (client? ws))))
    (call-with-semaphore (turn ws)
      (lambda ()
        (and (not (closing ws))
             (begin
               (when (= opcode CLOSE)
                 (set-closing! ws 'sent))
               (send-whole ws bytes)))))))

(define (check-websocket who object)
  (check-that (websocket? object) object 1 "websocket" who))

(define (payload who object)
  (cond ((string? object) (string->utf8 object))
        ((bytevector? object) object)
        (else (refuse-type who 2 "string or bytevector" object))))

(define (websocket-send ws message)
  "Send MESSAGE: a string as text, a bytevector as binary data.  Return #t when
the system has all of it, #f if WS has been closed."
  (check-websocket "websocket-send" ws)
  (send-frame ws (if (string? message) TEXT BINARY)
              (payload "websocket-send" message)))

(define most-control 125)

(define (control-payload who object)
  (let ((bytes (payload who object)))
    (when (> (bytevector-length bytes) most-control)
      (refuse-range who 2 "at most 125 bytes" object))
    bytes))

(define* (websocket-ping ws #:optional (data ""))
  "Send a ping with DATA, at most 125 bytes; #f if WS has been closed."
  (check-websocket "websocket-ping" ws)
  (send-frame ws PING (control-payload "websocket-ping" data)))

