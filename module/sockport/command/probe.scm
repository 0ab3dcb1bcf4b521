;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; probe: every address of a place, how long each takes to connect, and what
;;; happens when they race (RFC 8305), drawn against time.

(define-module (sockport command probe)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (sockport)
  #:use-module (sockport command json)
  #:use-module (sockport command report)
  #:use-module (sockport command stream)
  #:export (probe-command))

(define (text address)
  (socket-address->string address))

(define-syntax-rule (timed expr)
  "Return the value of EXPR and the milliseconds that it took."
  (let* ((begun (now)) (value expr))
    (values value (milliseconds (- (now) begun)))))

(define (outcome thunk)
  "Return the value of THUNK, or in words why there is none."
  (catch #t
    thunk
    (lambda (key . args)
      (match key
        ('system-error (strerror (system-error-errno (cons key args))))
        ('getaddrinfo-error (gai-strerror (car args)))
        ('deadline-exceeded "no answer in time")
        (_ (apply throw key args))))))

;;; One address after the other.

(define (try address seconds options)
  "Connect to ADDRESS alone; return what is to be told of it."
  (call-with-values
      (lambda ()
        (timed (outcome
                (lambda ()
                  (close-port
                   (with-deadline seconds
                     (lambda ()
                       (apply connect-to address
                              (connection-keywords options)))))
                  #t))))
    (lambda (result ms)
      `((address . ,(text address)) (ms . ,ms)
        (error . ,(and (string? result) result))))))

;;; All at once.

(define (race addresses seconds options)
  "Let ADDRESSES race; return a list of what is to be told of each that was tried."
  (define begun (now))
  (define tried '())
  (define winner #f)
  (define (elapsed) (milliseconds (- (now) begun)))
  (define (note! address error)
    (match error
      (#f (set! tried (acons address (list (elapsed)) tried)))
      (_ (let ((entry (assoc address tried)))
           (set-cdr! entry (list (cadr entry) (elapsed) (strerror error)))))))
  (outcome
   (lambda ()
     (let ((sock (with-deadline seconds
                   (lambda ()
                     (apply connect-to addresses #:on-attempt note!
                            #:delay (or (assq-ref options 'delay) 1/4)
                            (connection-keywords options))))))
       (set! winner (getpeername sock))
       (close-port sock))))
  (let ((end (elapsed)))
    (map (match-lambda
           ((address start)
            `((address . ,(text address)) (start . ,start) (end . ,end)
              (outcome . ,(if (equal? address winner) "connected" "given up"))))
           ((address start end error)
            `((address . ,(text address)) (start . ,start) (end . ,end)
              (outcome . ,error))))
         (reverse tried))))

(define columns 40)

(define (draw attempts)
  "Print ATTEMPTS, a line each, all to the same scale."
  (define whole (max 0.01 (apply max (map (lambda (one) (assq-ref one 'end))
                                          attempts))))
  (define (column ms)
    (min (- columns 1) (inexact->exact (floor (/ (* ms columns) whole)))))
  (define (bar start end outcome)
    (string-append (make-string start #\space)
                   (make-string (- end start) #\-)
                   (match outcome
                     ("connected" "o")
                     ("given up" ">")
                     (_ "x"))
                   (make-string (- columns 1 end) #\space)))
  (for-each
   (lambda (attempt)
     (let-values* attempt
       (lambda (address start end outcome)
         (format #t "    ~30a |~a| ~,1f to ~,1f ms ~a~%" address
                 (bar (column start) (column end) outcome)
                 start end outcome))))
   attempts))

(define (let-values* attempt proc)
  (apply proc (map cdr attempt)))

;;; The whole.

(define (tell where ms tries attempts)
  (format #t "~a: ~a address~a in ~,1f ms~%" where (length tries)
          (if (= 1 (length tries)) "" "es") ms)
  (for-each (lambda (one)
              (format #t "    ~30a ~a after ~,1f ms~%" (assq-ref one 'address)
                      (or (assq-ref one 'error) "connected")
                      (assq-ref one 'ms)))
            tries)
  (unless (null? attempts)
    (format #t "  tried as connect-to does:~%")
    (draw attempts)))

(define default-seconds 5)

(define (probe options where)
  "Probe WHERE; return whether a connection to it can be made."
  (define seconds (or (assq-ref options 'deadline) default-seconds))
  (define (look-up)
    (with-deadline seconds
      (lambda ()
        (where->addresses where #:family (or (assq-ref options 'family)
                                             AF_UNSPEC)))))
  (call-with-values (lambda () (timed (outcome look-up)))
    (lambda (addresses ms)
      (define tries
        (if (string? addresses)
            '()
            (map (lambda (address) (try address seconds options)) addresses)))
      (define attempts
        (if (null? tries) '() (race addresses seconds options)))
      (cond ((assq-ref options 'json)
             (write-json `((where . ,where) (ms . ,ms)
                           (error . ,(and (string? addresses) addresses))
                           (addresses . ,tries) (race . ,attempts))
                         (current-output-port))
             (newline))
            ((string? addresses) (format #t "~a: ~a~%" where addresses))
            (else (tell where ms tries attempts)))
      (any (lambda (one) (equal? "connected" (assq-ref one 'outcome)))
           attempts))))

(define (probe-command options . places)
  "Probe each of PLACES; return the status to exit with."
  (if (every identity (map (lambda (where) (probe options where)) places))
      0
      1))
