/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a task sets, a parameter by (parameter value) say, is its own.  That
   something was set is seen when the task is left: what the thread knows of its
   fluids is not what it was before, which takes nanoseconds to compare.  */

#ifndef SCM_SKP_SETTING_H
#define SCM_SKP_SETTING_H

#include <libguile.h>
#include <string.h>

/* What libguile knows of a thread's fluids; its own headers show it to itself
   only (struct scm_dynamic_state in fluids.h, cache-internal.h).  The values
   that were used last are in the cache, sorted by fluid, and in VALUES, a weak
   table, is what had no room there any more.  ALIASED: the table is also
   somebody else's, and copied before it is changed.  */
#define SCM_SKP__CACHE_SIZE 16
struct scm_skp__cached
{
  scm_t_bits key, value;
};
struct scm_skp__fluids
{
  SCM thread_local_values, values;
  uint8_t aliased;
  scm_t_bits drawn; /* which entry makes room */
  struct scm_skp__cached cache[SCM_SKP__CACHE_SIZE];
};

/* What the fluids of a thread are outside of tasks.  FLUIDS is NULL where that
   is not known.  */
struct scm_skp__base
{
  const struct scm_skp__fluids *fluids;
  SCM values;
  struct scm_skp__cached cache[SCM_SKP__CACHE_SIZE];
  SCM task; /* that ran last */
};

/* Put what the task of BASE has set aside, and the fluids back.  */
void scm_skp__set_aside (struct scm_skp__base *base);

/* Set what TASK had set.  */
void scm_skp__set_again (SCM settings);

/* Add to BINDINGS, an alist, the fluids that the task of BASE has set and that
   are not in it.  */
SCM scm_skp__add_set (struct scm_skp__base *base, SCM bindings);

static inline int
scm_skp__may_be_set (const struct scm_skp__base *base)
{
  return base->fluids
         && (!scm_is_eq (base->fluids->values, base->values)
             || memcmp (base->fluids->cache, base->cache, sizeof base->cache));
}

/* Is libguile as this knows it?  */
int scm_skp__fluids_known (void);
void scm_skp__init_setting (void);

#endif /* SCM_SKP_SETTING_H */
