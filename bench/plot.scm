;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Draws results as bars, a group a case, with their quartiles: through gnuplot.

(define-module (bench plot)
  #:use-module (bench statistics)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 popen)
  #:use-module (srfi srfi-1)
  #:export (plot))

(define (write-data port results)
  "Write RESULTS for gnuplot: a line a case; for each peer its median and
quartiles."
  (define peers (peers-of results))
  (for-each
   (match-lambda
     ((name . measured)
      (format port "~s" name)
      (for-each
       (lambda (peer)
         (match (assoc-ref measured peer)
           (#f (format port " NaN NaN NaN"))
           (numbers
            (format port " ~a ~a ~a" (median numbers) (quantile numbers 1/4)
                    (quantile numbers 3/4)))))
       peers)
      (newline port)))
   results))

(define (peers-of results)
  (delete-duplicates (append-map (lambda (result) (map car (cdr result)))
                                 results)))

(define (write-commands port data title unit file terminal results)
  (format port "set terminal ~a
set output ~s
set title ~s
set ylabel ~s
set yrange [0:*]
set grid ytics
set style data histograms
set style histogram errorbars gap 1 lw 1
set style fill solid 0.8
set key outside top right
" terminal file title unit)
  (format port "plot ~a~%"
          (string-join
           (map (lambda (peer i)
                  (format #f "~s using ~a:~a:~a:xtic(1) title ~s" data
                          (+ 2 (* 3 i)) (+ 3 (* 3 i)) (+ 4 (* 3 i)) peer))
                (peers-of results)
                (iota (length (peers-of results))))
           ", ")))

(define (plot base title unit results)
  "Write BASE.png and BASE.svg, and return their names; #f without gnuplot."
  (and (search-path (parse-path (getenv "PATH")) "gnuplot")
       (any pair? (map cdr results))
       (let ((data (string-append base ".dat")))
         (call-with-output-file data
           (lambda (port) (write-data port results)))
         (map (match-lambda
                ((suffix . terminal)
                 (let ((file (string-append base suffix))
                       (gnuplot (open-pipe* OPEN_WRITE "gnuplot")))
                   (write-commands gnuplot data title unit file terminal
                                   results)
                   (close-pipe gnuplot)
                   file)))
              '((".png" . "png size 1000,600")
                (".svg" . "svg size 1000,600"))))))
