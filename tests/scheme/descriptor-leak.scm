;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Descriptors that come where nobody expects them, where there is no room, or
;;; while something goes wrong.  Each case fails when the harness counts more than
;;; there were before.

(use-modules (harness) (harness socket)
             (ice-9 match) (ice-9 receive) (ice-9 threads)
             (rnrs bytevectors) (srfi srfi-1)
             (sockport) (sockport deadline) (sockport task))

(define types (list SOCK_STREAM SOCK_DGRAM SOCK_SEQPACKET))

(define-syntax-rule (for-each-type (type near far) body ...)
  (for-each (lambda (type)
              (let-ports ((pair (unix-pair type)))
                (let ((near (car pair)) (far (cdr pair)))
                  body ...)))
            types))

(define (fill-gaps)
  "Descriptors for every number below the highest, and one above it."
  (let ((highest (apply max (map car (descriptors)))))
    (let loop ((fds '()))
      (if (and (pair? fds) (> (car fds) highest))
          fds
          (loop (cons (dup->fdes 0) fds))))))

(define (with-descriptors-left count thunk)
  "Call THUNK when this process can have COUNT more descriptors."
  (receive (soft hard) (getrlimit 'nofile)
    (let ((fillers (fill-gaps)))
      (dynamic-wind
        (lambda () (setrlimit 'nofile (+ 1 count (car fillers)) hard))
        thunk
        (lambda ()
          (setrlimit 'nofile soft hard)
          (for-each close-fdes fillers))))))

(test-begin "descriptor-leak")

(test-case "a batch takes no descriptors"
  (for-each-type (type near far)
    (unless (= type SOCK_STREAM)
      (let ((batch (make-batch 8 16)))
        (for-each (lambda (count)
                    (send-ports near (make-list count near) "with ports")
                    (test-equal (list type count "ports") 1
                      (batch-receive! batch far))
                    (test-equal (list type count "ports: the data")
                      (string->utf8 "with ports") (batch-ref batch 0)))
                  '(1 2 57 58 59 60 253))))))

(test-case "nor do the procedures for data alone"
  (for-each-type (type near far)
    (for-each
     (lambda (receive)
       (send-ports near (list near far) "abc")
       (test-equal (list type receive) 3 (receive far (make-bytevector 3))))
     (list recv!
           (lambda (sock bytes) (car (recvfrom! sock bytes)))
           (lambda (sock bytes) (recv! sock bytes MSG_WAITALL))
           (lambda (sock bytes)
             (message-length (recvmsg! sock bytes 0 0)))))))

(test-case "what is refused takes nothing from the socket"
  (for-each-type (type near far)
    (send-ports near (list near far) "abc")
    (test-error* "a literal cannot be received into"
      '(wrong-type-arg 2 "recvmsg!")
      (recvmsg! far (list (make-bytevector 1) (symbol->string 'literal))))
    (test-error* "too much room" '(out-of-range 4 "recvmsg!")
      (recvmsg! far (make-bytevector 3) 0 (expt 2 31)))
    (receive (ports message) (recv-ports far (make-bytevector 3))
      (test-equal "the message is there still" '(3 2)
        (list (message-length message) (length ports)))
      (close-received message))))

(test-case "what cannot be sent is nobody's"
  (let ((dropped (unix-pair)))
    (close-port (cdr dropped))
    (for-each-type (type near far)
      (test-error* "one of several" '(wrong-type-arg 2 "send-ports")
        (send-ports near (list near (cdr dropped) far) "x"))
      (test-error* "no port" '(wrong-type-arg 2 "send-ports")
        (send-ports near (list near 'far) "x"))
      (test-error* "no list" '(wrong-type-arg 2 "send-ports")
        (send-ports near (cons near far) "x"))
      (test-error* "no such descriptor" `(system-error ,EBADF "send-ports")
        (send-ports near (list near 100000) "x"))
      (test-error* "nothing was sent" `(system-error ,EAGAIN)
        (recv! far (make-bytevector 1) MSG_DONTWAIT)))
    (close-port (car dropped))))

(test-case "a table without room"
  (for-each-type (type near far)
    (for-each
     (lambda (left)
       (send-ports near (make-list 5 near) "abc")
       (test-equal (list type left "left") (list 'control-cut 3 left)
         (with-descriptors-left left
           (lambda ()
             (catch 'control-cut
               (lambda () (recv-ports far (make-bytevector 3)))
               (lambda (key who text arguments data)
                 (list key (message-length (first data)) (second data))))))))
     '(0 1 4))
    (sendmsg near "abc" #f
             (list (control-message 'rights (list near far))
                   (control-message 'rights (list near far))))
    (test-equal (list type "two lists, of which one and a half come") 3
      (with-descriptors-left 3
        (lambda ()
          (let ((message (recvmsg! far (make-bytevector 3))))
            (close-received message)
            (apply + (map (lambda (control)
                            (length (control-message-data control)))
                          (message-control message)))))))
    (send-ports near (make-list 5 near) "abc")
    (test-equal (list type "looking") '(#t 2)
      (with-descriptors-left 2
        (lambda ()
          (let ((message (recvmsg! far (make-bytevector 3) MSG_PEEK)))
            (close-received message)
            (list (message-control-cut? message)
                  (length (control-ref (message-control message)
                                       'rights)))))))
    (receive (ports message) (recv-ports far (make-bytevector 3))
      (test-equal (list type "took nothing") 5 (length ports))
      (close-received message))))

(test-case "a wait that ends early loses nothing"
  (for-each-type (type near far)
    (test-equal "by a signal's handler" 'thrown
      (catch 'thrown
        (lambda ()
          (interrupted-after 0.05 (lambda () (throw 'thrown))
            (lambda () (recv-ports far))))
        (lambda (key) key)))
    (test-equal "by a deadline" 'late
      (with-deadline 0.02 (lambda () (recv-ports far)) (lambda () 'late)))
    (test-equal "in a task" 'late
      (run-tasks
       (lambda ()
         (with-deadline 0.02 (lambda () (recv-ports far))
                        (lambda () 'late)))))
    (send-ports near (list near far) "x")
    (receive (ports message) (recv-ports far)
      (test-equal "all are there" 2 (length ports))
      (close-received message))))

(test-case "threads that share a socket"
  (for-each-type (type near far)
    (let* ((messages 300)
           (readers (map (lambda (i)
                           (in-thread
                            (lambda ()
                              (let loop ((count 0))
                                (receive (ports message) (recv-ports far)
                                  (close-received message)
                                  (if (null? ports)
                                      count
                                      (loop (+ count (length ports)))))))))
                         (iota 4))))
      (do ((i 0 (+ i 1))) ((= i messages))
        (send-ports near (list near far) "x"))
      (for-each (lambda (reader) (send near "x")) readers)
      (test-equal (list type "each comes once") (* 2 messages)
        (apply + (map join-thread readers))))))

(test-case "a socket closed while it carries descriptors, itself among them"
  (for-each-type (type near far)
    (send-ports near (list near far) "x")
    (send-ports far (list near far) "x")))

(test-end "descriptor-leak")
