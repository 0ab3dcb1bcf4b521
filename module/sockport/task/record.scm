;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; What a loop and a task are.  Nothing here happens.

(define-module (sockport task record)
  #:use-module (ice-9 threads)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (sockport primitive)
  #:use-module (sockport task timer)
  #:export (<task> %make-task make-loop loop? loop-timers loop-current
            set-loop-current! loop-worker loop-peers loop-turns set-loop-turns!
            loop-thread loop-root set-loop-root! loop-inside? set-loop-inside!
            loop-poller loop-failed loop-ended loop-groups loop-here? loop-ours? loop-fluid
            current-loop current-task in-task?
            task? task-continuation set-task-continuation! task-abandon
            set-task-abandon! task-place set-task-place! task-interrupt
            set-task-interrupt! task-name task-loop task-group
            task-scope set-task-scope! task-state task-ended?
            task-result task-next
            task-joiners set-task-joiners! task-on-end))

;;; CURRENT is the task that runs.  INSIDE? is true while its own code does, and
;;; false in the loop and while a continuation is taken or put back.  SLOTS has for
;;; descriptor N what waits to read (2N) and to write (2N+1).  FAILED and ENDED are
;;; procedures, ROOT the group without which the loop is over, GROUPS a table of the others
;;; that have members.  The first seven fields are known in guile/task/poller.h.
(define-record-type <loop>
  (%make-loop current turns poller thread slots inside? timers worker peers
              failed ended root groups)
  loop?
  (current loop-current set-loop-current!)
  (turns loop-turns set-loop-turns!)
  (poller loop-poller)
  (thread loop-thread)
  (slots loop-slots)
  (inside? loop-inside? set-loop-inside!)
  (timers loop-timers)
  (worker loop-worker)
  (peers loop-peers)
  (failed loop-failed)
  (ended loop-ended)
  (root loop-root set-loop-root!)
  (groups loop-groups))

;;; CONTINUATION is the thunk that goes on with the task.  While it sleeps,
;;; (ABANDON task) takes it out of what it waits in, PLACE being where, and
;;; returns whether it still was there.  INTERRUPT is the exception that it gets
;;; when it has to wait, or #f.  PORT is what it waited for last,
;;; SETTINGS an alist of the fluids that it has set, or #f.
;;; END is the core of a channel that is closed when it ends, if anybody has asked
;;; for that.  PREVIOUS and NEXT are its neighbours in its group (guile/task/member.c).
;;; JOINERS are the tasks of the same loop that wait for its end, the latest first.
;;; ON-END is a procedure, #f, or a list of one that only a failure is given to.  These
;;; thirteen are known in guile/task/poller.h.
(define-record-type <task>
  (%make-task continuation abandon place interrupt port settings end
              previous next state result joiners on-end name loop group scope)
  task?
  (continuation task-continuation set-task-continuation!)
  (abandon task-abandon set-task-abandon!)
  (place task-place set-task-place!)
  (interrupt task-interrupt set-task-interrupt!)
  (port task-port)
  (settings task-settings)
  (end task-end)
  (previous task-previous)
  (next task-next)
  (state task-state)
  (result task-result)
  (joiners task-joiners set-task-joiners!)
  (on-end task-on-end)
  (name task-name)
  (loop task-loop)
  (group task-group)
  (scope task-scope set-task-scope!))

(set-record-type-printer! <task>
  (lambda (task port)
    (format port "#<task ~a ~a>" (task-name task) (task-state task))))
(set-record-type-printer! <loop>
  (lambda (loop port)
    (format port "#<loop ~a>" (loop-worker loop))))

;;; What was built for other records must not touch these.
(for-each (lambda (type known)
            (unless (string-prefix? known
                                    (string-join (map symbol->string
                                                      (record-type-fields type))
                                                 " " 'suffix))
              (error "libguile-sockport was built for other modules:" type)))
          (list <loop> <task> <timers> <timer>) (%known-fields))

;;; Thread-local, so that a thread started by a task is not taken for the loop's.
(define loop-fluid (make-thread-local-fluid #f))

(define-inlinable (current-loop)
  "Return the loop that runs in this thread, or #f."
  (fluid-ref loop-fluid))

(define (current-task)
  "Return the task that runs, or #f outside of tasks."
  (let ((loop (fluid-ref loop-fluid)))
    (and loop (loop-current loop))))

(define (in-task?)
  (and (current-task) #t))

(define* (make-loop failed ended #:key (worker 0) (peers (vector #f)))
  "Return a loop for the calling thread.  (FAILED exception) is called when an
exception arises outside of tasks, (ENDED task state result) when a task ends."
  (notice-asyncs)
  (%make-loop #f 0 (%poller-open) (current-thread) (make-vector 128 #f) #f
              (make-timers) worker peers failed ended #f (make-hash-table)))

(define (loop-here? loop)
  "Is this the thread of LOOP?"
  (eq? (current-thread) (loop-thread loop)))

(define (loop-ours? loop)
  "Was LOOP made by this process, not by its parent?"
  (%poller-ours? (loop-poller loop)))

(define (task-ended? task)
  (and (memq (task-state task) '(done failed cancelled)) #t))

;;; The first async of a thread shows what asyncs look like.
(define (notice-asyncs)
  (let notice ((tries 100))
    (unless (or (%async-seen?) (zero? tries))
      (notice (- tries 1)))))
