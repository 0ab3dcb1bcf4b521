/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See primitive.h.  */

#include "primitive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

/* How a part of a procedure differs in its name from that.  */
static const char *const parts[]
    = { "-whole", "-now", "-next", "-result", "-begin" };

/* The name by which Guile shows the primitive NAME, in the heading of an error
   say: of what the user knows, so without the % of what is internal.  */
static void
shown_name (const char *name, char shown[64])
{
  snprintf (shown, 64, "%s", name + (name[0] == '%'));
  for (size_t i = 0; name[0] == '%' && i < sizeof parts / sizeof *parts; i++)
    {
      char *part = strstr (shown, parts[i]);
      size_t length = strlen (parts[i]);
      if (part && strlen (part + length) <= strlen ("!"))
        memmove (part, part + length, strlen (part + length) + 1);
    }
}

void
scm_skp__define (const struct scm_skp__primitive *primitives, size_t count)
{
  for (size_t i = 0; i < count; i++)
    {
      const struct scm_skp__primitive *p = &primitives[i];
      char shown[64];
      shown_name (p->name, shown);
      scm_c_define (p->name,
                    scm_c_make_gsubr (shown, p->required, p->optional, p->rest,
                                      __extension__(scm_t_subr) p->function));
    }
}

SCM
scm_skp__count (ssize_t n, const char *who)
{
  if (n == -EAGAIN)
    return SCM_BOOL_F;
  if (n < 0)
    scm_skp__error (n, who);
  return SCM_I_MAKINUM (n);
}
