;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Guile's own tests, with the core's procedures replaced and in a task, against the
;;; same on Guile alone.  They are looked for where SOCKPORT_GUILE_SOURCE says that
;;; Guile's source is, or where ./dev keeps what the distribution has of it.

(use-modules (harness)
             (harness process)
             (ice-9 ftw)
             (ice-9 match)
             (srfi srfi-1))

(define directory
  (let ((named (getenv "SOCKPORT_GUILE_SOURCE"))
        (kept (string-append (or (getenv "HOME") "/nonexistent")
                             "/.cache/sockport/guile-3.0-source")))
    (find (lambda (directory)
            (and directory
                 (file-exists? (string-append directory
                                              "/test-suite/test-suite/lib.scm"))))
          (list named kept))))

(test-begin "core-guile")

(unless directory
  (test-case "everything"
    (skip "needs Guile's source: SOCKPORT_GUILE_SOURCE, or ./dev check where \
apt-get has it"))
  (test-end "core-guile"))

;;; One file in a Guile of its own, which prints its counts.

(define driver
  "(define-module (test-suite guile-test)
  #:use-module (test-suite lib)
  #:use-module (ice-9 match)
  #:export (data-file-name test-file-name))
(define (data-file-name name)
  (in-vicinity (dirname (cadr (command-line))) name))
(define (test-file-name) (cadr (command-line)))
(match (command-line)
  ((_ file mode)
   (let ((load-it (lambda ()
                    (save-module-excursion (lambda () (load file)))))
         (counter (make-count-reporter)))
     (register-reporter (car counter))
     (unless (string=? mode \"plain\")
       ((@ (sockport core) install-sockport!)))
     (if (string=? mode \"task\")
         ((@ (sockport task) run-tasks) load-it)
         (load-it))
     (display \"counts: \")
     (write ((cadr counter)))
     (newline)
     (primitive-exit 0))))")

(define patience
  (or (string->number (or (getenv "SOCKPORT_TEST_PATIENCE") "1")) 1))

;;; A port that a test has closed stays taken for a minute: each has a network of its
;;; own, where that is allowed.
(define own-network
  (if (zero? (getuid))
      '("unshare" "--net" "sh" "-c" "ip link set lo up && exec \"$@\"" "sh")
      '()))

(define (counts name mode)
  "Return the counts that NAME.test has in MODE, an alist, or how it ended."
  (with-temporary-directory
   (lambda (place)
     (let ((file (string-append place "/driver.scm")))
       (call-with-output-file file (lambda (port) (display driver port)))
       (call-with-values
           (lambda ()
             (apply run-program
                    `("env" "-C" ,place
                      ,(string-append "TEST_SUITE_DIR=" directory "/test-suite")
                      ,@own-network
                      "timeout" ,(number->string (* 60 patience))
                      "guile" "--no-auto-compile"
                      "-L" ,(string-append directory "/test-suite")
                      "-s" ,file
                      ,(string-append directory "/test-suite/tests/" name ".test")
                      ,mode)))
         (lambda (status output)
           (let ((found (string-contains output "counts: ")))
             (if found
                 (call-with-input-string (substring output (+ found 8)) read)
                 (list status output)))))))))

(define (no-worse? mode plain)
  (and (every pair? mode)
       (every pair? plain)
       (>= (assq-ref mode 'pass) (assq-ref plain 'pass))
       (<= (+ (assq-ref mode 'fail) (assq-ref mode 'error))
           (+ (assq-ref plain 'fail) (assq-ref plain 'error)))))

;;; The clients of web-server do not wait for its server, so that some are refused on
;;; Guile alone as well: it may have to be run again.
(define (counts-beside plain name mode)
  (let again ((left (if (string=? name "web-server") 10 0)))
    (let ((its (counts name mode)))
      (if (or (zero? left) (no-worse? its plain))
          its
          (again (- left 1))))))

(define files
  '(("00-socket" "core" "task")
    ("net-db" "core" "task")
    ("fdes-finalizers" "core" "task")
    ("ports" "core" "task")
    ("rdelim" "core" "task")
    ("suspendable-ports" "core" "task")
    ("web-client" "core" "task")
    ("web-http" "core" "task")
    ("web-server" "core" "task")
    ("posix" "core" "task")
    ("popen" "core" "task")
    ("threads" "core" "task")))

(case-seconds (* 400 patience))

(for-each
 (match-lambda
   ((name . modes)
    (when (file-exists? (string-append directory "/test-suite/tests/" name ".test"))
      (test-case name
        (let ((plain (counts name "plain")))
          ;; Of another release than the one that runs.
          (unless (every pair? plain)
            (skip "does not run to its end on Guile alone"))
          (for-each
           (lambda (mode)
             (let ((its (counts-beside plain name mode)))
               (test-equal (string-append "as on Guile alone: " mode) #t
                 (or (no-worse? its plain)
                     (list its 'but 'plain plain)))))
           modes))))))
 files)

(test-end "core-guile")
