/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The table made from constant.def.  */

#include <sockport/constant.h>

#include <string.h>

#include "kernel.h"

static const struct skp_constant constants[] = {
#define C(name) { #name, (int64_t)(name) },
#define V(name, value) { #name, value },
#include "constant.def"
};

const struct skp_constant *
skp_constant_at (size_t index)
{
  return index < sizeof constants / sizeof *constants ? &constants[index]
                                                      : NULL;
}

const struct skp_constant *
skp_constant_named (const char *name)
{
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
    if (!strcmp (constants[i].name, name))
      return &constants[i];
  return NULL;
}
