/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Structures of any length as the kernel might hand them over: every field has
   a number or none, and a number that fits stores to the same bits, one that
   does not changes nothing.  */

#include "fuzz.h"

#include <errno.h>
#include <sockport/structure.h>

#define LARGEST 1024

static const uint8_t zeros[LARGEST];

/* Storing what was loaded into zeros sets no other bits than the field's.  */
static void
store_again (const struct skp_field *field, const uint8_t *data,
             const struct skp_part *part)
{
  size_t size = field->offset + field->size;
  uint8_t made[LARGEST] = { 0 };
  const struct skp_part nothing = { 0 };
  struct skp_part back;
  require (skp_field_store (field, made, size, part) == (ssize_t)size);
  require (skp_field_load (field, made, size, &back) == 0);
  require (back.number == part->number && back.length == part->length);
  for (size_t i = 0; i < size; i++)
    require ((made[i] & ~data[i]) == 0);
  if (field->kind == SKP_FIELD_WIDE)
    return;
  require (skp_field_store (field, made, size, &nothing) == (ssize_t)size);
  require (memcmp (made, zeros, sizeof made) == 0);
}

/* Any value is stored and read back, or refused and nothing written.  */
static void
store_any (const struct skp_field *field, const struct skp_part *part)
{
  size_t size = field->offset + field->size;
  uint8_t made[LARGEST] = { 0 };
  struct skp_part back;
  ssize_t past = skp_field_store (field, made, size, part);
  if (past >= 0)
    {
      require (past == (ssize_t)size);
      require (skp_field_load (field, made, size, &back) == 0);
      if (field->kind <= SKP_FIELD_SIGNED)
        require (back.number == part->number);
      else
        require (memcmp (back.bytes, part->bytes, part->length) == 0);
      return;
    }
  require (past == -ERANGE || past == -EINVAL || past == -ENAMETOOLONG);
  require (memcmp (made, zeros, sizeof made) == 0);
}

static void
look (const struct skp_field *field, const uint8_t *data, size_t size,
      uint64_t any)
{
  struct skp_part part = { .number = 0x5ca1ab1e };
  struct skp_part given
      = { .number = any, .bytes = data, .length = any % (size + 1) };
  int err = skp_field_load (field, data, size, &part);
  require (err == 0 || part.number == 0x5ca1ab1e);
  require ((err == -ENODATA) == ((size_t)field->offset + field->size > size));
  if (err == 0)
    store_again (field, data, &part);
  store_any (field, &given);
}

/* A byte each chooses the structure and its field, eight more are a number, the
   rest is what the kernel wrote.  */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct input input = { data, size };
  const struct skp_structure *structure
      = skp_structure_at (take_number (&input, 1));
  if (!structure || structure->count == 0)
    return 0;
  const struct skp_field *field
      = &structure->fields[take_number (&input, 1) % structure->count];
  uint64_t any = take_number (&input, 8);
  require (structure->size <= LARGEST);
  require ((size_t)field->offset + field->size <= structure->size);
  look (field, input.at, input.left, any);
  return 0;
}
