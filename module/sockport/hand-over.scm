;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A server that starts anew without losing a connection: the new process has the
;;; same listening sockets, and the old one serves on until the new one is ready.

(define-module (sockport hand-over)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (sockport address)
  #:use-module (sockport constant)
  #:use-module (sockport control)
  #:use-module (sockport io argument)
  #:use-module (sockport io close)
  #:use-module (sockport message)
  #:use-module (sockport notify)
  #:use-module (sockport operation)
  #:use-module (sockport primitive)
  #:use-module (sockport process)
  #:use-module (sockport socket)
  #:use-module (sockport task)
  #:export (hand-over))

(define (own-command)
  "Return the words that this process was started with."
  (match (string-split (call-with-input-file "/proc/self/cmdline" get-string-all)
                       #\nul)
    ((words ... "") words)
    (words words)))

(define (named listener)
  (match listener
    ((? port? port) (cons "unknown" port))
    (_ listener)))

(define (sender message)
  "Return the process that sent MESSAGE, as the kernel says."
  (match (control-ref (message-control message) 'credentials)
    (#(pid uid gid) pid)
    (#f #f)))

(define (ended pid)
  (let ((status (wait-process pid)))
    (scm-error 'misc-error "hand-over"
               "The new process ended before it was ready, with status ~A"
               (list (or (status:exit-val status) (status:term-sig status)))
               #f)))

(define (next-message bell)
  "Return what was said on BELL next, or #f if nothing was."
  (catch 'system-error
    (lambda () (recvmsg! bell (make-bytevector 64) MSG_DONTWAIT))
    (lambda arguments
      (and (not (eqv? EAGAIN (system-error-errno arguments)))
           (apply throw arguments)))))

(define (await-ready bell child pid)
  "Wait until PID, whose end makes CHILD readable, has said on BELL that it is ready."
  ;; A process that ends at once may have said it before, so BELL is asked after CHILD.
  (let* ((ended? (eq? child (wait-first (readable-operation bell)
                                        (readable-operation child))))
         (message (next-message bell)))
    (cond ((and message (eqv? pid (sender message))))
          ((or message (not ended?)) (await-ready bell child pid))
          (else (ended pid)))))

(define bell-variable "SOCKPORT_HAND_OVER")

(define (environment bell)
  "Return the variables of the new process: they name BELL, and have it notify the
manager's watchdog if this process has to."
  (define our-watchdog (format #f "WATCHDOG_PID=~a" (getpid)))
  (match (socket-address->string (getsockname bell))
    ((= (lambda (text) (substring text 5)) name) ; after "unix:"
     (cons (string-append bell-variable "=" name)
           (delete our-watchdog (%environment))))))

(define (begin-process command listeners bell)
  "Start COMMAND, and return the number of its process once that is ready."
  (let ((pid (start-process (car command) (cdr command) #:listeners listeners
                            #:environment (environment bell)))
        (ready? #f))
    (call-with-cleanup
     (lambda ()
       (let ((child (%process-port pid #f)))
         (call-with-cleanup
          (lambda () (await-ready bell child pid))
          (lambda () (close-port child))))
       (set! ready? #t)
       pid)
     (lambda ()
       ;; It may have ended by itself.
       (unless ready?
         (catch 'system-error
           (lambda () (end-process pid))
           (const #t)))))))

(define (check-taken-over)
  "Raise an error in a process that has begun so and has not said yet that it is ready: its
copies would do the same, without end."
  (when (getenv bell-variable)
    (scm-error 'misc-error "hand-over"
               (string-append "this process has not taken over from the one that started"
                              " it: call notify-manager with #:ready? first")
               '() #f)))

(define* (hand-over listeners #:optional command)
  "Start COMMAND, a list of strings, or this program anew, with LISTENERS, sockets or
an alist from names to sockets, for its listen-fds; wait until it says with
notify-manager that it is ready, tell the service manager that it is the main
process, and return its number; from then on notify-manager does nothing in this
process.  If COMMAND ends before it is ready, or a deadline or `cancel!' ends the wait,
this process stays what it was."
  (unless (list? listeners)
    (refuse-type "hand-over" 1 "list of sockets" listeners))
  (unless (or (not command) (and (list? command) (pair? command)))
    (refuse-type "hand-over" 2 "list of strings" command))
  (unless command
    (check-taken-over))
  (let ((bell (socket AF_UNIX SOCK_DGRAM 0)))
    (call-with-cleanup
     (lambda ()
       (bind bell AF_UNIX "")           ; the kernel chooses a name
       (setsockopt bell SOL_SOCKET SO_PASSCRED 1)
       (let ((pid (begin-process (or command (own-command))
                                 (map named listeners) bell)))
         (notify-manager #:main-pid pid)
         ;; The end of this process would be taken for that of the service.
         (unsetenv "NOTIFY_SOCKET")
         pid))
     (lambda () (close-port bell)))))
