;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the programs of tests/soak share: rounds of something that is drawn, for as
;;; long as there is time, and what must not grow meanwhile.

(define-module (harness soak)
  #:use-module (ice-9 ftw)
  #:export (check
            draw
            fault!
            soak-count
            soak-rounds))

(define seconds (string->number (or (getenv "SOAK_SECONDS") "600")))
(define seed (string->number (or (getenv "SOAK_SEED") "1")))
(define start (current-time))

;; What hangs does not end by itself.
(define alarm-seconds
  (* 60 (string->number (or (getenv "SOCKPORT_TEST_PATIENCE") "1"))))
(define state (seed->random-state seed))
(define (draw n) (random n state))

(define round 0)
(define faults 0)
(define (fault! what . details)
  (set! faults (+ faults 1))
  (format #t "not ok round ~a, SOAK_SEED=~a: ~a ~s~%" round seed what details)
  (force-output))
(define (check what expected actual)
  (unless (equal? expected actual)
    (fault! what 'expected expected 'actual actual)))

(define (descriptor-count)
  (length (scandir "/proc/self/fd" string->number)))

(define (descriptors-settled before)
  (let wait ((tries 200))
    (unless (or (= before (descriptor-count)) (zero? tries))
      (usleep 5000)
      (wait (- tries 1))))
  (descriptor-count))

(define (resident)
  "Kilobytes of memory, after a collection."
  (gc)
  (gc)
  (let ((pages (call-with-input-file "/proc/self/statm"
                 (lambda (port) (read port) (read port)))))
    (* 4 pages)))

(define limit-kb 65536)

(define (progress done total)
  (format #t "progress ~a ~a~%" (min done total) total)
  (force-output))

(define (watch!)
  (sigaction SIGALRM
    (lambda _
      (fault! "no end")
      (primitive-_exit 1))))

(define (exit-unchanged thunk)
  "Call THUNK, which returns a text about what it has done, and exit with 1 if there
was a fault, or if descriptors or memory have grown meanwhile."
  ;; What was left to the collector is closed by it.
  (let* ((memory (resident)) (descriptors (descriptors-settled 0))
         (done (thunk))
         (memory-now (resident))
         (descriptors-now (descriptors-settled descriptors)))
    (format #t "# ~a, ~a then ~a descriptors, ~a then ~a kB~%"
            done descriptors descriptors-now memory memory-now)
    (when (> descriptors-now descriptors)
      (fault! "descriptors" descriptors descriptors-now))
    (when (> memory-now (+ memory limit-kb))
      (fault! "memory in kB" memory memory-now))
    (exit (if (zero? faults) 0 1))))

(define (soak-rounds one-round before)
  "Call BEFORE, then ONE-ROUND until SOAK_SECONDS have passed; exit as
exit-unchanged."
  (define (again)
    (set! round (+ round 1))
    (one-round))
  (watch!)
  (sigaction SIGUSR1 SIG_IGN)
  (before)
  (do ((i 0 (+ i 1))) ((= i 50)) (again))
  (exit-unchanged
   (lambda ()
     (let loop ((shown -1))
       (let ((passed (- (current-time) start)))
         (unless (= passed shown)
           (progress passed seconds))
         (alarm alarm-seconds)
         (when (and (< passed seconds) (< faults 10))
           (again)
           (loop passed))))
     (alarm 0)
     (format #f "~a rounds" round))))

(define (soak-count total what some)
  "Call SOME, which does several of WHAT and returns how many, until there are TOTAL of
them, or SOAK_SECONDS have passed; exit as exit-unchanged."
  (define (until total)
    (let loop ((done 0) (shown -1))
      (let ((percent (quotient (* 1000 done) total)))
        (unless (= percent shown)
          (progress done total))
        (alarm alarm-seconds)
        (if (and (< done total) (< faults 10)
                 (< (- (current-time) start) seconds))
            (begin
              (set! round (+ round 1))
              (loop (+ done (some)) percent))
            done))))
  (watch!)
  ;; What is made once is made now.
  (until (quotient total 50))
  (exit-unchanged
   (lambda ()
     (let ((done (until total)))
       (alarm 0)
       (format #f "~a ~a" done what)))))
