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
             uint64_t number)
{
  size_t size = field->offset + field->size;
  uint8_t made[LARGEST] = { 0 };
  uint64_t back;
  require (skp_structure_store (field, made, number) == 0);
  require (skp_structure_load (field, made, size, &back) == 0);
  require (back == number);
  for (size_t i = 0; i < size; i++)
    require ((made[i] & ~data[i]) == 0);
  require (skp_structure_store (field, made, 0) == 0);
  require (memcmp (made, zeros, sizeof made) == 0);
}

/* Any number is stored and read back, or refused and nothing written.  */
static void
store_any (const struct skp_field *field, uint64_t number)
{
  size_t size = field->offset + field->size;
  uint8_t made[LARGEST] = { 0 };
  uint64_t back;
  int err = skp_structure_store (field, made, number);
  if (err == 0)
    {
      require (skp_structure_load (field, made, size, &back) == 0);
      require (back == number);
      return;
    }
  require (err == -ERANGE || err == -EINVAL);
  require (memcmp (made, zeros, sizeof made) == 0);
}

static void
look (const struct skp_field *field, const uint8_t *data, size_t size,
      uint64_t any)
{
  const uint64_t none = 0x5ca1ab1e;
  uint64_t number = none;
  int err = skp_structure_load (field, data, size, &number);
  require (err == 0 || number == none);
  if (field->kind > SKP_FIELD_NETWORK)
    require (err == -EINVAL);
  else
    require ((err == -ENODATA) == ((size_t)field->offset + field->size > size));
  if (err == 0)
    store_again (field, data, number);
  store_any (field, any);
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
