/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The table made from constant.def.  */

#include <sockport/constant.h>

#include <sys/socket.h>

static const struct skp_constant constants[] = {
#define C(name) { #name, (int64_t)(name) },
#include "constant.def"
#undef C
};

const struct skp_constant *
skp_constant_at (size_t index)
{
  return index < sizeof constants / sizeof *constants ? &constants[index]
                                                      : NULL;
}
