/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Chaos for tests (chaos.h).  Nothing here is called without SOCKPORT_CHAOS. */

#include <stdlib.h>

#include "chaos.h"
#include "loop.h"
#include "primitive.h"
#include "sockport/guile.h"

uint64_t scm_skp__chaos_seed;
static __thread uint64_t state;
static SCM nothing; /* an async that does nothing */

/* Marsaglia's xorshift; good enough to be unlike the order of things.  */
unsigned int
scm_skp__chaos_below (unsigned int n)
{
  if (!state)
    state = scm_skp__chaos_seed * UINT64_C (0x9e3779b97f4a7c15) + 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (unsigned int)((state >> 33) % n);
}

/* It is drawn among so many, lest thousands of tasks take for ever.  */
#define MOST_DRAWN 256

/* Who yields runs after those that were ready: how many of Q are before the
   first of that kind, the one at the head being before all.  */
static unsigned int
before_yielders (const struct scm_skp__queue *q)
{
  unsigned int n = 0;
  for (; n < q->left && n < MOST_DRAWN; n++)
    {
      SCM entry = q->entry[(q->head + n) & (q->size - 1)];
      if (scm_skp__is_task (entry)
          && scm_is_eq (scm_skp__field (entry, TASK_PLACE), SCM_BOOL_T))
        break;
    }
  return n ? n : 1;
}

void
scm_skp__chaos_next (struct scm_skp__queue *q)
{
  size_t drawn
      = (q->head + scm_skp__chaos_below (before_yielders (q))) & (q->size - 1);
  SCM entry = q->entry[drawn];
  q->entry[drawn] = q->entry[q->head];
  q->entry[q->head] = entry;
}

void
scm_skp__chaos_turn (void)
{
  scm_skp__turn.left = 1 + scm_skp__chaos_below (SCM_SKP__TURN);
  if (!scm_skp__chaos_below (8))
    scm_system_async_mark_for_thread (nothing, scm_current_thread ());
  if (!scm_skp__chaos_below (512))
    scm_gc ();
}

void
scm_skp__init_chaos (void)
{
  const char *value = getenv ("SOCKPORT_CHAOS");
  if (value)
    scm_skp__chaos_seed = strtoull (value, NULL, 10);
  if (scm_skp__chaos_seed)
    nothing = scm_permanent_object (scm_c_eval_string ("(lambda () #f)"));
}
