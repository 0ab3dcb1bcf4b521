/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Waits that whoever gives something ends: after Reppy, Russo and Xiao,
   "Parallel Concurrent ML" (2009).

   Each wait has a flag, an atomic box: W while it waits, S once it is over, and
   C for the moment in which one that waits for several things tries to end
   another's wait together with its own.  Whoever moves it from W to S, and
   nobody else, says what the wait gives.  */

#include "claim.h"
#include "chaos.h"
#include "dynamic-stack.h"
#include "../primitive.h"

#include <libguile/atomic.h>
#include <sched.h>
#include <sockport/transfer.h>

static SCM waiting, claiming, over; /* W, C, S */
SCM scm_skp__nothing, scm_skp__entered;

/* Where nobody else is handed it, the field is the flag.  */
static inline scm_t_bits *
flag_of (SCM waiter)
{
  SCM flag = scm_skp__field (waiter, WAITER_FLAG);
  return scm_is_atomic_box (flag)
             ? (scm_t_bits *)scm_atomic_box_loc (flag)
             : (scm_t_bits *)(SCM_STRUCT_SLOTS (waiter) + WAITER_FLAG);
}

/* Have the flag of WAITER be TO if it is FROM; what it was.  */
static inline SCM
swap (SCM waiter, SCM from, SCM to)
{
  scm_t_bits was = SCM_UNPACK (from);
  __atomic_compare_exchange_n (flag_of (waiter), &was, SCM_UNPACK (to), 0,
                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return SCM_PACK (was);
}

int
scm_skp__is_over (SCM waiter)
{
  return __atomic_load_n (flag_of (waiter), __ATOMIC_SEQ_CST)
         == SCM_UNPACK (over);
}

enum scm_skp__claimed
scm_skp__claim (SCM its, SCM mine)
{
  for (unsigned int tries = 1;; tries++)
    {
      SCM mine_was
          = scm_is_true (mine) ? swap (mine, waiting, claiming) : waiting;
      if (scm_is_eq (mine_was, over))
        return MINE_OVER;
      if (scm_is_eq (mine_was, waiting))
        {
          SCM was = swap (its, waiting, over);
          int claimed = scm_is_eq (was, waiting);
          if (scm_is_true (mine))
            swap (mine, claiming, claimed ? over : waiting);
          if (claimed)
            return CLAIMED;
          if (scm_is_eq (was, over))
            return ITS_OVER;
        }
      /* It claims too, for a few steps, unless its thread was stopped.  */
      if (tries % 64 == 0)
        sched_yield ();
    }
}

int
scm_skp__end (SCM mine)
{
  return scm_is_false (mine) || scm_is_eq (swap (mine, waiting, over), waiting);
}

static scm_t_bits waiter_type; /* the first word of waiters */
static SCM abandon_waiter;

/* As the SAMPLE; (ABANDON task) takes back what TASK waits as.  */
static SCM
waiter_init (SCM sample, SCM abandon)
{
  waiter_type = SCM_CELL_WORD_0 (sample);
  abandon_waiter = abandon;
  return SCM_UNSPECIFIED;
}

SCM
scm_skp__waiter_here (void)
{
  SCM loop = scm_skp__running;
  if (!scm_skp__known || !loop || scm_skp__begin_wait (loop))
    return SCM_BOOL_F;
  SCM task = scm_skp__field (loop, LOOP_CURRENT),
      waiter = scm_skp__words (waiter_type, 1 + WAITER_FIELDS);
  scm_skp__set_field (waiter, WAITER_FLAG, waiting);
  scm_skp__set_field (waiter, WAITER_VALUE, scm_skp__nothing);
  scm_skp__set_field (waiter, WAITER_CHOSEN, SCM_BOOL_F);
  scm_skp__set_field (waiter, WAITER_SLEEPER, task);
  scm_skp__set_field (waiter, WAITER_POLLER,
                      scm_skp__field (loop, LOOP_POLLER));
  scm_skp__set_field (task, TASK_ABANDON, abandon_waiter);
  scm_skp__set_field (task, TASK_PLACE, waiter);
  return waiter;
}

/* A thread without a loop sleeps by a bell; in another scheduler, by a socket.
 */
static void
wake_other (SCM sleeper)
{
  if (SCM_POINTER_P (sleeper))
    scm_skp__ring (sleeper);
  else if (SCM_OPFPORTP (sleeper))
    skp_transfer_send (SCM_FPORT_FDES (sleeper), "", 1, 0);
}

void
scm_skp__deliver (SCM waiter, SCM value, SCM operation)
{
  SCM poller = scm_skp__field (waiter, WAITER_POLLER),
      sleeper = scm_skp__field (waiter, WAITER_SLEEPER);
  scm_skp__set_field (waiter, WAITER_CHOSEN, operation);
  scm_skp__set_field (waiter, WAITER_VALUE, value);
  if (scm_is_true (poller))
    scm_skp__make_ready (poller, sleeper);
  else
    wake_other (sleeper);
}

/* End the wait of WAITER with VALUE, for OPERATION; #f if it was over.  */
static SCM
claim_waiter (SCM waiter, SCM value, SCM operation)
{
  if (scm_skp__claim (waiter, SCM_BOOL_F) != CLAIMED)
    return SCM_BOOL_F;
  scm_skp__deliver (waiter, value, operation);
  return SCM_BOOL_T;
}

/* End the waits of WAITER and of OTHER; or neither, and #f.  Fork takes the
   lock, so that no flag is left at C.  */
static SCM
claim_both (SCM waiter, SCM value, SCM operation, SCM other, SCM other_value,
            SCM other_operation)
{
  if (scm_is_eq (waiter, other))
    return SCM_BOOL_F;
  scm_skp__shared_take ();
  enum scm_skp__claimed claimed = scm_skp__claim (waiter, other);
  scm_skp__shared_leave ();
  if (claimed != CLAIMED)
    return SCM_BOOL_F;
  scm_skp__deliver (waiter, value, operation);
  scm_skp__deliver (other, other_value, other_operation);
  return SCM_BOOL_T;
}

/* Wake WAITER, whose flag the caller has moved to S.  */
static SCM
wake_claimed (SCM waiter, SCM value, SCM operation)
{
  scm_skp__deliver (waiter, value, operation);
  return SCM_UNSPECIFIED;
}

/* End the wait of WAITER with nothing; #f if it was over.  */
static SCM
withdraw (SCM waiter)
{
  return scm_from_bool (scm_skp__claim (waiter, SCM_BOOL_F) == CLAIMED);
}

static SCM
the_nothing (void)
{
  return scm_skp__nothing;
}

static SCM
the_entered (void)
{
  return scm_skp__entered;
}

/* A number below N, by chance.  */
static SCM
draw_below (SCM n)
{
  return SCM_I_MAKINUM (
      (scm_t_signed_bits)scm_skp__chaos_below ((unsigned int)SCM_I_INUM (n)));
}

void
scm_skp__init_claim (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%claim", 3, 0, 0, claim_waiter },
    { "%claim-both", 6, 0, 0, claim_both },
    { "%wake-claimed", 3, 0, 0, wake_claimed },
    { "%withdraw", 1, 0, 0, withdraw },
    { "%nothing", 0, 0, 0, the_nothing },
    { "%entered", 0, 0, 0, the_entered },
    { "%waiter-init!", 2, 0, 0, waiter_init },
    { "%draw-below", 1, 0, 0, draw_below },
  };
  waiting = scm_permanent_object (scm_from_utf8_symbol ("W"));
  claiming = scm_permanent_object (scm_from_utf8_symbol ("C"));
  over = scm_permanent_object (scm_from_utf8_symbol ("S"));
  scm_skp__nothing = scm_permanent_object (
      scm_make_symbol (scm_from_utf8_string ("nothing")));
  scm_skp__entered = scm_permanent_object (
      scm_make_symbol (scm_from_utf8_string ("entered")));
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
