;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Measures what several do at the same thing, in one run: round after round
;;; each takes its turn, so that whatever else the machine does hits all alike.
;;; Answers medians, quartiles, and the ratio of the first to each other one;
;;; prints a table, and writes the rounds as CSV and a plot.
;;;
;;;   (bench "call" #:title "Cost of a call" #:unit "ns"
;;;          #:cases (list (list "send" (cons "Sockport" thunk)
;;;                                     (cons "C" thunk)))
;;;          #:promises '(("C" . 1.10)))
;;;
;;; A thunk does its work once and returns the measured number; #f when it could
;;; not.  Compile what you measure.

(define-module (bench harness)
  #:use-module (bench plot)
  #:use-module (bench statistics)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 rdelim)
  #:use-module (ice-9 textual-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (system foreign)
  #:export (allocated-by
            bench
            command-number
            command-numbers
            command-rounds
            elapsed-ns
            output-directory
            pin!
            with-fibers
            with-layer))

(define output-directory
  (string-append (or (getenv "SOCKPORT_BUILD") "build") "/bench"))

(define sched-setaffinity
  (pointer->procedure int (dynamic-func "sched_setaffinity" (dynamic-link))
                      (list int size_t '*) #:return-errno? #t))

(define (pin! processor)
  "Keep this thread, and what it starts from now on, on PROCESSOR."
  (let ((set (make-bytevector 128 0)))
    (bytevector-u8-set! set (quotient processor 8)
                        (ash 1 (remainder processor 8)))
    (sched-setaffinity 0 128 (bytevector->pointer set))))

(define (with-fibers command)
  "Return COMMAND, a list, with Fibers on Guile's paths if FIBERS_PREFIX tells where
it is installed."
  (let ((prefix (getenv "FIBERS_PREFIX")))
    (define (variable name directory)
      (format #f "~a=~a/~a:~a" name prefix directory (or (getenv name) "")))
    (if prefix
        (cons* "env"
               (variable "GUILE_LOAD_PATH" "share/guile/site/3.0")
               (variable "GUILE_LOAD_COMPILED_PATH"
                         "lib/guile/3.0/site-ccache")
               (variable "GUILE_EXTENSIONS_PATH" "lib/guile/3.0/extensions")
               command)
        command)))

(define (with-layer command)
  "Return COMMAND with Fibers' interface on Sockport's tasks first on Guile's paths."
  (define (first name root)
    (format #f "~a=~a/fibers:~a" name root (or (getenv name) "")))
  (cons* "env"
         (first "GUILE_LOAD_PATH" (getenv "SOCKPORT_SOURCE"))
         (first "GUILE_LOAD_COMPILED_PATH" (getenv "SOCKPORT_BUILD"))
         command))

(define (elapsed-ns thunk)
  "Call THUNK and return how many nanoseconds that took."
  (let ((start (get-internal-real-time)))
    (thunk)
    (* (- (get-internal-real-time) start)
       (quotient 1000000000 internal-time-units-per-second))))

(define (allocated-by thunk)
  "Call THUNK and return how many bytes it has allocated."
  (define (total) (assq-ref (gc-stats) 'heap-total-allocated))
  (gc)
  (let ((before (total)))
    (thunk)
    (- (total) before)))

;; What takes longer does not do what it is to do.
(define command-seconds "60")

(define (command-numbers . command)
  "Run COMMAND and return the numbers that it prints, or #f."
  (call-with-values
      (lambda () (pipeline (list (cons* "timeout" "-k1" command-seconds command))))
    (lambda (from to pids)
      (close-port to)
      (let ((output (get-string-all from)))
        (close-port from)
        (and (eqv? 0 (status:exit-val (cdr (waitpid (car pids)))))
             (filter-map string->number (string-tokenize output)))))))

(define (command-number . command)
  "Run COMMAND and return the first number that it prints, or #f."
  (match (apply command-numbers command)
    ((number . _) number)
    (_ #f)))

;;; A program that does a round for each line that it reads.

(define (call-with-program command proc)
  "Call PROC with COMMAND's output, its input, and a thunk that ends it."
  (call-with-values
      (lambda () (pipeline (list (cons* "timeout" "-k1" command-seconds command))))
    (lambda (from to pids)
      (proc from to
            (lambda ()
              (close-port to)
              (close-port from)
              (waitpid (car pids)))))))

;; Two processes of one program differ by as much as 5 %: it begins anew now and then.
(define rounds-each 5)

(define (command-rounds . command)
  "Return a thunk that has COMMAND, which is started when it is needed and runs for a few
rounds, do a round and returns the first number that it prints, or #f."
  (define ask #f)
  (define end #f)
  (define left 0)
  (define (start! from to end-program)
    (set! left rounds-each)
    (set! end end-program)
    (set! ask (lambda ()
                (newline to)
                (force-output to)
                (string->number (car (string-tokenize (read-line from)))))))
  (lambda ()
    (when (zero? left)
      (call-with-program command start!))
    (set! left (- left 1))
    (let ((number (false-if-exception (ask))))
      (unless number (set! left 0))
      (when (zero? left) (end))
      number)))

;;; A result: case, peer, and the numbers of its rounds.

(define (rotate list count)
  (append (drop list count) (take list count)))

(define (able? numbers)
  (every number? numbers))

(define (measure-case case rounds)
  "Return ((PEER NUMBER ...) ...) for CASE, in the order that it has."
  (match case
    ((name . peers)
     (let loop ((round 0) (results (map list (map car peers))))
       (if (= round rounds)
           (map (match-lambda
                  ((peer . numbers) (cons peer (reverse numbers))))
                results)
           (loop (+ round 1)
                 (let ((numbers
                        (map (match-lambda
                               ((peer . thunk)
                                (cons peer (and (able? (assoc-ref results peer))
                                                (thunk)))))
                             (rotate peers (modulo round (length peers))))))
                   (map (match-lambda
                          ((peer . old)
                           (cons* peer (assoc-ref numbers peer) old)))
                        results))))))))

(define (able name results)
  "Return RESULTS without the peers that could not do it in the case NAME, having
said who these are."
  (filter (match-lambda
            ((peer . numbers)
             (or (able? numbers)
                 (begin
                   (format #t "~&~a: ~a could not do it and is left out~%" name peer)
                   #f))))
          results))

;;; What it says.

(define (kept? ratio limit better)
  (if (eq? better 'lower) (<= ratio limit) (>= ratio limit)))

(define (promise-note ratio limit better)
  (if limit
      (format #f "  (promised ~a ~,2f: ~a)"
              (if (eq? better 'lower) "<=" ">=") limit
              (if (kept? ratio limit better) "kept" "NOT KEPT"))
      ""))

(define (promised promises peer name)
  "Return what PROMISES says of PEER in the case NAME, or #f."
  (match (assoc-ref promises peer)
    ((? pair? cases) (assoc-ref cases name))
    (limit limit)))

(define (print-case name results promises better)
  (match results
    (() (format #t "~&~a: nobody could do it~%" name))
    (((first . ours) . others)
     (format #t "~&~a~%" name)
     (for-each
      (match-lambda
        ((peer . numbers)
         (let ((ratios (map / ours numbers)))
           (format #t "  ~14a ~12,1f  [~,1f to ~,1f]" peer (median numbers)
                   (quantile numbers 1/4) (quantile numbers 3/4))
           (unless (string=? peer first)
             (format #t "  ~a is ~,3f of it [~,3f to ~,3f]~a" first
                     (median ratios) (quantile ratios 1/4)
                     (quantile ratios 3/4)
                     (promise-note (median ratios)
                                   (promised promises peer name) better)))
           (newline))))
      results))))

(define (write-csv file unit results)
  (call-with-output-file file
    (lambda (port)
      (format port "case,peer,round,~a~%" unit)
      (for-each
       (match-lambda
         ((name . peers)
          (for-each
           (match-lambda
             ((peer . numbers)
              (for-each (lambda (round number)
                          (format port "~a,~a,~a,~,3f~%" name peer round
                                  number))
                        (iota (length numbers)) numbers)))
           peers)))
       results))))

(define* (bench name #:key (title name) (unit "ns") (better 'lower)
                (rounds 15) (promises '()) cases)
  "Measure CASES, each (NAME (PEER . THUNK) ...), for ROUNDS rounds.  PROMISES
gives for a peer the ratio that the first one is to keep, or an alist of such by
the names of cases."
  (format #t "~a, ~a (~a is better), median [quartiles] of ~a rounds~%"
          title unit better rounds)
  (let ((results
         (map (lambda (case)
                (let ((results (able (car case) (measure-case case rounds))))
                  (print-case (car case) results promises better)
                  (force-output)
                  (cons (car case) results)))
              cases))
        (file (string-append output-directory "/" name)))
    (unless (file-exists? output-directory)
      (mkdir output-directory))
    (write-csv (string-append file ".csv") unit results)
    (format #t "rounds: ~a.csv~%" file)
    (and=> (plot file title unit results)
           (lambda (files) (format #t "plot: ~a~%" files)))
    results))
