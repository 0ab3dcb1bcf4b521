/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The list of constants for the Scheme module that defines them.  */

#include "primitive.h"

#include <sockport/constant.h>

static SCM
constants (void)
{
  SCM list = SCM_EOL;
  const struct skp_constant *c;
  for (size_t i = 0; (c = skp_constant_at (i)); i++)
    list = scm_acons (scm_from_utf8_symbol (c->name), scm_from_int64 (c->value),
                      list);
  return list;
}

void
scm_skp__init_constant (void)
{
  static const struct scm_skp__primitive primitives[]
      = { { "%constants", 0, 0, 0, constants } };
  scm_skp__define (primitives, sizeof primitives / sizeof *primitives);
}
