;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Compiles a program, FILE, to where Guile looks for it, if that is out of date.

(use-modules (ice-9 match)
             (system base compile))

(define (older? object source)
  (or (not (file-exists? object))
      (< (stat:mtime (stat object)) (stat:mtime (stat source)))))

(match (command-line)
  ((_ file)
   (let* ((source (canonicalize-path file))
          (object (compiled-file-name source)))
     (when (older? object source)
       (compile-file source #:output-file object)))))
