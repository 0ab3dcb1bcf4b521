/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See primitive.h.  */

#include "primitive.h"

#include <errno.h>

#include "error.h"

void
scm_skp__define (const struct scm_skp__primitive *primitives, size_t count)
{
  for (size_t i = 0; i < count; i++)
    {
      const struct scm_skp__primitive *p = &primitives[i];
      scm_c_define_gsubr (p->name, p->required, p->optional, p->rest,
                          __extension__(scm_t_subr) p->function);
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
