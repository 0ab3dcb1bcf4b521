;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; bench: how fast a server that echoes does it, for a number of connections that
;;; each send some bytes and wait for them.

(define-module (sockport command bench)
  #:use-module (ice-9 format)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport)
  #:use-module (sockport command json)
  #:use-module (sockport command report)
  #:use-module (sockport command stream)
  #:export (bench-command))

(define (exchange sock buffer)
  "Send BUFFER and wait until as much has come back; #f if the peer has gone."
  (send sock buffer)
  (= (bytevector-length buffer) (recv! sock buffer MSG_WAITALL)))

(define (measure sock size end)
  "Exchange SIZE bytes over SOCK until the time END; return how long each took."
  (define buffer (make-bytevector size 120))
  (let next ((times '()) (begun (now)))
    (if (>= begun end)
        times
        (if (exchange sock buffer)
            (let ((time (now)))
              (next (cons (- time begun) times) time))
            (error "the server ended a connection")))))

(define (quantile sorted part)
  "Return the element of the vector SORTED that PART of them are not above."
  (let ((count (vector-length sorted)))
    (vector-ref sorted (min (- count 1) (inexact->exact (floor (* part count)))))))

(define (result times connections size seconds)
  (let ((sorted (sort (list->vector times) <)))
    (define (ms part) (/ (round (* 1e6 (quantile sorted part))) 1000))
    `((connections . ,connections) (size . ,size)
      (exchanges . ,(vector-length sorted))
      (exchanges-per-second . ,(/ (vector-length sorted) seconds))
      (median-ms . ,(ms 0.5)) (p99-ms . ,(ms 0.99)) (longest-ms . ,(ms 1)))))

(define (tell result)
  (define (ref key) (assq-ref result key))
  (format #t "~a connections, ~a bytes: ~:d exchanges, ~:d a second~%"
          (ref 'connections) (ref 'size) (ref 'exchanges)
          (inexact->exact (round (ref 'exchanges-per-second))))
  (format #t "median ~,3f ms, 99 % within ~,3f ms, longest ~,3f ms~%"
          (ref 'median-ms) (ref 'p99-ms) (ref 'longest-ms)))

(define (bench-command options where)
  (define (option name default) (or (assq-ref options name) default))
  (define connections (option 'connections 10))
  (define size (option 'size 64))
  (define seconds (exact->inexact (option 'seconds 3)))
  (define sockets
    (map (lambda (i) (apply connect-to where (connection-keywords options)))
         (iota connections)))
  (define end (+ (now) seconds))
  (define times
    (append-map join
                (map (lambda (sock)
                       (spawn-task (lambda () (measure sock size end))))
                     sockets)))
  (for-each close-port sockets)
  (when (null? times)
    (error "no exchange was done in time"))
  (let ((result (result times connections size seconds)))
    (if (assq-ref options 'json)
        (begin (write-json result (current-output-port)) (newline))
        (tell result))))
