;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; How many different names a second are looked up, 1, 32 and 200 at a time, from a
;;; name server of this machine; and how another task runs meanwhile.

(use-modules (bench harness)
             (bench namespace)
             (ice-9 format)
             (sockport))

(begin-in-namespace)

(define count 1000)

(define new-prefix
  (let ((number 0))
    (lambda (who)
      (set! number (+ number 1))
      (format #f "~a~a" who number))))

;;; Ticks of 10 ms beside the look-ups: how many there were, and for how long.
(define ticks 0)
(define ticking-ns 0)

(define (tick stop?)
  (unless (stop?)
    (sleep 1/100)
    (set! ticks (+ ticks 1))
    (tick stop?)))

(define (look-up-all at-once prefix)
  (define next 0)
  (define (work)
    (when (< next count)
      (let ((number next))
        (set! next (+ next 1))
        (getaddrinfo (string-append prefix "-" (number->string number) ".test")
                     "80" 0 AF_INET SOCK_STREAM)
        (work))))
  (let ((tasks (map (lambda (i) (spawn-task work)) (iota at-once))))
    (for-each join tasks)))

(define (sockport at-once)
  (lambda ()
    (let* ((done? #f)
           (ns (run-tasks
                (lambda ()
                  (spawn-task (lambda () (tick (lambda () done?))))
                  (let ((ns (elapsed-ns
                             (lambda ()
                               (look-up-all at-once (new-prefix "sockport"))))))
                    (set! done? #t)
                    ns)))))
      (set! ticking-ns (+ ticking-ns ns))
      (/ count (/ ns 1e9)))))

(define (program who . command)
  (lambda ()
    (apply command-number (append command (list (new-prefix who))))))

(define (built name) (string-append output-directory "/" name))

(define (go at-once way)
  (program (string-append "go" way) "env" (string-append "GODEBUG=netdns=" way)
           (built "resolve-go") "resolve" (number->string count)
           (number->string at-once)))

(define (peers at-once)
  `(("Sockport" . ,(sockport at-once))
    ("C" . ,(program "c" (built "resolve-c") (number->string count)
                     (number->string at-once)))
    ,@(if (file-exists? (built "resolve-go"))
          `(("Go, cgo" . ,(go at-once "cgo"))
            ("Go, its own" . ,(go at-once "go")))
          '())
    ("asyncio" . ,(program "python" "python3"
                           (string-append (getenv "SOCKPORT_SOURCE")
                                          "/bench/peers/resolve-asyncio.py")
                           (number->string count) (number->string at-once)))))

(bench "resolve" #:title "Looking names up" #:unit "names/s" #:better 'higher
       #:rounds 15
       #:cases (map (lambda (at-once)
                      (cons (format #f "~a at a time" at-once) (peers at-once)))
                    '(1 32 200))
       #:promises '(("Go, cgo" . 0.9)))
(format #t "beside it, a task that sleeps 10 ms ran ~,1f times a second~%"
        (/ ticks (/ ticking-ns 1e9)))
