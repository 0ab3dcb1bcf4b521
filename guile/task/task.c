/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The steps of a loop that every request takes: a task waits, an event makes it
   ready, it goes on.  All else is in (sockport task loop) and (sockport task
   slot), and so is what is done when one of these steps does not apply.  */

#include "poller.h"

static SCM task_type;

static inline int
is_task (SCM object)
{
  return SCM_STRUCTP (object)
         && scm_is_eq (SCM_STRUCT_VTABLE (object), task_type);
}

/* The queue of tasks that are ready.  */

static void
grow (struct scm_skp__queue *q)
{
  size_t size = q->size ? 2 * q->size : 64;
  SCM *task = scm_gc_malloc (size * sizeof *task, "tasks");
  for (size_t i = 0; i < q->count; i++)
    task[i] = q->task[(q->head + i) & (q->size - 1)];
  q->task = task;
  q->size = size;
  q->head = 0;
}

static void
push (struct scm_skp__queue *q, SCM task)
{
  if (q->count == q->size)
    grow (q);
  q->task[(q->head + q->count++) & (q->size - 1)] = task;
}

SCM
scm_skp__task_pop (struct scm_skp__queue *q)
{
  SCM task = q->task[q->head];
  q->task[q->head] = SCM_BOOL_F;
  q->head = (q->head + 1) & (q->size - 1);
  q->count--;
  q->left--;
  return task;
}

static SCM
task_push (SCM poller, SCM task)
{
  push (&scm_skp__poller (poller)->queue, task);
  return SCM_UNSPECIFIED;
}

/* The next task of those that are run before events are looked for, or #f.  */
static SCM
task_pop (SCM poller)
{
  struct scm_skp__queue *q = &scm_skp__poller (poller)->queue;
  scm_skp__turn = (struct scm_skp__turn){ .left = SCM_SKP__TURN };
  return q->left ? scm_skp__task_pop (q) : SCM_BOOL_F;
}

static SCM
tasks_ready (SCM poller)
{
  return SCM_I_MAKINUM (
      (scm_t_signed_bits)scm_skp__poller (poller)->queue.count);
}

/* Those that are ready now are run before events are looked for.  */
static SCM
tasks_begin (SCM poller)
{
  struct scm_skp__queue *q = &scm_skp__poller (poller)->queue;
  q->left = q->count;
  return SCM_UNSPECIFIED;
}

/* What waits in a slot.  */

int
scm_skp__edge (SCM loop, size_t slot)
{
  SCM slots = scm_skp__field (loop, LOOP_SLOTS);
  if (slot >= SCM_SIMPLE_VECTOR_LENGTH (slots))
    return 1;
  SCM entry = SCM_SIMPLE_VECTOR_REF (slots, slot);
  if (is_task (entry))
    {
      SCM poller = scm_skp__field (loop, LOOP_POLLER);
      SCM_SIMPLE_VECTOR_SET (slots, slot, SCM_BOOL_F);
      scm_skp__set_field (entry, TASK_PARKED, SCM_BOOL_F);
      push (&scm_skp__poller (poller)->queue, entry);
    }
  else if (scm_is_bool (entry))
    SCM_SIMPLE_VECTOR_SET (slots, slot, SCM_BOOL_T);
  else
    return 0;
  return 1;
}

/* Have the running task of LOOP, which is this thread's, wait in the slot for
   PORT, for reading (DIRECTION 0) or writing (1); 0 if it takes more than this.
 */
static int
park (SCM loop, SCM port, SCM direction)
{
  SCM task = scm_skp__field (loop, LOOP_CURRENT);
  SCM handle = scm_skp__field (loop, LOOP_THREAD);
  SCM slots = scm_skp__field (loop, LOOP_SLOTS);
  const struct loop_poller *p
      = scm_skp__poller (scm_skp__field (loop, LOOP_POLLER));
  if (scm_skp__turn.over || !is_task (task) || !SCM_OPFPORTP (port)
      || scm_is_true (scm_skp__field (task, TASK_INTERRUPT)))
    return 0;
  int fd = SCM_FPORT_FDES (port);
  size_t slot = 2 * (size_t)fd + (size_t)SCM_I_INUM (direction);
  if (!scm_skp__watched (p, fd, (scm_t_bits)SCM_STREAM (port))
      || slot >= SCM_SIMPLE_VECTOR_LENGTH (slots)
      || scm_is_true (SCM_SIMPLE_VECTOR_REF (slots, slot))
      || !scm_skp__can_leave (handle))
    return 0;
  SCM_SIMPLE_VECTOR_SET (slots, slot, task);
  scm_skp__set_field (task, TASK_PARKED, SCM_I_MAKINUM (slot));
  scm_skp__set_field (task, TASK_PORT, port);
  scm_skp__set_field (
      task, TASK_WANTED,
      SCM_I_MAKINUM ((scm_t_signed_bits)(intptr_t)scm_skp__wanted));
  return 1;
}

/* Leave the running task of LOOP until PORT may be ready (`park'), or, with #f
   as DIRECTION, until something else wakes it; #t.  #f if it is not left,
   because that takes more than `park' does.  When #t is returned to the task
   itself, it has to be left by an abort.  */
static SCM
task_wait (SCM loop, SCM port, SCM direction)
{
  if (scm_is_true (direction) && !park (loop, port, direction))
    return SCM_BOOL_F;
  scm_skp__leave (loop);
  return SCM_BOOL_T;
}

/* Was there an attempt that has to wait because a turn was over?  */
static SCM
turn_was_over (void)
{
  return scm_from_bool (scm_skp__turn_was_over ());
}

/* Tell of the record type of tasks, the tag of their prompts, the procedure
   that calls %task-wait (`scm_skp__leave_by'), and a winder.  */
static SCM
task_init (SCM type, SCM tag, SCM proc, SCM winder)
{
  task_type = type;
  scm_skp__leave_by (tag, proc, winder);
  return SCM_UNSPECIFIED;
}

void
scm_skp__init_task (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%task-init!", 4, 0, 0, task_init },
    { "%task-push!", 2, 0, 0, task_push },
    { "%task-pop!", 1, 0, 0, task_pop },
    { "%tasks-ready", 1, 0, 0, tasks_ready },
    { "%tasks-begin!", 1, 0, 0, tasks_begin },
    { "%task-wait", 3, 0, 0, task_wait },
    { "%turn-was-over?", 0, 0, 0, turn_was_over },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
