/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tasks as members of a group: how one begins, and how it ends where nothing
   but `join' has asked to hear of that.  What else its end means to others is
   decided in (sockport task group).  */

#include "claim.h"
#include "dynamic-stack.h"
#include "../primitive.h"

static SCM done;

/* The members of a group are a circle of tasks, the latest last, and of a pair
   that stands for the group: its car is the first, its cdr the last.  */

static void
set_next (SCM member, SCM next)
{
  if (scm_is_pair (member))
    SCM_SETCAR (member, next);
  else
    scm_skp__set_field (member, TASK_NEXT, next);
}

static void
set_previous (SCM member, SCM previous)
{
  if (scm_is_pair (member))
    SCM_SETCDR (member, previous);
  else
    scm_skp__set_field (member, TASK_PREVIOUS, previous);
}

static void
add (SCM members, SCM task)
{
  SCM last = SCM_CDR (members);
  scm_skp__set_field (task, TASK_PREVIOUS, last);
  scm_skp__set_field (task, TASK_NEXT, members);
  set_next (last, task);
  SCM_SETCDR (members, task);
}

static void
take_out (SCM task)
{
  SCM previous = scm_skp__field (task, TASK_PREVIOUS),
      next = scm_skp__field (task, TASK_NEXT);
  if (scm_is_false (next))
    return;
  set_next (previous, next);
  set_previous (next, previous);
  scm_skp__set_field (task, TASK_PREVIOUS, SCM_BOOL_F);
  scm_skp__set_field (task, TASK_NEXT, SCM_BOOL_F);
}

/* TASK is one of MEMBERS, and ready in the loop of POLLER.  */
static SCM
task_begin (SCM task, SCM members, SCM poller)
{
  add (members, task);
  return scm_skp__make_ready (poller, task);
}

/* What is closed when TASK ends: the field is #f until that is asked for, and
   what was closed before once it has ended.  From any thread.  */
static SCM closed_before;

#define END_OF(task) ((scm_t_bits *)(SCM_STRUCT_SLOTS (task) + TASK_END))

static SCM
task_end (SCM task)
{
  scm_t_bits *end = END_OF (task), none = SCM_UNPACK (SCM_BOOL_F);
  if (__atomic_load_n (end, __ATOMIC_SEQ_CST) == none)
    {
      SCM new = scm_skp__make_channel (SCM_INUM0, SCM_BOOL_T);
      __atomic_compare_exchange_n (end, &none, SCM_UNPACK (new), 0,
                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
  return SCM_PACK (__atomic_load_n (end, __ATOMIC_SEQ_CST));
}

/* TASK, which has ended, is no member any more, and lets go of what it needed
   to go on.  */
static SCM
task_forget (SCM task)
{
  static const size_t fields[] = { TASK_ABANDON, TASK_PLACE, TASK_PORT };
  take_out (task);
  /* Something that no other task has, lest two that have ended are `equal?'. */
  scm_skp__set_field (task, TASK_CONTINUATION, scm_make_variable (SCM_BOOL_F));
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    scm_skp__set_field (task, fields[i], SCM_BOOL_F);
  return SCM_UNSPECIFIED;
}

/* The tasks that wait for the end of TASK, in its loop, go on.  */
static void
resume_joiners (SCM task)
{
  SCM joiners = scm_skp__field (task, TASK_JOINERS);
  if (scm_is_null (joiners))
    return;
  scm_skp__set_field (task, TASK_JOINERS, SCM_EOL);
  for (joiners = scm_reverse (joiners); scm_is_pair (joiners);
       joiners = SCM_CDR (joiners))
    scm_skp__push (&scm_skp__poller_in (scm_skp__running)->queue,
                   SCM_CAR (joiners));
}

/* Note that TASK, of the loop that runs here, has ended in STATE with RESULT,
   and let those that wait for it go on.  */
static SCM
task_ended (SCM task, SCM state, SCM result)
{
  scm_skp__set_field (task, TASK_RESULT, result);
  scm_skp__set_field (task, TASK_STATE, state);
  SCM end = SCM_PACK (__atomic_exchange_n (
      END_OF (task), SCM_UNPACK (closed_before), __ATOMIC_SEQ_CST));
  if (scm_is_true (end))
    scm_skp__channel_close (end);
  resume_joiners (task);
  return SCM_UNSPECIFIED;
}

/* Would none but those that wait for TASK hear that it has returned?  */
static int
ends_unheard (SCM task)
{
  SCM next = scm_skp__field (task, TASK_NEXT),
      on_end = scm_skp__field (task, TASK_ON_END);
  int only_member = scm_is_pair (next) && scm_is_eq (SCM_CAR (next), task);
  return scm_is_true (next) && !only_member
         && (scm_is_false (on_end) || scm_is_pair (on_end));
}

/* TASK, which runs, has returned VALUES, a list; #f, and nothing was done, if
   that has to be dealt with otherwise.  Asyncs are off afterwards.  */
static SCM
task_done (SCM task, SCM values)
{
  SCM loop = scm_skp__running;
  if (!loop || !scm_is_eq (scm_skp__field (loop, LOOP_CURRENT), task)
      || !ends_unheard (task))
    return SCM_BOOL_F;
  scm_skp__recover (loop);
  scm_skp__set_field (loop, LOOP_INSIDE, SCM_BOOL_F);
  task_ended (task, done, values);
  task_forget (task);
  return SCM_BOOL_T;
}

void
scm_skp__init_member (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%task-begin!", 3, 0, 0, task_begin },
    { "%task-end", 1, 0, 0, task_end },
    { "%task-ended!", 3, 0, 0, task_ended },
    { "%task-forget!", 1, 0, 0, task_forget },
    { "%task-done!", 2, 0, 0, task_done },
  };
  done = scm_permanent_object (scm_from_utf8_symbol ("done"));
  closed_before
      = scm_permanent_object (scm_skp__make_channel (SCM_INUM0, SCM_BOOL_T));
  scm_skp__channel_close (closed_before);
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
