/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Closing a port that others wait for: they are woken for good, because none
   can begin to wait from before they are until the port is closed.  */

#include "convert.h"
#include "layer.h"

#include <pthread.h>
#include <sockport/guile.h>

/* The ports that are being closed, pairs of each and who does it, after the
   first pair.  Under the lock.  */
static SCM closing;
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
  if (SCM_UNPACK (closing))
    SCM_SETCDR (closing, SCM_EOL);
  atomic_store (&scm_skp__closing_count, 0);
  leave ();
}

__attribute__ ((constructor)) static void
init (void)
{
  pthread_atfork (take, leave, leave_in_child);
}

static void
make_list (void)
{
  closing = scm_permanent_object (scm_list_1 (SCM_BOOL_F));
}

/* When first needed: a C program closes ports without loading any module.  */
static void
prepare (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, make_list);
}

int
scm_skp__in_closing (SCM port)
{
  prepare ();
  int result = 0;
  SCM who = scm_skp__who_runs ();
  take ();
  for (SCM at = SCM_CDR (closing); scm_is_pair (at); at = SCM_CDR (at))
    if (scm_is_eq (SCM_CAAR (at), port))
      result |= !scm_is_eq (SCM_CDAR (at), who);
  leave ();
  return result;
}

/* From here on nothing can wait for PORT but what runs here and closes it; and
   what waited goes on.  */
static SCM
closing_begin (SCM port)
{
  if (scm_skp__layered (port))
    closing_begin (scm_skp__bottom (port, NULL));
  prepare ();
  SCM mark = scm_cons (scm_cons (port, scm_skp__who_runs ()), SCM_EOL);
  take ();
  SCM_SETCDR (mark, SCM_CDR (closing));
  SCM_SETCDR (closing, mark);
  atomic_fetch_add (&scm_skp__closing_count, 1);
  leave ();
  scm_skp__wake_waiters (port);
  scm_skp__forget (port);
  return SCM_UNSPECIFIED;
}

static SCM
closing_end (SCM port)
{
  if (scm_skp__layered (port))
    closing_end (scm_skp__bottom (port, NULL));
  take ();
  for (SCM at = closing; scm_is_pair (SCM_CDR (at)); at = SCM_CDR (at))
    if (scm_is_eq (SCM_CAADR (at), port))
      {
        SCM_SETCDR (at, SCM_CDDR (at));
        atomic_fetch_sub (&scm_skp__closing_count, 1);
        break;
      }
  leave ();
  return SCM_UNSPECIFIED;
}

static void
do_closing_end (void *data)
{
  closing_end (SCM_PACK_POINTER (data));
}

SCM
scm_skp_close_port (SCM port)
{
  if (!SCM_OPPORTP (port))
    return scm_close_port (port);
  scm_dynwind_begin (0);
  closing_begin (port);
  scm_dynwind_unwind_handler (do_closing_end, SCM_UNPACK_POINTER (port),
                              SCM_F_WIND_EXPLICITLY);
  SCM open = scm_close_port (port);
  scm_dynwind_end ();
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
