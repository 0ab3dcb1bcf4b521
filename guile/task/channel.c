/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Channels: values on their way, and the waiters to get or to put.

   What a channel holds, and its waiters, change under a lock; which one depends
   on the channel.  Nothing waits, raises or runs an async under it, and
   fork takes all of them, so no flag of a wait (claim.c) is ever left at C.
   A waiter that is over is dropped from a queue when met, or when that is full.
 */

#include "claim.h"
#include "dynamic-stack.h"
#include "../primitive.h"

#include <pthread.h>

/* A waiter, the operation it waits by, and what it would put; or #f, #f, and a
   value that is held.  */
struct entry
{
  SCM waiter, operation, load;
};

struct entries
{
  struct entry *entry;
  size_t size, head, count; /* SIZE is a power of two, or 0 */
};

/* LAST is what getting gives once the channel is closed.  */
struct channel
{
  size_t capacity;
  int closed;
  SCM last;
  struct entries held, getters, putters;
};

static inline struct entry *
at (const struct entries *q, size_t i)
{
  return &q->entry[(q->head + i) & (q->size - 1)];
}

static struct entry
take_out (struct entries *q, size_t i)
{
  struct entry found = *at (q, i);
  for (; i > 0; i--)
    *at (q, i) = *at (q, i - 1);
  *at (q, 0) = (struct entry){ SCM_BOOL_F, SCM_BOOL_F, SCM_BOOL_F };
  q->head = (q->head + 1) & (q->size - 1);
  q->count--;
  return found;
}

/* Have room for one more: where waits that are over were, if they were many. */
static void
make_room (struct entries *q)
{
  size_t kept = 0, count = q->count;
  for (size_t i = 0; i < count; i++)
    {
      struct entry entry = *at (q, i);
      if (scm_is_false (entry.waiter) || !scm_skp__is_over (entry.waiter))
        *at (q, kept++) = entry;
    }
  q->count = kept;
  for (size_t i = kept; i < count; i++)
    *at (q, i) = (struct entry){ SCM_BOOL_F, SCM_BOOL_F, SCM_BOOL_F };
  if (2 * kept < q->size)
    return;
  size_t size = q->size ? 2 * q->size : 4;
  struct entry *larger = scm_gc_malloc (size * sizeof *larger, "channel");
  for (size_t i = 0; i < kept; i++)
    larger[i] = *at (q, i);
  *q = (struct entries){ larger, size, 0, kept };
}

static void
push (struct entries *q, SCM waiter, SCM operation, SCM load)
{
  if (q->count == q->size)
    make_room (q);
  *at (q, q->count++) = (struct entry){ waiter, operation, load };
}

/* Claim the first in Q that can be, but not MINE itself, and take it out.  What
   an attempt comes to is said so too: ITS_OVER if there is nothing.  */
static enum scm_skp__claimed
claim_first (struct entries *q, SCM mine, struct entry *found)
{
  for (size_t i = 0; i < q->count;)
    {
      SCM its = at (q, i)->waiter;
      if (scm_is_eq (its, mine))
        {
          i++;
          continue;
        }
      enum scm_skp__claimed claimed = scm_skp__claim (its, mine);
      if (claimed == MINE_OVER)
        return MINE_OVER;
      *found = take_out (q, i);
      if (claimed == CLAIMED)
        return CLAIMED;
    }
  found->waiter = SCM_BOOL_F;
  return ITS_OVER;
}

/* One attempt: with what, what it gives, who is to be woken and with what.  */
struct step
{
  SCM load, value, woken_value;
  struct entry woken;
};

static enum scm_skp__claimed
try_get (struct channel *c, SCM mine, struct step *step)
{
  step->woken_value = SCM_BOOL_T;
  if (c->held.count == 0)
    {
      enum scm_skp__claimed attempt
          = claim_first (&c->putters, mine, &step->woken);
      step->value = step->woken.load;
      if (attempt != ITS_OVER || !c->closed)
        return attempt;
      step->value = c->last;
      return scm_skp__end (mine) ? CLAIMED : MINE_OVER;
    }
  if (!scm_skp__end (mine))
    return MINE_OVER;
  step->value = take_out (&c->held, 0).load;
  if (claim_first (&c->putters, SCM_BOOL_F, &step->woken) == CLAIMED)
    push (&c->held, SCM_BOOL_F, SCM_BOOL_F, step->woken.load);
  return CLAIMED;
}

/* What putting gives is whether the channel took it.  */
static enum scm_skp__claimed
try_put (struct channel *c, SCM mine, struct step *step)
{
  step->value = scm_from_bool (!c->closed);
  step->woken_value = step->load;
  if (!c->closed)
    {
      enum scm_skp__claimed attempt
          = claim_first (&c->getters, mine, &step->woken);
      if (attempt != ITS_OVER || c->held.count >= c->capacity)
        return attempt;
    }
  if (!scm_skp__end (mine))
    return MINE_OVER;
  if (!c->closed)
    push (&c->held, SCM_BOOL_F, SCM_BOOL_F, step->load);
  return CLAIMED;
}

#define LOCKS 64
static pthread_mutex_t locks[LOCKS];

static void
take (const struct channel *c)
{
  pthread_mutex_lock (&locks[((uintptr_t)c >> 6) % LOCKS]);
}

static void
leave (const struct channel *c)
{
  pthread_mutex_unlock (&locks[((uintptr_t)c >> 6) % LOCKS]);
}

static void
take_all (void)
{
  for (size_t i = 0; i < LOCKS; i++)
    pthread_mutex_lock (&locks[i]);
}

static void
leave_all (void)
{
  for (size_t i = 0; i < LOCKS; i++)
    pthread_mutex_unlock (&locks[i]);
}

__attribute__ ((constructor)) static void
init_locks (void)
{
  for (size_t i = 0; i < LOCKS; i++)
    pthread_mutex_init (&locks[i], NULL);
  pthread_atfork (take_all, leave_all, leave_all);
}

/* What primitives are given is of the right types.  */

static inline struct channel *
channel_of (SCM channel)
{
  return SCM_POINTER_VALUE (channel);
}

SCM
scm_skp__make_channel (SCM capacity, SCM last)
{
  struct channel *c = scm_gc_malloc (sizeof *c, "channel");
  *c = (struct channel){ .capacity = (size_t)SCM_I_INUM (capacity),
                         .last = last };
  return scm_from_pointer (c, NULL);
}

typedef enum scm_skp__claimed try_function (struct channel *, SCM,
                                            struct step *);

static inline void
wake (const struct step *step)
{
  if (scm_is_true (step->woken.waiter))
    scm_skp__deliver (step->woken.waiter, step->woken_value,
                      step->woken.operation);
}

/* Try without waiting.  If there is nothing, and a task runs here that can
   wait, it is entered in Q, unless that is NULL, and is to sleep:
   scm_skp__entered.  */
static inline SCM
attempt (SCM channel, SCM load, try_function *try, struct entries *q)
{
  struct channel *c = channel_of (channel);
  struct step step = { .load = load, .woken = { .waiter = SCM_BOOL_F } };
  take (c);
  int claimed = try (c, SCM_BOOL_F, &step) == CLAIMED;
  SCM waiter = claimed || !q ? SCM_BOOL_F : scm_skp__waiter_here ();
  if (scm_is_true (waiter))
    push (q, waiter, SCM_BOOL_F, load);
  leave (c);
  if (!claimed)
    return scm_is_true (waiter) ? scm_skp__entered : scm_skp__nothing;
  /* Not under the lock: the woken look at the channel.  */
  wake (&step);
  return step.value;
}

/* Try for WAITER, and if there is nothing have it wait, as OPERATION.  #t if
   its wait is over by this: nobody wakes it then.  */
static inline SCM
enter (SCM channel, SCM waiter, SCM operation, SCM load, try_function *try,
       struct entries *q)
{
  struct channel *c = channel_of (channel);
  struct step step = { .load = load, .woken = { .waiter = SCM_BOOL_F } };
  take (c);
  enum scm_skp__claimed attempt = try (c, waiter, &step);
  if (attempt == ITS_OVER)
    push (q, waiter, operation, load);
  leave (c);
  if (attempt != CLAIMED)
    return SCM_BOOL_F;
  scm_skp__set_field (waiter, WAITER_VALUE, step.value);
  scm_skp__set_field (waiter, WAITER_CHOSEN, operation);
  wake (&step);
  return SCM_BOOL_T;
}

static SCM
get_or_enter (SCM channel)
{
  return attempt (channel, SCM_BOOL_F, try_get, &channel_of (channel)->getters);
}

static SCM
put_or_enter (SCM channel, SCM load)
{
  return attempt (channel, load, try_put, &channel_of (channel)->putters);
}

static SCM
channel_get (SCM channel)
{
  return attempt (channel, SCM_BOOL_F, try_get, NULL);
}

static SCM
channel_put (SCM channel, SCM load)
{
  return attempt (channel, load, try_put, NULL);
}

static SCM
enter_getter (SCM channel, SCM waiter, SCM operation)
{
  return enter (channel, waiter, operation, SCM_BOOL_F, try_get,
                &channel_of (channel)->getters);
}

static SCM
enter_putter (SCM channel, SCM waiter, SCM operation, SCM load)
{
  return enter (channel, waiter, operation, load, try_put,
                &channel_of (channel)->putters);
}

/* To how many.  */
static size_t
deliver_all (struct entries *q, SCM value)
{
  struct entry found;
  size_t count = 0;
  for (; claim_first (q, SCM_BOOL_F, &found) == CLAIMED; count++)
    scm_skp__deliver (found.waiter, value, found.operation);
  return count;
}

SCM
scm_skp__channel_close (SCM channel)
{
  struct channel *c = channel_of (channel);
  take (c);
  int open = !c->closed;
  c->closed = 1;
  deliver_all (&c->getters, c->last);
  deliver_all (&c->putters, SCM_BOOL_F);
  leave (c);
  scm_remember_upto_here_1 (channel);
  return scm_from_bool (open);
}

/* Give VALUE to all that wait to get; if none does, hold it while there is
   room.  */
static SCM
channel_tell (SCM channel, SCM value)
{
  struct channel *c = channel_of (channel);
  take (c);
  if (!deliver_all (&c->getters, value) && c->held.count < c->capacity)
    push (&c->held, SCM_BOOL_F, SCM_BOOL_F, value);
  leave (c);
  scm_remember_upto_here_1 (channel);
  return SCM_UNSPECIFIED;
}

static SCM
channel_reopen (SCM channel)
{
  struct channel *c = channel_of (channel);
  take (c);
  c->closed = 0;
  leave (c);
  return SCM_UNSPECIFIED;
}

static SCM
channel_closed (SCM channel)
{
  return scm_from_bool (
      __atomic_load_n (&channel_of (channel)->closed, __ATOMIC_SEQ_CST));
}

static SCM
channel_count (SCM channel)
{
  return scm_from_size_t (
      __atomic_load_n (&channel_of (channel)->held.count, __ATOMIC_SEQ_CST));
}

void
scm_skp__init_channel (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%make-channel-core", 2, 0, 0, scm_skp__make_channel },
    { "%channel-get", 1, 0, 0, channel_get },
    { "%channel-put", 2, 0, 0, channel_put },
    { "%get-or-enter", 1, 0, 0, get_or_enter },
    { "%put-or-enter", 2, 0, 0, put_or_enter },
    { "%enter-getter", 3, 0, 0, enter_getter },
    { "%enter-putter", 4, 0, 0, enter_putter },
    { "%channel-close", 1, 0, 0, scm_skp__channel_close },
    { "%channel-tell", 2, 0, 0, channel_tell },
    { "%channel-reopen", 1, 0, 0, channel_reopen },
    { "%channel-closed?", 1, 0, 0, channel_closed },
    { "%channel-count", 1, 0, 0, channel_count },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
