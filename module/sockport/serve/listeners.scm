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
  #:use-module (sockport ports lock)
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
        (with-lock names-lock
          (hashq-set! names listener (cons path (file-identity path))))))))

(define (close-listener listener)
  "Close LISTENER, and delete the name it had in the file system if it was made
here and is still its own."
  (match (with-lock names-lock
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

(define (open-listeners where workers . options)
  "Return a list of WORKERS lists of sockets that listen at WHERE: what `listen-on'
takes, a socket that listens already, or a list of them.  The workers share what
cannot be opened twice.  If it fails, no socket that it made stays open."
  (define places (if (list? where) where (list where)))
  (define all-options (cons* #:reuse-port? (> workers 1) options))
  (define made '())
  (define (make place)
    (let ((listeners (apply listen-on place all-options)))
      (set! made (append listeners made))
      (for-each remember-name! listeners)
      listeners))
  (define (open place)
    (if (port? place) (list place) (make place)))
  (define (open-for-another listener)
    (let ((address (getsockname listener)))
      (if (and (internet? address) (not (memq listener places)))
          (car (make address))
          listener)))
  (when (null? places)
    (refuse-type "listen-on" 1 "one place at least" where))
  (undoing-on-error
   (lambda ()
     (let* ((first-set (append-map open places))
            (sets (cons first-set
                        (map (lambda (worker) (map open-for-another first-set))
                             (iota (- workers 1))))))
       ;; Another worker or process may take what was pending.
       (for-each (lambda (listener) (set-nonblocking! listener #t))
                 (concatenate sets))
       sets))
   (lambda () (for-each close-listener made))))

(define (address->text address)
  (match (socket-address->string address)
    ("unix:" "a UNIX socket")
    (text text)))
