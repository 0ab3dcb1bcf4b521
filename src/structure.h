/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The rows of structure.def by name, for other tables.  */

#ifndef SKP_PRIVATE_STRUCTURE_H
#define SKP_PRIVATE_STRUCTURE_H

#include <sockport/structure.h>

enum
{
#define STRUCTURE(name, type) SKP__AT_##name,
#include "structure.def"
  SKP__STRUCTURES
};

extern const struct skp_structure skp__structures[SKP__STRUCTURES];

#endif /* SKP_PRIVATE_STRUCTURE_H */
