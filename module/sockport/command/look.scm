;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; probe, ls and bench: what the addresses of a place do, what sockets there are, and
;;; how fast a server echoes.

(define-module (sockport command look)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport)
  #:use-module (sockport system-sockets)
  #:use-module (sockport terminal json)
  #:use-module (sockport terminal report)
  #:use-module (sockport terminal timeline)
  #:export (probe-command list-command bench-command))

(define text socket-address->string)

;;; probe: every address of a place, and their race (RFC 8305).

(define (race seconds connect addresses)
  "Let ADDRESSES race; return the timeline of their attempts."
  (define timeline (make-timeline 'address "given up"))
  (define (note-attempt address errno)
    (timeline (text address) (and errno (strerror errno))))
  (timed seconds
    (lambda ()
      (let ((sock (connect addresses #:on-attempt note-attempt)))
        (timeline (text (getpeername sock)) "connected")
        (close-port sock))))
  (timeline))

(define (probe seconds look-up connect where)
  "Return what there is to be told of WHERE; each attempt may take so many SECONDS."
  (define (try-alone address)
    (acons 'address (text address)
           (cdr (timed seconds (lambda () (close-port (connect address)))))))
  (match (timed seconds (lambda () (look-up where)))
    (((or #f ()) . fields)
     `((where . ,where) ,@fields (addresses . ()) (race . ())))
    ((addresses . fields)
     `((where . ,where) ,@fields (addresses . ,(map try-alone addresses))
       (race . ,(race seconds connect addresses))))))

(define print-probe
  (match-lambda
    (((_ . where) _ (_ . (? string? failure)) . _)
     (format #t "~a: ~a~%" where failure))
    (((_ . where) (_ . ms) _ (_ . addresses) (_ . race))
     (format #t "~a: ~a address~:[es~;~] in ~,1f ms~%" where (length addresses)
             (= 1 (length addresses)) ms)
     (for-each (match-lambda
                 (((_ . address) (_ . ms) (_ . failure))
                  (format #t "    ~30a ~a after ~,1f ms~%" address
                          (or failure "connected") ms)))
               addresses)
     (format #t "  tried as connect-to does:~%")
     (print-timeline race '(("connected" . "o") ("given up" . ">"))))))

(define* (probe-command places #:key (deadline 5) (family AF_UNSPEC) from
                        (delay 1/4) json)
  (define (look-up where) (where->addresses where #:family family))
  (define (connect where . keywords)
    (apply connect-to where #:family family #:local from #:delay delay keywords))
  (define (connected? where)
    (let ((found (probe deadline look-up connect where)))
      (if json (print-json found) (print-probe found))
      (any (lambda (attempt) (equal? "connected" (assq-ref attempt 'outcome)))
           (assq-ref found 'race))))
  (if (memq #f (map connected? places)) 1 0))

;;; ls.

(define (print-sockets sockets)
  (define (row . columns)
    (apply format #t "~13a ~12a ~8@a ~8@a  ~32a ~a~a~%" columns))
  (row "protocol" "state" "received" "unsent" "local" "peer" "")
  (for-each
   (lambda (one)
     (define (field key) (assq-ref one key))
     (row (field 'protocol) (field 'state) (field 'receive-queue)
          (field 'send-queue) (field 'local) (field 'peer)
          (if (field 'rtt-ms)
              (format #f "  rtt ~,2f ms, window ~a, ~a sent again" (field 'rtt-ms)
                      (field 'congestion-window) (field 'retransmitted))
              "")))
   sockets))

(define* (list-command kinds #:key listening family json)
  (define (wanted? one)
    (or (not listening) (memq (assq-ref one 'state) '(listening bound))))
  (define (sockets-of kind)
    (filter wanted? (system-sockets (string->symbol kind) #:family family)))
  (let ((sockets (append-map sockets-of
                             (if (null? kinds) '("tcp" "udp" "unix") kinds))))
    (if json (for-each print-json sockets) (print-sockets sockets))))

;;; bench.

(define (time-exchanges sockets size seconds)
  "Send SIZE bytes over each of SOCKETS, again when they have come back, for so many
SECONDS; return a sorted vector of how many milliseconds each time took."
  (define times '())
  (define (exchange sock buffer)
    (define elapsed (stopwatch))
    (send sock buffer)
    (when (< (recv! sock buffer MSG_WAITALL) size)
      (error "the server ended a connection"))
    (set! times (cons (elapsed) times))
    (exchange sock buffer))
  (with-deadline seconds
    (lambda ()
      (with-task-group
       (lambda (group)
         (for-each (lambda (sock)
                     (spawn-task (lambda () (exchange sock (make-bytevector size 120)))
                                 #:group group))
                   sockets))))
    (const #t))
  (sort (list->vector times) <))

(define* (bench-command where #:key (connections 10) (size 64) (seconds 3) deadline
                        (family AF_UNSPEC) from json)
  (define (connect i) (connect-to where #:family family #:local from))
  (define times
    (with-deadline deadline
      (lambda ()
        (time-exchanges (map connect (iota connections)) size seconds))))
  (define count (vector-length times))
  (define (ms part) (vector-ref times (quotient (* part (- count 1)) 100)))
  (when (zero? count)
    (error "no exchange was done in time"))
  (if json
      (print-json `((connections . ,connections) (size . ,size) (exchanges . ,count)
                    (exchanges-per-second . ,(/ count seconds))
                    (median-ms . ,(ms 50)) (p99-ms . ,(ms 99))
                    (longest-ms . ,(ms 100))))
      (format #t "~a connections, ~a bytes: ~:d exchanges, ~:d a second
median ~,3f ms, 99 % within ~,3f ms, longest ~,3f ms~%" connections size count
              (inexact->exact (round (/ count seconds))) (ms 50) (ms 99) (ms 100))))
