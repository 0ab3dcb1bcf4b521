/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The settings of tasks (setting.h).  */

#include "setting.h"
#include "dynamic-stack.h"
#include "poller.h"
#include "../primitive.h"

static const struct scm_skp__fluids *
fluids_here (void)
{
  return (const struct scm_skp__fluids *)scm_skp__thread ()->dynamic_state;
}

static const struct scm_skp__cached *
cached (const struct scm_skp__cached *cache, SCM fluid)
{
  for (size_t i = 0; i < SCM_SKP__CACHE_SIZE; i++)
    if (cache[i].key == SCM_UNPACK (fluid))
      return &cache[i];
  return NULL;
}

static SCM
value_in (const struct scm_skp__cached *cache, SCM values, SCM fluid)
{
  const struct scm_skp__cached *found = cached (cache, fluid);
  if (found)
    return SCM_PACK (found->value);
  SCM none = SCM_PACK (0), value = scm_hashq_ref (values, fluid, none);
  return scm_is_eq (value, none) ? SCM_CELL_OBJECT_1 (fluid) : value;
}

/* The value of FLUID outside of tasks.  */
static SCM
value_outside (const struct scm_skp__base *base, SCM fluid)
{
  return value_in (base->cache, base->values, fluid);
}

static SCM
add_if_set (const struct scm_skp__base *base, SCM fluid, SCM value, SCM set)
{
  if (scm_is_true (scm_fluid_thread_local_p (fluid))
      || scm_is_eq (value, value_outside (base, fluid)))
    return set;
  return scm_acons (fluid, value, set);
}

static SCM
add_entry (void *data, SCM fluid, SCM value, SCM alist)
{
  (void)data;
  return scm_acons (fluid, value, alist);
}

/* The fluids whose values are not those outside of tasks, an alist.  */
static SCM
all_set (const struct scm_skp__base *base)
{
  const struct scm_skp__fluids *fluids = base->fluids;
  SCM set = SCM_EOL;
  for (size_t i = 0; i < SCM_SKP__CACHE_SIZE; i++)
    {
      const struct scm_skp__cached *now = &fluids->cache[i];
      if (now->key && memcmp (now, &base->cache[i], sizeof *now))
        set = add_if_set (base, SCM_PACK (now->key), SCM_PACK (now->value),
                          set);
    }
  if (scm_is_eq (fluids->values, base->values))
    return set;
  for (SCM rest
       = scm_internal_hash_fold (add_entry, NULL, SCM_EOL, fluids->values);
       scm_is_pair (rest); rest = SCM_CDR (rest))
    if (!cached (fluids->cache, SCM_CAAR (rest)))
      set = add_if_set (base, SCM_CAAR (rest), SCM_CDAR (rest), set);
  return set;
}

/* All values are those outside of tasks, but elsewhere perhaps.  */
static void
note (struct scm_skp__base *base)
{
  if (!scm_is_eq (base->values, base->fluids->values))
    {
      scm_current_dynamic_state (); /* the table is not to be changed */
      base->values = base->fluids->values;
    }
  memcpy (base->cache, base->fluids->cache, sizeof base->cache);
}

static struct scm_skp__base *
base_of (SCM loop)
{
  return &scm_skp__poller_in (loop)->base;
}

/* The fluids are now what they are outside of the tasks of LOOP; and until
   there.  */
static SCM
settings_begin (SCM loop)
{
  struct scm_skp__base *base = base_of (loop);
  base->fluids = scm_skp__known ? fluids_here () : NULL;
  base->values = base->task = SCM_BOOL_F;
  if (base->fluids)
    note (base);
  return SCM_UNSPECIFIED;
}

static SCM
settings_end (SCM loop)
{
  struct scm_skp__base *base = base_of (loop);
  if (scm_skp__may_be_set (base))
    scm_skp__set_aside (base);
  *base = (struct scm_skp__base){ .fluids = NULL };
  return SCM_UNSPECIFIED;
}

void
scm_skp__set_aside (struct scm_skp__base *base)
{
  SCM set = all_set (base);
  for (SCM rest = set; scm_is_pair (rest); rest = SCM_CDR (rest))
    scm_fluid_set_x (SCM_CAAR (rest), value_outside (base, SCM_CAAR (rest)));
  if (scm_skp__is_task (base->task))
    scm_skp__set_field (base->task, TASK_SETTINGS,
                        scm_is_null (set) ? SCM_BOOL_F : set);
  note (base);
}

void
scm_skp__set_again (SCM settings)
{
  for (; scm_is_pair (settings); settings = SCM_CDR (settings))
    scm_fluid_set_x (SCM_CAAR (settings), SCM_CDAR (settings));
}

SCM
scm_skp__add_set (struct scm_skp__base *base, SCM bindings)
{
  SCM set = all_set (base);
  /* So that it costs less the next time.  */
  if (scm_is_null (set))
    note (base);
  for (; scm_is_pair (set); set = SCM_CDR (set))
    if (!SCM_UNBNDP (SCM_CDAR (set))
        && scm_is_false (scm_assq (SCM_CAAR (set), bindings)))
      bindings = scm_acons (SCM_CAAR (set), SCM_CDAR (set), bindings);
  return bindings;
}

/* More fluids than the cache has room for.  */
#define SAMPLES 40

/* Each has its number as its value, in the cache or in the table.  */
static int
samples_are_there (const struct scm_skp__fluids *fluids, SCM samples)
{
  int n = 0;
  for (; scm_is_pair (samples); samples = SCM_CDR (samples), n++)
    if (!scm_is_eq (value_in (fluids->cache, fluids->values, SCM_CAR (samples)),
                    SCM_I_MAKINUM (n)))
      return 0;
  return n == SAMPLES;
}

/* Nothing else in it is looked into, as it may be something else.  */
static int
cache_is_sorted (const struct scm_skp__fluids *fluids, SCM samples)
{
  int known = 0;
  for (size_t i = 0; i < SCM_SKP__CACHE_SIZE; i++)
    {
      scm_t_bits key = fluids->cache[i].key;
      if (i && key <= fluids->cache[i - 1].key)
        return 0;
      known += scm_is_true (scm_memq (SCM_PACK (key), samples));
    }
  return known > SCM_SKP__CACHE_SIZE / 2;
}

int
scm_skp__fluids_known (void)
{
  const struct scm_skp__fluids *fluids = fluids_here ();
  SCM samples = SCM_EOL;
  for (int n = SAMPLES - 1; n >= 0; n--)
    {
      samples = scm_cons (scm_make_fluid (), samples);
      scm_fluid_set_x (SCM_CAR (samples), SCM_I_MAKINUM (n));
    }
  if (!cache_is_sorted (fluids, samples)
      || !samples_are_there (fluids, samples))
    return 0;
  scm_current_dynamic_state ();
  return fluids->aliased == 1;
}

void
scm_skp__init_setting (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%settings-begin", 1, 0, 0, settings_begin },
    { "%settings-end", 1, 0, 0, settings_end },
  };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
