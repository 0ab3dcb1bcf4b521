/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Waits that whoever gives something ends (claim.c).  */

#ifndef SCM_SKP_CLAIM_H
#define SCM_SKP_CLAIM_H

#include "poller.h"

/* The fields of the record <waiter> of (sockport task waiter).  */
enum scm_skp__waiter_field
{
  WAITER_FLAG,
  WAITER_VALUE,  /* what the wait gives */
  WAITER_CHOSEN, /* which of several operations that is of, or #f */
  WAITER_SLEEPER,
  WAITER_POLLER, /* that of the sleeper's loop, or #f */
  WAITER_FIELDS,
};

/* What claiming has come to.  */
enum scm_skp__claimed
{
  CLAIMED,
  ITS_OVER,
  MINE_OVER,
};

/* End the wait ITS, and with it MINE, which is #f if nobody else knows it: both
   or neither.  The caller has ITS woken.  */
enum scm_skp__claimed scm_skp__claim (SCM its, SCM mine);

/* End the wait MINE, which nobody else has to agree to; false if it was over.
 */
int scm_skp__end (SCM mine);

/* Is the wait of WAITER over?  */
int scm_skp__is_over (SCM waiter);

/* Wake the sleeper of WAITER, which was claimed, with VALUE, that of OPERATION.
   Seldom under a lock, which the woken may need.  */
void scm_skp__deliver (SCM waiter, SCM value, SCM operation);

/* What is got where there is nothing, and where what runs here was entered as
   a waiter.  */
extern SCM scm_skp__nothing, scm_skp__entered;

/* A waiter as which the task that runs here is about to sleep, asyncs being off
   from now on; #f if none does, or it cannot.  */
SCM scm_skp__waiter_here (void);

/* A channel of so much CAPACITY, which gives LAST once it is closed.  */
SCM scm_skp__make_channel (SCM capacity, SCM last);

/* #f if it was closed already.  */
SCM scm_skp__channel_close (SCM channel);

/* Wake the thread that sleeps by BELL (bell.c).  */
void scm_skp__ring (SCM bell);

#endif
