/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See notice.h.  A notice moves from the list of those that are awaited to that
   of those that were given, under the lock of what loops share.  */

#include "notice.h"
#include "claim.h"

#include <sockport/poller.h>

static void
link_into (struct scm_skp__notice **list, struct scm_skp__notice *notice)
{
  notice->at = list;
  notice->next = *list;
  if (*list)
    (*list)->at = &notice->next;
  *list = notice;
}

static void
unlink_notice (struct scm_skp__notice *notice)
{
  *notice->at = notice->next;
  if (notice->next)
    notice->next->at = notice->at;
}

void
scm_skp__notice_begin (struct scm_skp__notice *notice, SCM waiter)
{
  struct loop_poller *p
      = scm_skp__poller (scm_skp__field (waiter, WAITER_POLLER));
  scm_skp__shared_take ();
  notice->waiter = waiter;
  notice->poller = p;
  link_into (&p->awaited, notice);
  scm_skp__shared_leave ();
}

/* The shared lock is held.  */
static void
end (struct scm_skp__notice *notice)
{
  if (!notice->poller)
    return;
  unlink_notice (notice);
  notice->poller = NULL;
}

void
scm_skp__notice_end (struct scm_skp__notice *notice)
{
  scm_skp__shared_take ();
  end (notice);
  scm_skp__shared_leave ();
}

void *
scm_skp__notice_give (void *notice)
{
  struct scm_skp__notice *given = notice;
  struct skp_poller *whom = NULL;
  scm_skp__shared_take ();
  struct loop_poller *p = given->poller;
  if (p)
    {
      unlink_notice (given);
      link_into (&p->given, given);
      atomic_store (&p->news, 1);
      if (skp_poller_wake_begin (p->core) == 1)
        whom = p->core;
    }
  scm_skp__shared_leave ();
  return whom;
}

void
scm_skp__notice_wake (void *whom)
{
  skp_poller_wake_end (whom);
}

void
scm_skp__take_notices (struct loop_poller *p)
{
  for (;;)
    {
      scm_skp__shared_take ();
      struct scm_skp__notice *notice = p->given;
      SCM waiter = notice ? notice->waiter : SCM_BOOL_F;
      if (notice)
        end (notice);
      scm_skp__shared_leave ();
      if (!notice)
        return;
      if (scm_skp__claim (waiter, SCM_BOOL_F) == CLAIMED)
        scm_skp__deliver (waiter, SCM_BOOL_T, SCM_BOOL_F);
    }
}

void
scm_skp__notices_forget (struct loop_poller *p)
{
  while (p->awaited)
    end (p->awaited);
  while (p->given)
    end (p->given);
}
