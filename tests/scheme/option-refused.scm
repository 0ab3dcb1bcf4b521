;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What getsockopt, setsockopt and the names refuse.

(use-modules (harness)
             (harness error)
             (harness option)
             (ice-9 match)
             (sockport))

(test-begin "option-refused")

(define bad-integers
  (list (expt 2 31) (expt 2 32) (expt 2 64) (expt 2 70)
        (- (expt 2 70)) (- -1 (expt 2 31))))

(test-case "numbers out of range are refused at their position"
  (with-tcp s
    (for-each
     (lambda (n)
       (let ((say (lambda (what) (format #f "~a ~a" what n))))
         (test-error* (say "level") '(out-of-range 2 "getsockopt")
           (getsockopt s n SO_TYPE))
         (test-error* (say "option") '(out-of-range 3 "getsockopt")
           (getsockopt s SOL_SOCKET n))
         (test-error* (say "level to set") '(out-of-range 2 "setsockopt")
           (setsockopt s n SO_TYPE 1))
         (test-error* (say "option to set") '(out-of-range 3 "setsockopt")
           (setsockopt s SOL_SOCKET n 1))
         (test-error* (say "int") '(out-of-range 4 "setsockopt")
           (setsockopt s SOL_SOCKET SO_RCVBUF n))
         (test-error* (say "bool") '(out-of-range 4)
           (setsockopt s IPPROTO_TCP TCP_NODELAY n))
         (test-error* (say "unknown") '(out-of-range 4)
           (setsockopt s SOL_SOCKET 9999 n))
         (test-error* (say "linger") '(out-of-range 4)
           (setsockopt s SOL_SOCKET SO_LINGER (cons 1 n)))
         (test-error* (say "microseconds") '(out-of-range 4)
           (setsockopt s SOL_SOCKET SO_RCVTIMEO (cons 1 n)))
         (test-error* (say "by name") '(out-of-range 3 "set-socket-option!")
           (set-socket-option! s 'tcp-keepidle n))))
     bad-integers)
    (for-each
     (lambda (n)
       (test-error* (format #f "unsigned ~a" n) '(out-of-range 4)
         (setsockopt s SOL_SOCKET SO_MARK n)))
     (list -1 (expt 2 32) (expt 2 64) (- (expt 2 70))))
    (for-each
     (lambda (n)
       (test-error* (format #f "wide ~a" n) '(out-of-range 4)
         (setsockopt s SOL_SOCKET SO_MAX_PACING_RATE n)))
     (list -1 (expt 2 64) (expt 2 70) (- (expt 2 63)) (- (expt 2 64))))
    (test-error* "a negative time" '(out-of-range 4)
      (setsockopt s SOL_SOCKET SO_RCVTIMEO '(-1 . 0)))
    (test-error* "a negative time by name" '(out-of-range 3)
      (set-socket-option! s 'rcvtimeo -1.5))
    (test-error* "a million microseconds" '(out-of-range 4)
      (setsockopt s SOL_SOCKET SO_RCVTIMEO '(1 . 1000000)))))

(test-case "wrong types are refused at their position"
  (with-tcp s
    (for-each
     (lambda (v)
       (let ((say (lambda (what) (format #f "~a ~s" what v))))
         (test-error* (say "level") '(wrong-type-arg 2 "getsockopt")
           (getsockopt s v SO_TYPE))
         (test-error* (say "option") '(wrong-type-arg 3 "getsockopt")
           (getsockopt s SOL_SOCKET v))
         (test-error* (say "int") '(wrong-type-arg 4 "setsockopt")
           (setsockopt s SOL_SOCKET SO_RCVBUF v))
         (test-error* (say "linger") '(wrong-type-arg 4)
           (setsockopt s SOL_SOCKET SO_LINGER v))
         (test-error* (say "in a pair") '(wrong-type-arg 4)
           (setsockopt s SOL_SOCKET SO_LINGER (cons 1 v)))
         (test-error* (say "structure") '(wrong-type-arg 4)
           (setsockopt s SOL_SOCKET SO_TXTIME v))
         (test-error* (say "bytes") '(wrong-type-arg 4)
           (setsockopt s IPPROTO_IP IP_OPTIONS v))))
     (list 1.5 1/2 "1" 'one #f))
    (test-error* "another structure" '(wrong-type-arg 4)
      (setsockopt s SOL_SOCKET SO_LINGER (make-timeval 1 2)))
    (test-error* "what cannot be set" '(wrong-type-arg 4)
      (setsockopt s SOL_SOCKET SO_PEERNAME 1)))
  (let ((closed (socket AF_INET SOCK_STREAM 0)))
    (close-port closed)
    (test-error* "a closed port" '(wrong-type-arg 1 "getsockopt")
      (getsockopt closed SOL_SOCKET SO_TYPE))
    (test-error* "a closed port to set" '(wrong-type-arg 1 "setsockopt")
      (setsockopt closed SOL_SOCKET SO_RCVBUF 1)))
  (test-error* "no port" '(wrong-type-arg 1) (getsockopt 3 SOL_SOCKET SO_TYPE))
  (call-with-input-file "/dev/null"
    (lambda (file)
      (test-error* "a file" `(system-error ,ENOTSOCK "getsockopt")
        (getsockopt file SOL_SOCKET SO_TYPE)))))

(test-case "arguments are counted"
  (test-error* "too few" '(wrong-number-of-args) (getsockopt 1 2))
  (test-error* "too many" '(wrong-number-of-args) (getsockopt 1 2 3 4 5))
  (test-error* "too few to set" '(wrong-number-of-args) (setsockopt 1 2 3)))

(test-case "names are refused before the kernel is asked"
  (with-udp s
    (test-error* "of another type" '(wrong-type-arg 1 "socket-option")
      (socket-option s 'tcp-nodelay))
    (test-error* "of another family" '(wrong-type-arg 1 "set-socket-option!")
      (set-socket-option! s 'ipv6-v6only #t))
    (test-error* "unknown" '(out-of-range 2 "socket-option")
      (socket-option s 'no-such-option))
    (test-error* "with a NUL" '(out-of-range 2 "socket-option")
      (socket-option s (string->symbol (string #\t #\nul))))
    (test-error* "not ASCII" '(out-of-range 2 "socket-option")
      (socket-option s 'größe))
    (test-error* "long" '(out-of-range 2 "socket-option")
      (socket-option s (string->symbol (make-string 100000 #\a))))
    (test-error* "only to read" '(out-of-range 2 "set-socket-option!")
      (set-socket-option! s 'type 1))
    (test-error* "only to set" '(out-of-range 2 "socket-option")
      (socket-option s 'ip-add-membership))
    (test-error* "no symbol" '(wrong-type-arg 2 "socket-option")
      (socket-option s "type"))
    (test-error* "infinite seconds" '(wrong-type-arg 3)
      (set-socket-option! s 'rcvtimeo (inf)))
    (test-equal "by its name in C" AF_INET (socket-option s 'SO_DOMAIN))
    (test-equal "by another name" #f (socket-option s 'ip-recvorigdstaddr))))

(test-case "values, with what would be right"
  (define expecting
    "set-socket-option!: Wrong type argument in position 3 (expecting ~a): ~s")
  (with-udp s
    (for-each
     (match-lambda
       ((name value expected)
        (test-words (format #f expecting expected value)
          (set-socket-option! s name value))))
     '((broadcast yes "boolean")
       (linger x "seconds, #f, linger or pair")
       (ip-add-membership "239.1.2.3"
                          "pair of a group, an integer, and an interface")))
    (test-words "set-socket-option!: IP_TTL 300: Invalid argument"
      (set-socket-option! s 'ip-ttl 300))
    (test-words "setsockopt: IP_TTL 300: Invalid argument"
      (setsockopt s IPPROTO_IP IP_TTL 300))
    (test-words "set-socket-option!: SO_BINDTODEVICE \"nosuch0\": No such device"
      (set-socket-option! s 'bindtodevice "nosuch0"))))

(test-case "a message that tells what is wrong"
  (with-udp s
    (test-assert "text"
      (string-contains
       (catch 'wrong-type-arg
         (lambda () (socket-option s 'tcp-nodelay))
         (lambda (key who message arguments . rest)
           (apply format #f message arguments)))
       "tcp-nodelay is for sockets of family AF_INET or AF_INET6 and type SOCK_STREAM, not AF_INET and SOCK_DGRAM"))))

(test-end "option-refused")
