/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The poller of a loop: waiting for events outside Guile mode, so that asyncs
   end the wait; and the inbox, by which other threads reach the loop.  */

#include "poller.h"
#include "../layer.h"
#include "../primitive.h"
#include "../value.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sockport/poller.h>
#include <sockport/socket.h>

#include "dynamic-stack.h"
#include "notice.h"

#define EVENTS_AT_ONCE 256

/* Looking for events in vain before one sleeps is a system call too many; after
   that has happened, so many waits sleep at once.  */
#define SLEEPS_AT_ONCE 16

__thread SCM scm_skp__running;
__thread struct scm_skp__hints scm_skp__hints;
__thread const char *scm_skp__wanted;
__thread struct scm_skp__turn scm_skp__turn;

/* Other threads wake a poller and forget ports; under this lock, what they look
   into neither ends nor moves.  Nothing allocates or throws while it is held.
 */
static pthread_mutex_t shared = PTHREAD_MUTEX_INITIALIZER;

struct loop_poller *scm_skp__pollers;

void
scm_skp__shared_take (void)
{
  pthread_mutex_lock (&shared);
}

void
scm_skp__shared_leave (void)
{
  pthread_mutex_unlock (&shared);
}

/* Before the constructors of locks that this one is taken under: fork takes
   those first that were registered last.  */
__attribute__ ((constructor (1000))) static void
shared_init (void)
{
  pthread_atfork (scm_skp__shared_take, scm_skp__shared_leave,
                  scm_skp__shared_leave);
}

static void
release (struct loop_poller *p)
{
  scm_skp__shared_take ();
  struct skp_poller *core = p->core;
  unsigned char *hints = p->hints.hint;
  free (p->forgotten);
  p->forgotten = NULL;
  p->forgotten_count = p->forgotten_size = 0;
  p->core = NULL;
  scm_skp__notices_forget (p);
  p->hints = (struct scm_skp__hints){ NULL, 0 };
  scm_skp__shared_leave ();
  if (!core)
    return;
  skp_poller_close (core);
  close (p->pipe[0]);
  close (p->pipe[1]);
  if (scm_skp__hints.hint == hints)
    {
      scm_skp__hints = (struct scm_skp__hints){ NULL, 0 };
      scm_skp__turn = (struct scm_skp__turn){ .left = 0 };
    }
  free (hints);
}

static void
finalize (void *p)
{
  release (p);
}

struct loop_poller *
scm_skp__poller (SCM poller)
{
  if (!SCM_POINTER_P (poller))
    scm_wrong_type_arg_msg ("run-tasks", 1, poller, "poller");
  return (struct loop_poller *)SCM_POINTER_VALUE (poller);
}

struct loop_poller *
scm_skp__poller_of (SCM poller, const char *who)
{
  struct loop_poller *p = scm_skp__poller (poller);
  if (!p->core)
    scm_misc_error (who, "this loop has ended", SCM_EOL);
  return p;
}

static int
open_parts (struct loop_poller *p)
{
  if (TEMP_FAILURE_RETRY (pipe2 (p->pipe, O_CLOEXEC | O_NONBLOCK)) < 0)
    return -errno;
  int err = skp_poller_open (&p->core);
  if (err == 0)
    err = skp_poller_watch (p->core, p->pipe[0]);
  if (err < 0)
    {
      skp_poller_close (p->core);
      close (p->pipe[0]);
      close (p->pipe[1]);
      p->core = NULL;
    }
  return err;
}

static SCM
poller_open (void)
{
  struct loop_poller *p = scm_gc_malloc (sizeof *p, "poller");
  *p = (struct loop_poller){ .core = NULL, .inbox = SCM_EOL };
  SCM poller = scm_from_pointer (p, finalize);
  int err = open_parts (p);
  if (err < 0)
    scm_skp__error (err, "run-tasks");
  return poller;
}

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

static void
take_inbox (struct loop_poller *p)
{
  scm_skp__shared_take ();
  SCM inbox = p->inbox;
  p->inbox = SCM_EOL;
  scm_skp__shared_leave ();
  if (scm_is_null (inbox))
    return;
  for (inbox = scm_reverse (inbox); scm_is_pair (inbox);
       inbox = SCM_CDR (inbox))
    scm_skp__push (&p->queue, SCM_CAR (inbox));
}

/* Forget what is known of the socket PORT; #f if that was nothing.  Before a
   wait is given up, and where another than the loop waits.  */
static SCM
poller_doubt (SCM port)
{
  port = scm_skp__bottom (port, NULL);
  if (!SCM_OPFPORTP (port) || !scm_skp__drained (SCM_FPORT_FDES (port)))
    return SCM_BOOL_F;
  scm_skp__hints.hint[SCM_FPORT_FDES (port)] = SCM_SKP__HINT_UNREAD;
  return SCM_BOOL_T;
}

/* What is in the inbox then is for the caller to refuse.  */
static SCM
poller_close (SCM poller)
{
  struct loop_poller *p = scm_skp__poller (poller);
  release (p);
  take_inbox (p);
  return SCM_UNSPECIFIED;
}

/* Sleep until there is something, or an async, or TIMEOUT_NS has passed.  */
static void
sleep_in (struct loop_poller *p, struct wait_call *call, SCM timeout_ns,
          scm_thread *thread)
{
  call->timeout_ns
      = scm_skp__integer (timeout_ns, -1, INT64_MAX, 2, "run-tasks");
  scm_skp__asyncs_on (thread);
  if (!scm_c_prepare_to_wait_on_fd (p->pipe[1]))
    {
      scm_without_guile (do_wait, call);
      scm_c_wait_finished ();
    }
  scm_skp__asyncs_off (thread);
}

/* Is it likely that there is something, so that Guile mode need not be left? */
static int
looks_first (struct loop_poller *p, SCM timeout_ns)
{
  if (scm_is_eq (timeout_ns, SCM_INUM0) || atomic_load (&p->news))
    return 1;
  if (p->sleeps == 0)
    return 1;
  p->sleeps--;
  return 0;
}

/* Take what is ready, after at most TIMEOUT_NS; then let the asyncs run.  */
static SCM
poller_wait (SCM loop, SCM timeout_ns)
{
  struct loop_poller *p
      = scm_skp__poller_of (scm_skp__field (loop, LOOP_POLLER), "run-tasks");
  scm_thread *thread = SCM_I_THREAD_DATA (scm_skp__field (loop, LOOP_THREAD));
  struct skp_poller_event events[EVENTS_AT_ONCE];
  struct wait_call call
      = { .core = p->core, .events = events, .count = EVENTS_AT_ONCE };
  scm_skp__hints = p->hints;
  int looked = looks_first (p, timeout_ns);
  if (looked)
    do_wait (&call);
  if (call.result == 0 && !scm_is_eq (timeout_ns, SCM_INUM0)
      && !atomic_load (&p->news))
    {
      if (looked)
        p->sleeps = SLEEPS_AT_ONCE;
      sleep_in (p, &call, timeout_ns, thread);
    }
  take_events (p, loop, &call);
  if (atomic_exchange (&p->news, 0))
    {
      scm_skp__take_forgotten (p, loop);
      scm_skp__take_notices (p);
      take_inbox (p);
    }
  if (call.result < 0 && call.result != -EINTR)
    scm_skp__error (call.result, "run-tasks");
  scm_skp__asyncs_on (thread);
  scm_async_tick ();
  scm_skp__asyncs_off (thread);
  scm_remember_upto_here_1 (loop);
  return SCM_UNSPECIFIED;
}

SCM
scm_skp__make_ready (SCM poller, SCM entry)
{
  struct loop_poller *p = scm_skp__poller (poller);
  if (scm_skp__running
      && scm_is_eq (scm_skp__field (scm_skp__running, LOOP_POLLER), poller))
    {
      scm_skp__push (&p->queue, entry);
      return SCM_BOOL_T;
    }
  SCM inbox = scm_cons (entry, SCM_EOL);
  scm_skp__shared_take ();
  int open = p->core != NULL;
  if (open)
    {
      SCM_SETCDR (inbox, p->inbox);
      p->inbox = inbox;
      atomic_store (&p->news, 1);
      skp_poller_wake (p->core);
    }
  scm_skp__shared_leave ();
  return scm_from_bool (open);
}

/* From here on LOOP runs in this thread, with asyncs off; and until there.  */
static SCM
loop_enter (SCM loop)
{
  struct loop_poller *p = scm_skp__poller (scm_skp__field (loop, LOOP_POLLER));
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
  struct loop_poller *p = scm_skp__poller (scm_skp__field (loop, LOOP_POLLER));
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
  struct loop_poller *p = scm_skp__poller (scm_skp__field (loop, LOOP_POLLER));
  scm_skp__thread ()->block_asyncs = p->asyncs_blocked + 1;
}

static SCM
loop_recover (SCM loop)
{
  scm_skp__recover (loop);
  return SCM_UNSPECIFIED;
}

/* Was POLLER opened by this process?  Not if it forked since.  */
static SCM
poller_ours (SCM poller)
{
  struct loop_poller *p = scm_skp__poller (poller);
  return scm_from_bool (p->core && skp_poller_forget (p->core, -1) != -ECHILD);
}

void
scm_skp__init_poller (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%poller-open", 0, 0, 0, poller_open },
    { "%poller-close", 1, 0, 0, poller_close },
    { "%make-ready", 2, 0, 0, scm_skp__make_ready },
    { "%loop-enter", 1, 0, 0, loop_enter },
    { "%loop-leave", 1, 0, 0, loop_leave },
    { "%loop-recover", 1, 0, 0, loop_recover },
    { "%poller-wait", 2, 0, 0, poller_wait },
    { "%poller-doubt", 1, 0, 0, poller_doubt },
    { "%poller-ours?", 1, 0, 0, poller_ours },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
  scm_skp__init_watch ();
}
