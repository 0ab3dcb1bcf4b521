;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Task groups: tasks that end together.  A group is over when all its tasks
;;; are; the first error cancels the others and is raised, once, where the group
;;; was made.

(define-module (sockport task group)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (srfi srfi-11)
  #:use-module (sockport io argument)
  #:use-module (sockport io keyword)
  #:use-module (sockport task exception)
  #:use-module (sockport task loop)
  #:use-module (sockport task origin)
  #:use-module (sockport task inherit)
  #:use-module (sockport task member)
  #:use-module (sockport primitive)
  #:use-module ((sockport task record) #:select (loop-groups loop-poller))
  #:use-module (sockport task scope)
  #:use-module (sockport task waiter)
  #:export (with-task-group
            spawn-task
            start-task!
            on-failure
            cancel!
            make-root-group
            group-fail!
            group-cancel!
            group-exception
            group-failures
            group-ended
            group-members
            cancelled-with?
            task-group?))

;;; HOST is the task that made the group, in the body that SCOPE is; both are #f
;;; for a loop's own group, which calls EMPTY when its last task has ended.
;;; WAITING? is true while the host waits for the members, OVER? once it has.
;;; UNIQUE makes `equal?' the same as `eq?'.
(define-record-type <group>
  (%make-group unique loop host scope members empty waiting? cancelled? failures
               over?)
  task-group?
  (unique group-unique)
  (loop group-loop)
  (host group-host)
  (scope group-scope set-group-scope!)
  (members group-members)
  (empty group-empty)
  (waiting? group-waiting? set-group-waiting!)
  (cancelled? group-cancelled? set-group-cancelled!)
  (failures group-failures set-group-failures!)
  (over? group-over? set-group-over!))

(set-record-type-printer! <group>
  (lambda (group port) (display "#<task-group>" port)))

(define (make-group loop host empty)
  (%make-group (make-variable #f) loop host #f (no-members) empty #f #f '()
               #f))

(define (make-root-group loop empty)
  (make-group loop #f empty))

(define (abandon-group task)
  (let ((group (task-place task)))
    (and (group-waiting? group)
         (begin
           (set-group-waiting! group #f)
           #t))))

;;; Ending.

(define (group-fail! group exception)
  "Note that a member of GROUP, or its body, failed with EXCEPTION."
  ;; One that joined another fails with what that one did.
  (unless (and (exception? exception) (memq exception (group-failures group)))
    (set-group-failures! group (cons exception (group-failures group))))
  (group-cancel! group))

(define (group-exception group)
  "Return what GROUP failed with, the others attached to the first; or #f."
  (let ((failures (reverse (group-failures group))))
    (and (pair? failures)
         (with-others (car failures) (cdr failures)))))

(define (group-cancel! group)
  (unless (group-cancelled? group)
    (set-group-cancelled! group #t)
    (when (group-host group)
      (trigger! (group-host group) (group-scope group)
                (make-task-cancelled (group-scope group) group)))
    (for-each-member task-cancel! (group-members group))))

(define (task-cancel! task)
  (let ((scope (scope-outermost (task-scope task))))
    (trigger! task scope (make-task-cancelled scope task))))

(define (own-cancellation? exception scope)
  (and (task-cancelled? exception)
       (eq? (interruption-scope exception) scope)))

;;; What a task has for its end where only a failure matters, as of a fiber: a handler
;;; around the end of each would cost a fifth of all that a short one costs.
(define (on-failure proc)
  (list proc))

(define (dealt-with? group task state result)
  "Call the procedure that TASK has for its end, if any."
  (let ((proc (match (task-on-end task)
                ((proc) (and (eq? state 'failed) proc))
                (proc proc))))
    (and proc
         (call-noting
          (lambda () (proc (and (eq? state 'failed) result)))
          (lambda (exception)
            (%loop-recover (task-loop task))
            (group-fail! group exception)
            #f)))))

(define (group-ended task state result)
  "TASK has ended: `done' with RESULT, a list of values, or `failed' with RESULT,
an exception."
  (let* ((group (task-group task))
         (cancelled? (and (eq? state 'failed)
                          (own-cancellation?
                           result (scope-outermost (task-scope task))))))
    (%task-ended! task (if cancelled? 'cancelled state) result)
    (%task-forget! task)
    (unless (or (dealt-with? group task state result)
                (eq? state 'done)
                cancelled?)
      (group-fail! group result))
    (when (no-members? (group-members group))
      (hashq-remove! (loop-groups (task-loop task)) group)
      (cond ((group-waiting? group)
             (set-group-waiting! group #f)
             (resume! (group-host group)))
            ((group-empty group) => (lambda (empty) (empty)))))))

(define (cancelled-with? exception)
  "Is EXCEPTION what the present task was cancelled with?  What `join' raises of
another that was cancelled is not."
  (let ((task (current-task)))
    (and task
         (own-cancellation? exception (scope-outermost (task-scope task))))))

;;; Beginning.

(define (innermost-group task)
  (let search ((scope (task-scope task)))
    (cond ((not scope) (task-group task))
          ((scope-group scope) => identity)
          (else (search (scope-parent scope))))))

(define (start-task! loop group thunk name on-end)
  "Start a task of GROUP, which is LOOP's, which runs here, and return it."
  (let ((task (make-task loop name thunk group
                         (make-scope #f #f #f #f #f) on-end)))
    (when (and (group-host group) (no-members? (group-members group)))
      (hashq-set! (loop-groups loop) group #t))
    (%task-begin! task (group-members group) (loop-poller loop))
    (when (group-cancelled? group)
      (without-asyncs (task-cancel! task)))
    task))

(define (loop-ended loop)
  (error "spawn-task: this loop has ended:" loop))

(define (start-from-afar! loop thunk name on-end)
  "Start a task in LOOP, which is another thread's, and return it."
  (check-can-wait "spawn-task")
  (let ((started (%make-channel-core 1 #f)))
    (define (start)
      (%channel-put started
                    (and (loop-root loop)
                         (start-task! loop (loop-root loop) thunk name on-end))))
    (or (and (loop-post! loop start)
             (core-get started "spawn-task"))
        (loop-ended loop))))

(define (check-values group loop on-end)
  (check-that (or (not group) (task-group? group)) group '#:group "task group"
              "spawn-task")
  (check-that (or (not loop) (loop? loop)) loop '#:loop "loop" "spawn-task")
  (check-that (or (not on-end) (procedure? on-end)) on-end '#:on-end
              "procedure or #f" "spawn-task"))

(define spawn-task
  (case-lambda
    "Start a task that calls THUNK, and return it.  It belongs to GROUP, by default
the innermost group around the caller; with LOOP, which may be another thread's,
to that loop's own group.  NAME, any object, is shown when the task is printed.
(ON-END exception) is called when the task has ended, with #f or the exception it
ended with; it must not wait.  If it returns true, the exception is dealt with."
    ((thunk)
     (check-procedure thunk 1 "spawn-task")
     (spawn-within (current-task) thunk thunk #f))
    ((thunk . options)
     (check-keywords options 0 spawn-keywords "spawn-task")
     (apply spawn-with thunk options))))

(define spawn-keywords '(#:name #:group #:loop #:on-end))
(set-keywords! spawn-task '(thunk) '() spawn-keywords)

;;; The same, for modules that know which keywords there are.
(define* (spawn-with thunk #:key name group loop on-end)
  (check-procedure thunk 1 "spawn-task")
  (check-values group loop on-end)
  (let* ((name (or name thunk))
         (spawner (current-task))
         (inherited (inheriting spawner thunk)))
    (cond ((and loop (not (loop-here? loop)))
           (start-from-afar! loop inherited name on-end))
          (loop
           (unless (loop-root loop)
             (loop-ended loop))
           (start-task! loop (loop-root loop) inherited name on-end))
          (group
           (unless (loop-here? (group-loop group))
             (error "spawn-task: this group belongs to another thread:"
                    group))
           (when (or (group-over? group)
                     (not (loop-root (group-loop group))))
             (error "spawn-task: this group has ended:" group))
           (start-task! (group-loop group) group inherited name on-end))
          (else (spawn-within spawner thunk name on-end)))))

(define (spawn-within spawner thunk name on-end)
  (unless spawner
    (error "spawn-task: no tasks run here; use run-tasks, or #:loop"))
  (start-task! (task-loop spawner) (innermost-group spawner)
          (inheriting spawner thunk) name on-end))

(define (cancel! target)
  "Cancel TARGET, a task or a group: each wait of its tasks, the one that goes on
and those that follow, raises @code{&task-cancelled}.  From any thread."
  (check-that (or (task? target) (task-group? target)) target 1
              "task or task group" "cancel!")
  (let ((loop (if (task? target) (task-loop target) (group-loop target)))
        (cancel (if (task? target) task-cancel! group-cancel!)))
    (if (loop-here? loop)
        (without-asyncs (cancel target))
        (loop-post! loop (lambda () (cancel target))))
    *unspecified*))

;;; Around a body.

(define (wait-for-members! group task)
  "Wait until GROUP has no members, whatever happens; return the exception that
interrupted, or #f."
  (let wait ((interrupt #f))
    (%asyncs-off)
    (cond ((no-members? (group-members group))
           (set-group-over! group #t)
           (%asyncs-on)
           interrupt)
          (else
           (let ((interrupt (or interrupt (task-interrupt task))))
             (when interrupt
               (group-cancel! group))
             (set-group-waiting! group #t)
             (wait (or (suspend! task abandon-group group) interrupt)))))))

(define (run-body group task proc)
  "Call PROC with GROUP; return whether it has returned, and a list of its values
or what it raised."
  (call-noting
   (lambda ()
     (call-with-values
         (lambda ()
           (call-in-scope task (group-scope group) (lambda () (proc group))))
       (lambda results (values #t results))))
   (lambda (exception) (values #f exception))))

(define (with-task-group proc)
  "Call PROC with a new task group, wait until all tasks of the group have ended,
and return PROC's values.  If PROC or one of the tasks raises an exception, all
are cancelled and the exception is raised when they have ended; what others
raised besides is in @code{task-errors-others}.  #f if cancel! of the group ended PROC."
  (check-procedure proc 1 "with-task-group")
  (let* ((task (or (current-task)
                   (error "with-task-group: no tasks run here; use run-tasks")))
         (group (make-group (task-loop task) task #f))
         (scope (make-scope (task-scope task) group #f #f #f)))
    (check-can-wait "with-task-group")
    (set-group-scope! group scope)
    (let-values (((returned? result) (run-body group task proc)))
      (unless (or returned? (own-cancellation? result scope))
        (without-asyncs (group-fail! group result)))
      (let ((interrupt (wait-for-members! group task)))
        (cond ((pair? (group-failures group))
               (raise-exception (group-exception group)))
              (interrupt (raise-exception interrupt))
              (returned? (apply values result))
              (else #f))))))
