/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Control data as a kernel gone mad might write it: walking, decoding, encoding
   again, checking.  Descriptors are looked at, never closed: the numbers are
   not this process's to close.  */

#include "fuzz.h"

#include <sockport/control.h>

/* A decoded item encodes to the same data, but for what nothing looks at.  */
static void
encode_again (const struct skp_control_type *type, const struct skp_part *parts,
              const struct skp_control_item *item)
{
  unsigned char *data = malloc (item->length + 1);
  struct skp_part back[SKP_CONTROL_FIELDS];
  struct skp_control_item again = { item->level, item->type, data, 0 };
  ssize_t n = skp_control_encode (type, parts, type->layout->count, data,
                                  item->length);
  if (type->name || n >= 0)
    require (n == (ssize_t)item->length);
  again.length = (size_t)n;
  require (skp_control_decode (&again, back) == type);
  for (int i = 0; i < type->layout->count; i++)
    {
      require (back[i].number == parts[i].number);
      require (back[i].length == parts[i].length);
      require (parts[i].length == 0
               || memcmp (back[i].bytes, parts[i].bytes, parts[i].length) == 0);
    }
  free (data);
}

static void
look (const struct skp_control_item *item, const uint8_t *start, size_t size)
{
  struct skp_part parts[SKP_CONTROL_FIELDS];
  const struct skp_control_type *type = skp_control_decode (item, parts);
  const uint8_t *bytes = item->bytes;

  require (bytes >= start && item->length <= size
           && (size_t)(bytes - start) <= size - item->length);
  for (int i = 0; i < type->layout->count; i++)
    if (parts[i].bytes)
      require ((const uint8_t *)parts[i].bytes >= bytes
               && (const uint8_t *)parts[i].bytes + parts[i].length
                      <= bytes + item->length);
  if (type->name || !skp_control_known (item->level, item->type))
    encode_again (type, parts, item);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct skp_control_item item;
  size_t at = 0, end = 0, items = 0;
  int more;
  unsigned char *built = malloc (size + 64);

  while ((more = skp_control_next (data, size, &at, &item)) > 0)
    {
      require (at > 0 && at <= size);
      look (&item, data, size);
      ssize_t next = skp_control_append (built, size + 64, end, &item);
      require (next > 0);
      end = (size_t)next;
      items++;
    }
  int check = skp_control_check (data, size);
  require (check <= 0 && (more == 0 || check < 0));
  at = 0;
  while (skp_control_next (built, end, &at, &item) > 0)
    items--;
  require (items == 0 && at == end);
  free (built);
  return 0;
}
