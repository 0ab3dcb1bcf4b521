/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A head that comes whole and the same in two parts: one result, spans that lie
   within the bytes, and no two ways to read the framing.  */

#include "fuzz.h"

#include <errno.h>
#include <sockport/http-head.h>

static void
check_span (const uint8_t *data, struct skp_http_span span, size_t end)
{
  require (span.at <= end && span.size <= end - span.at);
  for (size_t i = 0; i < span.size; i++)
    require (data[span.at + i] >= ' ' || data[span.at + i] == '\t');
}

static void
check_head (const struct skp_http_head *head, const uint8_t *data, size_t end,
            int kind)
{
  unsigned both = SKP_HTTP_LENGTH | SKP_HTTP_CHUNKED;
  require (head->count <= SKP_HTTP_FIELDS);
  require (data[end - 1] == '\n');
  for (uint32_t i = 0; i < head->count; i++)
    {
      check_span (data, head->field[i].name, end);
      check_span (data, head->field[i].value, end);
      require (head->field[i].name.size > 0);
    }
  if (kind == 1)
    return;
  require ((head->flags & both) != both);
  require (head->minor > 0 || !(head->flags & SKP_HTTP_CHUNKED));
  if (kind == 2)
    {
      check_span (data, head->reason, end);
      require (head->status >= 100 && head->status <= 999);
      return;
    }
  check_span (data, head->method, end);
  check_span (data, head->target, end);
  require (head->method.size > 0 && head->target.size > 0);
  require (head->minor == 0 || head->flags & SKP_HTTP_HOST);
}

static void
start (struct skp_http_head *head, int kind)
{
  if (kind == 1)
    skp_http_head_init_trailers (head, 1024);
  else if (kind == 2)
    skp_http_head_init_response (head, 1024);
  else
    skp_http_head_init (head, 1024, 256);
}

/* The first byte says which: a request, trailers, a response; the second where
   to part it.  */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct skp_http_head whole, parted;
  if (size < 2)
    return 0;
  int kind = data[0] & 1 ? 1 : data[0] & 2;
  size_t part = data[1];
  data += 2;
  size -= 2;
  if (part > size)
    part = size;
  start (&whole, kind);
  start (&parted, kind);
  ssize_t n = skp_http_head_parse (&whole, data, size);
  uint8_t *first = malloc (part + 1);
  memcpy (first, data, part);
  ssize_t m = skp_http_head_parse (&parted, first, part);
  free (first);
  if (m == -EAGAIN)
    m = skp_http_head_parse (&parted, data, size);
  require (m == n);
  require (n <= (ssize_t)size && n != 0);
  if (n > 0)
    {
      check_head (&whole, data, (size_t)n, kind);
      require (parted.status == whole.status);
      require (parted.count == whole.count && parted.flags == whole.flags);
      require (
          memcmp (parted.field, whole.field, whole.count * sizeof *whole.field)
          == 0);
    }
  return 0;
}
