/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A URI in any bytes: what is one is put together again from its parts, byte
   for byte, and nothing is read behind its end.  */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sockport/http-uri.h>

static void
require (int condition)
{
  if (!condition)
    abort ();
}

static size_t
put (char *to, size_t at, const char *text, struct skp_http_span span,
     size_t size)
{
  require (span.at <= size && span.size <= size - span.at);
  memcpy (to + at, text + span.at, span.size);
  return at + span.size;
}

static void
check_uri (const struct skp_http_uri *uri, const char *text, size_t size)
{
  char *again = malloc (size + 1);
  size_t at = (size_t)sprintf (again, "http%s://", uri->secure ? "s" : "");
  require (uri->host.size > 0);
  require (uri->path.size == 0 || text[uri->path.at] == '/');
  require (!memchr (text + uri->path.at, '?', uri->path.size));
  at = put (again, at, text, uri->host, size);
  at = put (again, at, text, uri->path, size);
  if (uri->has_query)
    {
      require (at < size);
      again[at++] = '?';
    }
  at = put (again, at, text, uri->query, size);
  require (at == size && memcmp (again, text, size) == 0);
  for (size_t i = 0; i < size; i++)
    require (text[i] > ' ' && text[i] < 0x7f && text[i] != '#');
  free (again);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct skp_http_uri uri;
  /* Of the exact size, so that a read past the end is seen.  */
  char *copy = malloc (size ? size : 1);
  memcpy (copy, data, size);
  int result = skp_http_uri_parse (&uri, copy, size);
  require (result == 0 || result == -EOPNOTSUPP);
  if (result == 0)
    check_uri (&uri, copy, size);
  free (copy);
  return 0;
}
