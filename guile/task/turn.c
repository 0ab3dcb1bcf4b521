/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The turns of a loop: waiting for events, outside Guile mode if that takes
   long, so that asyncs end the wait; and having them in the queue.  */

#include "../primitive.h"
#include "../value.h"
#include "../wait.h"
#include "dynamic-stack.h"
#include "notice.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sockport/poller.h>

#define EVENTS_AT_ONCE 256

/* Looking for events in vain before one sleeps is a system call too many; after
   that has happened, so many waits sleep at once.  */
#define SLEEPS_AT_ONCE 16

/* Where what is waited for has come soon before, a loop looks for it so long
   before it sleeps: a peer that has just been given something often takes no
   longer to give the next, and waking a processor takes as long again.  */
#define SOON_NS 100000

/* After a look in vain, so many waits have to end soon before the next look;
   where others keep the processors every look is in vain.  Twice as many after
   each more in a row, up to MOST_VAIN times.  */
#define WAITS_AFTER_VAIN 32
#define MOST_VAIN 5

__thread SCM scm_skp__running __attribute__ ((tls_model ("initial-exec")));
__thread struct scm_skp__hints scm_skp__hints;
__thread struct scm_skp__turn scm_skp__turn;

struct wait_call
{
  struct skp_poller *core;
  struct skp_poller_event *events;
  int count;
  int64_t timeout_ns;
  int result;
};

static void *
do_wait (void *data)
{
  struct wait_call *call = data;
  call->result = skp_poller_wait (call->core, call->events, call->count,
                                  call->timeout_ns);
  return NULL;
}

/* Once something else than data has come, nothing is known any more.  */
static void
note_event (struct loop_poller *p, const struct skp_poller_event *event)
{
  size_t fd = (size_t)event->fd;
  if (fd >= p->hints.count || p->hints.hint[fd] == SCM_SKP__HINT_NONE)
    return;
  if (event->ready & SKP_POLLER_MORE)
    p->hints.hint[fd] = SCM_SKP__HINT_NONE;
  else if (event->ready & SKP_POLLER_READ)
    p->hints.hint[fd] = SCM_SKP__HINT_UNREAD;
}

static void
drain_pipe (struct loop_poller *p)
{
  char bytes[64];
  while (read (p->pipe[0], bytes, sizeof bytes) > 0)
    continue;
}

/* What waits in LOOP for EVENT goes on.  */
static void
dispatch (SCM loop, const struct skp_poller_event *event)
{
  static const unsigned bits[] = { SKP_POLLER_READ, SKP_POLLER_WRITE };
  for (size_t i = 0; i < 2; i++)
    if (event->ready & bits[i])
      scm_skp__wake_slot (loop, 2 * (size_t)event->fd + i, SCM_BOOL_T);
}

static void
take_events (struct loop_poller *p, SCM loop, const struct wait_call *call)
{
  for (int i = 0; i < call->result; i++)
    if (call->events[i].fd == p->pipe[0])
      drain_pipe (p);
    else
      {
        note_event (p, &call->events[i]);
        dispatch (loop, &call->events[i]);
      }
}

/* More than eighteen years is for ever.  */
#define LONGEST_NS (INT64_C (1) << 59)

/* How long LOOP may sleep; -1 is without end.  */
static int64_t
until_timer_ns (SCM loop)
{
  SCM timers = scm_skp__field (loop, LOOP_TIMERS);
  if (scm_is_eq (scm_skp__field (timers, TIMERS_COUNT), SCM_INUM0))
    return -1;
  SCM first = SCM_SIMPLE_VECTOR_REF (scm_skp__field (timers, TIMERS_HEAP), 0),
      time = scm_skp__field (first, TIMER_TIME);
  /* Nothing is allocated, where these are no fixnums either.  */
  int64_t left_ns = scm_is_signed_integer (time, INT64_MIN / 2, INT64_MAX)
                        ? scm_to_int64 (time) - scm_skp__monotonic_ns ()
                        : LONGEST_NS;
  return left_ns < 0 ? 0 : left_ns < LONGEST_NS ? left_ns : LONGEST_NS;
}

/* Sleep until there is something, or an async, or the time has passed.  */
static void
sleep_in (struct loop_poller *p, struct wait_call *call, scm_thread *thread)
{
  scm_skp__asyncs_on (thread);
  if (!scm_c_prepare_to_wait_on_fd (p->pipe[1]))
    {
      scm_without_guile (do_wait, call);
      scm_c_wait_finished ();
    }
  scm_skp__asyncs_off (thread);
}

static int
came (struct loop_poller *p, const struct wait_call *call)
{
  return call->result != 0 || atomic_load (&p->news);
}

/* Is it likely that there is something, so that Guile mode need not be left? */
static int
looks_first (struct loop_poller *p, int64_t timeout_ns)
{
  if (timeout_ns == 0 || atomic_load (&p->news) || p->sleeps == 0
      || p->brisk > 0)
    return 1;
  p->sleeps--;
  return 0;
}

/* Look for what should come soon; how long that took.  */
static int64_t
look_on (struct loop_poller *p, struct wait_call *call)
{
  int64_t begun_ns = scm_skp__monotonic_ns (), spent_ns;
  do
    {
      do_wait (call);
      spent_ns = scm_skp__monotonic_ns () - begun_ns;
    }
  while (!came (p, call) && spent_ns < SOON_NS);
  if (came (p, call))
    p->vain = 0;
  else
    {
      p->brisk = -(WAITS_AFTER_VAIN << p->vain);
      p->vain += p->vain < MOST_VAIN;
    }
  return spent_ns;
}

/* Sleep, noting whether what ended that came soon.  */
static void
sleep_noting (struct loop_poller *p, struct wait_call *call, scm_thread *thread)
{
  int64_t begun_ns = scm_skp__monotonic_ns ();
  sleep_in (p, call, thread);
  int soon = (call->result > 0 || atomic_load (&p->news))
             && scm_skp__monotonic_ns () - begun_ns < SOON_NS;
  if (soon)
    p->brisk += p->brisk < 1;
  else if (p->brisk > 0)
    p->brisk = 0;
}

static void
wait_for_events (struct loop_poller *p, SCM loop, struct wait_call *call)
{
  int64_t timeout_ns = p->queue.count ? 0 : until_timer_ns (loop), spent_ns = 0;
  int looked = looks_first (p, timeout_ns);
  if (looked)
    do_wait (call);
  if (timeout_ns == 0 || came (p, call))
    return;
  if (p->brisk > 0 && (timeout_ns < 0 || timeout_ns > SOON_NS))
    spent_ns = look_on (p, call);
  if (came (p, call))
    return;
  if (looked)
    p->sleeps = SLEEPS_AT_ONCE;
  call->timeout_ns = timeout_ns < 0          ? -1
                     : timeout_ns > spent_ns ? timeout_ns - spent_ns
                                             : 0;
  sleep_noting (p, call, scm_skp__thread_in (loop));
}

/* Have what is ready in LOOP in its queue, having waited for it if nothing is;
   0 or -errno.  */
static int
take_what_comes (struct loop_poller *p, SCM loop)
{
  struct skp_poller_event events[EVENTS_AT_ONCE];
  struct wait_call call
      = { .core = p->core, .events = events, .count = EVENTS_AT_ONCE };
  scm_skp__hints = p->hints;
  scm_skp__ask (&p->queue);
  wait_for_events (p, loop, &call);
  take_events (p, loop, &call);
  if (atomic_exchange (&p->news, 0))
    {
      scm_skp__take_forgotten (p, loop);
      scm_skp__take_notices (p);
      scm_skp__take_inbox (p);
    }
  return call.result < 0 && call.result != -EINTR ? call.result : 0;
}

/* Take what is ready; then let the asyncs run.  */
static SCM
poller_wait (SCM loop)
{
  struct loop_poller *p
      = scm_skp__poller_of (scm_skp__field (loop, LOOP_POLLER), "run-tasks");
  scm_thread *thread = scm_skp__thread_in (loop);
  int err = take_what_comes (p, loop);
  if (err < 0)
    scm_skp__error (err, "run-tasks");
  scm_skp__asyncs_on (thread);
  scm_async_tick ();
  scm_skp__asyncs_off (thread);
  scm_remember_upto_here_1 (loop);
  return SCM_UNSPECIFIED;
}

void
scm_skp__turn_in_place (SCM loop)
{
  struct loop_poller *p = scm_skp__poller_in (loop);
  const scm_thread *thread = scm_skp__thread_in (loop);
  if (p->asked || !p->core)
    return;
  scm_skp__set_field (loop, LOOP_CURRENT, SCM_BOOL_F);
  /* Asyncs, timers and errors are for the loop itself.  */
  if (take_what_comes (p, loop) < 0 || scm_skp__asyncs_due (thread)
      || until_timer_ns (loop) == 0)
    scm_skp__ask_first (&p->queue);
}

/* From here on LOOP runs in this thread, with asyncs off; and until there.  Is
   something to be ASKED before each turn?  */
static SCM
loop_enter (SCM loop, SCM asked)
{
  struct loop_poller *p = scm_skp__poller_in (loop);
  p->asked = scm_is_true (asked);
  scm_thread *thread = scm_skp__thread ();
  p->asyncs_blocked = thread->block_asyncs++;
  p->outer = scm_skp__running ? scm_skp__running : SCM_BOOL_F;
  scm_skp__running = loop;
  scm_skp__shared_take ();
  p->next = scm_skp__pollers;
  scm_skp__pollers = p;
  scm_skp__shared_leave ();
  return SCM_UNSPECIFIED;
}

static SCM
loop_leave (SCM loop)
{
  struct loop_poller *p = scm_skp__poller_in (loop);
  scm_skp__thread ()->block_asyncs = p->asyncs_blocked;
  scm_skp__turn = (struct scm_skp__turn){ .left = 0 };
  scm_skp__running = scm_is_false (p->outer) ? 0 : p->outer;
  scm_skp__shared_take ();
  struct loop_poller **at = &scm_skp__pollers;
  while (*at && *at != p)
    at = &(*at)->next;
  if (*at)
    *at = p->next;
  scm_skp__shared_leave ();
  return SCM_UNSPECIFIED;
}

void
scm_skp__recover (SCM loop)
{
  struct loop_poller *p = scm_skp__poller_in (loop);
  scm_skp__thread ()->block_asyncs = p->asyncs_blocked + 1;
}

static SCM
loop_recover (SCM loop)
{
  scm_skp__recover (loop);
  return SCM_UNSPECIFIED;
}

void
scm_skp__init_turn (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%loop-enter", 2, 0, 0, loop_enter },
    { "%loop-leave", 1, 0, 0, loop_leave },
    { "%loop-recover", 1, 0, 0, loop_recover },
    { "%poller-wait", 1, 0, 0, poller_wait },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
