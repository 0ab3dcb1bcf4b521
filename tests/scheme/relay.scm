;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What is passed on from port to port, one way and both, and how that ends.

(use-modules (harness) (harness socket) (ice-9 binary-ports) (ice-9 match)
             (ice-9 rdelim) (ice-9 textual-ports) (rnrs bytevectors) (sockport))

;; A thread's descriptors for waiting are made when it waits first.
(with-deadline 0 (lambda () (sleep 1)) (const #f))

(define-syntax-rule (let-pairs ((mine theirs) ...) body ...)
  "Run BODY with the ends of a stream in MINE and THEIRS, each closed in the end."
  (call-with-pairs (length '(mine ...))
    (lambda ends
      (apply (match-lambda* (((mine . theirs) ...) body ...)) ends))))

(define (call-with-pairs count proc)
  (let next ((count count) (pairs '()))
    (if (zero? count)
        (apply proc pairs)
        (let-ports ((pair (unix-pair)))
          (next (- count 1) (cons pair pairs))))))

(define much (make-bytevector 3000000 7))

(test-begin "relay")

(test-case "one way, with the end"
  (let-pairs ((speaker from) (to hearer))
    (send speaker "hello")
    (shutdown speaker SHUT_WR)
    (test-equal "how much" 5 (pass-on from to))
    (test-equal "what, and the end" "hello" (get-string-all hearer))))

(test-case "more than fits, as it comes"
  (let-pairs ((speaker from) (to hearer))
    (define seen '())
    (run-tasks
     (lambda ()
       (define passing
         (spawn-task (lambda ()
                       (pass-on from to (lambda (count) (set! seen (cons count seen)))))))
       (spawn-task (lambda () (send speaker much) (shutdown speaker SHUT_WR)))
       (test-equal "all of it" much (get-bytevector-all hearer))
       (test-equal "how much" (bytevector-length much) (join passing))))
    (test-equal "progress ends with all" (bytevector-length much) (car seen))
    (test-equal "and grows" seen (sort seen >))))

(test-case "what FROM and TO have buffered goes first"
  (let-pairs ((speaker from) (to hearer))
    (setvbuf from 'block 100)
    (setvbuf to 'block 100)
    (send speaker "a line\nand more")
    (shutdown speaker SHUT_WR)
    (test-equal "a line" (read-line from))
    (put-string to "first ")
    (pass-on from to)
    (test-equal "first and more" (get-string-all hearer))))

(test-case "to what is no socket"
  (let-pairs ((speaker from))
    (let-ports ((ends (pipe)))
      (send speaker "x")
      (shutdown speaker SHUT_WR)
      (test-equal "passed on" 1 (pass-on from (cdr ends)))
      (put-string (cdr ends) "y")
      (force-output (cdr ends))
      (test-equal "and still open" '(#\x #\y)
        (list (read-char (car ends)) (read-char (car ends)))))))

(test-case "to one that has gone"
  (let-pairs ((speaker from) (to hearer))
    (close-port hearer)
    (send speaker "x")
    (test-error* "is an error" (list 'system-error EPIPE) (pass-on from to))))

(test-case "to one that has reset the connection"
  (let-pairs ((speaker from))
    (let-ports ((pair (tcp-pair)))
      (shutdown speaker SHUT_WR)
      (setsockopt (cdr pair) SOL_SOCKET SO_LINGER '(1 . 0))
      (close-port (cdr pair))
      (test-equal "there is nothing to tell" 0 (pass-on from (car pair))))))

(define (values-of thunk) (call-with-values thunk list))

(test-case "both ways"
  (let-pairs ((client one) (server other))
    (run-tasks
     (lambda ()
       (define relaying (spawn-task (lambda () (values-of (lambda () (relay one other))))))
       (send client "question")
       (let ((buffer (make-string 8)))
         (test-equal 8 (recv! server buffer))
         (test-equal "there" "question" buffer))
       (shutdown client SHUT_WR)
       (test-equal "its end" 0 (recv! server (make-string 1)))
       (send server "the answer")
       (shutdown server SHUT_WR)
       (test-equal "back, after that" "the answer" (get-string-all client))
       (test-equal "how much of each" '(8 10) (join relaying))))))

(test-case "without tasks"
  (let-pairs ((client one) (server other))
    (send client "question")
    (send server "the answer")
    (shutdown client SHUT_WR)
    (shutdown server SHUT_WR)
    (test-equal "how much of each" '(8 10) (values-of (lambda () (relay one other))))
    (test-equal "the answer" (get-string-all client))))

(test-case "a pair of ports for an end"
  (let-pairs ((server other))
    (let-ports ((input (pipe)) (output (pipe)))
      (define seen '())
      (put-string (cdr input) "in")
      (close-port (cdr input))
      (send server "out and more")
      (shutdown server SHUT_WR)
      (test-equal "how much of each" '(2 12)
        (values-of (lambda ()
                     (relay (cons (car input) (cdr output)) other
                            #:progress (lambda counts (set! seen (cons counts seen)))))))
      (close-port (cdr output))
      (test-equal "written" "out and more" (get-string-all (car output)))
      (test-equal "read" "in" (get-string-all server))
      (test-equal "progress of both" '(2 12) (car seen)))))

(test-case "patience: who says nothing more"
  (let-pairs ((client one) (server other))
    (shutdown server SHUT_WR)
    (test-equal "is not waited for" '(0 0)
      (values-of (lambda () (relay one other #:patience 0))))
    (test-equal "without patience it is" 'waiting
      (with-deadline 1/20 (lambda () (relay one other)) (const 'waiting)))))

(test-case "patience: who goes on is heard to its end"
  (let-pairs ((client one) (server other))
    (run-tasks
     (lambda ()
       (define relaying
         (spawn-task (lambda () (values-of (lambda () (relay one other #:patience 30))))))
       (shutdown server SHUT_WR)
       (test-equal "the end" #t (eof-object? (read-char client)))
       (send client "more")
       (shutdown client SHUT_WR)
       (test-equal "heard" "more" (get-string-all server))
       (test-equal '(4 0) (join relaying))))))

;; By counts, as a machine may stand still for longer than any patience.
(test-case "patience: it begins anew each time that something has come"
  (run-tasks
   (lambda ()
     (define going (spawn-task (lambda () (sleep 1000)) #:on-end (const #t)))
     (define looks 0)
     (define (count)
       (set! looks (+ looks 1))
       (min looks 6))
     ((@@ (sockport relay) join-while-moving) going 0.001 count)
     (test-equal "until nothing has" 8 looks)
     (test-error* "then it ends" '(task-cancelled) (join going)))))

(test-case "who takes no more may still say something"
  (let-pairs ((client one) (server other))
    (run-tasks
     (lambda ()
       (define relaying (spawn-task (lambda () (values-of (lambda () (relay one other))))))
       (shutdown server SHUT_RD)
       (send client "for nobody")
       (shutdown client SHUT_WR)
       (send server "the answer")
       (shutdown server SHUT_WR)
       (test-equal "the answer" (get-string-all client))
       (test-equal "how much came back" 10 (cadr (join relaying)))))))

(test-case "an error of one direction ends both"
  (let-pairs ((client one))
    (let-ports ((pair (tcp-pair)))
      (setsockopt (cdr pair) SOL_SOCKET SO_LINGER '(1 . 0))
      (run-tasks
       (lambda ()
         (define relaying
           (spawn-task (lambda ()
                         (test-error* "is raised" (list 'system-error ECONNRESET)
                           (relay one (car pair))))))
         (close-port (cdr pair))
         (join relaying))))))

(test-case "a deadline ends both, and nothing is lost"
  (let-pairs ((client one) (server other))
    (run-tasks
     (lambda ()
       (test-equal 'late
         (with-deadline 1/20 (lambda () (relay one other)) (const 'late)))))
    (send client "after")
    (shutdown client SHUT_WR)
    (test-equal "after" (get-string-all one))))

(test-case "what is refused"
  (let-pairs ((client one))
    (define closed (fdopen (dup (fileno one)) "r+0"))
    (close-port closed)
    (test-error* "no port" '(wrong-type-arg 1 "pass-on") (pass-on 1 one))
    (test-error* "a port without a descriptor" '(wrong-type-arg 2 "pass-on")
      (pass-on one (open-input-string "")))
    (test-error* "no procedure" '(wrong-type-arg 3 "pass-on") (pass-on one one 1))
    (test-error* "a closed one" '(wrong-type-arg 1 "relay") (relay closed one))
    (test-error* "half a pair" '(wrong-type-arg 2 "relay") (relay one (cons one #f)))
    (test-error* "no seconds" '(wrong-type-arg #:patience "relay")
      (relay one one #:patience -1))
    (test-error* "no progress" '(wrong-type-arg #:progress "relay")
      (relay one one #:progress #t))))

(test-end "relay")
