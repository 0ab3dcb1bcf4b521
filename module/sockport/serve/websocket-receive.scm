;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Frames in: messages put together, pings answered, silence broken with a ping,
;;; and the closing handshake from either side.

(define-module (sockport serve websocket-receive)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport constant)
  #:use-module (sockport deadline)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module (sockport serve bytes)
  #:use-module (sockport serve websocket-send)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:use-module (sockport transfer)
  #:export (websocket-receive
            websocket-close
            abandon-websocket))

;;; Buffers: what one that waits has, and one that a long message comes through.
(define small 4096)
(define large 65536)

(define PONG 10)

;;; How long the peer may take to close as well.
(define close-seconds 5)

(define (fit-buffer! ws)
  "Have room for more: much for a message that is long, little while waiting."
  (let ((size (bytevector-length (buffer ws))))
    (cond ((and (= (end ws) size) (< size large) (message ws))
           (set-buffer! ws (make-bytevector (max small (min large (* 4 size))))))
          ((and (not (= size small)) (not (message ws)))
           (set-buffer! ws (make-bytevector small))))))

(define (receive-some ws)
  (let ((seconds (if (websocket-open? ws) (ping-seconds ws) close-seconds)))
    (with-deadline seconds
      (lambda () (recv! (websocket-socket ws) (buffer ws)))
      (const 'silent))))

(define (fill ws)
  "Receive more, and return true, or #f when WS has ended."
  (set-start! ws 0)
  (fit-buffer! ws)
  (set-end! ws 0)
  (match (unless-gone ws (receive-some ws))
    ('silent
     (cond ((and (websocket-open? ws) (not (pinged? ws)))
            (set-pinged! ws #t)
            (and (send-frame ws PING #vu8())
                 (fill ws)))
           (else (dropped! ws) #f)))
    ((or #f 0) (dropped! ws) #f)
    (count
     (set-pinged! ws #f)
     (set-end! ws count)
     #t)))

(define (add-piece! ws from to)
  (let* ((old (message ws)) (length (message-length ws))
         (needed (+ length (- to from))))
    (when (or (not old) (> needed (bytevector-length old)))
      (set-message! ws (make-bytevector (max 256 needed (* 2 length))))
      (when old
        (bytevector-copy! old 0 (message ws) 0 length)))
    (bytevector-copy! (buffer ws) from (message ws) length (- to from))
    (set-message-length! ws needed)))

(define (take-message! ws opcode)
  (let ((bytes (bytes-part (message ws) 0 (message-length ws))))
    (set-message! ws #f)
    (set-message-length! ws 0)
    (if (= opcode TEXT) (utf8->string bytes) bytes)))

(define (take-data ws opcode)
  "Return the message that what was read ends, or #f."
  (match (event ws)
    (#(_ whole #f _) whole)
    (#(_ from to last?)
     (add-piece! ws from to)
     (and last? (take-message! ws opcode)))))

;;; Closing.

(define most-drained 1048576)

;;; Closing with input unread resets the connection, and what was sent last is
;;; lost.
(define (drain ws)
  (let next ((left most-drained))
    (let ((count (recv! (websocket-socket ws) (buffer ws))))
      (unless (or (zero? count) (> count left))
        (next (- left count))))))

(define (shut ws)
  "Send nothing more, and let the peer read what was sent."
  (unless-gone ws
    (begin
      (shutdown (websocket-socket ws) SHUT_WR)
      (with-deadline 1 (lambda () (drain ws)) (const #f)))))

(define (finish ws payload code reason)
  "The end of WS, which the peer or its faults have brought."
  (when (websocket-open? ws)
    (send-frame ws CLOSE payload))
  (ended! ws code reason)
  (shut ws)
  (eof-object))

(define (take-close ws payload)
  (if (zero? (bytevector-length payload))
      (finish ws payload 1005 "")
      (finish ws payload
              (bytevector-u16-ref payload 0 (endianness big))
              (utf8->string
               (bytes-part payload 2 (bytevector-length payload))))))

(define codes `((,EPROTO . 1002) (,EILSEQ . 1007) (,EMSGSIZE . 1009)))

(define (close-payload code reason)
  (let* ((text (string->utf8 reason))
         (bytes (make-bytevector (+ 2 (bytevector-length text)))))
    (bytevector-u16-set! bytes 0 code (endianness big))
    (bytevector-copy! text 0 bytes 2 (bytevector-length text))
    bytes))

(define (read-frame ws)
  "Return the next message, an eof object when WS has ended, or #f."
  (let ((opcode (%websocket-read (reader ws) (event ws) (buffer ws) (start ws)
                                 (end ws))))
    (if (negative? opcode)
        (let ((code (assv-ref codes (- opcode))))
          (finish ws (close-payload code "") code ""))
        (begin
          (set-start! ws (vector-ref (event ws) 0))
          (cond ((zero? opcode) #f)
                ((<= opcode BINARY) (take-data ws opcode))
                ((= opcode PING)
                 (send-frame ws PONG (vector-ref (event ws) 1))
                 #f)
                ((= opcode CLOSE) (take-close ws (vector-ref (event ws) 1)))
                (else #f))))))

(define (next-message ws)
  (cond ((eq? 'done (closing ws)) (eof-object))
        ((or (< (start ws) (end ws)) (fill ws))
         (or (read-frame ws) (next-message ws)))
        (else (eof-object))))

(define (websocket-receive ws)
  "Wait for the next message and return it: a string, or a bytevector; an eof
object when WS has been closed."
  (check-websocket "websocket-receive" ws)
  (when (receiving? ws)
    (scm-error 'misc-error "websocket-receive"
               "Another task receives from ~S; let one receive for all"
               (list ws) #f))
  (set-receiving! ws #t)
  (call-with-cleanup
   (lambda () (next-message ws))
   (lambda () (set-receiving! ws #f))))

(define (check-code code)
  (check-that (exact-integer? code) code 2 "exact integer" "websocket-close")
  (unless (%websocket-close-code? code)
    (refuse-range "websocket-close" 2
                  "codes that may be sent, 1000 to 1003, 1007 to 1014, 3000 to 4999"
                  code)))

(define (check-reason reason)
  (check-that (string? reason) reason 3 "string" "websocket-close")
  (when (> (bytevector-length (string->utf8 reason)) 123)
    (refuse-range "websocket-close" 3 "at most 123 bytes" reason)))

(define (await-close ws)
  (with-deadline close-seconds
    (lambda ()
      (let next ()
        (unless (eof-object? (websocket-receive ws))
          (next))))
    (lambda () (dropped! ws))))

(define* (websocket-close ws #:optional (code 1000) (reason ""))
  "Close WS with CODE and REASON, and wait until the peer has as well; what it
sends before that is dropped.  When another task is receiving from WS, that waits."
  (check-websocket "websocket-close" ws)
  (check-code code)
  (check-reason reason)
  (when (and (send-frame ws CLOSE (close-payload code reason))
             (not (receiving? ws)))
    (await-close ws))
  *unspecified*)

(define (read-unread ws)
  "Read what has come; it would have the kernel drop what was sent last."
  (let next ((left most-drained))
    (match (%recv! (websocket-socket ws) (buffer ws))
      ((or #f 0) #f)
      (count (when (< count left) (next (- left count)))))))

(define (abandon-websocket ws code)
  "Say CODE if that can be done at once; nothing more is sent or received."
  (catch #t
    (lambda ()
      (with-deadline 0
        (lambda () (send-frame ws CLOSE (close-payload code "")))
        (const #f))
      (read-unread ws))
    (const #f))
  (ended! ws code ""))
