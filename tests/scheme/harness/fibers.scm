;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers itself for tests: where Guile looks for modules, or below FIBERS_PREFIX.
;;; Without it the program ends here, with a case that is skipped.

(define-module (harness fibers)
  #:use-module (harness)
  #:export (begin-with-fibers
            run-fibers
            spawn-fiber
            fiber-sleep
            in-fibers
            in-fiber
            until))

(define run-fibers #f)
(define spawn-fiber #f)
(define fiber-sleep #f)

(define (look-below prefix)
  (let ((effective (effective-version)))
    (set! %load-path
          (cons (string-append prefix "/share/guile/site/" effective)
                %load-path))
    (set! %load-compiled-path
          (cons (string-append prefix "/lib/guile/" effective "/site-ccache")
                %load-compiled-path))))

(define (load-fibers)
  (let ((prefix (getenv "FIBERS_PREFIX")))
    (when prefix (look-below prefix)))
  (let ((fibers (false-if-exception (resolve-interface '(fibers)))))
    (and fibers
         (begin
           (set! run-fibers (module-ref fibers 'run-fibers))
           (set! spawn-fiber (module-ref fibers 'spawn-fiber))
           (set! fiber-sleep (module-ref fibers 'sleep))
           #t))))

(define* (begin-with-fibers suite #:optional (missing #f))
  "Begin SUITE; end it at once, and the program, if there is no Fibers or something
else is MISSING, a text."
  (test-begin suite)
  (let ((fibers? (load-fibers)))
    (when (or missing (not fibers?))
      (test-case "everything"
        (skip (or (and (not fibers?) "needs Fibers, below FIBERS_PREFIX") missing)))
      (test-end suite))))

(define-syntax-rule (in-fibers body ...)
  (run-fibers (lambda () body ...) #:parallelism 1 #:hz 0))

(define* (in-fiber thunk #:optional (failure cons))
  "Run THUNK in a fiber of its own; return a thunk that returns its value, or, if it
failed, (FAILURE key args), or #f as long as it runs."
  (let ((end #f))
    (spawn-fiber
     (lambda ()
       (set! end (catch #t thunk (lambda (key . args) (failure key args))))))
    (lambda () end)))

(define (until thunk)
  "Let the other fibers run until THUNK returns true; return that, or #f after
five seconds."
  (let loop ((left 1000))
    (or (thunk)
        (and (positive? left)
             (begin
               (fiber-sleep 0.005)
               (loop (- left 1)))))))
