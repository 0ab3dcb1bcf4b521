/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The steps of a loop that every request takes: a task waits, what it waits for
   makes it ready, it goes on.  What a task or a loop is, and all that happens
   less often, is decided in (sockport task loop).  */

#include "chaos.h"
#include "dynamic-stack.h"
#include "poller.h"
#include "../layer.h"
#include "../primitive.h"
#include "../wait.h"

SCM scm_skp__task_type;
static SCM abandon_slot;

/* The next of those that are dealt with before events are looked for, or #f. */
static SCM
ready_pop (SCM poller)
{
  struct loop_poller *p = scm_skp__poller (poller);
  struct scm_skp__queue *q = &p->queue;
  scm_skp__turn = (struct scm_skp__turn){ .left = SCM_SKP__TURN };
  if (scm_skp__may_be_set (&p->base))
    scm_skp__set_aside (&p->base);
  int some = scm_skp__has_next (q);
  if (scm_skp__chaos () && some)
    {
      scm_skp__chaos_next (q);
      scm_skp__chaos_turn ();
    }
  SCM entry = some ? scm_skp__pop (q) : SCM_BOOL_F;
  scm_skp__run_next (p, entry);
  return entry;
}

/* How many are ready; all of these are dealt with before events are looked
   for.  */
static SCM
ready_begin (SCM poller)
{
  struct scm_skp__queue *q = &scm_skp__poller (poller)->queue;
  scm_skp__ask (q);
  return SCM_I_MAKINUM ((scm_t_signed_bits)q->count);
}

/* What waits in a slot: #f nothing; #t nothing, and an edge was seen; an entry
   for the queue, a task most often; or a list of them, the latest first.  */

void
scm_skp__wake_slot (SCM loop, size_t slot, SCM left)
{
  SCM slots = scm_skp__field (loop, LOOP_SLOTS);
  if (slot >= SCM_SIMPLE_VECTOR_LENGTH (slots))
    return;
  struct scm_skp__queue *q = &scm_skp__poller_in (loop)->queue;
  SCM entry = SCM_SIMPLE_VECTOR_REF (slots, slot);
  SCM_SIMPLE_VECTOR_SET (slots, slot, SCM_IMP (entry) ? left : SCM_BOOL_F);
  if (scm_is_pair (entry))
    for (entry = scm_reverse (entry); scm_is_pair (entry);
         entry = SCM_CDR (entry))
      scm_skp__push (q, SCM_CAR (entry));
  else if (SCM_NIMP (entry))
    scm_skp__push (q, entry);
}

/* #f if an edge was seen, and is not any more.  Nothing waits if ENTRY is #f.
 */
static SCM
wait_in_slot (SCM loop, size_t slot, SCM entry)
{
  SCM slots = scm_skp__field (loop, LOOP_SLOTS),
      there = SCM_SIMPLE_VECTOR_REF (slots, slot);
  if (scm_is_false (there))
    SCM_SIMPLE_VECTOR_SET (slots, slot, entry);
  else if (scm_is_eq (there, SCM_BOOL_T))
    {
      SCM_SIMPLE_VECTOR_SET (slots, slot, SCM_BOOL_F);
      return SCM_BOOL_F;
    }
  else if (scm_is_true (entry))
    SCM_SIMPLE_VECTOR_SET (
        slots, slot,
        scm_cons (entry, scm_is_pair (there) ? there : scm_list_1 (there)));
  return SCM_BOOL_T;
}

/* Take ENTRY out of SLOT; #f if it was not there.  */
static SCM
leave_slot (SCM loop, SCM slot, SCM entry)
{
  SCM slots = scm_skp__field (loop, LOOP_SLOTS);
  size_t n = (size_t)SCM_I_INUM (slot);
  SCM there = SCM_SIMPLE_VECTOR_REF (slots, n), left;
  if (scm_is_eq (there, entry))
    left = SCM_BOOL_F;
  else if (scm_is_pair (there) && scm_is_true (scm_memq (entry, there)))
    left = scm_delq (entry, there);
  else
    return SCM_BOOL_F;
  SCM_SIMPLE_VECTOR_SET (slots, n, scm_is_null (left) ? SCM_BOOL_F : left);
  return SCM_BOOL_T;
}

/* The slot for waiting for PORT, an open file port or a descriptor, once LOOP
   watches it; -1 less the reason if there is nothing to wait for.  */
static inline ptrdiff_t
slot_of (SCM loop, SCM port, size_t direction)
{
  int file = !SCM_I_INUMP (port), why = 0;
  if (file && !SCM_OPFPORTP (port))
    return -1 - NOT_LEFT_CLOSED;
  int fd = file ? SCM_FPORT_FDES (port) : (int)SCM_I_INUM (port);
  scm_t_bits owner = file ? (scm_t_bits)SCM_STREAM (port) : 0;
  const struct loop_poller *p = scm_skp__poller_in (loop);
  if (!owner || !scm_skp__watched (p, fd, owner))
    why = scm_skp__arm (loop, fd, owner, port);
  /* In this order: once the mark is gone, the port is closed.  */
  if (!why && file && (scm_skp__closing (port) || !SCM_OPFPORTP (port)))
    why = NOT_LEFT_CLOSED;
  return why ? -1 - why : 2 * (ptrdiff_t)fd + (ptrdiff_t)direction;
}

int
scm_skp__in_loop (void)
{
  return scm_skp__running != 0;
}

/* Can the task that runs here be left (scm_skp__can_leave)?  Negative if none
   does.  */
static int
leavable (void)
{
  struct scm_skp__leaving leaving;
  SCM loop = scm_skp__running;
  if (!loop || scm_is_false (scm_skp__field (loop, LOOP_CURRENT))
      || scm_is_false (scm_skp__field (loop, LOOP_INSIDE)))
    return -1;
  return scm_skp__can_leave (&leaving, loop);
}

int
scm_skp__below_c (void)
{
  return leavable () == 0;
}

int
scm_skp__can_leave_here (void)
{
  return scm_skp__known && leavable () > 0;
}

/* May the running task of LOOP, which is this thread's, be left to wait, after
   an ATTEMPT or for something else?  0, or why not.  */
static int
may_wait (SCM loop, struct scm_skp__leaving *leaving, int attempt)
{
  if (scm_is_false (scm_skp__field (loop, LOOP_INSIDE))
      || scm_skp__can_leave (leaving, loop) <= 0)
    return NOT_LEFT_UNABLE;
  if (attempt && scm_skp__turn_was_over ())
    return NOT_LEFT_TURN;
  SCM task = scm_skp__field (loop, LOOP_CURRENT);
  return scm_is_true (scm_skp__field (task, TASK_INTERRUPT))
             ? NOT_LEFT_INTERRUPTED
             : 0;
}

/* Have the running task of LOOP wait for PORT, to read (DIRECTION 0) or to
   write (1); else why not.  Asyncs are off afterwards.  */
static int
park (SCM loop, SCM port, size_t direction, struct scm_skp__leaving *leaving)
{
  SCM task = scm_skp__field (loop, LOOP_CURRENT);
  int why = may_wait (loop, leaving, 1);
  if (why)
    return why;
  if (scm_skp__chaos () && !scm_skp__chaos_below (4))
    return NOT_LEFT_READY;
  port = scm_skp__bottom (port, &direction);
  ptrdiff_t slot = slot_of (loop, port, direction);
  if (slot < 0)
    return (int)(-1 - slot);
  if (scm_is_false (wait_in_slot (loop, (size_t)slot, task)))
    return NOT_LEFT_READY;
  scm_skp__asyncs_off (leaving->thread);
  scm_skp__set_field (task, TASK_ABANDON, abandon_slot);
  scm_skp__set_field (task, TASK_PLACE, SCM_I_MAKINUM (slot));
  scm_skp__set_field (task, TASK_PORT, port);
  return 0;
}

/* The running task of LOOP is about to wait; asyncs are off afterwards, unless
   it cannot.  */
static int
begin_wait (SCM loop, struct scm_skp__leaving *leaving)
{
  int why = may_wait (loop, leaving, 0);
  if (!why)
    scm_skp__asyncs_off (leaving->thread);
  return why;
}

int
scm_skp__begin_wait (SCM loop)
{
  struct scm_skp__leaving leaving;
  return scm_is_false (scm_skp__field (loop, LOOP_CURRENT))
             ? NOT_LEFT_UNABLE
             : begin_wait (loop, &leaving);
}

static SCM
task_begin_wait (SCM loop)
{
  int why = scm_skp__begin_wait (loop);
  return why ? SCM_I_MAKINUM (why) : SCM_BOOL_T;
}

/* The running task of LOOP is the last that is ready.  */
static int
yield (SCM loop, struct scm_skp__leaving *leaving)
{
  int why = begin_wait (loop, leaving);
  if (why)
    return why;
  SCM task = scm_skp__field (loop, LOOP_CURRENT);
  scm_skp__set_field (task, TASK_ABANDON, SCM_BOOL_F);
  if (scm_skp__chaos ())
    scm_skp__set_field (task, TASK_PLACE, SCM_BOOL_T);
  struct scm_skp__queue *q = &scm_skp__poller_in (loop)->queue;
  if (scm_skp__turn_was_long ())
    q->unasked = SCM_SKP__MOST_UNASKED;
  scm_skp__push (q, task);
  return 0;
}

/* Leave the running task of LOOP until PORT may be ready (`park'); with #f as
   PORT, until the others have run; with #f as DIRECTION, until something else
   wakes it, asyncs being off then; #t.  A number if it is not left (enum
   scm_skp__not_left).  When #t is returned to the task itself, it has to be
   left by an abort; a procedure begins another task in its place, and is to be
   called in tail position.  */
static SCM
task_wait (SCM loop, SCM port, SCM direction)
{
  struct scm_skp__leaving leaving;
  int why = 0;
  if (scm_is_false (direction))
    scm_skp__can_leave (&leaving, loop);
  else if (scm_is_false (port))
    why = yield (loop, &leaving);
  else
    why = park (loop, port, (size_t)SCM_I_INUM (direction), &leaving);
  if (why)
    return SCM_I_MAKINUM (why);
  return scm_skp__leave (loop, &leaving);
}

/* What `task_goes_on' does, for the LOOP of this thread, or 0.  */
static inline SCM
goes_on (SCM loop)
{
  if (!loop || scm_is_true (scm_skp__field (loop, LOOP_INSIDE)))
    return SCM_BOOL_F;
  SCM task = scm_skp__field (loop, LOOP_CURRENT);
  if (scm_is_false (task))
    return SCM_BOOL_F;
  scm_skp__set_field (loop, LOOP_INSIDE, SCM_BOOL_T);
  scm_skp__asyncs_on (scm_skp__thread_in (loop));
  return scm_skp__field (task, TASK_INTERRUPT);
}

/* For what was left to say that it goes on: its interrupt, or #f, as for what
   was not left.  */
static SCM
task_goes_on (void)
{
  return goes_on (scm_skp__running);
}

/* As `task_goes_on', for what goes on to try again with PORT; #t if something
   else comes first: an async, or that PORT was closed.  */
SCM
scm_skp__goes_on_with (SCM port)
{
  SCM loop = scm_skp__running, interrupt = goes_on (loop);
  if (scm_is_true (interrupt))
    return interrupt;
  return scm_from_bool (!loop || !scm_skp__known || !SCM_OPPORTP (port)
                        || scm_skp__asyncs_due (scm_skp__thread_in (loop)));
}

/* For what is to be called when PORT is ready: its slot there, or #f if it may
   be ready now, or was closed.  */
static SCM
slot_enter (SCM loop, SCM port, SCM direction, SCM entry)
{
  size_t awaited = (size_t)SCM_I_INUM (direction);
  port = scm_skp__bottom (port, &awaited);
  ptrdiff_t slot = slot_of (loop, port, awaited);
  if (slot < 0 || scm_is_false (wait_in_slot (loop, (size_t)slot, entry)))
    return SCM_BOOL_F;
  return SCM_I_MAKINUM (slot);
}

SCM
scm_skp__who_runs (void)
{
  SCM task = scm_skp__running ? scm_skp__field (scm_skp__running, LOOP_CURRENT)
                              : SCM_BOOL_F;
  return scm_is_true (task) ? task : scm_current_thread ();
}

/* Does what runs here run for an async?  */
static SCM
in_async (void)
{
  struct scm_skp__leaving leaving;
  return scm_from_bool (scm_skp__running
                        && scm_skp__can_leave (&leaving, scm_skp__running) < 0);
}

/* Was there an attempt that has to wait because a turn was over?  */
static SCM
turn_was_over (void)
{
  return scm_from_bool (scm_skp__turn_was_over ());
}

_Static_assert(NOT_LEFT_TURN == 2 && NOT_LEFT_INTERRUPTED == 3
                   && NOT_LEFT_CLOSED == 4 && NOT_LEFT_UNABLE == 5,
               "(sockport task loop)");

/* For each of the records, its fields that are known here.  */
static SCM
known_fields (void)
{
#define NAME(number, name) name " "
  return scm_list_4 (scm_from_latin1_string (SCM_SKP__LOOP_FIELDS (NAME)),
                     scm_from_latin1_string (SCM_SKP__TASK_FIELDS (NAME)),
                     scm_from_latin1_string (SCM_SKP__TIMERS_FIELDS (NAME)),
                     scm_from_latin1_string (SCM_SKP__TIMER_FIELDS (NAME)));
}

/* TYPE is the record type of tasks; (ABANDON task) takes one out of its slot.
   The others are for `scm_skp__leave_by'.  */
static SCM
task_init (SCM type, SCM tag, SCM proc, SCM winder, SCM abandon)
{
  scm_skp__task_type = type;
  abandon_slot = abandon;
  scm_skp__leave_by (tag, proc, winder);
  return scm_from_bool (scm_skp__known);
}

void
scm_skp__init_task (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%task-init!", 5, 0, 0, task_init },
    { "%known-fields", 0, 0, 0, known_fields },
    { "%ready-pop!", 1, 0, 0, ready_pop },
    { "%ready-begin!", 1, 0, 0, ready_begin },
    { "%task-wait", 3, 0, 0, task_wait },
    { "%task-begin-wait", 1, 0, 0, task_begin_wait },
    { "%task-goes-on", 0, 0, 0, task_goes_on },
    { "%slot-enter", 4, 0, 0, slot_enter },
    { "%slot-leave", 3, 0, 0, leave_slot },
    { "%in-async?", 0, 0, 0, in_async },
    { "%turn-was-over?", 0, 0, 0, turn_was_over },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
  scm_skp__init_asyncs ();
  scm_skp__init_bell ();
  scm_skp__init_claim ();
  scm_skp__init_channel ();
  scm_skp__init_member ();
  scm_skp__init_switch ();
  scm_skp__init_setting ();
}
