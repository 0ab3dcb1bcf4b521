;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' own tests, on Sockport's tasks.  They are looked for where
;;; SOCKPORT_FIBERS_SOURCE says that Fibers' source is, or where ./dev keeps what the
;;; distribution has of it.

(use-modules (harness)
             (harness process)
             (ice-9 match)
             (srfi srfi-1))

(define directory
  (let ((named (getenv "SOCKPORT_FIBERS_SOURCE"))
        (kept (string-append (or (getenv "HOME") "/nonexistent")
                             "/.cache/sockport/guile-fibers-source")))
    (find (lambda (directory)
            (and directory
                 (file-exists? (string-append directory "/tests/basic.scm"))))
          (list named kept))))

(test-begin "fibers-tests")

(unless directory
  (test-case "everything"
    (skip "needs Fibers' source: SOCKPORT_FIBERS_SOURCE, or ./dev check where \
apt-get has it"))
  (test-end "fibers-tests"))

(define patience
  (or (string->number (or (getenv "SOCKPORT_TEST_PATIENCE") "1")) 1))

(define seconds (* 300 patience))
(case-seconds (+ 10 seconds))

;;; timer-wheel tests what is inside of Fibers; speedup measures.  The client of
;;; concurrent-web-server does not wait for its server, so it may have to be run again.
(define files
  '("basic" "cancel-timer" "channels" "concurrent-web-server" "conditions" "foreign"
    "io-wakeup" "parameters" "ports" "preemption"))

(define (run name)
  (call-with-values
      (lambda ()
        (run-program "timeout" (number->string seconds) "guile" "--no-auto-compile"
                     "-s" (string-append directory "/tests/" name ".scm")))
    (lambda (status output)
      (if (eqv? status 0)
          0
          (list status (string-take-right output
                                          (min 2000 (string-length output))))))))

(define (run-until-served tries)
  (let ((result (run "concurrent-web-server")))
    (if (or (eqv? result 0) (zero? tries))
        result
        (run-until-served (- tries 1)))))

(for-each
 (lambda (name)
   (test-case name
     (test-equal "passes" 0
       (if (string=? name "concurrent-web-server")
           (run-until-served 20)
           (run name)))))
 files)

(test-end "fibers-tests")
