;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What is text in a WebSocket and what is not: UTF-8 by its rules (RFC 3629), each
;;; kind of sequence that there is, whole and with each byte in a fragment of its own.
;;; What is text comes back, all else is closed with 1007.

(use-modules (harness)
             (harness socket)
             (harness websocket)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport)
             (sockport websocket))

(define (encode code size)
  "Return CODE in SIZE bytes as UTF-8 would write it, whether it may or not."
  (define first-bits '#(#f 0 #xc0 #xe0 #xf0 #xf8 #xfc))
  (u8-list->bytevector
   (cons (logior (vector-ref first-bits size) (ash code (* -6 (- size 1))))
         (map (lambda (place) (logior #x80 (logand #x3f (ash code (* -6 place)))))
              (reverse (iota (- size 1)))))))

(define (bytes . numbers) (u8-list->bytevector numbers))

(define (part sequence size)
  (u8-list->bytevector (take (bytevector->u8-list sequence) size)))

(define (without-last sequence)
  (part sequence (- (bytevector-length sequence) 1)))

;;; Rows: a kind, whether such are text, and a list of sequences.

(define kosme (string->utf8 "κ\u1f79σμε"))

(define (encodings . pairs)
  (map (match-lambda ((code size) (encode code size))) pairs))

(define (from low high)
  (iota (+ 1 (- high low)) low))

(define incomplete
  (map without-last
       (encodings '(0 2) '(0 3) '(0 4) '(0 5) '(0 6) '(#x7ff 2) '(#xffff 3)
                  '(#x1fffff 4) '(#x3ffffff 5) '(#x7fffffff 6))))

(define (surrogates codes)
  (map (lambda (code) (encode code 3)) codes))

(define rows
  `(("in words" #t
     ,(map (lambda (char) (string->utf8 (string-append "hello" char "world")))
           '("$" "¢" "€" "𤭢")))
    ("all of a text" #t ,(map (lambda (size) (part kosme size)) '(2 5 7 9 11)))
    ("a part that ends in a character" #f
     ,(map (lambda (size) (part kosme size)) '(1 3 4 6 8 10)))
    ("the first and the last of each size" #t
     ,(encodings '(0 1) '(#x7f 1) '(#x80 2) '(#x7ff 2) '(#x800 3) '(#xffff 3)
                 '(#x10000 4) '(#x10ffff 4)))
    ("around those that are none" #t
     ,(encodings '(#xd7ff 3) '(#xe000 3) '(#xfffd 3)))
    ("beyond the last" #f
     ,(encodings '(#x110000 4) '(#x1fffff 4) '(#x200000 5) '(#x3ffffff 5)
                 '(#x4000000 6) '(#x7fffffff 6)))
    ("continuations of nothing" #f
     ,(append (map bytes (from #x80 #xbf))
              (map (lambda (count)
                     (u8-list->bytevector
                      (take (circular-list #x80 #xbf) count)))
                   (from 2 6))
              (list (apply bytes (from #x80 #xbf)))))
    ("beginnings that nothing continues" #f
     ,(append (map (lambda (byte) (bytes byte #x20)) (from #xc0 #xfd))
              (list (apply bytes (append-map (lambda (byte) (list byte #x20))
                                             (from #xc0 #xfd))))))
    ("without the last byte" #f ,incomplete)
    ("several of them" #f (,(apply append-bytes incomplete)))
    ("bytes that are in none" #f
     ,(list (bytes #xfe) (bytes #xff) (bytes #xfe #xfe #xff #xff)))
    ("a slash and NUL, longer than needed" #f
     ,(append-map (lambda (size) (encodings `(#x2f ,size) `(0 ,size)))
                  (from 2 6)))
    ("the last that would have been shorter" #f
     ,(encodings '(#x7f 2) '(#x7ff 3) '(#xffff 4) '(#x1fffff 5) '(#x3ffffff 6)))
    ("surrogates" #f
     ,(surrogates '(#xd800 #xdb7f #xdb80 #xdbff #xdc00 #xdf80 #xdfff)))
    ("pairs of surrogates" #f
     ,(append-map (lambda (high)
                    (map (lambda (low) (append-bytes high low))
                         (surrogates '(#xdc00 #xdfff))))
                  (surrogates '(#xd800 #xdb7f #xdb80 #xdbff))))
    ("what is for no character" #t
     ,(append-map (lambda (plane)
                    (map (lambda (code)
                           (encode (+ code (* plane #x10000)) (if (zero? plane) 3 4)))
                         '(#xfffe #xffff)))
                  (iota 17)))
    ("specials" #t ,(map (lambda (code) (encode code 3)) (from #xfff9 #xfffd)))))

;;; Asking.

(define (in-fragments sequence)
  (append (list (frame 1 #vu8() #:final? #f))
          (map (lambda (byte) (frame 0 (bytes byte) #:final? #f))
               (bytevector->u8-list sequence))
          (list (frame 0))))

(define (came-back new frames)
  "Send FRAMES and a close, and return what comes."
  (let-ports ((sock (new)))
    (handshake sock)
    ;; A server that closes need not take the rest.
    (false-if-exception
     (send sock (apply append-bytes
                       (append frames (list (frame 8 (close-payload 1000)))))))
    (with-deadline (* 3/4 (case-seconds)) (lambda () (read-frames sock)))))

(define (expected text? sequence)
  (if text?
      (list (list 'text (utf8->string sequence)) '(close 1000) 'end)
      '((close 1007) end)))

(test-begin "websocket-text")

(test-case "UTF-8"
  (test-equal "nothing is logged" '()
    (call-with-websockets
        (lambda (request) (accept-websocket request echo-messages))
      (lambda (new server)
        (for-each
         (match-lambda
           ((kind text? sequences)
            (for-each
             (lambda (cut name)
               (test-equal (list kind name) '()
                 ;; `remove' is C, in which a task cannot wait.
                 (filter-map (lambda (sequence)
                               (and (not (equal? (expected text? sequence)
                                                 (came-back new (cut sequence))))
                                    sequence))
                             sequences)))
             (list (lambda (sequence) (list (frame 1 sequence))) in-fragments)
             '(whole in-fragments))))
         rows)))))

(test-end "websocket-text")
