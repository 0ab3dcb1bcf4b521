;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The base protocol of WebSocket, case by case in the order in which its users
;;; know them: framing, pings, reserved bits and opcodes, fragments, UTF-8, closing,
;;; sizes.  Each has its ground in RFC 6455; what comes back is compared frame by
;;; frame, and so is the end of the connection.

(use-modules (harness)
             (harness socket)
             (harness websocket)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport websocket))

(define (text payload) (frame 1 payload))
(define (binary payload) (frame 2 payload))
(define (more opcode payload) (frame opcode payload #:final? #f))
(define (rest payload) (frame 0 payload))
(define* (ping #:optional (payload #vu8())) (frame 9 payload))
(define* (pong #:optional (payload #vu8())) (frame 10 payload))
(define* (closing #:optional (payload (close-payload 1000))) (frame 8 payload))

(define normal '((close 1000) end))
(define broken '((close 1002) end))
(define not-text '((close 1007) end))

(define (converse new frames step)
  "Send FRAMES in steps, and return what comes until the end."
  (let-ports ((sock (new)))
    (unless (equal? "HTTP/1.1 101 Switching Protocols" (car (handshake sock)))
      (error "no handshake"))
    (let* ((sent (spawn-task
                  (lambda ()
                    ;; A server that closes need not take the rest.
                    (false-if-exception
                     (send-in-steps sock (apply append-bytes frames) step)))))
           (came (with-deadline (* 3/4 (case-seconds)) (lambda () (read-frames sock)))))
      (join sent)
      came)))

;; A row: a name, what is sent, what has to come back.
(define (run-cases rows steps)
  (call-with-websockets
      (lambda (request)
        (accept-websocket request echo-messages #:message-limit (ash 1 24)))
    (lambda (new server)
      (for-each
       (match-lambda
         ((name frames expected)
          (for-each (lambda (step)
                      (test-equal (list name (or step 'whole)) expected
                        (converse new frames step)))
                    steps)))
       rows))))

(define-syntax-rule (cases name steps row ...)
  (test-case name
    (test-equal "nothing is logged" '() (run-cases (list row ...) steps))))

(define in-all-steps '(#f 1 7))

(define (echoed kind payload) (cons (list kind payload) normal))

(test-begin "websocket-cases")

(test-case "1: payloads of every kind of length"
  (test-equal "nothing is logged" '()
    (run-cases
     (append-map
      (lambda (length)
        (let ((letters (make-string length #\*))
              (bytes (make-bytevector length #xfe)))
          (list (list (list 'text length) (list (text letters) (closing))
                      (echoed 'text letters))
                (list (list 'binary length) (list (binary bytes) (closing))
                      (echoed 'binary bytes)))))
      '(0 1 125 126 127 128 65535 65536))
     '(#f 997))))

(cases "2: pings and pongs" in-all-steps
  (list "empty" (list (ping) (closing)) (echoed 'pong #vu8()))
  (list "with text" (list (ping "Hello") (closing))
        (echoed 'pong (string->utf8 "Hello")))
  (list "with what is no text" (list (ping #vu8(0 255 254 253)) (closing))
        (echoed 'pong #vu8(0 255 254 253)))
  (list "of 125 bytes" (list (ping (make-bytevector 125 254)) (closing))
        (echoed 'pong (make-bytevector 125 254)))
  (list "of 126 bytes" (list (ping (make-bytevector 126 254)) (closing)) broken)
  (list "pongs that nobody asked for" (list (pong) (pong "x") (closing)) normal)
  (list "and a ping after one" (list (pong "x") (ping "y") (closing))
        (echoed 'pong (string->utf8 "y")))
  (list "ten" (append (map (lambda (i) (ping (number->string i))) (iota 10))
                      (list (closing)))
        (append (map (lambda (i) (list 'pong (string->utf8 (number->string i))))
                     (iota 10))
                normal)))

(cases "3: reserved bits" in-all-steps
  (list "of text" (list (frame 1 "x" #:reserved 1)) broken)
  (list "after what was right"
        (list (text "ok") (frame 1 "x" #:reserved 2) (ping)) (cons '(text "ok") broken))
  (list "of binary" (list (frame 2 "x" #:reserved 5)) broken)
  (list "the third" (list (text "ok") (frame 1 "x" #:reserved 4) (ping))
        (cons '(text "ok") broken))
  (list "of a ping" (list (frame 9 "x" #:reserved 6)) broken)
  (list "of a close" (list (frame 8 "" #:reserved 7)) broken))

(test-case "4: reserved opcodes"
  (run-cases
   (append-map
    (lambda (opcode)
      (list (list opcode (list (text "ok") (frame opcode "x") (ping))
                  (cons '(text "ok") broken))
            (list (list opcode 'empty) (list (frame opcode)) broken)
            (list (list opcode 'first) (list (frame opcode "x")) broken)))
    '(3 4 5 6 7 11 12 13 14 15))
   '(#f 1)))

(cases "5: fragments" in-all-steps
  (list "a ping in two" (list (more 9 "a") (rest "b")) broken)
  (list "a pong in two" (list (more 10 "a") (rest "b")) broken)
  (list "text in two" (list (more 1 "frag") (rest "ment") (closing))
        (echoed 'text "fragment"))
  (list "a ping between"
        (list (more 1 "frag") (ping "p") (rest "ment") (closing))
        (cons '(pong #vu8(112)) (echoed 'text "fragment")))
  (list "pings between many"
        (list (more 1 "a") (ping "1") (more 0 "b") (ping "2") (more 0 "")
              (rest "c") (closing))
        (cons* '(pong #vu8(49)) '(pong #vu8(50)) (echoed 'text "abc")))
  (list "a continuation of nothing" (list (rest "x") (text "y")) broken)
  (list "the same, not final" (list (more 0 "x") (text "y")) broken)
  (list "after a message" (list (text "ok") (more 0 "x") (rest "y"))
        (cons '(text "ok") broken))
  (list "after one in two" (list (more 1 "o") (rest "k") (more 0 "x") (text "y"))
        (cons '(text "ok") broken))
  (list "before messages in two, again and again"
        (list (more 0 "x") (more 1 "a") (rest "b")
              (more 0 "x") (more 1 "a") (rest "b"))
        broken)
  (list "the same, final"
        (list (rest "x") (more 1 "a") (rest "b") (rest "x") (more 1 "a") (rest "b"))
        broken)
  (list "a message inside one" (list (more 1 "a") (text "b")) broken)
  (list "a binary one inside text" (list (more 1 "a") (more 2 "b") (rest "c"))
        broken)
  (list "empty ones" (list (more 1 "") (more 0 "") (rest "") (closing))
        (echoed 'text ""))
  (list "binary" (list (more 2 #vu8(255)) (rest #vu8(254)) (closing))
        (echoed 'binary #vu8(255 254))))

(define kosme "κόσμε")
(define (bytes . numbers) (u8-list->bytevector numbers))

(cases "6: text is UTF-8" in-all-steps
  (list "many scripts" (list (text "Hello-µ@ßöäüàá-UTF-8!!") (closing))
        (echoed 'text "Hello-µ@ßöäüàá-UTF-8!!"))
  (list "cut inside a character"
        (cons (more 1 "")
              (append (map (lambda (byte) (more 0 (bytes byte)))
                           (bytevector->u8-list (string->utf8 kosme)))
                      (list (rest "") (closing))))
        (echoed 'text kosme))
  (list "the last and the first of each length"
        (list (text "\x00;\x7f;\x80;߿ࠀ퟿\uffff\U010000\U10ffff") (closing))
        (echoed 'text "\x00;\x7f;\x80;߿ࠀ퟿\uffff\U010000\U10ffff"))
  (list "what is no character is one here"
        (list (text "\ufffe\U01ffff") (closing))
        (echoed 'text "\ufffe\U01ffff"))
  (list "beyond the last" (list (text (bytes #xf4 #x90 #x80 #x80))) not-text)
  (list "a surrogate" (list (text (bytes #xed #xa0 #x80))) not-text)
  (list "two of them" (list (text (bytes #xed #xa0 #x80 #xed #xb0 #x80)))
        not-text)
  (list "longer than needed" (list (text (bytes #xc0 #xaf))) not-text)
  (list "the same in three" (list (text (bytes #xe0 #x80 #xaf))) not-text)
  (list "the same in four" (list (text (bytes #xf0 #x8f #xbf #xbf))) not-text)
  (list "five bytes" (list (text (bytes #xf8 #x88 #x80 #x80 #x80))) not-text)
  (list "a lone continuation" (list (text (bytes #x80))) not-text)
  (list "cut at the end" (list (text (bytes #xce #xba #xe1 #xbd))) not-text)
  (list "cut at the end of fragments"
        (list (more 1 "a") (rest (bytes #xe1 #xbd))) not-text)
  (list "never in UTF-8" (list (text (bytes #xfe #xff))) not-text)
  (list "known before the message ends"
        (list (more 1 (bytes #xce #xba #xf4 #x90))) not-text))

(define (closed-with payload expected)
  (list (list 'close payload) (list (closing payload)) expected))

(cases "7: closing" in-all-steps
  (list "what comes after is not looked at"
        (list (text "a") (closing) (text "b") (ping)) (echoed 'text "a"))
  (list "twice" (list (closing) (closing)) normal)
  (list "before a ping" (list (closing) (ping)) normal)
  (list "inside a message" (list (more 1 "a") (closing) (rest "b")) normal)
  (list "without a code" (list (frame 8)) '((close) end))
  (closed-with (bytes 3) broken)
  (closed-with (close-payload 1000 "good bye") normal)
  (closed-with (close-payload 1000 (make-string 123 #\x)) normal)
  (list "a reason too long"
        (list (closing (close-payload 1000 (make-string 124 #\x)))) broken)
  (closed-with (close-payload 1000 (bytes #xce #xba #x80)) not-text))

(test-case "7: codes"
  (run-cases
   (append
    (map (lambda (code)
           (closed-with (close-payload code) `((close ,code) end)))
         '(1000 1001 1002 1003 1007 1008 1009 1010 1011 1012 1013 1014 3000 3999
           4000 4999))
    (map (lambda (code) (closed-with (close-payload code) broken))
         '(0 999 1004 1005 1006 1015 1016 1100 2000 2999 5000 65535)))
   '(#f)))

(define (fragments opcode payload size)
  (let ((length (bytevector-length payload)))
    (let next ((at 0) (opcode opcode))
      (let* ((end (min length (+ at size)))
             (part (make-bytevector (- end at))))
        (bytevector-copy! payload at part 0 (- end at))
        (cons (frame opcode part #:final? (= end length) #:plain? #t)
              (if (= end length) '() (next end 0)))))))

(define (stars length) (make-bytevector length 42))

(define (echoed-stars opcode length)
  (if (= opcode 1)
      (echoed 'text (make-string length #\*))
      (echoed 'binary (stars length))))

(define (whole-row opcode length)
  (list (list opcode length)
        (list (frame opcode (stars length) #:plain? #t) (closing))
        (echoed-stars opcode length)))

(define (fragments-row length)
  (lambda (opcode size)
    (list (list 'fragments opcode size)
          (append (fragments opcode (stars length) size) (list (closing)))
          (echoed-stars opcode length))))

(define (both make sizes)
  (append-map (lambda (size) (list (make 1 size) (make 2 size))) sizes))

(define (powers-of-4 low high)
  (if (> low high) '() (cons (ash 1 low) (powers-of-4 (+ low 2) high))))

(test-case "9: large messages, whole, in fragments and in steps"
  (test-equal "nothing is logged" '()
    (append
     (run-cases (share (both whole-row (powers-of-4 16 24))) '(#f))
     (run-cases (share (both (fragments-row (ash 1 22)) (powers-of-4 8 22))) '(#f))
     (run-cases (both (fragments-row (ash 1 18)) '(64)) '(#f))
     (run-cases (both whole-row (list (ash 1 20)))
                (share '(64 128 256 512 1024 2048)))))
  (run-cases
   (list (list "beyond the limit"
               (list (frame 2 (stars (+ 1 (ash 1 24))) #:plain? #t))
               '((close 1009) end)))
   '(#f)))

(define (round-trips sock message count)
  "Send MESSAGE again and again, each time when it has come back; return how often it
has."
  (let next ((done 0))
    (if (= done count)
        done
        (begin
          (send sock (frame (if (string? message) 1 2) message))
          (if (equal? (list (if (string? message) 'text 'binary) message)
                      (get-frame sock))
              (next (+ done 1))
              done)))))

(test-case "9: one message after the other"
  (call-with-websockets
      (lambda (request) (accept-websocket request echo-messages))
    (lambda (new server)
      (for-each
       (lambda (length)
         (for-each
          (lambda (message)
            (let-ports ((sock (new)))
              (handshake sock)
              (test-equal (list length (string? message)) 200
                (round-trips sock message 200))))
          (list (make-string length #\*) (make-bytevector length #xfe))))
       '(0 16 64 256 1024 4096)))))

(test-case "10: fragments of a size that fits into packets"
  (run-cases (both (fragments-row 65536) '(1300)) '(#f 997)))

(test-end "websocket-cases")
