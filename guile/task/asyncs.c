/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Asyncs, signals' handlers among them: keeping them out of what must not be
   interrupted, and noticing that one runs.  */

#include "dynamic-stack.h"
#include "../primitive.h"

const uint32_t *scm_skp__async_return;

static SCM
note_async (void)
{
  scm_skp__async_return
      = SCM_FRAME_VIRTUAL_RETURN_ADDRESS (scm_skp__thread ()->vm.fp);
  return SCM_UNSPECIFIED;
}

static SCM
asyncs_off (void)
{
  scm_skp__asyncs_off (scm_skp__thread ());
  return SCM_UNSPECIFIED;
}

static SCM
asyncs_on (void)
{
  scm_skp__asyncs_on (scm_skp__thread ());
  return SCM_UNSPECIFIED;
}

/* Has an async been seen?  If not, one is queued that will be.  */
static SCM
async_seen (void)
{
  if (!scm_skp__known || scm_skp__async_return)
    return SCM_BOOL_T;
  scm_system_async_mark (scm_c_make_gsubr (
      "note-async", 0, 0, 0, __extension__(scm_t_subr) note_async));
  return SCM_BOOL_F;
}

/* Does THREAD sleep in a procedure of libguile's, which an async would wake? */
static SCM
thread_sleeps (SCM thread)
{
  return scm_from_bool (scm_skp__known && SCM_I_THREAD_DATA (thread)->wake);
}

static void *
blocked_once_more (void *data)
{
  unsigned int *before = data;
  return scm_skp__thread ()->block_asyncs == *before + 1 ? data : NULL;
}

/* The one field that is written on every release.  */
static void
check_asyncs (void)
{
  unsigned int before = scm_skp__thread ()->block_asyncs;
  if (!scm_c_call_with_blocked_asyncs (blocked_once_more, &before)
      || scm_skp__thread ()->block_asyncs != before)
    scm_misc_error ("load-extension",
                    "libguile-sockport was built for another Guile", SCM_EOL);
}

void
scm_skp__init_asyncs (void)
{
  static const struct scm_skp__primitive primitives[] = {
    { "%asyncs-off", 0, 0, 0, asyncs_off },
    { "%asyncs-on", 0, 0, 0, asyncs_on },
    { "%thread-sleeps?", 1, 0, 0, thread_sleeps },
    { "%async-seen?", 0, 0, 0, async_seen },
  };
  check_asyncs ();
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
