/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The constants of the kernel's socket headers, by name.

   Each has its header's value; addresses (INADDR_) are in host order, and
   IN6ADDR_ANY and IN6ADDR_LOOPBACK are the addresses as integers.  */

#ifndef SKP_CONSTANT_H
#define SKP_CONSTANT_H

#include <stddef.h>
#include <stdint.h>
#include <sockport/api.h>

SKP_BEGIN_DECLS

struct skp_constant
{
  const char *name;
  int64_t value;
};

/* The constant number INDEX of the list, NULL past its end.  */
SKP_API const struct skp_constant *skp_constant_at (size_t index);

/* The constant called NAME ("SO_REUSEADDR"), or NULL.  */
SKP_API const struct skp_constant *skp_constant_named (const char *name);

SKP_END_DECLS

#endif /* SKP_CONSTANT_H */
