/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* With SOCKPORT_CHAOS=SEED, a number other than 0, tasks run in an order that
   is drawn, for turns of a length that is drawn; some waits end with nothing
   there, and asyncs and collections come in between.  For tests: what holds
   then holds by more than luck.  */

#ifndef SCM_SKP_CHAOS_H
#define SCM_SKP_CHAOS_H

#include <stdint.h>

#include "poller.h"

extern uint64_t scm_skp__chaos_seed;

#define scm_skp__chaos() __builtin_expect (scm_skp__chaos_seed != 0, 0)

/* Draw a number below N.  */
unsigned int scm_skp__chaos_below (unsigned int n);

/* Draw which of Q, which has one left, is the next.  */
void scm_skp__chaos_next (struct scm_skp__queue *q);

/* Draw how long the turn that begins may be, and what comes in between.  */
void scm_skp__chaos_turn (void);

#endif
