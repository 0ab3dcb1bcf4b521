/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The table made from structure.def.  What a structure means is not known here.
 */

#include <sockport/structure.h>

#include "kernel.h"
#include "name.h"
#include "structure.h"

#define STRUCTURE(name, type) typedef type type_##name;
#include "structure.def"

/* Where each structure's fields start and stop in the table of all fields.  */
enum
{
#define STRUCTURE(name, type) START_##name, BEFORE_##name = START_##name - 1,
#define FIELD(structure, name, kind, member) AT_##structure##_##name,
#define BITS(structure, name, member, shift, width) AT_##structure##_##name,
#define END(name) STOP_##name, LAST_##name = STOP_##name - 1,
#include "structure.def"
};

#define PLACE(structure, member)                                               \
  .offset = offsetof (type_##structure, member),                               \
  .size = sizeof ((type_##structure *)0)->member

static const struct skp_field fields[] = {
#define FIELD(structure, field, of_kind, member)                               \
  { .name = #field, .kind = SKP_FIELD_##of_kind, PLACE (structure, member) },
#define BITS(structure, field, member, bit, bits)                              \
  { .name = #field, PLACE (structure, member), .shift = bit, .width = bits },
#include "structure.def"
};

const struct skp_structure skp__structures[SKP__STRUCTURES] = {
#define STRUCTURE(name, type)                                                  \
  { #name, sizeof (type), STOP_##name - START_##name, &fields[START_##name] },
#include "structure.def"
};

const struct skp_structure *
skp_structure_at (size_t index)
{
  return index < SKP__STRUCTURES ? &skp__structures[index] : NULL;
}

const struct skp_structure *
skp_structure_named (const char *name)
{
  for (size_t i = 0; i < SKP__STRUCTURES; i++)
    if (skp__name_same (skp__structures[i].name, name))
      return &skp__structures[i];
  return NULL;
}
