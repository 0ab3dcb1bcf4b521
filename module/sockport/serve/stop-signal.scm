;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Signals that stop servers.  One handler serves all servers of the process, so
;;; that they can end in any order: what a signal did before is put back when the
;;; last of them has ended, unless somebody else has set a handler meanwhile.

(define-module (sockport serve stop-signal)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 match)
  #:use-module (ice-9 threads)
  #:use-module (sockport ports lock)
  #:use-module (srfi srfi-1)
  #:use-module (sockport serve site)
  #:export (stop-on!
            stop-no-more!))

;;; Lists of a signal, a server, and its thread.  The handler reads it whenever it comes.
(define servers (make-atomic-box '()))

;;; An alist from signals to the handlers and flags that they had.
(define before '())
(define lock (make-mutex))

(define (stop-all signal)
  (for-each (match-lambda
              ((number server _)
               (when (= number signal)
                 (stop-server! server))))
            (atomic-box-ref servers)))

(define (ours? signal)
  (eq? stop-all (car (sigaction signal))))

(define (stop-on! signal server)
  "From now on let SIGNAL stop SERVER."
  (with-lock lock
    (atomic-box-set! servers
                     (cons (list signal server (current-thread))
                           (atomic-box-ref servers)))
    (unless (ours? signal)
      (set! before (alist-cons signal (sigaction signal)
                               (alist-delete signal before))))
    ;; The thread that has seen it so far may have ended.
    (sigaction signal stop-all)))

(define (stop-no-more! signal server)
  "Undo what `stop-on!' did."
  (define (over? entry)
    (match entry
      ((number its thread)
       (or (and (= number signal) (eq? its server))
           (thread-exited? thread)))))
  (with-lock lock
    (atomic-box-set! servers (remove over? (atomic-box-ref servers)))
    (match (assv signal (atomic-box-ref servers))
      ((_ _ thread)
       ;; The thread that has seen SIGNAL so far may end with its server.
       (when (ours? signal)
         (sigaction signal stop-all 0 thread)))
      (#f
       (match (assv-ref before signal)
         ((handler . flags)
          (when (ours? signal)
            (sigaction signal handler flags))
          (set! before (alist-delete signal before)))
         (#f #f))))))
