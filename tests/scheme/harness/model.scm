;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A small model of sockets: random sequences of operations on four slots, each
;;; with what POSIX says of its result where that can be foretold, or #f.  An
;;; operation is a list of words; (harness model-run) carries it out, and
;;; peers/model.py does the same.

(define-module (harness model)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:export (random-sequence))

;; CLEAR: it has done nothing that the model does not follow.  QUEUE: what waits to
;; be received, the first first.  ENDED: nothing follows that.
(define-record-type <model>
  (make-model family type bound listening peer queue ended shut clear pending)
  model?
  (family model-family)
  (type model-type)
  (bound model-bound set-bound!)
  (listening model-listening set-listening!)
  (peer model-peer set-peer!)
  (queue model-queue set-queue!)
  (ended model-ended set-ended!)        ; the peer sends no more
  (shut model-shut set-shut!)           ; this one sends no more
  (clear model-clear set-clear!)
  (pending model-pending set-pending!)) ; to be accepted

(define (new family type)
  (make-model family type #f #f #f '() #f #f #t '()))

(define kinds
  '(("unix" "stream") ("unix" "dgram") ("unix" "seqpacket") ("inet" "stream")
    ("inet" "dgram") ("inet6" "stream") ("inet6" "dgram") ("netlink" "raw")))

(define (stream? m) (equal? (model-type m) "stream"))
(define (datagram? m) (member (model-type m) '("dgram" "raw")))

(define (pick list state) (list-ref list (random (length list) state)))
(define (slot state) (random 4 state))

(define (hex size start)
  (string-append
   "x"
   (string-concatenate
    (map (lambda (i)
           (string-pad (number->string (modulo (+ start i) 256) 16) 2 #\0))
         (iota size)))))

(define (hex-size text) (quotient (- (string-length text) 1) 2))
(define (hex-take text n)
  (substring text 0 (min (string-length text) (+ 1 (* 2 n)))))
(define (hex-drop text n) (string-append "x" (substring text (+ 1 (* 2 n)))))

(define (blur! . models)
  "Foretell no more of MODELS and of whom they send to."
  (for-each (lambda (m)
              (when (and m (model-clear m))
                (set-clear! m #f)
                (blur! (model-peer m))
                (apply blur! (model-pending m))))
            models)
  #f)

;;; What each operation does to the models, and its result.

(define (drop! models i)
  "What closing slot I does to its peer: what it did not read may reset it."
  (let ((m (vector-ref models i)))
    (when m
      (let ((peer (model-peer m)))
        (when peer
          (set-ended! peer #t)
          (set-peer! peer #f)
          (when (or (pair? (model-queue m)) (datagram? m) (not (model-clear m)))
            (blur! peer))
          ;; Sending to it fails by what depends on its moment.
          (set-shut! peer 'gone)))
      (for-each (lambda (waiting) (blur! (model-peer waiting) waiting))
                (model-pending m))
      (vector-set! models i #f))))

(define (put! models i m)
  (drop! models i)
  (vector-set! models i m))

(define (join! a b)
  (set-peer! a b)
  (set-peer! b a))

(define (connect! m to)
  (cond ((or (not (model-clear m)) (not (model-clear to)) (eq? m to)
             (model-peer m) (model-listening m) (model-ended m))
         (blur! m to))
        ((not (equal? (model-type m) (model-type to))) (blur! m))
        ((datagram? m) (blur! m to))
        ((model-listening to)
         (let ((other (new (model-family m) (model-type m))))
           (join! m other)
           (set-bound! other 'inherited)
           (set-pending! to (append (model-pending to) (list other)))
           "ok"))
        (else (blur! m) "E111")))

(define (accept! models m into)
  (cond ((not (model-clear m))
         ;; It may have replaced what is there.
         (blur! (vector-ref models into)))
        ((datagram? m) "E95")
        ((not (model-listening m)) "E22")
        ((null? (model-pending m)) "again")
        (else
         (let ((other (car (model-pending m))))
           (set-pending! m (cdr (model-pending m)))
           (put! models into other)
           "ok"))))

(define (send! m data)
  (let ((peer (model-peer m)))
    (cond ((not (model-clear m)) #f)
          ((eq? (model-shut m) 'gone) (blur! m))
          ((not peer) (blur! m))
          ((model-shut m) "E32")
          ((not (model-clear peer)) #f)
          ((and (not (stream? m)) (>= (length (model-queue peer)) 8))
           (blur! m peer))
          (else
           (unless (and (stream? m) (zero? (hex-size data)))
             (set-queue! peer
                         (if (and (stream? m) (pair? (model-queue peer)))
                             (list (string-append (car (model-queue peer))
                                                  (substring data 1)))
                             (append (model-queue peer) (list data)))))
           (number->string (hex-size data))))))

(define (recv! m size peek?)
  (cond ((not (model-clear m)) #f)
        ((and (not (model-peer m)) (not (model-ended m))) (blur! m))
        ((pair? (model-queue m))
         (let* ((first (car (model-queue m))) (taken (hex-take first size)))
           (unless peek?
             (set-queue! m
                         (if (and (stream? m) (< size (hex-size first)))
                             (cons (hex-drop first size) (cdr (model-queue m)))
                             (cdr (model-queue m)))))
           taken))
        ((zero? size) (blur! m))
        ((model-ended m) "x")
        (else "again")))

(define (shutdown! m how)
  (let ((peer (model-peer m)))
    (cond ((or (not (model-clear m)) (not peer) (not (= how 1)) (datagram? m))
           (set-ended! m #t)
           (blur! m peer))
          (else
           (set-shut! m #t)
           (set-ended! peer #t)
           "ok"))))

(define (listen! m)
  (cond ((not (model-clear m)) #f)
        ((datagram? m) "E95")
        ((or (model-peer m) (model-ended m) (model-shut m)) (blur! m))
        ((model-bound m) (set-listening! m #t) "ok")
        (else (blur! m))))

(define (bind! m)
  (cond ((not (model-clear m)) #f)
        ((or (model-peer m) (model-bound m) (model-ended m)) (blur! m))
        (else (set-bound! m #t) "ok")))

;;; Operations at random.

(define (waits m)
  "Whether there is something to wait for: over a network it may be on its way."
  (cond ((not (model-clear m))
         (if (member (model-family m) '("inet" "inet6")) "soon" "now"))
        ((or (pair? (model-queue m)) (model-ended m) (pair? (model-pending m)))
         "wait")
        (else "now")))

(define (bound-slots models family)
  (if (equal? family "netlink")
      '()
      (filter (lambda (i)
                (let ((m (vector-ref models i)))
                  (and m (eq? (model-bound m) #t)
                       (equal? (model-family m) family))))
              (iota 4))))

(define (open-any models state)
  (let ((i (slot state)))
    (match (pick kinds state)
      ((family type)
       (put! models i (new family type))
       (list (list "open" i family type) "ok")))))

(define (pair-any models state)
  (let* ((i (slot state)) (j (modulo (+ i 1 (random 3 state)) 4))
         (type (pick '("stream" "dgram" "seqpacket") state))
         (a (new "unix" type)) (b (new "unix" type)))
    (put! models i a)
    (put! models j b)
    (join! a b)
    (list (list "pair" i j type) "ok")))

(define (act models m i state count)
  "An operation on the model M in slot I."
  (define bound (bound-slots models (model-family m)))
  (match (random 14 state)
    (0 (list (list "bind" i (format #f "n~a" count)) (bind! m)))
    (1 (list (list "listen" i 16) (listen! m)))
    ((or 2 3)
     ;; What connects after it was shut down fails by what the kernel made of it:
     ;; there is no more to say than that it does.
     (if (or (null? bound) (model-ended m))
         (list (list "bind" i (format #f "n~a" count)) (bind! m))
         (let ((j (pick bound state)))
           (list (list "connect" i j) (connect! m (vector-ref models j))))))
    ((or 4 5)
     (let* ((j (modulo (+ i 1 (random 3 state)) 4)) (wait (waits m)))
       (list (list "accept" i j wait) (accept! models m j))))
    ((or 6 7)
     (let ((data (hex (random 300 state) count)))
       (list (list "send" i data) (send! m data))))
    (8
     (if (or (null? bound) (stream? m))
         (list (list "getsockname" i) #f)
         (let ((j (pick bound state)))
           (blur! m (vector-ref models j))
           (list (list "sendto" i (hex (random 300 state) count) j) #f))))
    ((or 9 10)
     (let ((size (+ 1 (random 400 state))) (peek? (zero? (random 4 state)))
           (wait (waits m)))
       (list (list "recv" i size (if peek? "peek" "take") wait)
             (recv! m size peek?))))
    (11
     (match (random 4 state)
       (0 (let ((how (random 3 state)))
            (list (list "shutdown" i how) (shutdown! m how))))
       (1 (list (list "getpeername" i) #f))
       (2 (list (list "getsockname" i) #f))
       (3 (drop! models i) (list (list "close" i) "ok"))))
    (12 (list (list "get" i (pick '("reuseaddr" "keepalive" "broadcast" "type"
                                    "acceptconn" "rcvbuf" "sndbuf" "error")
                                  state))
              #f))
    (13 (list (list "set" i (pick '("reuseaddr" "keepalive" "broadcast") state)
                    (random 2 state))
              (and (model-clear m) "ok")))))

(define (random-sequence seed length)
  "A list of (OPERATION RESULT), each made of SEED alone."
  (let ((models (make-vector 4 #f)) (state (seed->random-state seed)))
    (let loop ((count 0) (made '()))
      (if (= count length)
          (reverse made)
          (let* ((i (slot state)) (m (vector-ref models i)))
            (loop (+ count 1)
                  (cons (cond ((not m)
                               (if (zero? (random 3 state))
                                   (pair-any models state)
                                   (open-any models state)))
                              (else (act models m i state count)))
                        made)))))))
