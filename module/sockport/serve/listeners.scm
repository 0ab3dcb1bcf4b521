;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The listeners of a server: those it makes, one set for each worker, and those
;;; it was given.

(define-module (sockport serve listeners)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport listener)
  #:use-module (sockport socket)
  #:use-module (sockport io argument)
  #:use-module (sockport io internet)
  #:use-module (sockport io unix-name)
  #:export (open-listeners
            close-listener
            address->text))

;;; From listeners to the name that has to go with them, and its identity.
(define names (make-weak-key-hash-table))
(define names-lock (make-mutex))

(define (remember-name! listener)
  (let ((path (bound-file (getsockname listener))))
    (when path
      ;; The working directory may be another one at the end.
      (let ((path (if (absolute-file-name? path)
                      path
                      (string-append (getcwd) "/" path))))
        (with-mutex names-lock
          (hashq-set! names listener (cons path (file-identity path))))))))

(define (close-listener listener)
  "Close LISTENER, and delete the name it had in the file system if it was made
here and is still its own."
  (match (with-mutex names-lock
           (let ((found (hashq-ref names listener)))
             (hashq-remove! names listener)
             found))
    ((path . identity)
     (when (equal? identity (file-identity path))
       (catch 'system-error
         (lambda () (delete-file path))
         (const #f))))
    (#f #f))
  (close-port listener))

(define (open-set where options)
  (let next ((places (if (list? where) where (list where))) (made '()))
    (match places
      (() (concatenate (reverse made)))
      (((? port? place) . places) (next places (cons (list place) made)))
      ((place . places)
       (let ((listeners (undoing-on-error
                         (lambda () (apply listen-on place options))
                         (lambda () (close-made made where)))))
         (for-each remember-name! listeners)
         (next places (cons listeners made)))))))

(define (close-made sets where)
  "Close the listeners in SETS, but those that were given in WHERE."
  (for-each (lambda (listener)
              (unless (memq listener (if (list? where) where (list where)))
                (close-listener listener)))
            (concatenate sets)))

(define (open-again listener options)
  "Return a listener for another worker, at the address of LISTENER."
  (match (apply listen-on (getsockname listener) options)
    ((made) made)))

(define (open-listeners where workers . options)
  "Return a list of WORKERS lists of sockets that listen at WHERE: what `listen-on'
takes, a socket that listens already, or a list of them.  The workers share what
cannot be opened twice."
  (define all-options
    (cons* #:reuse-port? (> workers 1) options))
  (define given
    (filter port? (if (list? where) where (list where))))
  (define made '())
  (define (open-for-another listener)
    (cond ((and (internet? (getsockname listener))
                (not (memq listener given)))
           (set! made (cons (open-again listener all-options) made))
           (car made))
          (else listener)))
  (when (null? where)
    (refuse-type "listen-on" 1 "one place at least" where))
  (let* ((first-set (open-set where all-options))
         (sets (undoing-on-error
                (lambda ()
                  (cons first-set
                        (map (lambda (worker) (map open-for-another first-set))
                             (iota (- workers 1)))))
                (lambda () (close-made (list made first-set) where)))))
    ;; Another worker or process may take what was pending.
    (for-each (lambda (listener) (set-nonblocking! listener #t))
              (concatenate sets))
    sets))

(define (address->text address)
  (match (socket-address->string address)
    ("unix:" "a UNIX socket")
    (text text)))
