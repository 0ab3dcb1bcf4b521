/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The table made from structure.def, and numbers in and out of fields.  What a
   structure means is not known here.  */

#include <sockport/structure.h>

#include <errno.h>
#include <string.h>

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
  offsetof (type_##structure, member), sizeof ((type_##structure *)0)->member

static const struct skp_field fields[] = {
#define FIELD(structure, name, kind, member)                                   \
  { #name, PLACE (structure, member), SKP_FIELD_##kind, 0, 0 },
#define BITS(structure, name, member, shift, width)                            \
  { #name, PLACE (structure, member), SKP_FIELD_UNSIGNED, shift, width },
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

static int
is_number (const struct skp_field *field)
{
  return field->kind <= SKP_FIELD_NETWORK;
}

/* The bits of the field once its bytes are a number: how many, and how far from
   the lowest.  A C bit-field starts at the lowest bit on a little-endian
   machine, at the highest on the others.  */
static unsigned
bits_width (const struct skp_field *field)
{
  return field->width ? field->width : 8u * field->size;
}

static unsigned
bits_shift (const struct skp_field *field)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return field->shift;
#else
  return field->width ? 8u - field->shift - field->width : 0;
#endif
}

static uint64_t
bits_mask (const struct skp_field *field)
{
  return UINT64_MAX >> (64 - bits_width (field));
}

/* The place of byte I, counted from the least significant.  */
static int
place (const struct skp_field *field, int i)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return field->kind == SKP_FIELD_NETWORK ? field->size - 1 - i : i;
#else
  return field->size - 1 - i;
#endif
}

int
skp_structure_load (const struct skp_field *field, const void *bytes,
                    size_t length, uint64_t *number)
{
  const unsigned char *at = (const unsigned char *)bytes + field->offset;
  uint64_t value = 0;

  if (!is_number (field))
    return -EINVAL;
  if ((size_t)field->offset + field->size > length)
    return -ENODATA;
  for (int i = field->size - 1; i >= 0; i--)
    value = value << 8 | at[place (field, i)];
  value = value >> bits_shift (field) & bits_mask (field);
  if (field->kind == SKP_FIELD_SIGNED && value >> (bits_width (field) - 1))
    value |= ~bits_mask (field);
  *number = value;
  return 0;
}

static int
fits (const struct skp_field *field, uint64_t number)
{
  uint64_t top = number >> (bits_width (field) - 1);
  if (field->kind != SKP_FIELD_SIGNED)
    return top <= 1;
  return top == 0 || top == UINT64_MAX >> (bits_width (field) - 1);
}

int
skp_structure_store (const struct skp_field *field, void *bytes,
                     uint64_t number)
{
  unsigned char *at = (unsigned char *)bytes + field->offset;
  uint64_t mask;

  if (!is_number (field))
    return -EINVAL;
  if (!fits (field, number))
    return -ERANGE;
  mask = bits_mask (field) << bits_shift (field);
  number = number << bits_shift (field) & mask;
  for (int i = 0; i < field->size; i++, number >>= 8, mask >>= 8)
    {
      unsigned char *byte = &at[place (field, i)];
      *byte = (unsigned char)((*byte & ~mask) | number);
    }
  return 0;
}
