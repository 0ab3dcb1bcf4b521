;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; probe, ls and bench: what the addresses of a place do, what sockets there are, and
;;; how fast a server echoes.

(define-module (sockport command look)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport)
  #:use-module (sockport command report)
  #:use-module (sockport command stream)
  #:use-module (sockport system-sockets)
  #:export (probe-command list-command bench-command))

(define (show options values tell)
  "Print each of VALUES as JSON if that is asked for, else call (TELL)."
  (if (assq-ref options 'json) (for-each print-json values) (tell)))

;;; probe: every address of a place, and their race (RFC 8305) drawn against time.

(define (outcome thunk)
  "Return the value of THUNK, or in words why there is none; and in which time."
  (define begun (now))
  (define value
    (catch #t
      thunk
      (lambda (key . args)
        (match key
          ('system-error (strerror (system-error-errno (cons key args))))
          ('getaddrinfo-error (gai-strerror (car args)))
          ('deadline-exceeded "no answer in time")
          (_ (apply throw key args))))))
  (values value (milliseconds (- (now) begun))))

(define (try address connect)
  "Connect to ADDRESS alone; return what is to be told of it."
  (call-with-values
      (lambda () (outcome (lambda () (close-port (connect address)) #f)))
    (lambda (failure ms)
      `((address . ,(text address)) (ms . ,ms) (error . ,failure)))))

(define (race addresses connect)
  "Let ADDRESSES race; return what is to be told of each that was tried."
  (define begun (now))
  (define tried '())
  (define (note! address outcome)
    (let ((time (milliseconds (- (now) begun))))
      (match (assoc address tried)
        (#f (set! tried (acons address (list time #f outcome) tried)))
        ((_ . fields) (set-cdr! fields (list time outcome))))))
  (outcome
   (lambda ()
     (let ((sock (connect addresses #:on-attempt
                          (lambda (address errno)
                            (note! address
                                   (if errno (strerror errno) "given up"))))))
       (note! (getpeername sock) "connected")
       (close-port sock))))
  (let ((end-of-all (milliseconds (- (now) begun))))
    (map (match-lambda
           ((address start end outcome)
            `((address . ,(text address)) (start . ,start)
              (end . ,(or end end-of-all)) (outcome . ,outcome))))
         (reverse tried))))

(define columns 40)

(define (draw attempts)
  "Print ATTEMPTS, a line each, all to the same scale."
  (define whole
    (apply max 0.01 (map (lambda (one) (assq-ref one 'end)) attempts)))
  (define (column ms)
    (min (- columns 1) (inexact->exact (floor (/ (* ms columns) whole)))))
  (for-each
   (match-lambda
     (((_ . address) (_ . start) (_ . end) (_ . outcome))
      (format #t "    ~30a |~va~a~va| ~,1f to ~,1f ms ~a~%" address
              (column start) ""
              (make-string (- (column end) (column start)) #\-)
              (- columns (column end))
              (match outcome ("connected" "o") ("given up" ">") (_ "x"))
              start end outcome)))
   attempts))

(define (probe options where)
  "Probe WHERE; return whether a connection to it can be made."
  (define (limited thunk)
    (with-deadline (or (assq-ref options 'deadline) 5) thunk))
  (define (connect where . keywords)
    (limited (lambda ()
               (apply connect-as options where
                      #:delay (or (assq-ref options 'delay) 1/4) keywords))))
  (define (look-up)
    (limited (lambda ()
               (where->addresses where #:family (or (assq-ref options 'family)
                                                    AF_UNSPEC)))))
  (call-with-values (lambda () (outcome look-up))
    (lambda (addresses ms)
      (define failure (and (string? addresses) addresses))
      (define tries
        (if failure '() (map (lambda (one) (try one connect)) addresses)))
      (define attempts (if (null? tries) '() (race addresses connect)))
      (define (tell)
        (format #t "~a: ~a address~a in ~,1f ms~%" where (length tries)
                (if (= 1 (length tries)) "" "es") ms)
        (for-each (match-lambda
                    (((_ . address) (_ . ms) (_ . failure))
                     (format #t "    ~30a ~a after ~,1f ms~%" address
                             (or failure "connected") ms)))
                  tries)
        (unless (null? attempts)
          (format #t "  tried as connect-to does:~%")
          (draw attempts)))
      (show options
            `(((where . ,where) (ms . ,ms) (error . ,failure)
               (addresses . ,tries) (race . ,attempts)))
            (lambda ()
              (if failure (format #t "~a: ~a~%" where failure) (tell))))
      (any (lambda (one) (equal? "connected" (assq-ref one 'outcome)))
           attempts))))

(define (probe-command options . places)
  (if (memq #f (map (lambda (where) (probe options where)) places)) 1 0))

;;; ls.

(define (list-command options . kinds)
  (define (wanted? one)
    (or (not (assq-ref options 'listening))
        (memq (assq-ref one 'state) '(listening bound))))
  (define (row . columns)
    (apply format #t "~13a ~12a ~8@a ~8@a  ~32a ~a~a~%" columns))
  (define (details one)
    (match (assq-ref one 'rtt-ms)
      (#f "")
      (rtt (format #f "  rtt ~,2f ms, window ~a, ~a sent again" rtt
                   (assq-ref one 'congestion-window)
                   (assq-ref one 'retransmitted)))))
  (define sockets
    (filter wanted?
            (append-map (lambda (kind)
                          (system-sockets (string->symbol kind)
                                          #:family (assq-ref options 'family)))
                        (if (null? kinds) '("tcp" "udp" "unix") kinds))))
  (show options sockets
        (lambda ()
          (row "protocol" "state" "received" "unsent" "local" "peer" "")
          (for-each (lambda (one)
                      (apply row (append (map (lambda (key) (assq-ref one key))
                                              '(protocol state receive-queue
                                                send-queue local peer))
                                         (list (details one)))))
                    sockets))))

;;; bench.

(define (exchange-until end sock size)
  "Send SIZE bytes over SOCK and wait for as many, until the time END; return how long
each took."
  (define buffer (make-bytevector size 120))
  (let next ((times '()) (begun (now)))
    (cond ((>= begun end) times)
          ((begin
             (send sock buffer)
             (< (recv! sock buffer MSG_WAITALL) size))
           (error "the server ended a connection"))
          (else (let ((time (now)))
                  (next (cons (- time begun) times) time))))))

(define (bench-command options where)
  (define (option name default) (or (assq-ref options name) default))
  (define connections (option 'connections 10))
  (define size (option 'size 64))
  (define seconds (exact->inexact (option 'seconds 3)))
  (define sockets
    (map (lambda (i) (connect-as options where)) (iota connections)))
  (define end (+ (now) seconds))
  (define tasks
    (map (lambda (sock)
           (spawn-task (lambda () (exchange-until end sock size))))
         sockets))
  (define times (sort (list->vector (append-map join tasks)) <))
  (define count (vector-length times))
  (define (ms part)
    (let ((at (inexact->exact (floor (* part count)))))
      (/ (round (* 1e6 (vector-ref times (min (- count 1) at)))) 1000)))
  (for-each close-port sockets)
  (when (zero? count)
    (error "no exchange was done in time"))
  (let ((rate (/ count seconds)) (median (ms 0.5)) (p99 (ms 0.99)) (longest (ms 1)))
    (show options
          `(((connections . ,connections) (size . ,size) (exchanges . ,count)
             (exchanges-per-second . ,rate) (median-ms . ,median)
             (p99-ms . ,p99) (longest-ms . ,longest)))
          (lambda ()
            (format #t "~a connections, ~a bytes: ~:d exchanges, ~:d a second~%"
                    connections size count (inexact->exact (round rate)))
            (format #t "median ~,3f ms, 99 % within ~,3f ms, longest ~,3f ms~%"
                    median p99 longest)))))
