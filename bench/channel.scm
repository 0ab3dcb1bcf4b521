;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What goes through channels, in tasks of one thread and of two: Sockport's own
;;; interface, and Fibers' on its tasks; beside Fibers itself, where FIBERS_PREFIX
;;; says that it is, Go, Erlang and Python's asyncio, which has one thread.

(use-modules (bench harness)
             (bench server)
             (bench statistics)
             (ice-9 format)
             (ice-9 match))

(define source (getenv "SOCKPORT_SOURCE"))
(define build (getenv "SOCKPORT_BUILD"))

(define (peer name) (string-append source "/bench/peers/" name))

(define (guile library row threads)
  (list "guile" "--no-auto-compile" "-s" (peer "channel.scm")
        library row (number->string threads)))

(define rounds 15)

(define (running command)
  (apply command-rounds command))

(define (peers row threads)
  (let ((go (string-append build "/bench/channel-go")))
    `(("Sockport" . ,(running (guile "sockport" row threads)))
      ("its Fibers" . ,(running (with-layer (guile "fibers" row threads))))
      ,@(if (getenv "FIBERS_PREFIX")
            `(("Fibers" . ,(running (with-fibers (guile "fibers" row threads)))))
            '())
      ,@(if (file-exists? go)
            `(("Go" . ,(running (list go row (number->string threads)))))
            '())
      ,@(if (in-path? "escript")
            `(("Erlang" . ,(running
                            (list "env" (format #f "ERL_FLAGS=+S ~a:~a" threads threads)
                                  "escript" (peer "channel-erlang.escript") row))))
            '())
      ,@(if (= threads 1)
            `(("asyncio" . ,(running (list "python3" (peer "channel-asyncio.py") row))))
            '()))))

(define rows
  '("ping-pong" "chain" "diagonal" "fan-out" "sieve" "skynet" "choice" "start"))

(define results
  (bench "channel" #:title "Cost of a hop, a leaf, a choice or a task" #:unit "ns"
         #:rounds rounds
         #:cases
         (append (map (lambda (row) (cons row (peers row 1))) rows)
                 (map (lambda (row)
                        (cons (string-append row ", 2 threads") (peers row 2)))
                      '("ping-pong" "chain" "diagonal" "fan-out")))
         #:promises '(("Fibers" . (("ping-pong" . 0.4) ("skynet" . 0.5))))))

;;; What is promised of the hop, and of Fibers' interface on Sockport's tasks.

(define (say what number bound better?)
  (format #t "~a: ~,2f (promised ~a: ~a)~%" what number bound
          (if (better? number bound) "kept" "NOT KEPT")))

(define (numbers name peer)
  (assoc-ref (assoc-ref results name) peer))

(newline)
(say "a hop of ping-pong, in microseconds" (/ (median (numbers "ping-pong" "Sockport")) 1000)
     1.0 <=)

(when (getenv "FIBERS_PREFIX")
  (let ((times-faster
         (map (match-lambda
                ((name . _)
                 (median (map / (numbers name "Fibers") (numbers name "its Fibers")))))
              results)))
    (for-each (lambda (name times)
                (say (string-append "Fibers' interface, times Fibers, " name)
                     times 1.5 >=))
              (map car results) times-faster)
    (say "Fibers' interface, times Fibers, median of the rows" (median times-faster)
         2.0 >=)))
