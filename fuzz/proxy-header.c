/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The header of the PROXY protocol in any bytes: what is one needs all of its
   bytes and no more, and names addresses that can be told.  */

#include "fuzz.h"

#include <errno.h>
#include <sockport/proxy-header.h>

static ssize_t
read_copy (struct skp_proxy_header *header, const uint8_t *data, size_t size)
{
  /* Of the exact size, so that a read past the end is seen.  */
  uint8_t *copy = malloc (size ? size : 1);
  memcpy (copy, data, size);
  ssize_t result = skp_proxy_header_read (header, copy, size);
  free (copy);
  return result;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct skp_proxy_header header, again;
  char text[SKP_ADDRESS_TEXT];
  ssize_t result = read_copy (&header, data, size);

  require (result == -EAGAIN || result == -EPROTO
           || (result > 0 && (size_t)result <= size));
  if (result < 0)
    return 0;
  require ((header.source.length == 0) == (header.destination.length == 0));
  require (skp_address_format (&header.source, text, sizeof text) > 0
           || !header.source.length);
  require (read_copy (&again, data, (size_t)result) == result);
  require (read_copy (&again, data, (size_t)result - 1) == -EAGAIN);
  return 0;
}
