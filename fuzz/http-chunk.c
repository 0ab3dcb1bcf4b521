/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Chunks that come whole and the same in two parts: the same data, the same
   end.  */

#include "fuzz.h"

#include <errno.h>
#include <sockport/http-chunk.h>

struct outcome
{
  struct skp_http_chunk chunk;
  uint8_t *data;
  size_t count, used;
  int failed;
};

static void
decode (struct outcome *outcome, const uint8_t *bytes, size_t size)
{
  size_t at = 0;
  while (at < size && !skp_http_chunk_ended (&outcome->chunk)
         && !outcome->failed)
    {
      size_t used;
      ssize_t n
          = skp_http_chunk_next (&outcome->chunk, bytes + at, size - at, &used);
      outcome->failed = n < 0;
      if (n < 0)
        break;
      require (used <= size - at && (size_t)n <= size - at - used);
      require (used + (size_t)n > 0);
      memcpy (outcome->data + outcome->count, bytes + at + used, (size_t)n);
      outcome->count += (size_t)n;
      at += used + (size_t)n;
    }
  outcome->used += at;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct outcome whole = { .failed = 0 }, parted = { .failed = 0 };
  if (size < 1)
    return 0;
  size_t part = data[0];
  data++;
  size--;
  if (part > size)
    part = size;
  whole.data = malloc (size + 1);
  parted.data = malloc (size + 1);
  decode (&whole, data, size);
  decode (&parted, data, part);
  decode (&parted, data + part, size - part);
  require (whole.failed == parted.failed);
  if (!whole.failed)
    {
      require (whole.count == parted.count && whole.used == parted.used);
      require (memcmp (whole.data, parted.data, whole.count) == 0);
      require (skp_http_chunk_ended (&whole.chunk)
               == skp_http_chunk_ended (&parted.chunk));
    }
  free (whole.data);
  free (parted.data);
  return 0;
}
