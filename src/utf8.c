/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The table of well-formed byte sequences (RFC 3629, 4), as ranges: a first
   byte decides how many follow and what the second may be.  */

#include "utf8.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const struct
{
  unsigned char first, last; /* of the first byte */
  struct skp__utf8 then;
} ranges[] = {
  { 0xc2, 0xdf, { 1, 0x80, 0xbf } }, { 0xe0, 0xe0, { 2, 0xa0, 0xbf } },
  { 0xe1, 0xec, { 2, 0x80, 0xbf } }, { 0xed, 0xed, { 2, 0x80, 0x9f } },
  { 0xee, 0xef, { 2, 0x80, 0xbf } }, { 0xf0, 0xf0, { 3, 0x90, 0xbf } },
  { 0xf1, 0xf3, { 3, 0x80, 0xbf } }, { 0xf4, 0xf4, { 3, 0x80, 0x8f } },
};

static int
begin (struct skp__utf8 *state, unsigned char byte)
{
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (byte >= ranges[i].first && byte <= ranges[i].last)
      {
        *state = ranges[i].then;
        return 0;
      }
  return -EILSEQ;
}

/* How many bytes from I on are ASCII, eight at a time.  */
static size_t
skip_ascii (const unsigned char *bytes, size_t i, size_t size)
{
  uint64_t eight;
  for (; size - i >= sizeof eight; i += sizeof eight)
    {
      memcpy (&eight, bytes + i, sizeof eight);
      if (eight & UINT64_C (0x8080808080808080))
        break;
    }
  while (i < size && bytes[i] < 0x80)
    i++;
  return i;
}

int
skp__utf8_check (struct skp__utf8 *state, const unsigned char *bytes,
                 size_t size)
{
  size_t i = 0;
  while (i < size)
    if (state->left)
      {
        if (bytes[i] < state->low || bytes[i] > state->high)
          return -EILSEQ;
        *state = (struct skp__utf8){ (unsigned char)(state->left - 1), 0x80,
                                     0xbf };
        i++;
      }
    else
      {
        i = skip_ascii (bytes, i, size);
        if (i < size && begin (state, bytes[i++]) < 0)
          return -EILSEQ;
      }
  return 0;
}
