/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Closing a port that others wait for: they are woken for good, because none
   can begin to wait from before they are until the port is closed.  */

#include "layer.h"
#include "loop.h"
#include "port.h"
#include "primitive.h"
#include "wait.h"

#include <pthread.h>
#include <stdlib.h>
#include <sockport/guile.h>

/* A port that is being closed and who does it.  Mostly on the stack of that
   call; IN_HEAP is for those whose end is another call.  */
struct mark
{
  SCM port, who;
  struct mark *next;
  int in_heap;
};
static struct mark *closing; /* under the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
atomic_int scm_skp__closing_count;

static void
take (void)
{
  pthread_mutex_lock (&lock);
}

static void
leave (void)
{
  pthread_mutex_unlock (&lock);
}

/* The threads of the parent that close do not exist in the child.  */
static void
leave_in_child (void)
{
  closing = NULL;
  atomic_store (&scm_skp__closing_count, 0);
  leave ();
}

__attribute__ ((constructor)) static void
init (void)
{
  pthread_atfork (take, leave, leave_in_child);
}

int
scm_skp__in_closing (SCM port)
{
  int result = 0;
  SCM who = scm_skp__who_runs ();
  take ();
  for (const struct mark *m = closing; m; m = m->next)
    if (scm_is_eq (m->port, port))
      result |= !scm_is_eq (m->who, who);
  leave ();
  return result;
}

/* From here on nothing can wait for PORT but what runs here and closes it; and
   what waited goes on.  */
static void
begin (struct mark *mark, SCM port)
{
  mark->port = port;
  mark->who = scm_skp__who_runs ();
  take ();
  mark->next = closing;
  closing = mark;
  atomic_fetch_add (&scm_skp__closing_count, 1);
  leave ();
  scm_skp__wake_waiters (port);
  scm_skp__forget (port);
}

/* Take the mark at *PLACE away.  Under the lock.  */
static struct mark *
unlink_mark (struct mark **place)
{
  struct mark *mark = *place;
  *place = mark->next;
  atomic_fetch_sub (&scm_skp__closing_count, 1);
  return mark;
}

/* In a child of fork it may be gone.  */
static void
end (void *mark)
{
  take ();
  for (struct mark **place = &closing; *place; place = &(*place)->next)
    if (*place == mark)
      {
        unlink_mark (place);
        break;
      }
  leave ();
}

/* With a port over a socket, the socket is marked too.  */
static SCM
closing_begin (SCM port)
{
  if (scm_skp__layered (port))
    closing_begin (scm_skp__bottom (port, NULL));
  struct mark *mark = scm_calloc (sizeof *mark);
  mark->in_heap = 1;
  scm_gc_protect_object (port);
  begin (mark, port);
  return SCM_UNSPECIFIED;
}

static SCM
closing_end (SCM port)
{
  struct mark *mark = NULL;
  if (scm_skp__layered (port))
    closing_end (scm_skp__bottom (port, NULL));
  take ();
  for (struct mark **place = &closing; *place; place = &(*place)->next)
    if ((*place)->in_heap && scm_is_eq ((*place)->port, port))
      {
        mark = unlink_mark (place);
        break;
      }
  leave ();
  if (mark)
    {
      scm_gc_unprotect_object (port);
      free (mark);
    }
  return SCM_UNSPECIFIED;
}

static void
end_layered (void *port)
{
  closing_end (SCM_PACK_POINTER (port));
}

SCM
scm_skp_close_port (SCM port)
{
  struct mark mark = { .in_heap = 0 };
  if (!SCM_OPPORTP (port))
    return scm_close_port (port);
  scm_dynwind_begin (0);
  if (scm_skp__layered (port))
    {
      closing_begin (port);
      scm_dynwind_unwind_handler (end_layered, SCM_UNPACK_POINTER (port),
                                  SCM_F_WIND_EXPLICITLY);
    }
  else
    {
      begin (&mark, port);
      scm_dynwind_unwind_handler (end, &mark, SCM_F_WIND_EXPLICITLY);
    }
  SCM open = scm_close_port (port);
  scm_dynwind_end ();
  scm_skp__finalizer_forget (port);
  return open;
}

void
scm_skp__init_closing (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%close-port", 1, 0, 0, scm_skp_close_port },
    { "%closing-begin", 1, 0, 0, closing_begin },
    { "%closing-end", 1, 0, 0, closing_end },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
