/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* See value.h.  Addresses are in address.c, buffers in slice.c.  */

#include "value.h"

int64_t
scm_skp__big_integer (SCM value, int64_t low, int64_t high, int pos,
                      const char *who)
{
  /* The range is looked at first, because libguile's conversions crash on some
     integers.  */
  if (!scm_is_exact_integer (value)
      || !scm_is_signed_integer (value, low, high))
    scm_skp__refuse_integer (value, low, high, pos, who);
  return scm_to_int64 (value);
}
