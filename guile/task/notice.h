/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How a thread that Guile does not know ends a wait of a task: it may neither
   allocate nor write to what the collector looks through.  */

#ifndef SCM_SKP_NOTICE_H
#define SCM_SKP_NOTICE_H

#include "poller.h"

/* In memory of its owner's own, zeroed.  POLLER is that of the loop of the task
   that waits with WAITER, NULL if nobody waits; then it is in a list of that.
 */
struct scm_skp__notice
{
  struct loop_poller *poller;
  SCM waiter;
  struct scm_skp__notice *next, **at;
};

/* From here on WAITER, of a task that runs, waits for NOTICE; until there.  */
void scm_skp__notice_begin (struct scm_skp__notice *notice, SCM waiter);
void scm_skp__notice_end (struct scm_skp__notice *notice);

/* Let whoever waits for NOTICE, a struct scm_skp__notice, go on.  Returns what
   scm_skp__notice_wake is to be called with once no lock is held, or NULL if
   nobody sleeps.  In any thread; skp_lookup_tell calls both.  */
void *scm_skp__notice_give (void *notice);
void scm_skp__notice_wake (void *whom);

/* In the thread of the loop: end the waits whose notice was given.  */
void scm_skp__take_notices (struct loop_poller *p);

/* P ends; the shared lock is held.  */
void scm_skp__notices_forget (struct loop_poller *p);

#endif
