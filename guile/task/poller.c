/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The poller of a loop, and the inbox, by which other threads reach the loop.
 */

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

#include "notice.h"

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
release (void *poller)
{
  struct loop_poller *p = poller;
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
  SCM poller = scm_from_pointer (p, release);
  int err = open_parts (p);
  if (err < 0)
    scm_skp__error (err, "run-tasks");
  return poller;
}

void
scm_skp__take_inbox (struct loop_poller *p)
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
  scm_skp__take_inbox (p);
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
  struct skp_poller *core = p->core;
  int due = 0;
  if (core)
    {
      SCM_SETCDR (inbox, p->inbox);
      p->inbox = inbox;
      atomic_store (&p->news, 1);
      due = skp_poller_wake_begin (core);
    }
  scm_skp__shared_leave ();
  if (due == 1)
    skp_poller_wake_end (core);
  return scm_from_bool (core != NULL);
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
    { "%poller-doubt", 1, 0, 0, poller_doubt },
    { "%poller-ours?", 1, 0, 0, poller_ours },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
  scm_skp__init_turn ();
  scm_skp__init_watch ();
}
