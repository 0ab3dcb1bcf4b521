;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What the programs of tests/soak share: rounds of something that is drawn, for as
;;; long as there is time, and what must not grow meanwhile.

(define-module (harness soak)
  #:use-module (ice-9 ftw)
  #:export (check
            draw
            fault!
            soak-rounds))

(define seconds (string->number (or (getenv "SOAK_SECONDS") "600")))
(define seed (string->number (or (getenv "SOAK_SEED") "1")))
(define start (current-time))
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

(define (soak-rounds one-round before)
  "Call BEFORE, then ONE-ROUND until SOAK_SECONDS have passed; exit with 1 if there
was a fault, or if descriptors or memory have grown."
  (define (again)
    (set! round (+ round 1))
    (one-round))
  ;; What hangs does not end by itself.
  (sigaction SIGALRM
    (lambda _
      (fault! "no end")
      (primitive-_exit 1)))
  (sigaction SIGUSR1 SIG_IGN)
  (before)
  (do ((i 0 (+ i 1))) ((= i 50)) (again))
  (let ((descriptors (descriptors-settled 0)) (memory (resident)))
    (let loop ((shown -1))
      (let ((passed (- (current-time) start)))
        (unless (= passed shown)
          (format #t "progress ~a ~a~%" (min passed seconds) seconds)
          (force-output))
        (alarm 60)
        (when (and (< passed seconds) (< faults 10))
          (again)
          (loop passed))))
    (alarm 0)
    (let ((descriptors-now (descriptors-settled descriptors))
          (memory-now (resident)))
      (format #t "# ~a rounds, ~a then ~a descriptors, ~a then ~a kB~%"
              round descriptors descriptors-now memory memory-now)
      (when (> descriptors-now descriptors)
        (fault! "descriptors" descriptors descriptors-now))
      (when (> memory-now (+ memory limit-kb))
        (fault! "memory in kB" memory memory-now))
      (exit (if (zero? faults) 0 1)))))
