;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Much data from one port to another, mostly without passing through this
;;; process.  No byte that was taken from IN is lost: what OUT has not taken when a
;;; procedure is left, whichever way, is in the buffer of IN.

(define-module (sockport bulk)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (ice-9 ports internal)
  #:use-module (rnrs bytevectors)
  #:use-module (sockport io argument)
  #:use-module (sockport primitive)
  #:use-module (sockport io close)
  #:use-module (sockport io wait)
  #:export (splice)
  #:replace (sendfile))

;;; As large as a process without privileges may make a pipe, by default.
(define pipe-size 1048576)
(define copy-size 65536)

;;; dynamic-wind would call CLEANUP whenever a task is suspended.
(define (finally thunk cleanup)
  (if (scheduler?)
      (let ((result (catch #t
                      thunk
                      (lambda args
                        (cleanup)
                        (apply throw args)))))
        (cleanup)
        result)
      (dynamic-wind (const #t) thunk cleanup)))

(define (flush-output port who)
  "Send what PORT, if it is a port, has buffered."
  (when (file-port? port)
    (catch 'system-error
      (lambda () (send-buffered port who))
      (lambda error
        (if (eqv? ENOTSOCK (system-error-errno error))
            (force-output port)
            (apply throw error))))))

(define (wait-for port wait who)
  (unless (wait port who)
    ;; A queue of errors that is not empty ends every wait at once.
    (let ((pause (look-again-waiter port who wait)))
      (pause)
      (pause))))

(define (counted who proc)
  "Call PROC with a procedure that gives the number of bytes moved and adds its
argument to it, and return that number.  An error after the first byte is left for
the next call to meet."
  (let* ((moved 0)
         (count (lambda* (#:optional (more 0))
                  (set! moved (+ moved more))
                  moved)))
    (catch 'system-error
      (lambda () (proc count))
      (lambda (key name . rest)
        ;; Not the error of a signal's handler that ran meanwhile.
        (when (or (zero? moved) (not (equal? name (symbol->string who))))
          (apply throw key name rest))))
    moved))

;;; splice, and sendfile from what has no positions.

(define (buffered port)
  (let ((buffer (port-read-buffer port)))
    (- (port-buffer-end buffer) (port-buffer-cur buffer))))

(define (give-buffered out in most file?)
  "Write up to MOST of the bytes that IN has buffered; #f if OUT is full."
  (let* ((buffer (port-read-buffer in))
         (cur (port-buffer-cur buffer))
         (n (%give-some out (port-buffer-bytevector buffer) cur
                        (+ cur (min most (buffered in))) file?)))
    (when n
      (set-port-buffer-cur! buffer (+ cur n)))
    n))

(define (fill-buffer in most file?)
  "Put what comes next, up to MOST bytes, into the buffer of IN, and return how
many; #f if nothing has come."
  (let* ((bytes (make-bytevector (min most copy-size)))
         (n (%take-some in bytes file?)))
    (when (and n (positive? n))
      (unget-bytevector in bytes 0 n))
    n))

(define (empty-pipe! pipe in)
  "Put what is in PIPE where IN is read next."
  (let next ((pieces '()))
    (let* ((bytes (make-bytevector copy-size))
           (n (and (not (port-closed? in))
                   (%take-some pipe bytes #f))))
      (if (and n (positive? n))
          (next (cons (cons bytes n) pieces))
          (for-each (match-lambda
                      ((bytes . n) (unget-bytevector in bytes 0 n)))
                    pieces)))))

;;; There are three ways: directly, when a pipe is at one end; through a pipe; and,
;;; where the kernel refuses both, through the buffer of IN.  Each is tried in turn.
(define (move-all out in count file? who moved! progress)
  (define from #f)
  (define to #f)
  (define (left)
    (if count (- count (moved!)) pipe-size))
  (define (tell n)
    (moved! n)
    (progress (moved!)))
  (define (try n)
    "Go by what the attempt to move something to OUT returned."
    (match n
      (#f (wait-for in wait-readable who))
      ('full (wait-for out wait-writable who))
      (_ (tell n))))
  (define (directly)
    (match (%splice out in (left) file?)
      ('refused through-pipe)
      (0 #f)
      (n (try n) directly)))
  (define (through-pipe)
    (when (%full? out file?)
      (wait-for out wait-writable who))
    (unless from
      (match (%splice-pipe pipe-size file?)
        ((in . out) (set! from in) (set! to out))))
    (match (%splice to in (min (left) pipe-size) file?)
      ('refused through-buffer)
      (0 #f)
      ((? integer? n) (out-of-pipe n))
      (_ (wait-for in wait-readable who) through-pipe)))
  (define (out-of-pipe n)
    (match (and (positive? n) (%splice out from n file?))
      ('refused (empty-pipe! from in) through-buffer)
      ((? integer? m) (tell m) (out-of-pipe (- n m)))
      (full (when (positive? n)
              (wait-for out wait-writable who))
            (if (zero? n) through-pipe (out-of-pipe n)))))
  (define (through-buffer)
    (match (fill-buffer in (left) file?)
      (0 #f)
      (#f (wait-for in wait-readable who) through-buffer)
      (_ through-buffer)))
  (define (go way)
    (cond ((and way (positive? (buffered in)) (positive? (left)))
           (try (or (give-buffered out in (left) file?) 'full))
           (go way))
          ((and way (positive? (left)))
           (go (way)))))
  (finally (lambda () (go directly))
           (lambda ()
             (when from
               (empty-pipe! from in)
               (close-port from)
               (close-port to)))))

(define* (splice out in #:optional (count #f) (progress (const #t)))
  "Move COUNT bytes from the port IN to OUT, or all until IN ends, and return how
many were moved: fewer if an error came after them, which the next call meets.
What OUT has buffered goes first, then what IN has.  PROGRESS is called with the
number of bytes moved so far each time that there are more."
  (%splice out in (or count 0) #f)
  (check-procedure progress 4 "splice")
  (flush-output out 'splice)
  (counted 'splice
           (lambda (moved!)
             (move-all out in count #f 'splice moved! progress))))

;;; sendfile.

(define (call-with-port end proc)
  "Call PROC with the port END, or one for the descriptor's number END."
  (if (port? end)
      (proc end)
      (match (filter (lambda (port) (not (port-closed? port)))
                     (fdes->ports end))
        ((port . _) (proc port))
        (() (let ((port (%share-port end)))
              (finally (lambda () (proc port))
                       (lambda () (close-port port))))))))

(define* (sendfile out in count #:optional (offset #f))
  "Send COUNT bytes of IN to OUT, two ports or descriptors, and return how many
were sent: fewer at the end of IN, or if an error came after them, which the next
call meets.  OFFSET is where to begin in a file; without it, where the descriptor
of IN is read next, which is not where the port is if that has buffered anything."
  (%sendfile count out in count offset)
  (flush-output out 'sendfile)
  (flush-output in 'sendfile)
  (counted 'sendfile
    (lambda (moved!)
      (let next ()
        (unless (and (positive? (moved!)) (= (moved!) count))
          (match (%sendfile (moved!) out in count offset)
            (0 #f)
            (#f (call-with-port out
                  (lambda (out) (wait-for out wait-writable 'sendfile)))
                (next))
            ('refused
             (call-with-port out
               (lambda (out)
                 (call-with-port in
                   (lambda (in)
                     (move-all out in count #t 'sendfile moved!
                               (const #t)))))))
            (n (moved! n)
               (next))))))))
