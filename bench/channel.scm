;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What goes through channels, in tasks of one thread and of two: Sockport's own
;;; interface, and Fibers' on its tasks; beside Fibers itself, where FIBERS_PREFIX
;;; says that it is, and Go.

(use-modules (bench harness)
             (srfi srfi-1))

(define source (getenv "SOCKPORT_SOURCE"))
(define build (getenv "SOCKPORT_BUILD"))

(define (guile library row threads)
  (list "guile" "--no-auto-compile" "-s"
        (string-append source "/bench/peers/channel.scm")
        library row (number->string threads)))

(define (with-layer command)
  "Return COMMAND with Fibers' interface on Sockport's tasks."
  (define (first name directory)
    (string-append name "=" directory ":" (getenv name)))
  (cons* "env"
         (first "GUILE_LOAD_PATH" (string-append source "/fibers"))
         (first "GUILE_LOAD_COMPILED_PATH" (string-append build "/fibers"))
         command))

(define (running command)
  (lambda () (apply command-number command)))

(define (peers row threads)
  (let ((go (string-append build "/bench/channel-go")))
    `(("Sockport" . ,(running (guile "sockport" row threads)))
      ("its Fibers" . ,(running (with-layer (guile "fibers" row threads))))
      ,@(if (getenv "FIBERS_PREFIX")
            `(("Fibers" . ,(running (with-fibers (guile "fibers" row threads)))))
            '())
      ,@(if (file-exists? go)
            `(("Go" . ,(running (list go row (number->string threads)))))
            '()))))

(define rows
  '("ping-pong" "chain" "diagonal" "fan-out" "sieve" "skynet" "choice" "start"))

(bench "channel" #:title "Cost of a hop, a leaf, a choice or a task" #:unit "ns"
       #:rounds 5
       #:cases
       (append (map (lambda (row) (cons row (peers row 1))) rows)
               (map (lambda (row)
                      (cons (string-append row ", 2 threads") (peers row 2)))
                    '("ping-pong" "chain" "diagonal" "fan-out")))
       #:promises '(("Fibers" . (("ping-pong" . 0.4) ("skynet" . 0.5)))))
