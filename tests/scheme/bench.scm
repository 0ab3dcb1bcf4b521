;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The harness of the benchmarks: turns, ratios, and the files it leaves.

(use-modules (harness)
             (harness process)
             (ice-9 textual-ports))

(add-to-load-path (getenv "SOCKPORT_SOURCE"))
(use-modules (bench statistics))

(define (measure directory better promises)
  "Run a benchmark of made-up numbers; return what it prints."
  ;; Before the module is loaded, which reads it then.
  (setenv "SOCKPORT_BUILD" directory)
  (mkdir (string-append directory "/bench"))
  (let ((bench (module-ref (resolve-module '(bench harness)) 'bench))
        (turns '()))
    (define (peer name numbers)
      (cons name (lambda ()
                   (set! turns (cons name turns))
                   (let ((number (car numbers)))
                     (set! numbers (cdr numbers))
                     number))))
    (let ((said (with-output-to-string
                  (lambda ()
                    (bench "made-up" #:better better #:rounds 4
                           #:promises promises
                           #:cases (list (list "case"
                                               (peer "ours" '(2 4 6 8))
                                               (peer "theirs" '(1 2 3 4))
                                               (peer "absent"
                                                     '(#f #f #f #f)))))))))
      (values said (reverse turns)))))

(test-begin "bench")

(test-case "quantiles"
  (test-equal "median of an odd number" 2. (median '(3 1 2)))
  (test-equal "between two" 2.5 (median '(4 1 2 3)))
  (test-equal "a quarter" 2. (quantile '(5 1 4 2 3) 1/4))
  (test-equal "of one" 7. (quantile '(7) 3/4)))

(test-case "a run of made-up numbers"
  (with-temporary-directory
    (lambda (directory)
      (call-with-values
          (lambda () (measure directory 'lower '(("theirs" . 1.5))))
        (lambda (said turns)
          (test-equal "each takes its turn, in changing order, while it can"
            '("ours" "theirs" "absent" "theirs" "ours" "ours" "theirs" "ours"
              "theirs")
            turns)
          (test-assert "the ratio is told"
            (string-contains said "ours is 2.000 of it"))
          (test-assert "and whether it was kept"
            (string-contains said "(promised <= 1.50: NOT KEPT)"))
          (test-equal "who could not do it is left out, which is said once"
            '("case: absent could not do it and is left out")
            (filter (lambda (line) (string-contains line "absent"))
                    (string-split said #\newline)))))
      (let ((csv (module-ref (resolve-module '(bench harness))
                             'output-directory)))
        (test-equal "the rounds are kept"
          '("case,peer,round,ns" "case,ours,0,2.000" "case,ours,1,4.000")
          (let ((lines (string-split
                        (call-with-input-file
                            (string-append csv "/made-up.csv")
                          get-string-all)
                        #\newline)))
            (list-head lines 3)))))))

(test-case "promises"
  (let ((promised (module-ref (resolve-module '(bench harness)) 'promised))
        (promises '(("theirs" . 1.5) ("others" ("one" . 2.5) ("two" . 3.5)))))
    (test-equal "for all cases" 1.5 (promised promises "theirs" "one"))
    (test-equal "for this case" 3.5 (promised promises "others" "two"))
    (test-equal "for other cases" #f (promised promises "others" "three"))
    (test-equal "for nobody" #f (promised promises "absent" "one"))))

(test-end "bench")
